/* Conformance of derivatives: every pass against central differences with random cotangents, component by component and
 * with the sign; and identities between passes, to rounding. */
#include "tests/conformance_rig.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- differences --------------------------------------------------------------------------------------------- */

/* At most this many components per argument are tested; of larger arguments, a random choice. */
enum { MOST_COMPONENTS = 150 };

typedef struct objective {
    rig *r;
    const char *what;
    bool tangents; /* true: <gy, y> + <gydot, ydot>; false: <gy, y> */
    job at;
} objective;

/* sum_i g_i f'_i by a stencil of four points at +2h, +h, -h, -2h. Differences are taken per component before the sum,
 * where they lose the fewest digits. */
static double dot_of_differences(const real *g, real *const f[4], size_t n, double h)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double near = (double)f[1][i] - (double)f[2][i], far = (double)f[0][i] - (double)f[3][i];
        sum += (double)g[i] * (8 * near - far) / (12 * h);
    }
    return sum;
}

/* The derivative of the objective by *component, or by *time; the other pointer is NULL. */
static double difference(const objective *o, real *component, double *time, double h)
{
    rig *r = o->r;
    static const double steps[4] = {2, 1, -1, -2};
    const size_t keep = r->pool.n;
    real *y[4], *ydot[4];
    const real x0 = component ? *component : 0;
    const double t0 = time ? *time : 0;
    for (size_t i = 0; i < 4; i++) {
        if (component) *component = (real)((double)x0 + steps[i] * h);
        if (time) *time = t0 + steps[i] * h;
        job j = o->at;
        j.y = y[i] = rig_take(r, r->n * r->out);
        j.ydot = ydot[i] = o->tangents ? rig_take(r, r->k * r->n * r->out) : NULL;
        rig_run(r, &j, o->what);
    }
    if (component) *component = x0;
    if (time) *time = t0;
    double sum = dot_of_differences(r->gy, y, r->n * r->out, h);
    if (o->tangents) sum += dot_of_differences(r->gydot, ydot, r->k * r->n * r->out, h);
    test_pool_cut(&r->pool, keep);
    return sum;
}

/* Compare g with differences by each component of `argument`, an array that o->at points to. */
static void compare_components(const objective *o, const char *name, real *argument, size_t n, const real *g)
{
    char what[200];
    double scale = 0;
    test_derivative seen = {0};
    snprintf(what, sizeof what, "%s: %s", o->what, name);
    for (size_t i = 0; i < n; i++) scale = fmax(scale, fabs((double)g[i]));
    const cst_rng rng = cst_rng_new(20, CST_RNG_TEST);
    const size_t tries = n < MOST_COMPONENTS ? n : MOST_COMPONENTS;
    for (size_t try = 0; try < tries; try++) {
        const size_t i = n == tries ?
        try:
            (size_t) cst_rng_below(rng, try, n);
        const double expected = difference(o, &argument[i], NULL, o->r->step);
        test_derivative_compare(&seen, what, i, (double)g[i], expected, o->r->approximate * (1 + scale));
    }
    test_derivative_end(&seen, what, false);
}

static void compare_all(objective *o, const cst_grads *g)
{
    rig *r = o->r;
    compare_components(o, "gx", r->x, r->n * r->in, g->gx);
    compare_components(o, "gtheta", r->theta, r->p, g->gtheta);
    if (o->tangents) compare_components(o, "gxdot", r->xdot, r->k * r->n * r->in, g->gxdot);
    const double gt = difference(o, NULL, &o->at.t, r->step);
    test_derivative seen = {0};
    test_derivative_compare(&seen, "gt", 0, *g->gt, gt, r->approximate * (1 + fabs(gt)));
    test_derivative_end(&seen, "gt", gt == 0); /* 0: y has the same bits at all four times */
}

/* ydot of the first tangent = (y(x + h xdot) - y(x - h xdot)) / 2h. */
static void compare_jvp(rig *r, const job *all)
{
    const double h = r->step;
    real *x = rig_take(r, r->n * r->in), *expected = rig_take(r, r->n * r->out), *y[2];
    for (size_t side = 0; side < 2; side++) {
        for (size_t i = 0; i < r->n * r->in; i++) x[i] = (real)((double)r->x[i] + (side ? -h : h) * (double)r->xdot[i]);
        job j = rig_job(r);
        j.x = x;
        y[side] = j.y;
        rig_run(r, &j, "differences of jvp");
    }
    for (size_t i = 0; i < r->n * r->out; i++) expected[i] = (real)(((double)y[0][i] - (double)y[1][i]) / (2 * h));
    double scale = 0;
    for (size_t i = 0; i < r->n * r->out; i++) scale = fmax(scale, fabs((double)expected[i]));
    test_derivative seen = {0};
    for (size_t i = 0; i < r->n * r->out; i++)
        test_derivative_compare(&seen, "jvp and differences", i, (double)all->ydot[i], (double)expected[i],
                                10 * r->approximate * (1 + scale));
    test_derivative_end(&seen, "jvp and differences", false);
}

