/* The solver against closed forms: order, dense output, jumps, control, failures, quadratures. */
#include "tests/solve_rig.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- problems ------------------------------------------------------------------------------------------------ */

typedef struct field {
    size_t n, calls;
    double farthest; /* |t| of an evaluation */
} field;

/* y' = 1 before t = 0.5 and -2 after: 0.5 - 2 (t - 0.5) from 0. */
static cst_status jump(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    (void)context, (void)y, (void)scale, (void)q, (void)error;
    dy[0] = t < 0.5 ? 1 : -2;
    return CST_OK;
}

/* So slow that Hairer's probe for the first step would be very long. */
static cst_status slow(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    field *f = context;
    (void)y, (void)scale, (void)q, (void)error;
    f->farthest = fmax(f->farthest, fabs(t));
    dy[0] = (real)(1e-3 * cos(t));
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

/* ---- accuracy ------------------------------------------------------------------------------------------------ */

static void tolerance_is_met_both_ways_in_time(void **state)
{
    (void)state;
    for (size_t k = 0; cst_tableaus[k]; k++) {
        if (!cst_tableaus[k]->adaptive) continue;
        for (size_t i = 0; i < 4; i++) {
            if (cst_tableaus[k]->rough_middle && i % 2) continue; /* read from torchdiffeq's interpolant, of order 1 */
            const double direction = i / 2 ? -1 : 1, times[4] = {0, 0.7 * direction, 1.9 * direction, 4 * direction};
            solve_rig r;
            solve_rig_set_up(&r, solve_rig_profiles[i % 2], cst_tableaus[k]->name, solve_rig_rotation, NULL, 2);
            if (cst_tableaus[k]->order == 2) r.options.rtol = r.options.atol = solve_rig_exact ? 1e-6 : 1e-4;
            if (solve_rig_solve(&r, times, 4, solve_rig_start) != CST_OK)
                fail_msg("%s: %s", cst_tableaus[k]->name, r.error.message);
            /* A local tolerance allows some growth over the interval. dopri8's steps are long for a quartic
             * interpolant. */
            const bool inside = cst_tableaus[k]->order < 8;
            for (size_t j = inside ? 1 : 3; j < (inside || i % 2 == 0 ? 4 : 0); j++) {
                const double allowed = 1000 * r.options.rtol + 20 * (double)CST_REAL_EPSILON;
                solve_rig_assert_close(&r, (double)r.y[2 * j], sin(times[j]), allowed);
                solve_rig_assert_close(&r, (double)r.y[2 * j + 1], cos(times[j]), allowed);
            }
            solve_rig_tear_down(&r);
        }
    }
}

/* With steps of a fixed size h, the error decreases as h^p. */
static void methods_converge_at_their_order(void **state)
{
    (void)state;
    if (!solve_rig_exact) skip();
    for (size_t k = 0; cst_tableaus[k]; k++) {
        const double times[2] = {0, 2}, p = (double)cst_tableaus[k]->order;
        double error[2];
        for (int halved = 0; halved < 2; halved++) {
            solve_rig r;
            solve_rig_set_up(&r, CST_PROFILE_COSTATE, cst_tableaus[k]->name, solve_rig_rotation, NULL, 2);
            const double h = (p >= 8 ? 0.5 : p >= 4 ? 0.1 : 0.01) / (1 + halved);
            r.options.step_size = r.options.first_step = r.options.min_step = r.options.max_step = h;
            if (solve_rig_solve(&r, times, 2, solve_rig_start) != CST_OK)
                fail_msg("%s: %s", cst_tableaus[k]->name, r.error.message);
            error[halved] = hypot((double)r.y[2] - sin(2), (double)r.y[3] - cos(2));
            solve_rig_tear_down(&r);
        }
        const double order = log2(error[0] / error[1]);
        if (!(order > p - 0.2 && order < p + 1))
            fail_msg("%s: observed order %.2f, expected %g", cst_tableaus[k]->name, order, p);
    }
}

static void fixed_steps_follow_their_grid(void **state)
{
    (void)state;
    const double times[3] = {0, 0.25, 1};
    solve_rig r;
    solve_rig_set_up(&r, CST_PROFILE_COSTATE, "rk4", solve_rig_rotation, NULL, 2);
    r.options.step_size = 0.1;
    assert_int_equal(solve_rig_solve(&r, times, 3, solve_rig_start), CST_OK);
    assert_int_equal(r.stats.accepted, 3 + 8); /* each interval is divided equally */
    assert_int_equal(r.stats.nfe, 4 * 11);
    solve_rig_assert_close(&r, (double)r.y[2], sin(0.25), 1e-6);
    r.options.step_size = 0;
    assert_int_equal(solve_rig_solve(&r, times, 3, solve_rig_start), CST_OK);
    assert_int_equal(r.stats.accepted, 2);
    solve_rig_tear_down(&r);

    solve_rig_set_up(&r, CST_PROFILE_TORCHDIFFEQ, "euler", solve_rig_rotation, NULL, 2);
    r.options.step_size = 0.3;
    assert_int_equal(solve_rig_solve(&r, times, 3, solve_rig_start), CST_OK);
    assert_int_equal(r.stats.accepted, 4);                  /* 0.3, 0.6, 0.9, 1 */
    solve_rig_assert_close(&r, (double)r.y[2], 0.25, 1e-6); /* on the line from (0, 0) to (0.3, 0.3) */
    solve_rig_assert_close(&r, r.stats.attempts[3].dt, 0.1, 1e-12);
    solve_rig_tear_down(&r);
}

/* A stop cuts a step of the grid in two; a jump of the state begins a new grid. */
static void fixed_steps_land_on_stops(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (int restated = 0; restated < 2; restated++) {
            solve_rig r;
            cst_solver s;
            solve_rig_set_up(&r, solve_rig_profiles[i], "rk4", solve_rig_rotation, NULL, 2);
            r.options.step_size = 0.3;
            solve_rig_plan(&r, TEST_NAN);
            const cst_solve_call call = solve_rig_call(&r);
            assert_int_equal(cst_solver_start(&s, &r.problem, &r.options, 0, 2, solve_rig_start, &call), CST_OK);
            assert_int_equal(cst_solver_advance(&s, 1, true, r.y), CST_OK);
            assert_true(s.t == 1);
            if (restated) assert_int_equal(cst_solver_restate(&s, r.y), CST_OK);
            assert_int_equal(cst_solver_advance(&s, 2, true, r.y), CST_OK);
            assert_true(s.t == 2);
            solve_rig_assert_close(&r, (double)r.y[0], sin(2), 1e-3);
            assert_int_equal(r.stats.accepted, 8); /* torchdiffeq: to 0.9, 1, 1.2, 1.8, 2, or 1.3, 1.6, 1.9, 2 */
            for (size_t j = 0; j < r.stats.n_attempts; j++) assert_true(r.stats.attempts[j].dt < 0.3 + 1e-12);
            solve_rig_tear_down(&r);
        }
    }
}

