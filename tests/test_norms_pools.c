/* group_norm, layer_norm and the pools against plain references in long double: y itself, and every derivative as a
 * central difference of the reference (a nested one for jvp_vjp), so that nothing is compared with itself. */
#include "core/arena.h"
#include "layers/norm_layers.h"
#include "layers/pool2d.h"
#include "tests/helpers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 3, K = 2, LIMIT = 512, SEED = 7 };

typedef long double wide;
typedef enum kind { NORM, AVG, MAX, GLOBAL } kind;

typedef struct spec {
    const char *label;
    kind kind;
    cst_shape x;
    size_t a, b, c; /* groups and entries per weight; kernel, stride, padding */
    double eps;
} spec;

/* ---- references ---------------------------------------------------------------------------------------------- */

static void norm_reference(const spec *s, const wide *x, const wide *theta, wide *y)
{
    const size_t size = cst_shape_size(&s->x), m = size / s->a;
    for (size_t first = 0; first < size; first += m) {
        wide mean = 0, variance = 0;
        for (size_t i = first; i < first + m; i++) mean += x[i] / (wide)m;
        for (size_t i = first; i < first + m; i++) variance += (x[i] - mean) * (x[i] - mean) / (wide)m;
        for (size_t i = first; i < first + m; i++)
            y[i] = (x[i] - mean) / sqrtl(variance + (wide)s->eps) * theta[i / s->b] + theta[size / s->b + i / s->b];
    }
}

static void pool_reference(const spec *s, const wide *x, wide *y)
{
    const long h = (long)s->x.dim[1], w = (long)s->x.dim[2], stride = (long)s->b, pad = (long)s->c;
    const long kh = s->kind == GLOBAL ? h : (long)s->a, kw = s->kind == GLOBAL ? w : (long)s->a;
    size_t at = 0;
    for (size_t c = 0; c < s->x.dim[0]; c++, x += h * w) {
        for (long top = -pad; top + kh <= h + pad; top += stride) {
            for (long left = -pad; left + kw <= w + pad; left += stride) {
                wide sum = 0, largest = -(wide)INFINITY;
                for (long i = top; i < top + kh; i++) {
                    for (long j = left; j < left + kw; j++) {
                        if (i < 0 || i >= h || j < 0 || j >= w) continue;
                        sum += x[i * w + j];
                        if (x[i * w + j] > largest) largest = x[i * w + j];
                    }
                }
                y[at++] = s->kind == MAX ? largest : sum / (wide)(kh * kw);
            }
        }
    }
}

static void reference(const spec *s, const cst_module *m, const wide *x, const wide *theta, wide *y)
{
    const size_t in = cst_shape_size(&m->x), out = cst_shape_size(&m->y);
    for (size_t row = 0; row < N; row++) {
        if (s->kind == NORM) {
            norm_reference(s, x + row * in, theta, y + row * out);
        } else {
            pool_reference(s, x + row * in, y + row * out);
        }
    }
}

/* ---- a module with everything its passes need ---------------------------------------------------------------- */

typedef struct rig {
    const spec *s;
    cst_module *m;
    size_t in, out, p;
    cst_arena arena;
    real *x, *theta, *gy, *xdot, *gydot, *y, *ydot, *cache, *tangent, *gx, *gxdot, *gtheta;
    wide shifted[LIMIT], shifted_theta[LIMIT], up[LIMIT], down[LIMIT]; /* for the references */
    wide wide_x[LIMIT], wide_theta[LIMIT], wide_xdot[K * LIMIT];
} rig;

static real *random_reals(rig *r, size_t n, uint64_t stream)
{
    real *x = cst_arena_take(&r->arena, n);
    cst_rng_fill_normal(cst_rng_split(cst_rng_new(SEED, CST_RNG_TEST), stream), x, n, 1);
    return x;
}

static cst_status make(const spec *s, cst_module **m, cst_error *error)
{
    const cst_pool2d_options pool = {s->a, s->b, s->c};
    switch (s->kind) {
    case AVG:
        return cst_avg_pool2d_new(&s->x, &pool, m, error);
    case MAX:
        return cst_max_pool2d_new(&s->x, &pool, m, error);
    case GLOBAL:
        return cst_global_avg_pool2d_new(&s->x, m, error);
    case NORM:
        break;
    }
    if (s->a == 1 && s->b == 1) return cst_layer_norm_new(&s->x, &(cst_layer_norm_options){s->eps}, m, error);
    return cst_group_norm_new(&s->x, &(cst_group_norm_options){s->a, s->eps}, m, error);
}

static cst_call call_of(const rig *r)
{
    return (cst_call){.t = 0.5, .n = N, .threads = 1, .train = true, .theta = r->theta};
}

