/* Conformance without a reference: what a pass reads and writes, what NULL, scale and adding mean, and that neither
 * other rows nor the number of threads change a row's results. */
#include "tests/conformance_rig.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static job everything(rig *r)
{
    job j = rig_job(r);
    rig_want_vjp(r, &j);
    rig_want_tangents(r, &j);
    return j;
}

static cst_status next_tensor(void *context, const char *name, const cst_shape *shape, size_t offset)
{
    size_t *expected = context;
    if (offset != *expected) fail_msg("tensor %s begins at %zu, expected %zu", name, offset, *expected);
    *expected += cst_shape_size(shape);
    return CST_OK;
}

/* The tensors of the parameters cover theta without holes. Initialization sets each parameter, to the same value every
 * time. */
static void check_parameters(rig *r)
{
    size_t end = 0;
    assert_int_equal(cst_module_visit_tensors(r->m, next_tensor, &end), CST_OK);
    assert_int_equal(end, r->p);
    real *a = rig_take(r, r->p), *b = test_pool_take(&r->pool, r->p, TEST_HUGE);
    cst_module_init(r->m, cst_rng_new(7, CST_RNG_INIT), a);
    cst_module_init(r->m, cst_rng_new(7, CST_RNG_INIT), b);
    test_assert_same_bits("init twice", b, a, r->p);
    test_pool_check(&r->pool, "init");
    for (size_t i = 0; i < r->p; i++)
        if (!(fabs((double)a[i]) < 1e3)) fail_msg("init: theta[%zu] = %g", i, (double)a[i]);
}

static void check_plan_grows(const rig *r)
{
    cst_plan small = {0}, large = {0};
    for (size_t n = 1; n < 40; n += 1 + n / 3, small = large) {
        cst_module_plan(r->m, n, r->k, 1, &large);
        if (large.cache < small.cache || large.tangent < small.tangent || large.work < small.work)
            fail_msg("%zu rows need less memory than fewer rows", n);
    }
}

/* The planned memory is enough, and a pass leaves its arguments unchanged. Results depend on the arguments alone: they
 * are the same bits whatever the memory held before. */
void check_memory(void **state)
{
    rig *r = *state;
    check_parameters(r);
    check_plan_grows(r);
    for (int train = 0; train < 2; train++) {
        job a = everything(r), b = everything(r), one = everything(r);
        a.train = b.train = one.train = train != 0;
        b.poison = TEST_HUGE;
        rig_run(r, &a, "first call");
        rig_run(r, &b, "second call");
        rig_assert_same_bits(r, "the same call in other memory", &b, &a);
        one.n = 1;
        rig_run(r, &one, "one row");
        if (r->m->rows_independent) rig_assert_close(r, "one row", &(job){.n = 1, .y = one.y}, &a, r->exact);
    }
    job fused = rig_job(r), apart = rig_job(r);
    rig_want_vjp(r, &fused);
    rig_want_vjp(r, &apart);
    fused.fused = true;
    rig_run(r, &fused, "forward_vjp");
    rig_run(r, &apart, "forward and vjp");
    rig_assert_same_bits(r, "forward_vjp", &fused, &apart);
    job forward = rig_job(r);
    forward.fused = true;
    rig_run(r, &forward, "forward_vjp without gradients");
    rig_assert_same_bits(r, "forward_vjp without gradients", &forward, &apart);
}

/* gtheta and gt are added to, times scale. gx and gxdot are overwritten, and scale does not apply to them. */
static void check_added(rig *r, const char *what, const cst_grads *got, const cst_grads *base, const real *start,
                        double gt_start)
{
    real *expected = rig_take(r, r->p);
    for (size_t i = 0; base->gtheta && i < r->p; i++) expected[i] = start[i] + got->scale * base->gtheta[i];
    double gt = gt_start + (base->gt ? (double)got->scale * *base->gt : 0);
    job a = {.n = r->n, .vjp = *got}, b = {.n = r->n, .vjp = *base};
    if (base->gtheta) b.vjp.gtheta = expected;
    if (base->gt) b.vjp.gt = &gt;
    rig_assert_close(r, what, &a, &b, r->exact);
}