/* ---- control ------------------------------------------------------------------------------------------------- */

static void steps_end_at_stops(void **state)
{
    (void)state;
    static const double step_t[] = {-5, 0.3, 1.1, 9}, times[2] = {0, 2};
    for (size_t i = 0; i < 2; i++) {
        solve_rig r;
        solve_rig_set_up(&r, solve_rig_profiles[i], "dopri5", solve_rig_rotation, NULL, 2);
        r.options.step_t = step_t;
        r.options.n_step_t = 4;
        assert_int_equal(solve_rig_solve(&r, times, 2, solve_rig_start), CST_OK);
        size_t hit = 0;
        for (size_t j = 0; j < r.stats.n_attempts; j++) {
            const double end = r.stats.attempts[j].t + r.stats.attempts[j].dt;
            hit += r.stats.attempts[j].accepted && (fabs(end - 0.3) < 1e-15 || fabs(end - 1.1) < 1e-15);
        }
        assert_int_equal(hit, 2);
        const cst_attempt *last = &r.stats.attempts[r.stats.n_attempts - 1];
        if (i == 0)
            solve_rig_assert_close(&r, last->t + last->dt, 2, 1e-14);
        else
            assert_true(last->t + last->dt > 2);
        solve_rig_tear_down(&r);
    }
}

/* An announced jump costs one evaluation, an unannounced one costs rejections; also if a step happens to end on it. */
static void announced_jumps_cost_one_evaluation(void **state)
{
    (void)state;
    static const double jump_t[] = {0.5, 0.8}, times[2] = {0, 2}, back[2] = {2, 0};
    const real zero[1] = {0}, end[1] = {-2.5};
    for (size_t i = 0; i < 2; i++) {
        solve_rig r;
        solve_rig_set_up(&r, solve_rig_profiles[i], "dopri5", jump, NULL, 1);
        assert_int_equal(solve_rig_solve(&r, times, 2, zero), CST_OK);
        const size_t unannounced = r.stats.nfe;
        assert_true(r.stats.rejected > 3);
        r.options.jump_t = jump_t;
        r.options.n_jump_t = 2;
        for (int hit = 0; hit < 3; hit++) {
            r.options.first_step = hit == 1 ? 0.5 : 0;
            r.options.step_t = jump_t; /* a time in both lists is a jump */
            r.options.n_step_t = hit == 2 ? 2 : 0;
            assert_int_equal(solve_rig_solve(&r, times, 2, zero), CST_OK);
            assert_int_equal(r.stats.rejected, 0);
            assert_true(2 * r.stats.nfe < unannounced);
            solve_rig_assert_close(&r, (double)r.y[1], -2.5, 20 * (double)CST_REAL_EPSILON);
        }
        r.options.first_step = 0;
        assert_int_equal(solve_rig_solve(&r, back, 2, end), CST_OK);
        assert_int_equal(r.stats.rejected, 0);
        solve_rig_assert_close(&r, (double)r.y[1], 0, 20 * (double)CST_REAL_EPSILON);
        solve_rig_tear_down(&r);
    }
}

