/* ode_rnn against gru where its field is zero; series with gaps and early ends, alone and in a batch; a step without an
 * observation; gradients by differences; times in a channel, and errors in them. */
#include "tests/gap_rig.h"

#include <math.h>
#include <string.h>

static void check_zero_field(bool channel, bool all)
{
    static const char *const jsons[2][2][2] = {
        {{GRU ", 'mask': true}", GRU ", 'mask': true, 'output': 'all'}"},
         {ODE_RNN ", 'mask': true}", ODE_RNN ", 'mask': true, 'output': 'all'}"}},
        {{GRU "}", GRU ", 'output': 'all'}"},
         {ODE_RNN ", 'times': 'channel'}", ODE_RNN ", 'times': 'channel', 'output': 'all'}"}}};
    ode_rig g, o;
    gap_build(&g, jsons[channel][0][all], SHAPE(T, C), N, 1);
    gap_build(&o, jsons[channel][1][all], SHAPE(T, C + channel), N, 1);
    gap_punch(gap_some, g.x);
    if (channel)
        gap_add_times(g.x, o.x);
    else
        memcpy(o.x, g.x, g.in * sizeof(real));
    const size_t cell = g.m->n_params;
    memset(o.theta, 0, o.m->n_params * sizeof(real));
    memcpy(o.theta, g.theta, cell * sizeof(real));
    memcpy(o.gy, g.gy, g.out * sizeof(real));
    ode_rig_run(&g);
    ode_rig_run(&o);
    test_assert_close("y", o.y, g.y, g.out, gap_tolerance);
    test_assert_close("gtheta", o.gtheta, g.gtheta, cell, 10 * gap_tolerance);
    for (size_t i = 0; i < N * T; i++) {
        test_assert_close("gx", o.gx + i * (C + channel) + channel, g.gx + i * C, C, gap_tolerance);
        if (channel) assert_true(o.gx[i * (C + 1)] == 0);
    }
    assert_int_equal(o.seen.nfe[0], channel ? 4 * (1 + 1 + 2 + 3 + 1) : 4 * 2 * (T - 1));
    ode_rig_clear(&g);
    ode_rig_clear(&o);
}

static void a_zero_field_equals_the_gru(void **state)
{
    (void)state;
    check_zero_field(false, false);
    check_zero_field(false, true);
    check_zero_field(true, false);
    check_zero_field(true, true);
}

/* In a batch whose other rows continue, a row has the states and gradients that it has alone, if steps have a fixed
 * size. */
static void other_rows_do_not_change_an_ended_one(void **state)
{
    (void)state;
    ode_rig all, one;
    gap_build(&all, ODE_RNN ", 'output': 'all'}", SHAPE(T, C), N, 1);
    gap_build(&one, ODE_RNN ", 'output': 'all'}", SHAPE(T, C), 1, 1);
    memcpy(one.theta, all.theta, all.m->n_params * sizeof(real));
    gap_punch(gap_whole, all.x);
    ode_rig_run(&all);
    for (size_t row = 0; row < N; row++) {
        memcpy(one.x, all.x + row * T * C, T * C * sizeof(real));
        memcpy(one.gy, all.gy + row * T * H, T * H * sizeof(real));
        ode_rig_run(&one);
        test_assert_close("y", all.y + row * T * H, one.y, T * H, gap_tolerance);
        test_assert_close("gx", all.gx + row * T * C, one.gx, T * C, gap_tolerance);
    }
    ode_rig_clear(&all);
    ode_rig_clear(&one);
}

/* A step without any observation has no effect: steps 0, 1, 2 with a gap at 1 have the results of times 0 and 2,
 * provided that the solver takes the same steps. */
