#include "layers/activations.h"

#include "layers/vmath.h"

#include <string.h>

/* Values and derivatives are made for this many elements at a time, so that what is between two loops stays in the
 * first-level cache. */
enum { BLOCK = 1024 };

/* ---- the functions: values, and first and second derivatives of n elements from x and y = s(x) ----------------- */

typedef struct kernels {
    const cst_module_ops *ops;
    double cost; /* flops an element, roughly */
    void (*value)(size_t n, real a, const real *x, real *y);
    void (*first)(size_t n, real a, const real *x, const real *y, real *d1);
    void (*second)(size_t n, real a, const real *x, const real *y, real *d1, real *d2); /* both */
} kernels;

/* Comparisons are written so that a NaN goes the way of x itself. */
static void relu_value(size_t n, real a, const real *x, real *y)
{
    (void)a;
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] = x[i] <= 0 ? 0 : x[i];
}

static void relu_first(size_t n, real a, const real *x, const real *y, real *d1)
{
    (void)a, (void)y;
#pragma omp simd
    for (size_t i = 0; i < n; i++) d1[i] = x[i] <= 0 ? (real)0 : 1;
}

static void relu_second(size_t n, real a, const real *x, const real *y, real *d1, real *d2)
{
    relu_first(n, a, x, y, d1);
    memset(d2, 0, n * sizeof *d2);
}

static void leaky_relu_value(size_t n, real a, const real *x, real *y)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] = x[i] <= 0 ? a * x[i] : x[i];
}

static void leaky_relu_first(size_t n, real a, const real *x, const real *y, real *d1)
{
    (void)y;
#pragma omp simd
    for (size_t i = 0; i < n; i++) d1[i] = x[i] <= 0 ? a : 1;
}

static void leaky_relu_second(size_t n, real a, const real *x, const real *y, real *d1, real *d2)
{
    leaky_relu_first(n, a, x, y, d1);
    memset(d2, 0, n * sizeof *d2);
}

static void tanh_value(size_t n, real a, const real *x, real *y)
{
    (void)a;
    cst_vtanh(n, x, y);
}

static void tanh_first(size_t n, real a, const real *x, const real *y, real *d1)
{
    (void)a, (void)x;
#pragma omp simd
    for (size_t i = 0; i < n; i++) d1[i] = 1 - y[i] * y[i];
}

static void tanh_second(size_t n, real a, const real *x, const real *y, real *d1, real *d2)
{
    tanh_first(n, a, x, y, d1);
#pragma omp simd
    for (size_t i = 0; i < n; i++) d2[i] = -2 * y[i] * d1[i];
}

static void sigmoid_value(size_t n, real a, const real *x, real *y)
{
    (void)a;
    cst_vsigmoid(n, x, y);
}

static void sigmoid_first(size_t n, real a, const real *x, const real *y, real *d1)
{
    (void)a, (void)x;
#pragma omp simd
    for (size_t i = 0; i < n; i++) d1[i] = y[i] * (1 - y[i]);
}

static void sigmoid_second(size_t n, real a, const real *x, const real *y, real *d1, real *d2)
{
    sigmoid_first(n, a, x, y, d1);
#pragma omp simd
    for (size_t i = 0; i < n; i++) d2[i] = d1[i] * (1 - 2 * y[i]);
}

/* PyTorch's softplus is x itself from 20 on, 2e-9 less than log(1 + exp(x)) there: little, but a solver in double sees it. */
static const real softplus_threshold = 20;

static void softplus_value(size_t n, real a, const real *x, real *y)
{
    (void)a;
    cst_vsoftplus(n, x, y);
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] = x[i] > softplus_threshold ? x[i] : y[i];
}

/* d/dx log(1 + exp(x)) = sigmoid(x) */
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

static void elu_value(size_t n, real a, const real *x, real *y)
{
    cst_vexpm1(n, x, y);
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] : a * y[i];
}

/* below 0: d/dx a (exp(x) - 1) = a exp(x) = y + a */
static void elu_first(size_t n, real a, const real *x, const real *y, real *d1)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) d1[i] = x[i] > 0 ? 1 : y[i] + a;
}

static void elu_second(size_t n, real a, const real *x, const real *y, real *d1, real *d2)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        d1[i] = x[i] > 0 ? 1 : y[i] + a;
        d2[i] = x[i] > 0 ? 0 : y[i] + a;
    }
}

static void silu_value(size_t n, real a, const real *x, real *y)
{
    (void)a;
    cst_vsigmoid(n, x, y);
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] *= x[i];
}

/* y = x s with s = sigmoid(x), s' = s (1 - s), so y' = s + x s' = s + y (1 - s) */
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

/* Phi' = phi and phi' = -x phi, so y' = Phi + x phi and y'' = 2 phi - x^2 phi */
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

static void gelu_first(size_t n, real a, const real *x, const real *y, real *d1)
{
    real d2[BLOCK];
    gelu_second(n, a, x, y, d1, d2);
}

static void square_value(size_t n, real a, const real *x, real *y)
{
    (void)a;
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] = x[i] * x[i];
}

static void square_first(size_t n, real a, const real *x, const real *y, real *d1)
{
    (void)a, (void)y;
#pragma omp simd
    for (size_t i = 0; i < n; i++) d1[i] = 2 * x[i];
}

