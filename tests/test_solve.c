/* The solver against closed forms: order, dense output, jumps, control, failures, quadratures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ode/solve.h"

#ifdef CST_DOUBLE
static const bool exact = true;
#else
static const bool exact = false;
#endif

/* ---- problems ------------------------------------------------------------------------------------------------ */

typedef struct field {
    size_t n, calls;
    double bad_from; /* the field fails, or is infinite, from this time on */
} field;

/* u' = v, v' = -u: u = sin t, v = cos t from (0, 1). q' = (u, t v). */
static cst_status rotation(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    (void)context, (void)error;
    dy[0] = y[1];
    dy[1] = -y[0];
    if (q) {
        q[0] += scale * y[0];
        q[1] += scale * (real)t * y[1];
    }
    return CST_OK;
}

/* y' = 1 before t = 0.5 and -2 after: 0.5 - 2 (t - 0.5) from 0. */
static cst_status jump(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    (void)context, (void)y, (void)scale, (void)q, (void)error;
    dy[0] = t < 0.5 ? 1 : -2;
    return CST_OK;
}

static cst_status square(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    const field *f = context;
    (void)t, (void)scale, (void)q, (void)error;
    for (size_t i = 0; i < f->n; i++) dy[i] = y[i] * y[i];
    return CST_OK;
}

static cst_status decay(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    field *f = context;
    (void)t, (void)scale, (void)q, (void)error;
    f->calls++;
    for (size_t i = 0; i < f->n; i++) dy[i] = -y[i];
    return CST_OK;
}

static cst_status turns_infinite(void *context, double t, const real *y, real *dy, real scale, real *q,
                                 cst_error *error)
{
    const field *f = context;
    (void)y, (void)scale, (void)q, (void)error;
    for (size_t i = 0; i < f->n; i++) dy[i] = 1;
    if (t >= f->bad_from) dy[1] = (real)NAN;
    return CST_OK;
}

/* y' = -50 (y - 0.5), not defined where y >= 1: the solution never is, but the stages of a long step are. */
static cst_status recoverable(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    field *f = context;
    (void)t, (void)scale, (void)q, (void)error;
    if (y[0] >= 1) {
        f->calls++;
        return CST_ERECOVERABLE;
    }
    dy[0] = -50 * (y[0] - (real)0.5);
    return CST_OK;
}

static cst_status refuses(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    (void)context, (void)scale, (void)q;
    dy[0] = y[0];
    dy[1] = y[1];
    return t < 0.3 ? CST_OK : cst_fail(error, CST_EIO, "no data after t = 0.3");
}

/* ---- one solve ----------------------------------------------------------------------------------------------- */

typedef struct run {
    cst_solve_options options;
    cst_block block[2];
    cst_problem problem;
    cst_solve_stats stats;
    cst_error error;
    real *work;
    real y[64], q[2];
} run;

static void set_up(run *r, cst_profile profile, const char *method, cst_rhs f, void *context, size_t n)
{
    memset(r, 0, sizeof *r);
    cst_solve_options_init(&r->options, profile);
    r->options.method = cst_tableau_find(method);
    r->options.rtol = r->options.atol = exact ? 1e-9 : 1e-5;
    r->block[0] = (cst_block){"z", n, 1, -1, -1};
    r->problem = (cst_problem){.f = f, .context = context, .blocks = r->block, .n_blocks = 1};
    r->stats.trace = true;
}

static cst_status solve(run *r, const double *times, size_t n_times, const real *y0)
{
    free(r->work);
    cst_solve_stats_reset(&r->stats);
    memset(r->q, 0, sizeof r->q);
    r->work = malloc((cst_solver_work(&r->problem, &r->options) + 16) * sizeof(real));
    assert_non_null(r->work);
    return cst_solve(&r->problem, &r->options, times, n_times, y0, r->y, r->problem.n_quadratures ? r->q : NULL,
                     r->work, &r->stats, &r->error);
}

static void tear_down(run *r)
{
    free(r->work);
    r->work = NULL;
    cst_solve_stats_clear(&r->stats);
}

static const cst_profile profiles[] = {CST_PROFILE_COSTATE, CST_PROFILE_TORCHDIFFEQ};
static const real start[2] = {0, 1};

#define assert_close(a, b, tolerance)                                                                                  \
    do {                                                                                                               \
        const double got = (double)(a), expected = (double)(b);                                                        \
        if (!(fabs(got - expected) <= (tolerance))) fail_msg("expected %.12g, got %.12g", expected, got);              \
    } while (0)

/* ---- accuracy ------------------------------------------------------------------------------------------------ */

