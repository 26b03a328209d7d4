#include "tests/conformance_rig.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void rig_init(rig *r, const cst_module_type *type, size_t example)
{
    *r = (rig){.type = type, .example = &type->examples[example], .n = 3 + example % 2, .k = 3, .t = 0.37};
    cst_error error = {0};
    test_assert_ok(r->example->json, test_module_new(r->example->json, &r->example->x, &r->m, &error), &error);
    r->in = cst_shape_size(&r->m->x), r->out = cst_shape_size(&r->m->y), r->p = r->m->n_params;
    r->has_jvp = cst_module_require(r->m, CST_PASS_JVP, "this test", NULL) == CST_OK;
    r->has_jvp_vjp = cst_module_require(r->m, CST_PASS_JVP | CST_PASS_JVP_VJP, "this test", NULL) == CST_OK;
    r->theta = rig_take(r, r->p);
    r->x = rig_take(r, r->n * r->in);
    r->xdot = rig_take(r, r->k * r->n * r->in);
    r->gy = rig_take(r, r->n * r->out);
    r->gydot = rig_take(r, r->k * r->n * r->out);
    test_module_theta(r->m, example, r->theta);
    rig_draw_x(r, 1, r->x, r->n, 1);
    test_random(2, r->xdot, r->k * r->n * r->in, 1);
    test_random(3, r->gy, r->n * r->out, 1);
    test_random(4, r->gydot, r->k * r->n * r->out, 1);
    /* Modules whose rows share something, such as the step sizes of an ODE block, solve iteratively. Each call has a
     * small error of its own, and the gradient has its own accuracy. */
    const bool iterative = !r->m->rows_independent;
    r->exact = iterative ? 1e-5 : 500 * (double)CST_REAL_EPSILON;
    r->approximate = iterative ? 1e-5 : 2e-7;
    r->step = iterative ? 2e-3 : 1e-5;
    if (iterative && sizeof(real) < sizeof(double)) r->exact = 2e-3;
}

void rig_clear(rig *r)
{
    cst_module_free(r->m);
    test_pool_cut(&r->pool, 0);
}

void rig_draw_x(const rig *r, uint64_t tag, real *x, size_t n, double deviation)
{
    const double middle = (r->example->low + r->example->high) / 2, half = (r->example->high - r->example->low) / 2;
    test_random(tag, x, n * r->in, deviation);
    for (size_t i = 0; half > 0 && i < n * r->in; i++) x[i] = (real)(middle + half * 0.95 * tanh((double)x[i]));
}

real *rig_take(rig *r, size_t n)
{
    return test_pool_take(&r->pool, n, TEST_NAN);
}

job rig_job(rig *r)
{
    return (job){.n = r->n,
                 .t = r->t,
                 .theta = r->theta,
                 .x = r->x,
                 .xdot = r->xdot,
                 .gy = r->gy,
                 .gydot = r->gydot,
                 .train = true,
                 .threads = 1,
                 .poison = TEST_NAN,
                 .y = rig_take(r, r->n * r->out),
                 .vjp = {.scale = 1},
                 .jvp_vjp = {.scale = 1}};
}

static real *zeros(rig *r, size_t n)
{
    return memset(rig_take(r, n), 0, n * sizeof(real));
}

void rig_want_vjp(rig *r, job *j)
{
    j->vjp.gx = rig_take(r, j->n * r->in);
    j->vjp.gtheta = zeros(r, r->p);
    j->vjp.gt = (double *)(void *)test_pool_take(&r->pool, sizeof(double) / sizeof(real), 0);
}

void rig_want_tangents(rig *r, job *j)
{
    if (r->has_jvp) j->ydot = rig_take(r, r->k * j->n * r->out);
    if (!r->has_jvp_vjp) return;
    j->jvp_vjp.gx = rig_take(r, j->n * r->in);
    j->jvp_vjp.gxdot = rig_take(r, r->k * j->n * r->in);
    j->jvp_vjp.gtheta = zeros(r, r->p);
    j->jvp_vjp.gt = (double *)(void *)test_pool_take(&r->pool, sizeof(double) / sizeof(real), 0);
}

/* ---- running ------------------------------------------------------------------------------------------------- */

/* The memory of one evaluation. */
typedef struct run {
    const rig *r;
    const job *j;
    const char *what;
    test_pool pool;
    cst_plan plan;
    real *cache, *tangent, *work;
    cst_call call;
    cst_error error;
} run;

static bool wanted(const cst_grads *g)
{
    return g->gx || g->gxdot || g->gtheta || g->gt;
}

static void start(run *s)
{
    const job *j = s->j;
    cst_module_plan(s->r->m, j->n, s->r->k, j->threads, &s->plan);
    s->cache = test_pool_take(&s->pool, s->plan.cache, j->poison);
    s->tangent = test_pool_take(&s->pool, s->plan.tangent, j->poison);
    s->work = test_pool_take(&s->pool, s->plan.work, j->poison);
    s->call = (cst_call){.t = j->t,
                         .n = j->n,
                         .threads = j->threads,
                         .train = j->train,
                         .rng = cst_rng_new(5, CST_RNG_DROPOUT),
                         .theta = j->theta,
                         .work = s->work,
                         .error = &s->error};
}

/* After a pass: check its status and that it wrote to no guard; then poison the scratch memory, which is dead. */
static void judge(run *s, const char *pass, cst_status status)
{
    char what[200];
    snprintf(what, sizeof what, "%s: %s", s->what, pass);
    test_assert_ok(what, status, &s->error);
    test_pool_check(&s->pool, what);
    test_pool_check(&s->r->pool, what);
    memset(s->work, s->j->poison, s->plan.work * sizeof(real));
}

