/* gru against a loop written here; series with gaps against filled ones; series that end early against shorter ones;
 * their gradients by differences; batches cut into shards; errors. */
#include "tests/gap_rig.h"

#include <math.h>
#include <string.h>

/* ---- against a loop ---------------------------------------------------------------------------------------------- */

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* Row j of weight (.., n) times x, plus bias j. */
static double line(const real *weight, const real *bias, size_t j, size_t n, const double *x)
{
    double sum = (double)bias[j];
    for (size_t i = 0; i < n; i++) sum += (double)weight[j * n + i] * x[i];
    return sum;
}

/* One step of one row by PyTorch's equations. */
static void step(const real *theta, size_t in, const double *x, double h[H])
{
    const real *ih = theta, *hh = ih + 3 * H * in, *bih = hh + 3 * H * H, *bhh = bih + 3 * H;
    double next[H];
    for (size_t j = 0; j < H; j++) {
        const double r = sigmoid(line(ih, bih, j, in, x) + line(hh, bhh, j, H, h));
        const double z = sigmoid(line(ih, bih, H + j, in, x) + line(hh, bhh, H + j, H, h));
        const double n = tanh(line(ih, bih, 2 * H + j, in, x) + r * line(hh, bhh, 2 * H + j, H, h));
        next[j] = (1 - z) * n + z * h[j];
    }
    memcpy(h, next, sizeof next);
}

static void check_loop(const char *json, bool mask, bool all)
{
    ode_rig r;
    double full[N][T][2 * C];
    real expected[N * T * H];
    gap_build(&r, json, SHAPE(T, C), N, 1);
    gap_fill(gap_whole, r.x, full);
    gap_punch(gap_whole, r.x);
    ode_rig_run(&r);
    size_t n = 0;
    for (size_t row = 0; row < N; row++) {
        double h[H] = {0};
        for (size_t t = 0; t < T; t++) {
            if (t < gap_lengths[row]) step(r.theta, mask ? 2 * C : C, full[row][t], h);
            for (size_t j = 0; j < H && (all || t == T - 1); j++) expected[n++] = (real)h[j];
        }
    }
    assert_int_equal(r.out, n);
    test_assert_close(json, r.y, expected, n, gap_tolerance);
    ode_rig_clear(&r);
}

static void equals_the_loop(void **state)
{
    (void)state;
    check_loop(GRU "}", false, false);
    check_loop(GRU ", 'output': 'all'}", false, true);
    check_loop(GRU ", 'mask': true}", true, false);
    check_loop(GRU ", 'mask': true, 'output': 'all'}", true, true);
}

/* All are uniform in +-1/sqrt(H): 195 numbers come near the bounds, and their mean is near 0. */
static void starts_as_in_pytorch(void **state)
{
    (void)state;
    ode_rig r;
    const double bound = 1 / sqrt(H);
    double least = 0, most = 0, sum = 0;
    gap_build(&r, GRU ", 'mask': true}", SHAPE(T, C), 1, 1);
    const size_t p = r.m->n_params;
    assert_int_equal(p, 3 * H * (2 * C + H + 2));
    for (size_t i = 0; i < p; i++) {
        least = fmin(least, (double)r.theta[i]);
        most = fmax(most, (double)r.theta[i]);
        sum += (double)r.theta[i];
    }
    assert_true(least >= -bound && least < -0.95 * bound);
    assert_true(most <= bound && most > 0.95 * bound);
    assert_true(fabs(sum / (double)p) < 0.15 * bound);
    ode_rig_clear(&r);
}

/* ---- gaps, ends, masks ------------------------------------------------------------------------------------------- */

static void a_gap_is_the_last_value(void **state)
{
    (void)state;
    gap_check_filled(gap_whole, GRU "}", GRU "}", C);
    gap_check_filled(gap_whole, GRU ", 'output': 'all'}", GRU ", 'output': 'all'}", C);
}

static void a_mask_is_more_channels(void **state)
{
    (void)state;
    gap_check_filled(gap_whole, GRU ", 'mask': true}", GRU "}", 2 * C);
}

static void an_early_end_is_a_shorter_series(void **state)
{
    (void)state;
    gap_check_end(GRU "}", 4);
    gap_check_end(GRU ", 'output': 'all'}", 1);
}

static void rows_without_values_are_zero(void **state)
{
    (void)state;
    gap_check_nothing(GRU "}");
    gap_check_nothing(GRU ", 'output': 'all'}");
}

/* Shards have rows of different lengths, and so different numbers of steps. */
static void rows_are_cut(void **state)
{
    (void)state;
    ode_rig one, three;
    gap_build(&one, JSON({"type": "gru", "hidden": 32, "output": "all"}), SHAPE(T, C), 60, 1);
    gap_build(&three, JSON({"type": "gru", "hidden": 32, "output": "all"}), SHAPE(T, C), 60, 3);
    assert_true(one.m->cost * 60 > 3e5); /* enough for the batch to be cut */
    for (size_t row = 0; row < 60; row++)
        for (size_t i = (1 + row % 20 / 4) * C; i < T * C; i++) one.x[row * T * C + i] = (real)NAN;
    memcpy(three.x, one.x, one.in * sizeof(real));
    ode_rig_run(&one);
    ode_rig_run(&three);
    test_assert_close("y", three.y, one.y, one.out, gap_tolerance);
    test_assert_close("gx", three.gx, one.gx, one.in, 10 * gap_tolerance);
    test_assert_close("gtheta", three.gtheta, one.gtheta, one.m->n_params, 10 * gap_tolerance);
    ode_rig_clear(&one);
    ode_rig_clear(&three);
}

#ifdef CST_DOUBLE
static void gradients_are_differences(void **state)
{
    (void)state;
    gap_check_gradients(GRU "}", false);
    gap_check_gradients(GRU ", 'output': 'all', 'mask': true}", false);
}
#endif

static void configs_that_do_not_fit(void **state)
{
    (void)state;
    gap_check_error(GRU "}", cst_shape_1d(3), "model: expected rows of 2 dimensions (T, C), got (3)");
    gap_check_error(JSON({"type": "gru", "hidden": 0}), SHAPE(3, 1),
                    "model: hidden: expected an integer from 1 to 1000000000, got 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_loop),
        cmocka_unit_test(starts_as_in_pytorch),
        cmocka_unit_test(a_gap_is_the_last_value),
        cmocka_unit_test(a_mask_is_more_channels),
        cmocka_unit_test(an_early_end_is_a_shorter_series),
        cmocka_unit_test(rows_without_values_are_zero),
        cmocka_unit_test(rows_are_cut),
#ifdef CST_DOUBLE
        cmocka_unit_test(gradients_are_differences),
#endif
        cmocka_unit_test(configs_that_do_not_fit),
    };
    return cmocka_run_group_tests_name("gru", tests, NULL, NULL);
}