static void tolerance_is_met_both_ways_in_time(void **state)
{
    (void)state;
    for (size_t k = 0; cst_tableaus[k]; k++) {
        if (!cst_tableaus[k]->adaptive) continue;
        for (size_t i = 0; i < 4; i++) {
            if (cst_tableaus[k]->rough_middle && i % 2) continue; /* read off torchdiffeq's interpolant, of order 1 */
            const double direction = i / 2 ? -1 : 1, times[4] = {0, 0.7 * direction, 1.9 * direction, 4 * direction};
            run r;
            set_up(&r, profiles[i % 2], cst_tableaus[k]->name, rotation, NULL, 2);
            if (cst_tableaus[k]->order == 2) r.options.rtol = r.options.atol = exact ? 1e-6 : 1e-4;
            if (solve(&r, times, 4, start) != CST_OK) fail_msg("%s: %s", cst_tableaus[k]->name, r.error.message);
            /* A local tolerance allows some growth over the interval; dopri8's steps are long for a quartic. */
            const bool inside = cst_tableaus[k]->order < 8;
            for (size_t j = inside ? 1 : 3; j < (inside || i % 2 == 0 ? 4 : 0); j++) {
                const double allowed = 1000 * r.options.rtol + 20 * (double)CST_REAL_EPSILON;
                assert_close(r.y[2 * j], sin(times[j]), allowed);
                assert_close(r.y[2 * j + 1], cos(times[j]), allowed);
            }
            tear_down(&r);
        }
    }
}

/* Steps of a fixed size h: the error goes down as h^p. */
static void methods_converge_at_their_order(void **state)
{
    (void)state;
    if (!exact) skip();
    for (size_t k = 0; cst_tableaus[k]; k++) {
        const double times[2] = {0, 2}, p = (double)cst_tableaus[k]->order;
        double error[2];
        for (int halved = 0; halved < 2; halved++) {
            run r;
            set_up(&r, CST_PROFILE_COSTATE, cst_tableaus[k]->name, rotation, NULL, 2);
            const double h = (p >= 8 ? 0.5 : p >= 4 ? 0.1 : 0.01) / (1 + halved);
            r.options.step_size = r.options.first_step = r.options.min_step = r.options.max_step = h;
            assert_int_equal(solve(&r, times, 2, start), CST_OK);
            error[halved] = hypot((double)r.y[2] - sin(2), (double)r.y[3] - cos(2));
            tear_down(&r);
        }
        const double order = log2(error[0] / error[1]);
        if (!(order > p - 0.2 && order < p + 1)) fail_msg("%s: observed order %.2f", cst_tableaus[k]->name, order);
    }
}

static void fixed_steps_follow_their_grid(void **state)
{
    (void)state;
    const double times[3] = {0, 0.25, 1};
    run r;
    set_up(&r, CST_PROFILE_COSTATE, "rk4", rotation, NULL, 2);
    r.options.step_size = 0.1;
    assert_int_equal(solve(&r, times, 3, start), CST_OK);
    assert_int_equal(r.stats.accepted, 3 + 8); /* each interval divided equally */
    assert_int_equal(r.stats.nfe, 4 * 11);
    assert_close(r.y[2], sin(0.25), 1e-6);
    r.options.step_size = 0;
    assert_int_equal(solve(&r, times, 3, start), CST_OK);
    assert_int_equal(r.stats.accepted, 2);
    tear_down(&r);

    set_up(&r, CST_PROFILE_TORCHDIFFEQ, "euler", rotation, NULL, 2);
    r.options.step_size = 0.3;
    assert_int_equal(solve(&r, times, 3, start), CST_OK);
    assert_int_equal(r.stats.accepted, 4); /* 0.3, 0.6, 0.9, 1 */
    assert_close(r.y[2], 0.25, 1e-6);      /* on the line from (0, 0) to (0.3, 0.3) */
    assert_close(r.stats.attempts[3].dt, 0.1, 1e-12);
    tear_down(&r);
}

/* ---- control ------------------------------------------------------------------------------------------------- */