static void rig_init(rig *r, const spec *s)
{
    cst_error error;
    *r = (rig){.s = s};
    assert_int_equal(make(s, &r->m, &error), CST_OK);
    r->in = N * cst_shape_size(&r->m->x);
    r->out = N * cst_shape_size(&r->m->y);
    r->p = r->m->n_params;
    assert_true(r->in <= LIMIT && r->out <= LIMIT && r->p <= LIMIT);
    cst_plan plan = {0};
    cst_module_plan(r->m, N, K + 1, 1, &plan);
    assert_int_equal(plan.work, 0);
    assert_int_equal(cst_arena_init(&r->arena, (size_t)64 * LIMIT, NULL), CST_OK);
    r->x = random_reals(r, r->in, 0);
    r->theta = random_reals(r, r->p, 1);
    r->gy = random_reals(r, r->out, 2);
    r->xdot = random_reals(r, K * r->in, 3);
    r->gydot = random_reals(r, K * r->out, 4);
    r->y = cst_arena_take(&r->arena, r->out);
    r->ydot = cst_arena_take(&r->arena, K * r->out);
    r->cache = cst_arena_take(&r->arena, plan.cache);
    r->tangent = cst_arena_take(&r->arena, plan.tangent);
    r->gx = random_reals(r, r->in, 5); /* poison that must be overwritten */
    r->gxdot = random_reals(r, K * r->in, 6);
    r->gtheta = cst_arena_take(&r->arena, r->p);
    for (size_t i = 0; i < r->in; i++) r->wide_x[i] = (wide)r->x[i];
    for (size_t i = 0; i < r->p; i++) r->wide_theta[i] = (wide)r->theta[i];
    for (size_t i = 0; i < K * r->in; i++) r->wide_xdot[i] = (wide)r->xdot[i];
    const cst_call c = call_of(r);
    assert_int_equal(cst_module_forward(r->m, &c, r->x, r->y, r->cache), CST_OK);
}

static void rig_clear(rig *r)
{
    cst_arena_clear(&r->arena);
    cst_module_free(r->m);
}

static void assert_near(const rig *r, const char *what, size_t i, real got, wide expected, double tolerance)
{
    const double error = fabs((double)got - (double)expected);
    if (error <= tolerance * (1 + fabs((double)expected))) return;
    fail_msg("%s, %s[%zu]: got %.10g, expected %.10g (seed %d)", r->s->label, what, i, (double)got, (double)expected,
             SEED);
}

/* Rounding errors of the passes, and of differences of long doubles, which may have no more digits than doubles. */
static double tolerance(double differences)
{
    return fmax(200 * (double)CST_REAL_EPSILON, differences);
}

/* ydot of the reference, by a central difference along tangent k, at x and theta. */
static const wide step = 1e-5L;

static void reference_jvp(rig *r, const wide *x, const wide *theta, const wide *xdot, wide *ydot)
{
    for (size_t i = 0; i < r->in; i++) r->shifted[i] = x[i] + step * xdot[i];
    reference(r->s, r->m, r->shifted, theta, r->up);
    for (size_t i = 0; i < r->in; i++) r->shifted[i] = x[i] - step * xdot[i];
    reference(r->s, r->m, r->shifted, theta, r->down);
    for (size_t i = 0; i < r->out; i++) ydot[i] = (r->up[i] - r->down[i]) / (2 * step);
}

/* <gy, y> + sum over tangents of <gydot, ydot>; a term is 0 if its cotangent is NULL. */
static wide paired(rig *r, const wide *x, const wide *theta, const wide *xdot, const real *gy, const real *gydot)
{
    static wide y[LIMIT];
    wide sum = 0;
    reference(r->s, r->m, x, theta, y);
    for (size_t i = 0; gy && i < r->out; i++) sum += (wide)gy[i] * y[i];
    for (size_t k = 0; gydot && k < K; k++) {
        reference_jvp(r, x, theta, xdot + k * r->in, y);
        for (size_t i = 0; i < r->out; i++) sum += (wide)gydot[k * r->out + i] * y[i];
    }
    return sum;
}

/* The derivative of paired() by one entry of x, theta or xdot; `at` points to it in the rig's wide copies. */
static wide difference(rig *r, wide *at, const real *gy, const real *gydot)
{
    const wide h = 1e-4L, kept = *at;
    *at = kept + h;
    const wide up = paired(r, r->wide_x, r->wide_theta, r->wide_xdot, gy, gydot);
    *at = kept - h;
    const wide down = paired(r, r->wide_x, r->wide_theta, r->wide_xdot, gy, gydot);
    *at = kept;
    return (up - down) / (2 * h);
}

/* A gradient that a pass has computed, and its reference: before + scale * (difference along the n components at `at`),
 * which are some of the rig's wide copies. */
