#include "layers/activations.h"

#include "layers/vmath.h"

#include <string.h>

/* Values and derivatives are computed for this many elements at a time, so that the arrays between two loops stay in
 * the first-level cache. */
enum { BLOCK = 1024 };

/* ---- kernels ------------------------------------------------------------------------------------------------- */

/* An activation s has three kernels over n elements. `a` is its parameter (slope or alpha), or unused:
 *
 *   NAME_value   y = s(x)
 *   NAME_first   d1 = s'(x), from x and y
 *   NAME_second  d1 = s'(x) and d2 = s''(x), from x and y
 *
 * VALUE and DERIVATIVES define them from expressions in the numbers x, y, a of one element. In the expression for
 * s'', d1 is s'. Comparisons are written so that a NaN takes the branch that returns x. Where a kernel needs a
 * function of layers/vmath.h, it is written out: these work on whole arrays. */
#define VALUE(name, value)                                                                                             \
    static void name##_value(size_t n, real a, const real *xs, real *ys)                                               \
    {                                                                                                                  \
        (void)a;                                                                                                       \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++)                                                             \
        {                                                                                                              \
            const real x = xs[i];                                                                                      \
            ys[i] = value;                                                                                             \
        }                                                                                                              \
    }

#define DERIVATIVES(name, first, second)                                                                               \
    static void name##_first(size_t n, real a, const real *xs, const real *ys, real *d1s)                              \
    {                                                                                                                  \
        (void)a;                                                                                                       \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++)                                                             \
        {                                                                                                              \
            const real x = xs[i], y = ys[i];                                                                           \
            (void)x, (void)y;                                                                                          \
            d1s[i] = first;                                                                                            \
        }                                                                                                              \
    }                                                                                                                  \
    static void name##_second(size_t n, real a, const real *xs, const real *ys, real *d1s, real *d2s)                  \
    {                                                                                                                  \
        (void)a;                                                                                                       \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++)                                                             \
        {                                                                                                              \
            const real x = xs[i], y = ys[i], d1 = first;                                                               \
            (void)x, (void)y;                                                                                          \
            d1s[i] = d1;                                                                                               \
            d2s[i] = second;                                                                                           \
        }                                                                                                              \
    }

/* clang-format off: it takes x * x in an argument for a declaration */
VALUE(relu, x <= 0 ? 0 : x)
DERIVATIVES(relu, x <= 0 ? (real)0 : 1, 0)

VALUE(leaky_relu, x <= 0 ? a * x : x)
DERIVATIVES(leaky_relu, x <= 0 ? a : 1, 0)

VALUE(square, x *x)
DERIVATIVES(square, 2 * x, 2)

VALUE(cube, x *x *x)
DERIVATIVES(cube, 3 * x * x, 6 * x)

VALUE(identity, x)
DERIVATIVES(identity, 1, 0)
/* clang-format on */

static void tanh_value(size_t n, real a, const real *x, real *y)
{
    (void)a;
    cst_vtanh(n, x, y);
}
DERIVATIVES(tanh, 1 - y * y, -2 * y * d1)

static void sigmoid_value(size_t n, real a, const real *x, real *y)
{
    (void)a;
    cst_vsigmoid(n, x, y);
}
DERIVATIVES(sigmoid, y *(1 - y), d1 *(1 - 2 * y))

static void elu_value(size_t n, real a, const real *x, real *y)
{
    cst_vexpm1(n, x, y);
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] : a * y[i];
}
/* Below 0, d/dx a (exp(x) - 1) = a exp(x) = y + a. */
DERIVATIVES(elu, x > 0 ? 1 : y + a, x > 0 ? 0 : y + a)

/* PyTorch's softplus is x itself above 20. That is 2e-9 less than log(1 + exp(x)), which a solver in double precision
 * notices. */
static const real softplus_threshold = 20;

static void softplus_value(size_t n, real a, const real *x, real *y)
{
    (void)a;
    cst_vsoftplus(n, x, y);
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] = x[i] > softplus_threshold ? x[i] : y[i];
}

/* d/dx log(1 + exp(x)) = sigmoid(x), and d/dx sigmoid(x) = sigmoid(x) (1 - sigmoid(x)) */
static void softplus_first(size_t n, real a, const real *x, const real *y, real *d1)
{
    (void)a, (void)y;
    cst_vsigmoid(n, x, d1);
#pragma omp simd
    for (size_t i = 0; i < n; i++) d1[i] = x[i] > softplus_threshold ? 1 : d1[i];
}