static void steps_end_where_they_are_told_to(void **state)
{
    (void)state;
    static const double step_t[] = {1.1, 0.3, -5, 9}, times[2] = {0, 2};
    for (size_t i = 0; i < 2; i++) {
        run r;
        set_up(&r, profiles[i], "dopri5", rotation, NULL, 2);
        r.options.step_t = step_t;
        r.options.n_step_t = 4;
        assert_int_equal(solve(&r, times, 2, start), CST_OK);
        size_t hit = 0;
        for (size_t j = 0; j < r.stats.n_attempts; j++) {
            const double end = r.stats.attempts[j].t + r.stats.attempts[j].dt;
            hit += r.stats.attempts[j].accepted && (fabs(end - 0.3) < 1e-15 || fabs(end - 1.1) < 1e-15);
        }
        assert_int_equal(hit, 2);
        const cst_attempt *last = &r.stats.attempts[r.stats.n_attempts - 1];
        if (i == 0)
            assert_close(last->t + last->dt, 2, 1e-14);
        else
            assert_true(last->t + last->dt > 2);
        tear_down(&r);
    }
}

/* Announced, a jump costs an evaluation; unannounced, rejections. Also one that a step happens to end on. */
static void jumps_are_taken_in_stride(void **state)
{
    (void)state;
    static const double jump_t[] = {0.5, 0.8}, times[2] = {0, 2}, back[2] = {2, 0};
    const real zero[1] = {0}, end[1] = {-2.5};
    for (size_t i = 0; i < 2; i++) {
        run r;
        set_up(&r, profiles[i], "dopri5", jump, NULL, 1);
        assert_int_equal(solve(&r, times, 2, zero), CST_OK);
        const size_t unannounced = r.stats.nfe;
        assert_true(r.stats.rejected > 3);
        r.options.jump_t = jump_t;
        r.options.n_jump_t = 2;
        for (int hit = 0; hit < 2; hit++) {
            r.options.first_step = hit ? 0.5 : 0;
            assert_int_equal(solve(&r, times, 2, zero), CST_OK);
            assert_int_equal(r.stats.rejected, 0);
            assert_true(2 * r.stats.nfe < unannounced);
            assert_close(r.y[1], -2.5, 20 * (double)CST_REAL_EPSILON);
        }
        r.options.first_step = 0;
        assert_int_equal(solve(&r, back, 2, end), CST_OK);
        assert_int_equal(r.stats.rejected, 0);
        assert_close(r.y[1], 0, 20 * (double)CST_REAL_EPSILON);
        tear_down(&r);
    }
}

static void limits_on_steps_are_kept(void **state)
{
    (void)state;
    const double times[2] = {0, 2};
    for (size_t i = 0; i < 2; i++) {
        run r;
        set_up(&r, profiles[i], "dopri5", rotation, NULL, 2);
        r.options.max_step = 0.11;
        assert_int_equal(solve(&r, times, 2, start), CST_OK);
        for (size_t j = 0; j < r.stats.n_attempts; j++) assert_true(r.stats.attempts[j].dt <= 0.11 * (1 + 2e-6));
        r.options.max_step = HUGE_VAL;
        r.options.min_step = 0.4;
        r.options.rtol = r.options.atol = 1e-12;
        assert_int_equal(solve(&r, times, 2, start), CST_OK);
        assert_int_equal(r.stats.rejected, 0); /* so short a step is taken whatever its error */
        tear_down(&r);
    }
}

/* After a rejection the costate profile does not grow the step at once; it takes fewer attempts than the I controller. */
static void rejections_are_remembered(void **state)
{
    (void)state;
    const double times[2] = {0, 1};
    run r;
    set_up(&r, CST_PROFILE_COSTATE, "dopri5", rotation, NULL, 2);
    r.options.first_step = 1;
    assert_int_equal(solve(&r, times, 2, start), CST_OK);
    assert_true(r.stats.rejected > 0);
    for (size_t j = 1; j + 1 < r.stats.n_attempts; j++)
        if (!r.stats.attempts[j - 1].accepted && r.stats.attempts[j].accepted)
            assert_true(r.stats.attempts[j + 1].dt <= r.stats.attempts[j].dt * (1 + 1e-12));
    assert_int_equal(r.stats.nfe, 1 + 6 * r.stats.n_attempts);
    tear_down(&r);
}

/* Land, change the state, go on with the step size that was: evaluates once. */
static void landing_keeps_the_step_size(void **state)
{
    (void)state;
    run r;
    set_up(&r, CST_PROFILE_COSTATE, "dopri5", rotation, NULL, 2);
    r.work = malloc((cst_solver_work(&r.problem, &r.options) + 16) * sizeof(real));
    cst_solver s;
    assert_int_equal(cst_solver_start(&s, &r.problem, &r.options, 0, 3, start, NULL, r.work, &r.stats, &r.error),
                     CST_OK);
    assert_int_equal(cst_solver_advance(&s, 1.0, true, r.y), CST_OK);
    assert_true(s.t == 1.0);
    const double h = s.h;
    const size_t nfe = r.stats.nfe;
    r.y[0] += 1;
    assert_int_equal(cst_solver_restate(&s, r.y), CST_OK);
    assert_int_equal(r.stats.nfe, nfe + 1);
    assert_true(s.h == h);
    assert_close(s.k[0][1], -(double)r.y[0], 0);
    assert_int_equal(cst_solver_advance(&s, 3.0, true, r.y), CST_OK);
    assert_close(r.y[0], sin(3) + cos(2), 300 * r.options.rtol); /* the added 1 turns with the rest */
    tear_down(&r);
}