static void square_second(size_t n, real a, const real *x, const real *y, real *d1, real *d2)
{
    square_first(n, a, x, y, d1);
    for (size_t i = 0; i < n; i++) d2[i] = 2;
}

static void cube_value(size_t n, real a, const real *x, real *y)
{
    (void)a;
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] = x[i] * x[i] * x[i];
}

static void cube_first(size_t n, real a, const real *x, const real *y, real *d1)
{
    (void)a, (void)y;
#pragma omp simd
    for (size_t i = 0; i < n; i++) d1[i] = 3 * x[i] * x[i];
}

static void cube_second(size_t n, real a, const real *x, const real *y, real *d1, real *d2)
{
    cube_first(n, a, x, y, d1);
#pragma omp simd
    for (size_t i = 0; i < n; i++) d2[i] = 6 * x[i];
}

static void identity_value(size_t n, real a, const real *x, real *y)
{
    (void)a;
    memcpy(y, x, n * sizeof *y);
}

static void identity_first(size_t n, real a, const real *x, const real *y, real *d1)
{
    (void)a, (void)x, (void)y;
    for (size_t i = 0; i < n; i++) d1[i] = 1;
}

static void identity_second(size_t n, real a, const real *x, const real *y, real *d1, real *d2)
{
    identity_first(n, a, x, y, d1);
    memset(d2, 0, n * sizeof *d2);
}

/* ---- the passes, for all of them ------------------------------------------------------------------------------- */

typedef struct activation {
    cst_module base;
    const kernels *kernels;
    real a; /* slope or alpha */
} activation;

static const activation *activation_of(const cst_module *m)
{
    return (const activation *)(const void *)m;
}

static size_t elements(const cst_module *m, const cst_call *c)
{
    return c->n * cst_shape_size(&m->x);
}

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

/* out[i] += s[i] u[i] v[i] */
static void add_product(size_t n, const real *restrict s, const real *restrict u, const real *restrict v,
                        real *restrict out)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) out[i] += s[i] * u[i] * v[i];
}

static cst_status activation_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const activation *s = activation_of(m);
    const size_t size = elements(m, c);
    (void)cache;
    for (size_t i = 0; i < size; i += BLOCK) s->kernels->value(block_size(i, size), s->a, x + i, y + i);
    return CST_OK;
}

/* forward: y = s(x), so gx = s'(x) gy */
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

/* One block of the pass below: pointers are to the block's first element, tangents are `size` apart. */
static void pull_back_block(size_t n, size_t size, size_t count, const real *d1, const real *d2, const real *xdot,
                            const real *gy, const real *gydot, real *gx, real *gxdot)
{
    if (gx && gy) multiply(n, d1, gy, gx);
    if (gx && !gy) memset(gx, 0, n * sizeof *gx);
    for (size_t k = 0; k < count; k++) {
        if (gxdot && gydot) multiply(n, d1, gydot + k * size, gxdot + k * size);
        if (gxdot && !gydot) memset(gxdot + k * size, 0, n * sizeof *gxdot);
        if (gx && gydot) add_product(n, d2, gydot + k * size, xdot + k * size, gx);
    }
}

/* jvp: ydot_k = s'(x) xdot_k, so gxdot_k = s'(x) gydot_k and gx = s'(x) gy + s''(x) sum_k gydot_k xdot_k */
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
        pull_back_block(n, size, d->count, d1, d2, d->xdot + i, gy ? gy + i : NULL, gydot ? gydot + i : NULL,
                        g->gx ? g->gx + i : NULL, g->gxdot ? g->gxdot + i : NULL);
    }
    return CST_OK;
}

/* ---- the types -------------------------------------------------------------------------------------------------- */

/* X(name, enumerator, flops per element) */
#define ACTIVATIONS(X)                                                                                                 \
    X(relu, CST_RELU, 1)                                                                                               \
    X(leaky_relu, CST_LEAKY_RELU, 2)                                                                                   \
    X(tanh, CST_TANH, 20)                                                                                              \
    X(sigmoid, CST_SIGMOID, 20)                                                                                        \
    X(softplus, CST_SOFTPLUS, 40)                                                                                      \
    X(elu, CST_ELU, 20)                                                                                                \
    X(silu, CST_SILU, 20)                                                                                              \
    X(gelu, CST_GELU, 40)                                                                                              \
    X(square, CST_SQUARE, 1)                                                                                           \
    X(cube, CST_CUBE, 2)                                                                                               \
    X(identity, CST_IDENTITY, 1)

#define OPS(type, kind, flops)                                                                                         \
    static const cst_module_ops type##_ops = {                                                                         \
        .name = #type,                                                                                                 \
        .forward = activation_forward,                                                                                 \
        .vjp = activation_vjp,                                                                                         \
        .jvp = activation_jvp,                                                                                         \
        .jvp_vjp = activation_jvp_vjp,                                                                                 \
    };
ACTIVATIONS(OPS)
#undef OPS

static const kernels all_kernels[] = {
#define KERNELS(type, kind, flops) [kind] = {&type##_ops, flops, type##_value, type##_first, type##_second},
    ACTIVATIONS(KERNELS)
#undef KERNELS
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
