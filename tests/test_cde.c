/* Neural CDEs: a closed form, equivalent series in different notations, gradients of values with gaps, the times at
 * which the solver stops, memory, errors. */
#include "tests/ode_rig.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const bool single = sizeof(real) == sizeof(float);
static const double tight = sizeof(real) == sizeof(float) ? 1e-6 : 1e-10;

#define NETWORK(out, last)                                                                                             \
    "{'type': 'sequential', 'layers': [{'type': 'linear', 'out_features': 6}, {'type': 'softplus'}, "                  \
    "{'type': 'linear', 'out_features': " #out "}" last "]}"
#define TANH ", {'type': 'tanh'}"

/* `more` has further keys of the cde. Cubic paths have knots where the second or third derivative of X jumps. The
 * solver stops there, so that errors stay below the tolerance. */
static cst_status build(ode_rig *r, const char *more, const char *network, const char *gradient, size_t hidden,
                        cst_shape x, size_t n)
{
    char json[1500];
    const bool cubic = strstr(more, "cubic") || strstr(more, "hermite");
    snprintf(json, sizeof json,
             "{'type': 'cde', 'hidden': %zu, 'field': %s, 'solver': {'rtol': %g, 'atol': %g%s}, "
             "'gradient': {%s}%s%s}",
             hidden, network, tight, tight, cubic ? ", 'step_t': [1, 2, 3, 4, 5, 6, 7, 8]" : "", gradient,
             *more ? ", " : "", more);
    return ode_rig_build(r, json, x, n, 1);
}

static void build_or_fail(ode_rig *r, const char *more, size_t length, size_t channels, size_t n)
{
    const char *network = channels == 3 ? NETWORK(12, TANH) : NETWORK(8, TANH);
    if (build(r, more, network, "", 4, (cst_shape){2, {length, channels}}, n) != CST_OK)
        fail_msg("%s", r->error.message);
}

static void assert_same(const char *what, const real *got, const real *expected, size_t n)
{
    const double distance = ode_rig_distance(got, expected, n);
    if (!(distance < (single ? 2e-4 : 1e-7))) fail_msg("%s: they differ by %g", what, distance);
}

static const char *const kinds[] = {"'path': 'linear'", "'path': 'rectilinear'", "'path': 'cubic'",
                                    "'path': 'hermite'"};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

/* F(z) = W z, where W turns by a right angle: z' = W z x', so z turns by x(t_n) - x(t_0), whatever the path in
 * between. */
static void state_turns_by_the_increment_of_the_path(void **state)
{
    enum { N = 3, T = 6 };
    (void)state;
    for (size_t k = 0; k < N_KINDS; k++) {
        ode_rig r;
        const char *network = JSON({"type": "linear", "out_features": 2, "bias": false});
        assert_int_equal(build(&r, kinds[k], network, "", 2, (cst_shape){2, {T, 1}}, N), CST_OK);
        real *initial = r.theta, *w = r.theta + r.m->children[1].offset; /* initial: weight (2, 1), bias (2) */
        w[0] = 0, w[1] = -1, w[2] = 1, w[3] = 0;
        assert_int_equal(ode_rig_forward(&r), CST_OK);
        for (size_t i = 0; i < N; i++) {
            const double x0 = (double)r.x[i * T], angle = (double)r.x[i * T + T - 1] - x0;
            const double u = (double)initial[0] * x0 + (double)initial[2];
            const double v = (double)initial[1] * x0 + (double)initial[3];
            const double expected[2] = {u * cos(angle) - v * sin(angle), u * sin(angle) + v * cos(angle)};
            for (size_t j = 0; j < 2; j++)
                if (fabs((double)r.y[2 * i + j] - expected[j]) > 20 * tight)
                    fail_msg("%s: %.12g, expected %.12g", kinds[k], (double)r.y[2 * i + j], expected[j]);
        }
        ode_rig_clear(&r);
    }
}

/* A constant F: z changes by the path's increment times F, with every method, also with fixed steps that end on no knot
 * by chance. */