static void threads_do_not_change_bits(void **state)
{
    (void)state;
    enum { N = 200000 };
    field f = {.n = N};
    real *y[2], *y0 = malloc(N * sizeof(real));
    const double times[2] = {0, 1};
    for (size_t i = 0; i < N; i++) y0[i] = (real)sin((double)i);
    for (int threads = 1; threads <= 2; threads++) {
        run r;
        set_up(&r, CST_PROFILE_COSTATE, "dopri5", decay, &f, N);
        r.options.threads = threads;
        r.options.rtol = r.options.atol = 1e-4;
        y[threads - 1] = malloc(2 * N * sizeof(real));
        real *work = malloc(cst_solver_work(&r.problem, &r.options) * sizeof(real));
        assert_int_equal(
            cst_solve(&r.problem, &r.options, times, 2, y0, y[threads - 1], NULL, work, &r.stats, &r.error), CST_OK);
        free(work);
        tear_down(&r);
    }
    assert_memory_equal(y[0], y[1], 2 * N * sizeof(real));
    free(y[0]);
    free(y[1]);
    free(y0);
}

/* ---- quadratures --------------------------------------------------------------------------------------------- */

static void quadratures_are_integrals(void **state)
{
    (void)state;
    static const double jump_t[] = {0.4}, times[2] = {0, 2};
    for (size_t k = 0; cst_tableaus[k]; k++) {
        for (size_t i = 0; i < 4; i++) {
            if (cst_tableaus[k]->rough_middle && i % 2) continue;
            run r;
            set_up(&r, profiles[i % 2], cst_tableaus[k]->name, rotation, NULL, 2);
            if (cst_tableaus[k]->order <= 2) r.options.rtol = r.options.atol = exact ? 1e-7 : 1e-4;
            if (cst_tableaus[k]->order <= 2)
                r.options.max_step = 0.002; /* nothing controls the error of a quadrature */
            r.options.step_size = 1e-3;
            r.problem.n_quadratures = 2;
            r.options.jump_t = jump_t;
            r.options.n_jump_t = i / 2;
            assert_int_equal(solve(&r, times, 2, start), CST_OK);
            const double allowed = cst_tableaus[k]->order == 1 ? 3e-3 : exact ? 5e-6 : 1e-3;
            assert_close(r.q[0], 1 - cos(2), allowed);
            assert_close(r.q[1], 2 * sin(2) + cos(2) - 1, allowed);
            tear_down(&r);
        }
    }
}

/* ---- failures ------------------------------------------------------------------------------------------------ */

static void assert_failure(const run *r, cst_status status, cst_status expected, const char *text)
{
    if (status != expected || !strstr(r->error.message, text) || r->stats.failure != expected)
        fail_msg("%s, expected %s with \"%s\": %s", cst_status_name(status), cst_status_name(expected), text,
                 r->error.message);
}

static void failures_say_when_where_and_why(void **state)
{
    (void)state;
    const double times[2] = {0, 3};
    field f = {.n = 3, .bad_from = 0.7};
    const real y0[3] = {-1, 0, 1};
    for (size_t i = 0; i < 2; i++) {
        run r;
        set_up(&r, profiles[i], "dopri5", square, &f, 3);
        const cst_status blown = solve(&r, times, 2, y0);
        assert_failure(&r, blown, blown == CST_ENONFINITE ? CST_ENONFINITE : CST_EUNDERFLOW, "z[2]");
        assert_true(r.stats.failed_index == 2 && r.stats.failed_t > 0.99 && r.stats.failed_t <= 1.01);
        tear_down(&r);

        set_up(&r, profiles[i], "dopri5", turns_infinite, &f, 3);
        r.options.max_step = 0.1;
        assert_failure(&r, solve(&r, times, 2, y0), CST_ENONFINITE, "z[1]");
        assert_true(r.stats.failed_t > 0.5 && r.stats.failed_t < 0.71);
        f.bad_from = 0;
        assert_failure(&r, solve(&r, times, 2, y0), CST_ENONFINITE, "z[1]");
        f.bad_from = 0.7;
        r.options.min_step = 0.05;
        assert_failure(&r, solve(&r, times, 2, y0), CST_ENONFINITE, "z[1]");
        tear_down(&r);

        set_up(&r, profiles[i], "dopri5", rotation, NULL, 2);
        r.options.max_num_steps = 4;
        r.options.max_step = 0.1;
        assert_failure(&r, solve(&r, times, 2, start), CST_EMAXSTEPS, "max_num_steps exceeded (4)");
        tear_down(&r);

        set_up(&r, profiles[i], "rk4", turns_infinite, &f, 3);
        r.options.step_size = 0.1;
        assert_failure(&r, solve(&r, times, 2, y0), CST_ENONFINITE, "z[1]");
        tear_down(&r);

        set_up(&r, profiles[i], "dopri5", refuses, NULL, 2);
        r.options.max_step = 0.1;
        assert_failure(&r, solve(&r, times, 2, start), CST_EIO, "no data");
        tear_down(&r);
    }
}