static void a_step_without_observation_has_no_effect(void **state)
{
    (void)state;
    ode_rig three, two;
    gap_build(&three, ODE_RNN "}", SHAPE(3, C), N, 1);
    gap_build(&two, ODE_RNN ", 'times': 'channel'}", SHAPE(2, 1 + C), N, 1);
    gap_follow(&two, &three);
    for (size_t row = 0; row < N; row++) {
        real *x = three.x + row * 3 * C, *to = two.x + row * 2 * (1 + C);
        for (size_t c = 0; c < C; c++) x[C + c] = (real)NAN;
        to[0] = 0, to[1 + C] = 2;
        memcpy(to + 1, x, C * sizeof *x);
        memcpy(to + 2 + C, x + 2 * C, C * sizeof *x);
    }
    ode_rig_run(&three);
    ode_rig_run(&two);
    test_assert_close("y", three.y, two.y, two.out, gap_tolerance);
    test_assert_close("gtheta", three.gtheta, two.gtheta, two.m->n_params, 10 * gap_tolerance);
    for (size_t row = 0; row < N; row++)
        for (size_t c = 0; c < C; c++) {
            const real *g = three.gx + row * 3 * C, *expected = two.gx + row * 2 * (1 + C) + 1;
            test_assert_close("gx", g + c, expected + c, 1, gap_tolerance);
            assert_true(g[C + c] == 0);
            test_assert_close("gx", g + 2 * C + c, expected + 1 + C + c, 1, gap_tolerance);
        }
    ode_rig_clear(&three);
    ode_rig_clear(&two);
}

static void gaps_and_ends(void **state)
{
    (void)state;
    gap_check_filled(gap_some, ODE_RNN ", 'mask': true}", ODE_RNN "}", 2 * C);
    gap_check_end(ODE_RNN "}", 4);
    gap_check_end(ODE_RNN ", 'output': 'all'}", 2);
    gap_check_nothing(ODE_RNN ", 'mask': true}");
}

#ifdef CST_DOUBLE
static void gradients_are_differences(void **state)
{
    (void)state;
    gap_check_gradients(ODE_RNN "}", false);
    gap_check_gradients(ODE_RNN ", 'output': 'all', 'mask': true}", false);
    gap_check_gradients(ODE_RNN ", 'times': 'channel', 'output': 'all'}", true);
}
#endif

static void check_times_error(size_t row, size_t t, double time, const char *message)
{
    ode_rig r;
    gap_build(&r, ODE_RNN ", 'times': 'channel'}", SHAPE(T, 1 + C), N, 1);
    real x[N * T * C];
    test_random(7, x, N * T * C, 1);
    gap_punch(gap_some, x);
    gap_add_times(x, r.x);
    r.x[(row * T + t) * (1 + C)] = (real)time;
    test_assert_error(ode_rig_forward(&r), CST_EARG, &r.error, message);
    ode_rig_clear(&r);
}

static void times_are_shared(void **state)
{
    (void)state;
    check_times_error(2, 1, 1.125, "expected rows that share their times, got 1 in row 0 and 1.125 in row 2 at step 1");
    check_times_error(1, 2, (double)NAN, "expected a finite time in channel 0, got nan at step 2 of row 1");
    check_times_error(0, 3, HUGE_VAL, "expected a finite time in channel 0, got inf at step 3 of row 0");
    /* rows 1 and 3 have ended, and row 0 is checked first */
    check_times_error(0, 4, 2, "expected rows that share their times, got 2 in row 0 and 3.5 in row 2 at step 4");
}

static void times_increase(void **state)
{
    (void)state;
    ode_rig r;
    gap_build(&r, ODE_RNN ", 'times': 'channel'}", SHAPE(3, 2), 1, 1);
    r.x[0] = 0, r.x[2] = 1, r.x[4] = 1;
    test_assert_error(ode_rig_forward(&r), CST_EARG, &r.error, "expected times that increase, got 1 after 1 at step 2");
    ode_rig_clear(&r);
}

static void configs_that_do_not_fit(void **state)
{
    (void)state;
    gap_check_error(ODE_RNN ", 'times': 'channel'}", SHAPE(3, 1),
                    "model: expected rows (T, C) with at least 1 step and 2 channels, got (3, 1)");
    gap_check_error(JSON({"type": "ode_rnn", "hidden": 2, "field": {"type": "linear", "out_features": 3}}), SHAPE(3, 1),
                    "model: expected a field that keeps the shape of its state, got (2) -> (3)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zero_field_equals_the_gru),
        cmocka_unit_test(gaps_and_ends),
        cmocka_unit_test(other_rows_do_not_change_an_ended_one),
        cmocka_unit_test(a_step_without_observation_has_no_effect),
#ifdef CST_DOUBLE
        cmocka_unit_test(gradients_are_differences),
#endif
        cmocka_unit_test(times_are_shared),
        cmocka_unit_test(times_increase),
        cmocka_unit_test(configs_that_do_not_fit),
    };
    return cmocka_run_group_tests_name("ode_rnn", tests, NULL, NULL);
}