static void every_method_stops_at_corners(void **state)
{
    enum { N = 2, T = 6 };
    (void)state;
    static const char *const solvers[] = {"'method': 'rk4', 'step_size': 1",
                                          "'method': 'rk4', 'step_size': 0.7",
                                          "'method': 'rk4'",
                                          "'method': 'euler', 'step_size': 1",
                                          "'method': 'euler', 'step_size': 0.7, 'profile': 'torchdiffeq'",
                                          "'method': 'rk4', 'step_size': 0.4, 'profile': 'torchdiffeq'",
                                          "'method': 'midpoint', 'profile': 'torchdiffeq'",
                                          "'method': 'bosh3', 'profile': 'torchdiffeq'",
                                          "'method': 'dopri5'"};
    for (size_t k = 0; k < sizeof solvers / sizeof solvers[0]; k++) {
        ode_rig r;
        char json[600];
        snprintf(json, sizeof json,
                 "{'type': 'cde', 'hidden': 1, 'field': {'type': 'linear', 'out_features': 1}, "
                 "'solver': {%s}}",
                 solvers[k]);
        if (ode_rig_build(&r, json, (cst_shape){2, {T, 1}}, N, 1) != CST_OK) fail_msg("%s", r.error.message);
        real *initial = r.theta, *f = r.theta + r.m->children[1].offset;
        f[0] = 0, f[1] = 2;
        ode_rig_run(&r);
        for (size_t i = 0; i < N; i++) {
            const double x0 = (double)r.x[i * T], gone = (double)r.x[i * T + T - 1] - x0;
            const double z0 = (double)initial[0] * x0 + (double)initial[1], expected = z0 + 2 * gone;
            if (fabs((double)r.y[i] - expected) > (single ? 1e-5 : 1e-13))
                fail_msg("%s: %.12g, expected %.12g", solvers[k], (double)r.y[i], expected);
            const double gx = ((double)initial[0] - 2) * (double)r.gy[i], got = (double)r.gx[i * T];
            if (fabs(got - gx) > (single ? 1e-4 : 1e-12)) fail_msg("%s: gx %.12g, expected %.12g", solvers[k], got, gx);
        }
        ode_rig_clear(&r);
    }
}

/* ---- the same series, written differently ------------------------------------------------------------------- */

enum { N = 4, T = 9, C = 3 };

/* True if series `row` has a knot at step i. The first and the last step always are knots. */
static bool has_knot(size_t row, size_t i)
{
    return i == 0 || i + 1 == T || (i * 7 + row * 5) % 4 != 1;
}

/* Three notations of the same series. Full: channel 0 is the time 0, 1, ..., the other channels are straight lines
 * between knots. Gaps: the other channels are NaN where there is no knot. Own: only the knots, with their times, then
 * NaN. */
static void write_series(const real *random, real *full, real *gaps, real *own)
{
    for (size_t row = 0; row < N; row++) {
        size_t before = 0, n = 0;
        for (size_t i = 0; i < T; i++) {
            if (!has_knot(row, i)) continue;
            for (size_t at = before; at <= i; at++) {
                const real u = i == before ? 0 : (real)(at - before) / (real)(i - before);
                for (size_t c = 0; c < C; c++) {
                    const real a = random[(row * T + before) * C + c], b = random[(row * T + i) * C + c];
                    const real value = c == 0 ? (real)at : (1 - u) * a + u * b;
                    full[(row * T + at) * C + c] = value;
                    gaps[(row * T + at) * C + c] = c == 0 || has_knot(row, at) ? value : (real)NAN;
                }
            }
            memcpy(own + (row * T + n++) * C, full + (row * T + i) * C, C * sizeof(real));
            before = i;
        }
        for (; n < T; n++)
            for (size_t c = 0; c < C; c++) own[(row * T + n) * C + c] = (real)NAN;
    }
}

static void gaps_and_own_times_are_the_regular_series(void **state)
{
    (void)state;
    ode_rig r[3];
    const char *const more[] = {"", "", "'times': 'channel'"};
    for (size_t i = 0; i < 3; i++) build_or_fail(&r[i], more[i], T, C, N);
    real random[N * T * C];
    test_random(7, random, N * T * C, 1);
    write_series(random, r[0].x, r[1].x, r[2].x);
    for (size_t i = 0; i < 3; i++) ode_rig_run(&r[i]);
    assert_same("state with gaps", r[1].y, r[0].y, r[0].out);
    assert_same("state with own times", r[2].y, r[0].y, r[0].out);
    assert_same("gradient with gaps", r[1].gtheta, r[0].gtheta, r[0].m->n_params);
    assert_same("gradient with own times", r[2].gtheta, r[0].gtheta, r[0].m->n_params);
    for (size_t i = 0; i < 3; i++) ode_rig_clear(&r[i]);
}