typedef struct gradient {
    const char *name;
    const real *got;
    double before, scale;
    wide *at;
    size_t n;
    double tolerance;
    bool zero; /* the derivative is known to be zero */
} gradient;

static void check_gradient(rig *r, const gradient *g, const real *gy, const real *gydot)
{
    char what[100];
    test_derivative seen = {0};
    snprintf(what, sizeof what, "%s, %s", r->s->label, g->name);
    for (size_t i = 0; i < g->n; i++) {
        const double expected = g->scale * (double)difference(r, g->at + i, gy, gydot);
        const double allowed = tolerance(g->tolerance) * (1 + fabs(g->before + expected));
        test_derivative_compare(&seen, what, i, (double)g->got[i] - g->before, expected, allowed);
    }
    test_derivative_end(&seen, what, g->zero);
}

/* ---- every pass of every spec -------------------------------------------------------------------------------- */

static const spec specs[] = {
    {"group_norm 2 of 4 channels", NORM, {3, {4, 3, 2}}, 2, 6, 0, 1e-5},
    {"group_norm a channel each", NORM, {3, {3, 3, 3}}, 3, 9, 0, 1e-3},
    {"group_norm of vectors", NORM, {1, {10}}, 2, 1, 0, 0.1},
    {"group_norm of one group", NORM, {3, {2, 5, 4}}, 1, 20, 0, 1e-5},
    {"layer_norm of vectors", NORM, {1, {7}}, 1, 1, 0, 1e-5},
    {"layer_norm of images", NORM, {3, {2, 3, 3}}, 1, 1, 0, 1e-2},
    {"avg_pool2d 2", AVG, {3, {2, 5, 6}}, 2, 2, 0, 0},
    {"avg_pool2d 3, stride 2, padding 1", AVG, {3, {2, 6, 5}}, 3, 2, 1, 0},
    {"avg_pool2d 4, stride 1, padding 2", AVG, {3, {1, 3, 5}}, 4, 1, 2, 0},
    {"avg_pool2d 2, stride 3", AVG, {3, {2, 6, 5}}, 2, 3, 0, 0},
    {"max_pool2d 2", MAX, {3, {2, 5, 6}}, 2, 2, 0, 0},
    {"max_pool2d 2, wide", MAX, {3, {1, 4, 37}}, 2, 2, 0, 0},
    {"max_pool2d 3, stride 2, padding 1", MAX, {3, {2, 6, 5}}, 3, 2, 1, 0},
    {"max_pool2d 2, stride 1, padding 1", MAX, {3, {1, 4, 5}}, 2, 1, 1, 0},
    {"max_pool2d 5, stride 4, padding 2", MAX, {3, {1, 9, 6}}, 5, 4, 2, 0},
    {"global_avg_pool2d", GLOBAL, {3, {3, 4, 5}}, 0, 1, 0, 0},
};

enum { N_SPECS = sizeof specs / sizeof *specs };

static rig shared_rig; /* too large for a stack */

static void forward_is_the_reference(void **state)
{
    (void)state;
    rig *r = &shared_rig;
    for (size_t s = 0; s < N_SPECS; s++) {
        rig_init(r, &specs[s]);
        reference(r->s, r->m, r->wide_x, r->wide_theta, r->up);
        for (size_t i = 0; i < r->out; i++) assert_near(r, "y", i, r->y[i], r->up[i], tolerance(0));
        rig_clear(r);
    }
}

static void vjp_is_the_gradient(void **state)
{
    (void)state;
    rig *r = &shared_rig;
    const real scale = (real)-0.75;
    for (size_t s = 0; s < N_SPECS; s++) {
        rig_init(r, &specs[s]);
        for (size_t i = 0; i < r->p; i++) r->gtheta[i] = 2; /* must be added to */
        double gt = 3;
        const cst_call c = call_of(r);
        const cst_point p = {r->x, r->y, r->cache};
        const cst_grads g = {.scale = scale, .gx = r->gx, .gtheta = r->gtheta, .gt = &gt};
        assert_int_equal(cst_module_vjp(r->m, &c, &p, r->gy, &g), CST_OK);
        check_gradient(r, &(gradient){"gx", r->gx, 0, 1, r->wide_x, r->in, 1e-6, false}, r->gy, NULL);
        check_gradient(r, &(gradient){"gtheta", r->gtheta, 2, (double)scale, r->wide_theta, r->p, 1e-9, false}, r->gy,
                       NULL);
        assert_true(gt == 3);
        rig_clear(r);
    }
}