/* Any combination of NULL results changes none of the other results. */
static void check_null(rig *r, const job *all)
{
    for (unsigned mask = 0; mask < 16; mask++) {
        const size_t keep = r->pool.n;
        job some = everything(r);
        cst_grads *const grads[2] = {&some.vjp, &some.jvp_vjp};
        for (size_t i = 0; i < 2; i++) {
            if (mask & 1) grads[i]->gx = NULL;
            if (mask & 2) grads[i]->gtheta = NULL;
            if (mask & 4) grads[i]->gt = NULL;
            if (mask & 8) grads[i]->gxdot = NULL;
        }
        char what[80];
        snprintf(what, sizeof what, "without%s%s%s%s", mask & 1 ? " gx" : "", mask & 2 ? " gtheta" : "",
                 mask & 4 ? " gt" : "", mask & 8 ? " gxdot" : "");
        rig_run(r, &some, what);
        rig_assert_close(r, what, &some, all, r->exact);
        test_pool_cut(&r->pool, keep);
    }
}

void check_accumulation(void **state)
{
    rig *r = *state;
    job base = everything(r), added = everything(r);
    rig_run(r, &base, "from zero");
    check_null(r, &base);
    real *start = rig_take(r, r->p);
    test_random(10, start, r->p, 1);
    const double gt = -1.5;
    cst_grads *const grads[2] = {&added.vjp, &added.jvp_vjp};
    for (size_t i = 0; i < 2; i++) {
        grads[i]->scale = (real)-0.375;
        if (grads[i]->gtheta) memcpy(grads[i]->gtheta, start, r->p * sizeof *start);
        if (grads[i]->gt) *grads[i]->gt = gt;
    }
    rig_run(r, &added, "added with scale");
    check_added(r, "vjp added with scale", &added.vjp, &base.vjp, start, gt);
    check_added(r, "jvp_vjp added with scale", &added.jvp_vjp, &base.jvp_vjp, start, gt);
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

/* Copy `count` groups of n rows. In each group, row i of the copy is row (shift + i) mod n. */
static real *rolled(rig *r, const real *from, size_t count, size_t n, size_t size, size_t shift)
{
    real *to = rig_take(r, count * n * size);
    for (size_t g = 0; g < count; g++)
        for (size_t i = 0; i < n; i++)
            memcpy(to + (g * n + i) * size, from + (g * n + (i + shift) % n) * size, size * sizeof *to);
    return to;
}

/* A change of row 0 leaves the results of the other rows the same. */
static void check_other_rows(rig *r, const job *base)
{
    job j = everything(r);
    real *x = rolled(r, r->x, 1, r->n, r->in, 0), *gy = rolled(r, r->gy, 1, r->n, r->out, 0);
    rig_draw_x(r, 11, x, 1, 2);
    test_random(12, gy, r->out, 2);
    j.x = x, j.gy = gy;
    rig_run(r, &j, "another row 0");
    const size_t n = r->n - 1, in = r->in, out = r->out;
    test_assert_close("another row 0: y of the others", j.y + out, base->y + out, n * out, r->exact);
    test_assert_close("another row 0: gx of the others", j.vjp.gx + in, base->vjp.gx + in, n * in, r->exact);
    for (size_t k = 0; j.ydot && k < r->k; k++) {
        const size_t row = k * r->n + 1;
        test_assert_close("another row 0: ydot of the others", j.ydot + row * out, base->ydot + row * out, n * out,
                          r->exact);
        if (!j.jvp_vjp.gxdot) continue;
        test_assert_close("another row 0: gxdot of the others", j.jvp_vjp.gxdot + row * in,
                          base->jvp_vjp.gxdot + row * in, n * in, r->exact);
    }
    if (j.jvp_vjp.gx)
        test_assert_close("another row 0: jvp_vjp's gx of the others", j.jvp_vjp.gx + in, base->jvp_vjp.gx + in, n * in,
                          r->exact);
}

/* Rows in another order have the same results in that order. */
static void check_rolled_rows(rig *r)
{
    job base = everything(r), j = everything(r);
    base.train = j.train = false;
    rig_run(r, &base, "rows in order");
    j.x = rolled(r, r->x, 1, r->n, r->in, 1), j.gy = rolled(r, r->gy, 1, r->n, r->out, 1);
    j.xdot = rolled(r, r->xdot, r->k, r->n, r->in, 1), j.gydot = rolled(r, r->gydot, r->k, r->n, r->out, 1);
    rig_run(r, &j, "rows rolled");
    job expected = base; /* sums over rows stay the same, rows move */
    expected.y = rolled(r, base.y, 1, r->n, r->out, 1);
    expected.vjp.gx = rolled(r, base.vjp.gx, 1, r->n, r->in, 1);
    if (base.ydot) expected.ydot = rolled(r, base.ydot, r->k, r->n, r->out, 1);
    if (base.jvp_vjp.gx) expected.jvp_vjp.gx = rolled(r, base.jvp_vjp.gx, 1, r->n, r->in, 1);
    if (base.jvp_vjp.gxdot) expected.jvp_vjp.gxdot = rolled(r, base.jvp_vjp.gxdot, r->k, r->n, r->in, 1);
    rig_assert_close(r, "rows rolled", &j, &expected, r->exact);
}

/* A row's results depend on that row alone and, where random numbers are drawn, on its index in the batch. */
void check_rows(void **state)
{
    rig *r = *state;
    if (!r->m->rows_independent) skip();
    if (!r->example->random) check_rolled_rows(r);
    job train = everything(r);
    rig_run(r, &train, "rows in order");
    check_other_rows(r, &train);
}

/* ---- threads ------------------------------------------------------------------------------------------------- */

/* Enough rows for three shards, as far as memory allows in a test. */
static size_t many_rows(const rig *r)
{
    const double rows = 4e5 / (r->m->cost > 1 ? r->m->cost : 1), most = 1e6 / (double)(r->in + r->out + 1);
    const size_t n = (size_t)(rows < most ? rows : most);
    return n < 7 ? 7 : n | 1;
}

static job sharded_job(rig *r, size_t n, int threads)
{
    job j = rig_job(r);
    j.n = n, j.threads = threads;
    j.y = rig_take(r, n * r->out);
    rig_want_vjp(r, &j);
    return j;
}

/* A batch cut into shards has the results of the whole batch to rounding, and the same bits every time. */
void check_shards(void **state)
{
    rig *r = *state;
    const size_t n = r->m->rows_independent ? many_rows(r) : 5;
    real *x = rig_take(r, n * r->in), *gy = rig_take(r, n * r->out);
    rig_draw_x(r, 13, x, n, 1);
    test_random(14, gy, n * r->out, 1);
    job one = sharded_job(r, n, 1);
    one.x = x, one.gy = gy;
    rig_run(r, &one, "one thread");
    for (int threads = 2; threads <= 3; threads++) {
        const size_t keep = r->pool.n;
        job a = sharded_job(r, n, threads), b = sharded_job(r, n, threads), fused = sharded_job(r, n, threads);
        a.x = b.x = fused.x = x, a.gy = b.gy = fused.gy = gy;
        b.poison = TEST_HUGE, fused.fused = true;
        rig_run(r, &a, "threads");
        rig_run(r, &b, "threads again");
        rig_run(r, &fused, "threads, forward_vjp");
        /* sums over many rows: errors grow with the number of rows */
        const double tolerance = r->m->rows_independent ? 20 * r->exact : r->exact;
        rig_assert_close(r, "threads", &a, &one, tolerance);
        rig_assert_close(r, "threads, forward_vjp", &fused, &one, tolerance);
        rig_assert_same_bits(r, "threads again", &b, &a);
        test_pool_cut(&r->pool, keep);
    }
}