/* A CDE is invariant under a change of its time: a series with times of its own has the same result on its times and on
 * its indices. */
static void indices_can_replace_times(void **state)
{
    (void)state;
    ode_rig own, index;
    build_or_fail(&own, "'times': 'channel'", T, C, N);
    build_or_fail(&index, "", T, C, N);
    for (size_t i = 0; i < N * T; i++) {
        own.x[i * C] = (real)(i % T) * (real)(1 + i / T) / 2 + (i % T == 3 ? (real)0.2 : 0);
        for (size_t c = 0; c < C; c++) index.x[i * C + c] = own.x[i * C + c];
    }
    ode_rig_run(&own);
    ode_rig_run(&index);
    assert_same("state", index.y, own.y, own.out);
    assert_same("gradient", index.gtheta, own.gtheta, own.m->n_params);
    assert_true(own.seen.nfe[0] > index.seen.nfe[0]); /* the solver stops at the knots of all rows */
    ode_rig_clear(&own);
    ode_rig_clear(&index);
}

/* In a batch, a series that ends early has the state and gradients that it has alone, on each path that is local. */
static void an_early_end_has_the_result_of_a_short_series(void **state)
{
    enum { SHORT = 5 };
    (void)state;
    const char *const more[] = {"'times': 'channel'",
                                "'path': 'linear'",
                                "'times': 'channel', 'path': 'hermite'",
                                "'times': 'channel', 'path': 'cubic'",
                                "'path': 'hermite'",
                                "'path': 'cubic'"};
    for (size_t k = 0; k < 6; k++) {
        ode_rig batch, alone;
        build_or_fail(&batch, more[k], T, C, 2);
        build_or_fail(&alone, more[k], SHORT, C, 1);
        for (size_t i = 0; i < 2 * T; i++) {
            batch.x[i * C] = (real)(i % T);
            for (size_t c = 0; i % T >= SHORT && i < T && c < C; c++) batch.x[i * C + c] = (real)NAN;
        }
        memcpy(alone.x, batch.x, SHORT * C * sizeof(real));
        memset(batch.gy, 0, batch.out * sizeof(real));
        memcpy(batch.gy, alone.gy, alone.out * sizeof(real));
        ode_rig_run(&batch);
        ode_rig_run(&alone);
        assert_same("state", batch.y, alone.y, alone.out);
        assert_same("gradient", batch.gtheta, alone.gtheta, alone.m->n_params);
        assert_same("gradient of values", batch.gx, alone.gx, alone.in);
        ode_rig_clear(&batch);
        ode_rig_clear(&alone);
    }
}

/* A series of a single time keeps its initial state, also in a batch whose series all end before the last time. */
static void one_time_is_a_point(void **state)
{
    (void)state;
    const char *const more[] = {"'times': 'channel'", "'times': 'channel', 'path': 'cubic'", "'path': 'hermite'",
                                "'path': 'cubic', 'output': 'all'", ""};
    for (size_t k = 0; k < 5; k++) {
        ode_rig r;
        build_or_fail(&r, more[k], T, C, 2);
        const size_t outputs = r.out / 8; /* of 4 numbers, of each row */
        for (size_t i = 0; i < 2 * T; i++) {
            r.x[i * C] = (real)(i % T);
            for (size_t c = 0; (i < T ? i > 0 : i >= T + 5) && c < C; c++) r.x[i * C + c] = (real)NAN;
        }
        ode_rig_run(&r);
        for (size_t h = 0; h < 4; h++) {
            double z0 = (double)r.theta[4 * C + h];
            for (size_t c = 0; c < C; c++) z0 += (double)r.theta[h * C + c] * (double)r.x[c];
            for (size_t o = 0; o < outputs; o++) assert_true(fabs((double)r.y[4 * o + h] - z0) < 1e-5);
        }
        for (size_t o = 5; o < outputs; o++)
            assert_same("after its end", r.y + 4 * (outputs + o), r.y + 4 * (outputs + 4), 4);
        for (size_t i = 0; i < r.in; i++) assert_true(isfinite(r.gx[i]) && (!isnan(r.x[i]) || r.gx[i] == 0));
        ode_rig_clear(&r);
    }
}

/* ---- gradients of values -------------------------------------------------------------------------------------- */