static void recoverable_fields_get_shorter_steps(void **state)
{
    (void)state;
    const double times[2] = {0, 0.6};
    const real y0[1] = {0}, one[1] = {1};
    for (size_t i = 0; i < 2; i++) {
        field f = {0};
        run r;
        set_up(&r, profiles[i], "dopri5", recoverable, &f, 1);
        r.options.first_step = 0.6;
        if (solve(&r, times, 2, y0) != CST_OK) fail_msg("%s", r.error.message);
        assert_true(f.calls > 0 && r.stats.rejected > 0);
        assert_close(r.y[1], 0.5, exact ? 1e-7 : 1e-3);
        assert_failure(&r, solve(&r, times, 2, one), CST_ERECOVERABLE, "t=0");
        tear_down(&r);
    }
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    static const double one[] = {1}, nan_time[] = {(double)NAN};
    const double good[2] = {0, 1}, equal[2] = {1, 1}, turning[3] = {0, 1, 0.5}, infinite[2] = {0, HUGE_VAL};
    run r;
#define REFUSED(change, times, n, text)                                                                                \
    do {                                                                                                               \
        set_up(&r, CST_PROFILE_COSTATE, "dopri5", rotation, NULL, 2);                                                  \
        change;                                                                                                        \
        r.error.message[0] = 0;                                                                                        \
        assert_int_equal(solve(&r, times, n, start), CST_EARG);                                                        \
        if (!strstr(r.error.message, text)) fail_msg("%s: %s", text, r.error.message);                                 \
        tear_down(&r);                                                                                                 \
    } while (0)
    REFUSED((void)0, good, 1, "at least 2 times");
    REFUSED((void)0, equal, 2, "increase or decrease");
    REFUSED((void)0, turning, 3, "increase or decrease");
    REFUSED((void)0, infinite, 2, "finite times");
    REFUSED(r.options.rtol = -1, good, 2, "tolerances");
    REFUSED(r.options.rtol = r.options.atol = 0, good, 2, "tolerances");
    REFUSED(r.options.first_step = (double)NAN, good, 2, "step sizes");
    REFUSED(r.options.min_step = 2; r.options.max_step = 1, good, 2, "min_step <= max_step");
    REFUSED(r.options.safety = 0, good, 2, "safety");
    REFUSED(r.options.dfactor = 2, good, 2, "dfactor");
    REFUSED(r.options.ifactor = 0.5, good, 2, "ifactor");
    REFUSED(r.options.step_t = nan_time; r.options.n_step_t = 1, good, 2, "step_t[0]");
    REFUSED(r.options.step_t = one; r.options.n_step_t = 1; r.options.jump_t = one;
            r.options.n_jump_t = 1, good, 2, "in common");
#undef REFUSED
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tolerance_is_met_both_ways_in_time),
        cmocka_unit_test(methods_converge_at_their_order),
        cmocka_unit_test(fixed_steps_follow_their_grid),
        cmocka_unit_test(steps_end_where_they_are_told_to),
        cmocka_unit_test(jumps_are_taken_in_stride),
        cmocka_unit_test(limits_on_steps_are_kept),
        cmocka_unit_test(rejections_are_remembered),
        cmocka_unit_test(landing_keeps_the_step_size),
        cmocka_unit_test(threads_do_not_change_bits),
        cmocka_unit_test(quadratures_are_integrals),
        cmocka_unit_test(failures_say_when_where_and_why),
        cmocka_unit_test(recoverable_fields_get_shorter_steps),
        cmocka_unit_test(bad_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