static void softplus_second(size_t n, real a, const real *x, const real *y, real *d1, real *d2)
{
    softplus_first(n, a, x, y, d1);
#pragma omp simd
    for (size_t i = 0; i < n; i++) d2[i] = d1[i] * (1 - d1[i]);
}

static void silu_value(size_t n, real a, const real *x, real *y)
{
    (void)a;
    cst_vsigmoid(n, x, y);
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] *= x[i];
}

/* forward: y = x s with s = sigmoid(x) and s' = s (1 - s), so y' = s + x s' = s + y (1 - s) */
static void silu_first(size_t n, real a, const real *x, const real *y, real *d1)
{
    (void)a;
    cst_vsigmoid(n, x, d1);
#pragma omp simd
    for (size_t i = 0; i < n; i++) d1[i] += y[i] * (1 - d1[i]);
}

/* s'' = s' (1 - 2 s), so y'' = 2 s' + x s'' = s' (2 + x (1 - 2 s)) */
static void silu_second(size_t n, real a, const real *x, const real *y, real *d1, real *d2)
{
    (void)a;
    cst_vsigmoid(n, x, d1);
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const real s = d1[i];
        d1[i] = s + y[i] * (1 - s);
        d2[i] = s * (1 - s) * (2 + x[i] * (1 - 2 * s));
    }
}

static const real sqrt_half = (real)0.70710678118654752440, density_at_0 = (real)0.39894228040143267794;

/* y = x Phi(x), Phi(x) = (1 + erf(x / sqrt(2))) / 2 */
static void gelu_value(size_t n, real a, const real *x, real *y)
{
    (void)a;
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] = sqrt_half * x[i];
    cst_verf(n, y, y);
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] = (real)0.5 * x[i] * (1 + y[i]);
}

/* phi(x) = exp(-x^2 / 2) / sqrt(2 pi) */
static void normal_density(size_t n, const real *x, real *phi)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) phi[i] = (real)-0.5 * x[i] * x[i];
    cst_vexp(n, phi, phi);
#pragma omp simd
    for (size_t i = 0; i < n; i++) phi[i] *= density_at_0;
}

/* forward: y = x Phi(x). Phi' = phi and phi' = -x phi, so y' = Phi + x phi and y'' = 2 phi - x^2 phi. */
static void gelu_second(size_t n, real a, const real *x, const real *y, real *d1, real *d2)
{
    (void)a, (void)y;
#pragma omp simd
    for (size_t i = 0; i < n; i++) d1[i] = sqrt_half * x[i];
    cst_verf(n, d1, d1);
    normal_density(n, x, d2);
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        d1[i] = (real)0.5 * (1 + d1[i]) + x[i] * d2[i];
        d2[i] *= 2 - x[i] * x[i];
    }
}

/* phi is needed for s' too, so computing s'' as well costs next to nothing. */
static void gelu_first(size_t n, real a, const real *x, const real *y, real *d1)
{
    real d2[BLOCK];
    gelu_second(n, a, x, y, d1, d2);
}

/* ---- passes -------------------------------------------------------------------------------------------------- */

typedef struct kernels {
    const cst_module_ops *ops;
    double cost; /* flops per element, roughly */
    void (*value)(size_t n, real a, const real *x, real *y);
    void (*first)(size_t n, real a, const real *x, const real *y, real *d1);
    void (*second)(size_t n, real a, const real *x, const real *y, real *d1, real *d2);
} kernels;

typedef struct activation {
    cst_module base;
    const kernels *kernels;
    real a; /* the kernels' parameter */
} activation;

static const activation *activation_of(const cst_module *m)
{
    return (const activation *)(const void *)m;
}

/* Elements of x in the whole batch. */
static size_t elements(const cst_module *m, const cst_call *c)
{
    return c->n * cst_shape_size(&m->x);
}

/* Elements of the block that begins at `first`. */
static size_t block_size(size_t first, size_t size)
{
    return size - first < BLOCK ? size - first : BLOCK;
}

/* out[i] = s[i] v[i] */
static void multiply(size_t n, const real *restrict s, const real *restrict v, real *restrict out)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) out[i] = s[i] * v[i];
}