void check_differences(void **state)
{
    rig *r = *state;
    job all = rig_job(r);
    rig_want_vjp(r, &all);
    rig_want_tangents(r, &all);
    rig_run(r, &all, "at the point");
    objective o = {.r = r, .what = "vjp and differences", .at = rig_job(r)};
    compare_all(&o, &all.vjp);
    if (r->has_jvp) compare_jvp(r, &all);
    if (!r->has_jvp_vjp) return;
    o.what = "jvp_vjp and differences";
    o.tangents = true;
    compare_all(&o, &all.jvp_vjp);
}

/* ---- tangents ------------------------------------------------------------------------------------------------ */

static double dot(const real *a, const real *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* <gy, J xdot> = <J^T gy, xdot> for each tangent. */
static void check_transposed(const rig *r, const job *all)
{
    for (size_t k = 0; k < r->k; k++) {
        const real *xdot = r->xdot + k * r->n * r->in, *ydot = all->ydot + k * r->n * r->out;
        const double right = dot(all->vjp.gx, xdot, r->n * r->in), left = dot(r->gy, ydot, r->n * r->out);
        const double size = sqrt(dot(r->gy, r->gy, r->n * r->out) * dot(ydot, ydot, r->n * r->out));
        if (fabs(left - right) > r->exact * (1 + size))
            fail_msg("tangent %zu: <gy, J xdot> = %.10g, <J^T gy, xdot> = %.10g", k, left, right);
    }
}

/* Tangents that are added in several calls have the results of a single call, whatever their order. */
static void check_added_one_by_one(rig *r, const job *all)
{
    for (size_t cut = 1; cut < r->k; cut++) {
        job j = rig_job(r);
        rig_want_tangents(r, &j);
        j.cut = cut;
        rig_run(r, &j, "tangents one after another");
        rig_assert_close(r, "tangents one after another", &j, all, r->exact);
    }
}

/* A cotangent of NULL has the results of a cotangent of zeros. Without gydot, jvp_vjp has the results of vjp. */
static void check_missing_cotangents(rig *r, const job *all)
{
    real *zero = test_pool_take(&r->pool, r->k * r->n * r->out, 0);
    for (int which = 0; which < 2; which++) {
        job missing = rig_job(r), zeros = rig_job(r);
        rig_want_tangents(r, &missing);
        rig_want_tangents(r, &zeros);
        if (which == 0)
            missing.gy = NULL, zeros.gy = zero;
        else
            missing.gydot = NULL, zeros.gydot = zero;
        rig_run(r, &missing, which ? "without gydot" : "without gy");
        rig_run(r, &zeros, "with a cotangent of zeros");
        rig_assert_close(r, which ? "without gydot" : "without gy", &missing, &zeros, r->exact);
        if (which == 0) continue;
        real *still = test_pool_take(&r->pool, r->k * r->n * r->in, 0);
        test_assert_close("without gydot: gxdot", missing.jvp_vjp.gxdot, still, r->k * r->n * r->in, 0);
        job vjp = {.n = r->n, .vjp = missing.jvp_vjp};
        vjp.vjp.gxdot = NULL;
        rig_assert_close(r, "without gydot, against vjp", &vjp, all, r->exact);
    }
}

void check_tangents(void **state)
{
    rig *r = *state;
    if (!r->has_jvp) {
        const cst_point point = {r->x, r->gy, r->x};
        const cst_call call = {.n = r->n, .threads = 1};
        cst_error error = {0};
        assert_int_not_equal(cst_module_require(r->m, CST_PASS_JVP, "this test", &error), CST_OK);
        assert_int_equal(error.status, CST_EUNSUPPORTED);
        if (!r->m->ops->jvp)
            assert_int_equal(cst_module_jvp(r->m, &call, &point, &(cst_tangents){0}), CST_EUNSUPPORTED);
        return;
    }
    job all = rig_job(r);
    rig_want_vjp(r, &all);
    rig_want_tangents(r, &all);
    rig_run(r, &all, "all at once");
    check_transposed(r, &all);
    check_added_one_by_one(r, &all);
    if (r->has_jvp_vjp) check_missing_cotangents(r, &all);
}
