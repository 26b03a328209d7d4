/* Solves that fail: their messages, and errors that are found before the solve begins. */
#include "tests/solve_rig.h"

#include <math.h>
#include <string.h>

/* ---- problems ------------------------------------------------------------------------------------------------ */

typedef struct field {
    size_t n, calls;
    double bad_from; /* infinite from this time on */
} field;

static cst_status square(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    const field *f = context;
    (void)t, (void)scale, (void)q, (void)error;
    for (size_t i = 0; i < f->n; i++) dy[i] = y[i] * y[i];
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

/* y' = -50 (y - 0.5), undefined where y >= 1. The solution stays below, but the stages of a long step do not. */
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

/* Can be evaluated at the start of a solve and nowhere else. */
static cst_status once(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    field *f = context;
    (void)t, (void)y, (void)scale, (void)q, (void)error;
    dy[0] = 1;
    return f->calls++ == 0 ? CST_OK : CST_ERECOVERABLE;
}

static cst_status refuses(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    (void)context, (void)scale, (void)q;
    dy[0] = y[0];
    dy[1] = y[1];
    return t < 0.3 ? CST_OK : cst_fail(error, CST_EIO, "no data after t = 0.3");
}

static void failures_say_when_where_and_why(void **state)
{
    (void)state;
    const double times[2] = {0, 3};
    field f = {.n = 3, .bad_from = 0.7};
    const real y0[3] = {-1, 0, 1};
    for (size_t i = 0; i < 2; i++) {
        solve_rig r;
        solve_rig_set_up(&r, solve_rig_profiles[i], "dopri5", square, &f, 3);
        const cst_status blown = solve_rig_solve(&r, times, 2, y0);
        solve_rig_assert_failure(&r, blown, blown == CST_ENONFINITE ? CST_ENONFINITE : CST_EUNDERFLOW, "z[2]");
        assert_true(r.stats.failed_index == 2 && r.stats.failed_t > 0.99 && r.stats.failed_t <= 1.01);
        solve_rig_tear_down(&r);

        solve_rig_set_up(&r, solve_rig_profiles[i], "dopri5", turns_infinite, &f, 3);
        r.options.max_step = 0.1;
        solve_rig_assert_failure(&r, solve_rig_solve(&r, times, 2, y0), CST_ENONFINITE, "z[1]");
        assert_true(r.stats.failed_t > 0.5 && r.stats.failed_t < 0.71);
        f.bad_from = 0;
        solve_rig_assert_failure(&r, solve_rig_solve(&r, times, 2, y0), CST_ENONFINITE, "z[1]");
        f.bad_from = 0.7;
        r.options.min_step = 0.05;
        solve_rig_assert_failure(&r, solve_rig_solve(&r, times, 2, y0), CST_ENONFINITE, "z[1]");
        solve_rig_tear_down(&r);

        solve_rig_set_up(&r, solve_rig_profiles[i], "dopri5", solve_rig_rotation, NULL, 2);
        r.options.max_num_steps = 4;
        r.options.max_step = 0.1;
        solve_rig_assert_failure(&r, solve_rig_solve(&r, times, 2, solve_rig_start), CST_EMAXSTEPS,
                                 "max_num_steps exceeded (4)");
        solve_rig_tear_down(&r);

        solve_rig_set_up(&r, solve_rig_profiles[i], "rk4", turns_infinite, &f, 3);
        r.options.step_size = 0.1;
        solve_rig_assert_failure(&r, solve_rig_solve(&r, times, 2, y0), CST_ENONFINITE, "z[1]");
        solve_rig_tear_down(&r);

        solve_rig_set_up(&r, solve_rig_profiles[i], "dopri5", refuses, NULL, 2);
        r.options.max_step = 0.1;
        solve_rig_assert_failure(&r, solve_rig_solve(&r, times, 2, solve_rig_start), CST_EIO, "no data");
        solve_rig_tear_down(&r);
    }
}

static void recoverable_fields_get_shorter_steps(void **state)
{
    (void)state;
    const double times[2] = {0, 0.6};
    const real y0[1] = {0}, one[1] = {1};
    for (size_t i = 0; i < 2; i++) {
        field f = {0};
        solve_rig r;
        solve_rig_set_up(&r, solve_rig_profiles[i], "dopri5", recoverable, &f, 1);
        r.options.first_step = 0.6;
        if (solve_rig_solve(&r, times, 2, y0) != CST_OK) fail_msg("%s", r.error.message);
        assert_true(f.calls > 0 && r.stats.rejected > 0);
        solve_rig_assert_close(&r, (double)r.y[1], 0.5, solve_rig_exact ? 1e-7 : 1e-3);
        solve_rig_assert_failure(&r, solve_rig_solve(&r, times, 2, one), CST_ERECOVERABLE, "t=0");
        assert_true(r.stats.failed_index == SIZE_MAX && r.stats.failed_dt == 0); /* no component is to blame */
        solve_rig_tear_down(&r);
    }
}

/* Stages that were never evaluated are not read, whatever the memory holds. */
static void fields_that_refuse_every_step_are_told_so(void **state)
{
    (void)state;
    const double times[2] = {0, 1};
    const real y0[1] = {1};
    for (size_t i = 0; i < 4; i++) {
        field f = {0};
        solve_rig r;
        solve_rig_set_up(&r, solve_rig_profiles[i % 2], "dopri5", once, &f, 1);
        r.options.first_step = 0.1;
        r.options.min_step = i < 2 ? 0 : 0.01;
        solve_rig_assert_failure(&r, solve_rig_solve(&r, times, 2, y0), CST_EUNDERFLOW,
                                 "the vector field asked for a shorter step down to dt=");
        f.calls = 0;
        r.options.max_num_steps = 3;
        solve_rig_assert_failure(&r, solve_rig_solve(&r, times, 2, y0), i < 2 ? CST_EMAXSTEPS : CST_EUNDERFLOW, "t=0");
        f.calls = 0;
        r.options.method = cst_tableau_find("rk4");
        solve_rig_assert_failure(&r, solve_rig_solve(&r, times, 2, y0), CST_ERECOVERABLE, "steps are fixed (dt=1)");
        solve_rig_tear_down(&r);
    }
}

/* Steps that are too short to change the time, and more steps than allowed: neither solve begins. */
static void fixed_steps_too_short_are_refused(void **state)
{
    (void)state;
    const double far[2] = {1e10, 1e10 + 1}, times[2] = {0, 1};
    for (size_t i = 0; i < 2; i++) {
        solve_rig r;
        solve_rig_set_up(&r, solve_rig_profiles[i], "euler", solve_rig_rotation, NULL, 2);
        r.stats.trace = false;
        r.options.step_size = 1e-9;
        solve_rig_assert_failure(&r, solve_rig_solve(&r, far, 2, solve_rig_start), CST_EUNDERFLOW,
                                 "step_size 1e-09 is too small");
        r.options.step_size = 1e-12;
        solve_rig_assert_failure(&r, solve_rig_solve(&r, times, 2, solve_rig_start), CST_EMAXSTEPS,
                                 "step_size 1e-12 makes 1e+12 steps");
        r.options.step_size = 0.1;
        r.options.max_num_steps = 9;
        solve_rig_assert_failure(&r, solve_rig_solve(&r, times, 2, solve_rig_start), CST_EMAXSTEPS, "makes 10 steps");
        assert_int_equal(r.stats.nfe, 1);
        r.options.max_num_steps = 10;
        assert_int_equal(solve_rig_solve(&r, times, 2, solve_rig_start), CST_OK);
        solve_rig_tear_down(&r);
    }
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    static const double falling[] = {0.5, 0.25}, nan_time[] = {(double)NAN};
    const double good[2] = {0, 1}, equal[2] = {1, 1}, turning[3] = {0, 1, 0.5}, infinite[2] = {0, HUGE_VAL};
    solve_rig r;
#define REFUSED(change, times, n, text)                                                                                \
    do {                                                                                                               \
        solve_rig_set_up(&r, CST_PROFILE_COSTATE, "dopri5", solve_rig_rotation, NULL, 2);                              \
        change;                                                                                                        \
        r.error.message[0] = 0;                                                                                        \
        assert_int_equal(solve_rig_solve(&r, times, n, solve_rig_start), CST_EARG);                                    \
        if (!strstr(r.error.message, text)) fail_msg("%s: %s", text, r.error.message);                                 \
        solve_rig_tear_down(&r);                                                                                       \
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
    REFUSED(r.options.jump_t = falling; r.options.n_jump_t = 2, good, 2, "increase, got jump_t[1] = 0.25 after 0.5");
#undef REFUSED
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_say_when_where_and_why),
        cmocka_unit_test(recoverable_fields_get_shorter_steps),
        cmocka_unit_test(fields_that_refuse_every_step_are_told_so),
        cmocka_unit_test(fixed_steps_too_short_are_refused),
        cmocka_unit_test(bad_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