/* An observation at a jump: the evaluation for the new state comes after it. */
static void a_state_is_replaced_after_a_jump(void **state)
{
    (void)state;
    static const double jump_t[] = {0.5}, ends[2] = {0, 2};
    static const real values[2] = {0, -2.5};
    for (size_t i = 0; i < 4; i++) {
        const size_t from = i / 2, to = 1 - from;
        solve_rig r;
        cst_solver s;
        solve_rig_set_up(&r, solve_rig_profiles[i % 2], "dopri5", jump, NULL, 1);
        r.options.jump_t = jump_t;
        r.options.n_jump_t = 1;
        solve_rig_plan(&r, TEST_NAN);
        const cst_solve_call call = solve_rig_call(&r);
        assert_int_equal(cst_solver_start(&s, &r.problem, &r.options, ends[from], ends[to], &values[from], &call),
                         CST_OK);
        assert_int_equal(cst_solver_advance(&s, 0.5, true, r.y), CST_OK);
        assert_int_equal(cst_solver_restate(&s, r.y), CST_OK);
        assert_true((double)s.k[0][0] == (from == 0 ? -2 : 1));
        assert_int_equal(cst_solver_advance(&s, ends[to], true, r.y), CST_OK);
        assert_int_equal(r.stats.rejected, 0);
        solve_rig_assert_close(&r, (double)r.y[0], (double)values[to], 20 * (double)CST_REAL_EPSILON);
        solve_rig_tear_down(&r);
    }
}

/* A jump at the end of the solve costs no evaluation after it. */
static void a_jump_at_the_end_costs_nothing(void **state)
{
    (void)state;
    static const double times[2] = {0, 2};
    solve_rig r;
    solve_rig_set_up(&r, CST_PROFILE_COSTATE, "dopri5", solve_rig_rotation, NULL, 2);
    assert_int_equal(solve_rig_solve(&r, times, 2, solve_rig_start), CST_OK);
    const size_t without = r.stats.nfe;
    r.options.jump_t = &times[1];
    r.options.n_jump_t = 1;
    assert_int_equal(solve_rig_solve(&r, times, 2, solve_rig_start), CST_OK);
    assert_int_equal(r.stats.nfe, without);
    solve_rig_tear_down(&r);
}

static void nothing_is_evaluated_beyond_the_end(void **state)
{
    (void)state;
    const real y0[1] = {100};
    for (size_t k = 0; cst_tableaus[k]; k++) {
        for (int direction = -1; direction < 2; direction += 2) {
            const double times[2] = {0, direction};
            field f = {0};
            solve_rig r;
            solve_rig_set_up(&r, CST_PROFILE_COSTATE, cst_tableaus[k]->name, slow, &f, 1);
            if (solve_rig_solve(&r, times, 2, y0) != CST_OK) fail_msg("%s: %s", cst_tableaus[k]->name, r.error.message);
            if (!(f.farthest <= 1)) fail_msg("%s: evaluated at |t| = %g", cst_tableaus[k]->name, f.farthest);
            solve_rig_tear_down(&r);
        }
    }
}

static void limits_on_steps_are_kept(void **state)
{
    (void)state;
    const double times[2] = {0, 2};
    for (size_t i = 0; i < 2; i++) {
        solve_rig r;
        solve_rig_set_up(&r, solve_rig_profiles[i], "dopri5", solve_rig_rotation, NULL, 2);
        r.options.max_step = 0.11;
        assert_int_equal(solve_rig_solve(&r, times, 2, solve_rig_start), CST_OK);
        for (size_t j = 0; j < r.stats.n_attempts; j++) assert_true(r.stats.attempts[j].dt <= 0.11 * (1 + 2e-6));
        r.options.max_step = HUGE_VAL;
        r.options.min_step = 0.4;
        r.options.rtol = r.options.atol = 1e-12;
        assert_int_equal(solve_rig_solve(&r, times, 2, solve_rig_start), CST_OK);
        assert_int_equal(r.stats.rejected, 0); /* a step this short is accepted whatever its error */
        solve_rig_tear_down(&r);
    }
}

/* After a rejection, the costate profile does not increase the step at once. It needs fewer attempts than the I
 * controller. */