/* The same, with v NULL for zero. */
static void multiply_or_clear(size_t n, const real *s, const real *v, real *out)
{
    if (v)
        multiply(n, s, v, out);
    else
        memset(out, 0, n * sizeof *out);
}

/* out[i] += s[i] u[i] v[i] */
static void add_product(size_t n, const real *restrict s, const real *restrict u, const real *restrict v,
                        real *restrict out)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) out[i] += s[i] * u[i] * v[i];
}

/* y = s(x) */
static cst_status activation_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const activation *s = activation_of(m);
    const size_t size = elements(m, c);
    (void)cache;
    for (size_t i = 0; i < size; i += BLOCK) s->kernels->value(block_size(i, size), s->a, x + i, y + i);
    return CST_OK;
}

/* forward: y = s(x), so gx = s'(x) gy. */
static cst_status activation_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                                 const cst_grads *g)
{
    const activation *s = activation_of(m);
    const size_t size = elements(m, c);
    real d1[BLOCK];
    for (size_t i = 0; g->gx && i < size; i += BLOCK) {
        const size_t n = block_size(i, size);
        s->kernels->first(n, s->a, p->x + i, p->y + i, d1);
        multiply(n, d1, gy + i, g->gx + i);
    }
    return CST_OK;
}

/* forward: y = s(x), so ydot_k = s'(x) xdot_k; a block of s' serves all tangents. */
static cst_status activation_jvp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangents *d)
{
    const activation *s = activation_of(m);
    const size_t size = elements(m, c);
    real d1[BLOCK];
    for (size_t i = 0; i < size; i += BLOCK) {
        const size_t n = block_size(i, size);
        s->kernels->first(n, s->a, p->x + i, p->y + i, d1);
        for (size_t k = 0; k < d->count; k++) multiply(n, d1, d->xdot + k * size + i, d->ydot + k * size + i);
    }
    return CST_OK;
}

/* jvp: ydot_k = s'(x) xdot_k, so gxdot_k = s'(x) gydot_k and gx = s'(x) gy + s''(x) sum_k gydot_k xdot_k. */
static cst_status activation_jvp_vjp(const cst_module *m, const cst_call *c, const cst_point *p,
                                     const cst_tangent_point *d, const real *gy, const real *gydot, const cst_grads *g)
{
    const activation *s = activation_of(m);
    const size_t size = elements(m, c);
    real d1[BLOCK], d2[BLOCK];
    if (!g->gx && !g->gxdot) return CST_OK;
    for (size_t i = 0; i < size; i += BLOCK) {
        const size_t n = block_size(i, size);
        s->kernels->second(n, s->a, p->x + i, p->y + i, d1, d2);
        /* gx starts as the share of gy; each tangent adds its own. */
        if (g->gx) multiply_or_clear(n, d1, gy ? gy + i : NULL, g->gx + i);
        for (size_t k = 0; k < d->count; k++) {
            const size_t at = k * size + i;
            if (g->gxdot) multiply_or_clear(n, d1, gydot ? gydot + at : NULL, g->gxdot + at);
            if (g->gx && gydot) add_product(n, d2, gydot + at, d->xdot + at, g->gx + i);
        }
    }
    return CST_OK;
}

/* ---- the types ----------------------------------------------------------------------------------------------- */

#define X(type, kind, flops, keys, summary)                                                                            \
    static const cst_module_ops type##_ops = {                                                                         \
        .name = #type,                                                                                                 \
        .forward = activation_forward,                                                                                 \
        .vjp = activation_vjp,                                                                                         \
        .jvp = activation_jvp,                                                                                         \
        .jvp_vjp = activation_jvp_vjp,                                                                                 \
    };
CST_ACTIVATIONS(X)
#undef X

static const kernels all_kernels[] = {
#define X(type, kind, flops, keys, summary) [kind] = {&type##_ops, flops, type##_value, type##_first, type##_second},
    CST_ACTIVATIONS(X)
#undef X
};

cst_status cst_activation_new(const cst_shape *x, const cst_activation_options *options, cst_module **m,
                              cst_error *error)
{
    const kernels *of_kind = &all_kernels[options->kind];
    CST_TRY(cst_module_new(sizeof(activation), of_kind->ops, x, m, error));
    activation *s = (activation *)(void *)*m;
    s->kernels = of_kind;
    s->a = (real)options->parameter;
    s->base.cost = of_kind->cost * (double)cst_shape_size(x);
    return CST_OK;
}