/* One call of jvp: `count` tangents from `first` on, in the places from `at` on of a cache for `capacity`. */
static void run_jvp(rig *r, size_t capacity, size_t at, size_t first, size_t count)
{
    const cst_call c = call_of(r);
    const cst_point p = {r->x, r->y, r->cache};
    const cst_tangents d = {capacity, at, count, r->xdot + first * r->in, r->ydot + first * r->out, r->tangent};
    assert_int_equal(cst_module_jvp(r->m, &c, &p, &d), CST_OK);
}

/* Tangents are added one after the other, in the last places of a cache that has room for one more. */
static void jvp_is_the_derivative(void **state)
{
    (void)state;
    rig *r = &shared_rig;
    static wide ydot[LIMIT];
    for (size_t s = 0; s < N_SPECS; s++) {
        rig_init(r, &specs[s]);
        for (size_t k = 0; k < K; k++) {
            run_jvp(r, K + 1, k + 1, k, 1);
            reference_jvp(r, r->wide_x, r->wide_theta, r->wide_xdot + k * r->in, ydot);
            for (size_t i = 0; i < r->out; i++)
                assert_near(r, "ydot", i, r->ydot[k * r->out + i], ydot[i], tolerance(1e-7));
        }
        rig_clear(r);
    }
}

/* The VJP of (forward, jvp) with gy alone, gydot alone, and both. */
static void check_jvp_vjp(rig *r, const real *gy, const real *gydot)
{
    const real scale = (real)1.5;
    const cst_call c = call_of(r);
    const cst_point p = {r->x, r->y, r->cache};
    const cst_tangent_point d = {K + 1, K, r->xdot, r->tangent};
    const cst_grads g = {.scale = scale, .gx = r->gx, .gxdot = r->gxdot, .gtheta = r->gtheta};
    for (size_t i = 0; i < r->p; i++) r->gtheta[i] = -1;
    assert_int_equal(cst_module_jvp_vjp(r->m, &c, &p, &d, gy, gydot, &g), CST_OK);
    /* A pool is linear in x where it is differentiable, so its tangents do not depend on x. y does not depend on
     * xdot. */
    const gradient gradients[] = {
        {"second gx", r->gx, 0, 1, r->wide_x, r->in, 1e-5, r->s->kind != NORM && !gy},
        {"gxdot", r->gxdot, 0, 1, r->wide_xdot, K * r->in, 1e-6, !gydot},
        {"second gtheta", r->gtheta, -1, (double)scale, r->wide_theta, r->p, 1e-6, false},
    };
    for (size_t i = 0; i < 3; i++) check_gradient(r, &gradients[i], gy, gydot);
}

static void jvp_vjp_is_the_second_gradient(void **state)
{
    (void)state;
    rig *r = &shared_rig;
    for (size_t s = 0; s < N_SPECS; s++) {
        rig_init(r, &specs[s]);
        for (size_t k = 0; k < K; k++) run_jvp(r, K + 1, k, k, 1);
        check_jvp_vjp(r, r->gy, r->gydot);
        check_jvp_vjp(r, NULL, r->gydot);
        check_jvp_vjp(r, r->gy, NULL);
        rig_clear(r);
    }
}

/* A result that is NULL does not change the other results. */
static void nulls_are_not_needed(void **state)
{
    (void)state;
    rig *r = &shared_rig;
    for (size_t s = 0; s < N_SPECS; s++) {
        rig_init(r, &specs[s]);
        run_jvp(r, K, 0, 0, K);
        const cst_call c = call_of(r);
        const cst_point p = {r->x, r->y, r->cache};
        const cst_tangent_point at = {K, K, r->xdot, r->tangent};
        real *gx = cst_arena_take(&r->arena, r->in), *gxdot = cst_arena_take(&r->arena, K * r->in);
        real *gtheta = cst_arena_take(&r->arena, r->p);
        const cst_grads all = {.scale = 1, .gx = r->gx, .gxdot = r->gxdot, .gtheta = r->gtheta};
        assert_int_equal(cst_module_jvp_vjp(r->m, &c, &p, &at, r->gy, r->gydot, &all), CST_OK);
        const cst_grads one[3] = {{.scale = 1, .gx = gx}, {.scale = 1, .gxdot = gxdot}, {.scale = 1, .gtheta = gtheta}};
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(cst_module_jvp_vjp(r->m, &c, &p, &at, r->gy, r->gydot, &one[i]), CST_OK);
        assert_memory_equal(gx, r->gx, r->in * sizeof *gx);
        assert_memory_equal(gxdot, r->gxdot, K * r->in * sizeof *gx);
        if (r->p) assert_memory_equal(gtheta, r->gtheta, r->p * sizeof *gx);
        rig_clear(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_is_the_reference), cmocka_unit_test(vjp_is_the_gradient),
        cmocka_unit_test(jvp_is_the_derivative),    cmocka_unit_test(jvp_vjp_is_the_second_gradient),
        cmocka_unit_test(nulls_are_not_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