static void rejections_are_remembered(void **state)
{
    (void)state;
    const double times[2] = {0, 1};
    solve_rig r;
    solve_rig_set_up(&r, CST_PROFILE_COSTATE, "dopri5", solve_rig_rotation, NULL, 2);
    r.options.first_step = 1;
    assert_int_equal(solve_rig_solve(&r, times, 2, solve_rig_start), CST_OK);
    assert_true(r.stats.rejected > 0);
    for (size_t j = 1; j + 1 < r.stats.n_attempts; j++)
        if (!r.stats.attempts[j - 1].accepted && r.stats.attempts[j].accepted)
            assert_true(r.stats.attempts[j + 1].dt <= r.stats.attempts[j].dt * (1 + 1e-12));
    assert_int_equal(r.stats.nfe, 1 + 6 * r.stats.n_attempts);
    solve_rig_tear_down(&r);
}

/* Stop, change the state, and continue with the same step size: this costs one evaluation. */
static void landing_keeps_the_step_size(void **state)
{
    (void)state;
    solve_rig r;
    solve_rig_set_up(&r, CST_PROFILE_COSTATE, "dopri5", solve_rig_rotation, NULL, 2);
    solve_rig_plan(&r, TEST_NAN);
    cst_solver s;
    const cst_solve_call call = solve_rig_call(&r);
    assert_int_equal(cst_solver_start(&s, &r.problem, &r.options, 0, 3, solve_rig_start, &call), CST_OK);
    assert_int_equal(cst_solver_advance(&s, 1.0, true, r.y), CST_OK);
    assert_true(s.t == 1.0);
    const double h = s.h;
    const size_t nfe = r.stats.nfe;
    r.y[0] += 1;
    assert_int_equal(cst_solver_restate(&s, r.y), CST_OK);
    assert_int_equal(r.stats.nfe, nfe + 1);
    assert_true(s.h == h);
    solve_rig_assert_close(&r, (double)s.k[0][1], -(double)r.y[0], 0);
    assert_int_equal(cst_solver_advance(&s, 3.0, true, r.y), CST_OK);
    solve_rig_assert_close(&r, (double)r.y[0], sin(3) + cos(2),
                           300 * r.options.rtol); /* the added 1 rotates with the rest of the state */
    solve_rig_tear_down(&r);
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
        solve_rig r;
        solve_rig_set_up(&r, CST_PROFILE_COSTATE, "dopri5", decay, &f, N);
        r.options.threads = threads;
        r.options.rtol = r.options.atol = 1e-4;
        y[threads - 1] = malloc(2 * N * sizeof(real));
        solve_rig_plan(&r, TEST_NAN);
        const cst_solve_call call = solve_rig_call(&r);
        assert_int_equal(cst_solve(&r.problem, &r.options, times, 2, y0, y[threads - 1], &call), CST_OK);
        solve_rig_tear_down(&r);
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
            solve_rig r;
            solve_rig_set_up(&r, solve_rig_profiles[i % 2], cst_tableaus[k]->name, solve_rig_rotation, NULL, 2);
            if (cst_tableaus[k]->order <= 2) r.options.rtol = r.options.atol = solve_rig_exact ? 1e-7 : 1e-4;
            if (cst_tableaus[k]->order <= 2)
                r.options.max_step = 0.002; /* the error of a quadrature is not controlled */
            r.options.step_size = 1e-3;
            r.problem.n_quadratures = 2;
            r.options.jump_t = jump_t;
            r.options.n_jump_t = i / 2;
            if (solve_rig_solve(&r, times, 2, solve_rig_start) != CST_OK)
                fail_msg("%s: %s", cst_tableaus[k]->name, r.error.message);
            const double allowed = cst_tableaus[k]->order == 1 ? 3e-3 : solve_rig_exact ? 5e-6 : 1e-3;
            solve_rig_assert_close(&r, (double)r.q[0], 1 - cos(2), allowed);
            solve_rig_assert_close(&r, (double)r.q[1], 2 * sin(2) + cos(2) - 1, allowed);
            solve_rig_tear_down(&r);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tolerance_is_met_both_ways_in_time),
        cmocka_unit_test(methods_converge_at_their_order),
        cmocka_unit_test(fixed_steps_follow_their_grid),
        cmocka_unit_test(fixed_steps_land_on_stops),
        cmocka_unit_test(steps_end_at_stops),
        cmocka_unit_test(announced_jumps_cost_one_evaluation),
        cmocka_unit_test(a_state_is_replaced_after_a_jump),
        cmocka_unit_test(nothing_is_evaluated_beyond_the_end),
        cmocka_unit_test(a_jump_at_the_end_costs_nothing),
        cmocka_unit_test(limits_on_steps_are_kept),
        cmocka_unit_test(rejections_are_remembered),
        cmocka_unit_test(landing_keeps_the_step_size),
        cmocka_unit_test(threads_do_not_change_bits),
        cmocka_unit_test(quadratures_are_integrals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