/* Missing values: the first of a channel, one inside, the last two, and a channel of one series. */
static bool is_missing(size_t i)
{
    const size_t row = i / (T * C), step = i / C % T, c = i % C;
    return c > 0 && ((row == 0 && c == 1 && step == 0) || (row == 1 && c == 2 && step == 4) ||
                     (row == 1 && c == 1 && step > 6) || (row == 2 && c == 2));
}

static void differences(const char *more, const char *gradient, const char *what)
{
    ode_rig r;
    if (build(&r, more, NETWORK(12, TANH), gradient, 4, (cst_shape){2, {T, C}}, N) != CST_OK)
        fail_msg("%s", r.error.message);
    for (size_t i = 0; i < r.in; i++) {
        if (i % C == 0) r.x[i] = (real)(i / C % T);
        if (is_missing(i)) r.x[i] = (real)NAN;
    }
    ode_rig_run(&r);
    const double h = 1e-5;
    test_derivative seen = {0};
    for (size_t i = 0; i < r.in; i++) {
        const real x = r.x[i];
        if (isnan(x)) {
            assert_true(r.gx[i] == 0);
            continue;
        }
        r.x[i] = (real)((double)x + h);
        const double above = ode_rig_loss(&r);
        r.x[i] = (real)((double)x - h);
        const double expected = (above - ode_rig_loss(&r)) / (2 * h);
        r.x[i] = x;
        test_derivative_compare(&seen, what, i, (double)r.gx[i], expected, 2e-5 * (1 + fabs(expected)));
    }
    test_derivative_end(&seen, what, false);
    ode_rig_clear(&r);
}

static void values_have_gradients(void **state)
{
    (void)state;
    if (single) skip(); /* a float's difference quotients have hardly a digit */
    for (size_t k = 0; k < N_KINDS; k++) {
        differences(kinds[k], "", kinds[k]);
        differences(kinds[k], "'norm': 'default'", "a_theta in the state");
        differences(kinds[k], "'method': 'checkpointed'", "checkpointed");
        differences(kinds[k], "'method': 'interpolating'", "interpolating");
    }
    differences("'output': 'all'", "", "all outputs");
}

/* ---- stops and memory ---------------------------------------------------------------------------------------- */

static size_t count_steps_ending_at(const ode_rig *r, double t)
{
    size_t n = 0;
    for (size_t i = 0; i < r->seen.n_attempts[0]; i++) {
        const cst_attempt *a = &r->seen.attempts[0][i];
        n += a->accepted && fabs(a->t + a->dt - t) < 1e-12;
    }
    return n;
}

static void stops_at_corners_only(void **state)
{
    (void)state;
    ode_rig line, spline;
    const char *const path[] = {"linear", "cubic"};
    ode_rig *const rigs[] = {&line, &spline};
    for (size_t i = 0; i < 2; i++) {
        char json[400];
        snprintf(json, sizeof json, JSON({
                     "type": "cde",
                     "hidden": 2,
                     "path": "%s",
                     "field": {"type": "linear", "out_features": 4},
                     "solver": {"rtol": 1, "atol": 1, "first_step": 0.3}
                 }),
                 path[i]);
        assert_int_equal(ode_rig_build(rigs[i], json, (cst_shape){2, {T, 2}}, N, 1), CST_OK);
    }
    assert_int_equal(ode_rig_forward(&line), CST_OK);
    assert_int_equal(ode_rig_forward(&spline), CST_OK);
    for (size_t i = 1; i < T; i++) assert_int_equal(count_steps_ending_at(&line, (double)i), 1);
    size_t at_knots = 0;
    for (size_t i = 1; i + 1 < T; i++) at_knots += count_steps_ending_at(&spline, (double)i);
    assert_int_equal(at_knots, 0);
    ode_rig_clear(&line);
    ode_rig_clear(&spline);
}

/* A network that contains a flow with noise of its own: the path has no influence on that noise. With signs in one
 * dimension the estimate of the divergence is exact. */