static void run_tangents(run *s, const cst_point *point)
{
    const job *j = s->j;
    const rig *r = s->r;
    const size_t in = j->n * r->in, out = j->n * r->out;
    const struct {
        size_t first, end;
    } parts[2] = {{j->cut, r->k}, {0, j->cut}};
    for (size_t i = 0; i < 2; i++) {
        const size_t first = parts[i].first, count = parts[i].end - first;
        if (count == 0) continue;
        const cst_tangents d = {r->k, first, count, j->xdot + first * in, j->ydot + first * out, s->tangent};
        judge(s, "jvp", cst_module_jvp(r->m, &s->call, point, &d));
    }
    if (!wanted(&j->jvp_vjp)) return;
    const uint64_t before = test_checksum(j->ydot, r->k * out);
    const cst_tangent_point d = {r->k, r->k, j->xdot, s->tangent};
    judge(s, "jvp_vjp", cst_module_jvp_vjp(r->m, &s->call, point, &d, j->gy, j->gydot, &j->jvp_vjp));
    if (test_checksum(j->ydot, r->k * out) != before) fail_msg("%s: jvp_vjp wrote to ydot", s->what);
}

static uint64_t arguments(const rig *r, const job *j)
{
    uint64_t sum = test_checksum(j->theta, r->p) + 3 * test_checksum(j->x, j->n * r->in);
    if (j->gy) sum += 5 * test_checksum(j->gy, j->n * r->out);
    if (j->ydot) sum += 7 * test_checksum(j->xdot, r->k * j->n * r->in);
    if (j->ydot && j->gydot) sum += 11 * test_checksum(j->gydot, r->k * j->n * r->out);
    return sum;
}

void rig_run(const rig *r, const job *j, const char *what)
{
    run s = {.r = r, .j = j, .what = what};
    start(&s);
    const uint64_t before = arguments(r, j);
    const cst_point point = {j->x, j->y, s.cache};
    if (j->fused) {
        judge(&s, "forward_vjp", cst_module_forward_vjp(r->m, &s.call, j->x, j->y, s.cache, j->gy, &j->vjp));
    } else {
        judge(&s, "forward", cst_module_forward(r->m, &s.call, j->x, j->y, s.cache));
        const uint64_t made = test_checksum(j->y, j->n * r->out) + 3 * test_checksum(s.cache, s.plan.cache);
        if (wanted(&j->vjp)) judge(&s, "vjp", cst_module_vjp(r->m, &s.call, &point, j->gy, &j->vjp));
        if (j->ydot) run_tangents(&s, &point);
        if (test_checksum(j->y, j->n * r->out) + 3 * test_checksum(s.cache, s.plan.cache) != made)
            fail_msg("%s: a pass after forward wrote to y or to the cache", what);
    }
    if (arguments(r, j) != before) fail_msg("%s: a pass wrote to an argument", what);
    test_pool_cut(&s.pool, 0);
}

/* ---- comparing ----------------------------------------------------------------------------------------------- */

typedef void (*compare)(const char *what, const real *got, const real *expected, size_t n, double tolerance);

static void compare_bits(const char *what, const real *got, const real *expected, size_t n, double tolerance)
{
    (void)tolerance;
    test_assert_same_bits(what, got, expected, n);
}

static void compare_arrays(const char *what, const char *name, compare f, const real *got, const real *expected,
                           size_t n, double tolerance)
{
    char text[240];
    snprintf(text, sizeof text, "%s: %s", what, name);
    if (got && expected) f(text, got, expected, n, tolerance);
}

static void compare_grads(const rig *r, const char *what, compare f, const cst_grads *got, const cst_grads *expected,
                          size_t n, double tolerance)
{
    compare_arrays(what, "gx", f, got->gx, expected->gx, n * r->in, tolerance);
    compare_arrays(what, "gxdot", f, got->gxdot, expected->gxdot, r->k * n * r->in, tolerance);
    compare_arrays(what, "gtheta", f, got->gtheta, expected->gtheta, r->p, tolerance);
    if (!got->gt || !expected->gt) return;
    /* gt is a sum of N terms of any sign: its rounding errors are as large as those of the terms, not of the sum. */
    const real a = (real)*got->gt, b = (real)*expected->gt;
    compare_arrays(what, "gt", f, &a, &b, 1, 10 * tolerance);
}

static void compare_jobs(const rig *r, const char *what, compare f, const job *got, const job *expected,
                         double tolerance)
{
    char text[200];
    compare_arrays(what, "y", f, got->y, expected->y, got->n * r->out, tolerance);
    compare_arrays(what, "ydot", f, got->ydot, expected->ydot, r->k * got->n * r->out, tolerance);
    snprintf(text, sizeof text, "%s: vjp", what);
    compare_grads(r, text, f, &got->vjp, &expected->vjp, got->n, tolerance);
    snprintf(text, sizeof text, "%s: jvp_vjp", what);
    compare_grads(r, text, f, &got->jvp_vjp, &expected->jvp_vjp, got->n, tolerance);
}

void rig_assert_close(const rig *r, const char *what, const job *got, const job *expected, double tolerance)
{
    compare_jobs(r, what, test_assert_close, got, expected, tolerance);
}

void rig_assert_same_bits(const rig *r, const char *what, const job *got, const job *expected)
{
    compare_jobs(r, what, compare_bits, got, expected, 0);
}