static void a_flow_may_be_in_the_network(void **state)
{
    (void)state;
    ode_rig r[2];
    for (size_t i = 0; i < 2; i++) {
        char network[512];
        snprintf(network, sizeof network, JSON({
                     "type": "sequential",
                     "layers": [
                         {"type": "cnf", "divergence": "%s", "field": {"type": "field_net", "hidden": [3]}},
                         {"type": "linear", "out_features": 2}
                     ]
                 }),
                 i == 0 ? "exact" : "hutchinson");
        assert_int_equal(build(&r[i], "", network, "", 1, (cst_shape){2, {4, 2}}, 3), CST_OK);
        ode_rig_run(&r[i]);
    }
    assert_same("states", r[1].y, r[0].y, r[0].out);
    assert_same("gradients", r[1].gtheta, r[0].gtheta, r[0].m->n_params);
    for (size_t i = 0; i < 2; i++) ode_rig_clear(&r[i]);
}

/* Twice as many times need twice the memory for the path's data and its gradients, and no other memory. */
static void memory_grows_with_the_data_only(void **state)
{
    (void)state;
    ode_rig r[2];
    cst_plan plan[2];
    for (size_t i = 0; i < 2; i++) {
        build_or_fail(&r[i], "", (size_t)500 << i, C, N);
        cst_module_plan(r[i].m, N, 0, 1, &plan[i]);
    }
    const size_t data = 500 * C * N, doubles = 500 * 5 * (sizeof(double) / sizeof(real));
    assert_in_range(plan[1].cache - plan[0].cache, 1, 2 * data + doubles);
    assert_in_range(plan[1].work - plan[0].work, 1, 7 * data + doubles);
    for (size_t i = 0; i < 2; i++) ode_rig_clear(&r[i]);
}

/* ---- errors ---------------------------------------------------------------------------------------------------- */

static void mistakes_have_messages(void **state)
{
    (void)state;
    ode_rig r;
    build_or_fail(&r, "'times': 'channel'", T, C, N);
    for (size_t i = 0; i < N * T; i++) r.x[i * C] = (real)(i % T);
    r.x[(2 * T + 4) * C] = 3;
    assert_int_equal(ode_rig_forward(&r), CST_EARG);
    assert_string_equal(r.error.message, "series 2: expected times that increase, got t[4] = 3 after 3");
    for (size_t i = 0; i < T; i++) r.x[(2 * T + i) * C] = (real)NAN;
    assert_int_equal(ode_rig_forward(&r), CST_EARG);
    assert_string_equal(r.error.message, "series 2: expected at least 1 time, got 0");
    ode_rig_clear(&r);

    build_or_fail(&r, "'times': 'channel', 'output': 'all'", T, C, N);
    for (size_t i = 0; i < N * T; i++) r.x[i * C] = (real)(i % T);
    assert_int_equal(ode_rig_forward(&r), CST_OK);
    r.x[(T + 4) * C] = (real)4.5;
    assert_int_equal(ode_rig_forward(&r), CST_EARG);
    assert_non_null(strstr(r.error.message, "share their times for an output at all of them"));
    ode_rig_clear(&r);

    static const struct {
        const char *more, *network, *message;
        cst_shape x;
    } bad[] = {
        {"", NETWORK(11, TANH), "expected a network from (4) to 4 x 3 numbers, got one to rows (11)", {2, {T, C}}},
        {"", NETWORK(12, TANH), "expected rows of 2 dimensions (T, C), got (9)", {1, {T}}},
        {"", NETWORK(12, TANH), "at least 2 times and 1 channel, got (1, 3)", {2, {1, C}}},
        {"'initial': {'type': 'linear', 'out_features': 5}",
         NETWORK(12, TANH),
         "test.json: initial: expected a module to rows (4), got one to (5)",
         {2, {T, C}}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(build(&r, bad[i].more, bad[i].network, "", 4, bad[i].x, N), CST_ECONFIG);
        if (!strstr(r.error.message, bad[i].message)) fail_msg("%s", r.error.message);
        ode_rig_clear(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_turns_by_the_increment_of_the_path),
        cmocka_unit_test(every_method_stops_at_corners),
        cmocka_unit_test(gaps_and_own_times_are_the_regular_series),
        cmocka_unit_test(indices_can_replace_times),
        cmocka_unit_test(an_early_end_has_the_result_of_a_short_series),
        cmocka_unit_test(one_time_is_a_point),
        cmocka_unit_test(values_have_gradients),
        cmocka_unit_test(stops_at_corners_only),
        cmocka_unit_test(a_flow_may_be_in_the_network),
        cmocka_unit_test(memory_grows_with_the_data_only),
        cmocka_unit_test(mistakes_have_messages),
    };
    return cmocka_run_group_tests_name("cde", tests, NULL, NULL);
}
