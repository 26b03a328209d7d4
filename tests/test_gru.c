/* Recurrent baselines: gru against a loop written here, series with gaps against filled ones, series that end early against
 * shorter ones; ode_rnn against gru where its field is zero, and where a step is not observed; gradients of both by
 * differences on series with gaps; errors. */
#include "tests/ode_rig.h"

#include <math.h>
#include <string.h>

static const double tolerance = sizeof(real) == sizeof(float) ? 2e-6 : 1e-14;

enum { N = 4, T = 6, C = 3, H = 5 };
#define SHAPE(t, c)                                                                                                    \
    (cst_shape)                                                                                                        \
    {                                                                                                                  \
        2,                                                                                                             \
        {                                                                                                              \
            t, c                                                                                                       \
        }                                                                                                              \
    }
#define GRU "{\"type\": \"gru\", \"hidden\": 5"
#define FIELD                                                                                                          \
    "\"field\": {\"type\": \"sequential\", \"layers\": [{\"type\": \"concat_time\"}, {\"type\": \"linear\", "          \
    "\"out_features\": 4}, {\"type\": \"tanh\"}, {\"type\": \"linear\", \"out_features\": 5}]}, \"solver\": "          \
    "{\"method\": \"rk4\", \"step_size\": 0.5}, \"gradient\": {\"method\": \"checkpointed\"}"
#define ODE_RNN "{\"type\": \"ode_rnn\", \"hidden\": 5, " FIELD

static void build(ode_rig *r, const char *json, cst_shape x, size_t n, int threads)
{
    test_assert_ok(json, ode_rig_build(r, json, x, n, threads), &r->error);
}

/* ---- series with gaps -------------------------------------------------------------------------------------------- */

/* Steps of each row, and in a table of gaps what is missing at them: an x. */
static const size_t lengths[N] = {T, 4, T, 2};
typedef const char *const gaps[N];
static gaps some = {"...|...|...|...|...|...", "x..|.x.|.xx|...|xxx|xxx", "xx.|xx.|.xx|x.x|..x|.x.",
                    "..x|x.x|xxx|xxx|xxx|xxx"};
/* At some steps nothing is there. */
static gaps whole = {"...|...|xxx|...|xxx|.x.", "xxx|...|xxx|.x.|xxx|xxx", "xx.|xxx|xxx|x.x|..x|.x.",
                     "xxx|x.x|xxx|xxx|xxx|xxx"};

static bool is_gap(gaps missing, size_t row, size_t t, size_t c)
{
    return missing[row][t * (C + 1) + c] == 'x';
}

static void punch(gaps missing, real *x)
{
    for (size_t row = 0; row < N; row++)
        for (size_t t = 0; t < T; t++)
            for (size_t c = 0; c < C; c++)
                if (is_gap(missing, row, t, c)) x[(row * T + t) * C + c] = (real)NAN;
}

/* The step whose value is taken at step t; T if there is none. */
static size_t origin(gaps missing, size_t row, size_t t, size_t c)
{
    for (size_t i = t + 1; i-- > 0;)
        if (!is_gap(missing, row, i, c)) return i;
    return T;
}

/* [values | mask] (N, T, 2C) in doubles, with nothing missing. */
static void fill(gaps missing, const real *x, double full[N][T][2 * C])
{
    for (size_t row = 0; row < N; row++)
        for (size_t t = 0; t < T; t++)
            for (size_t c = 0; c < C; c++) {
                const size_t from = origin(missing, row, t, c);
                full[row][t][c] = from == T ? 0 : (double)x[(row * T + from) * C + c];
                full[row][t][C + c] = is_gap(missing, row, t, c) ? 0 : 1;
            }
}

/* ---- against a loop ---------------------------------------------------------------------------------------------- */

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* Row j of weight (.., n) times x, and bias j. */
static double line(const real *weight, const real *bias, size_t j, size_t n, const double *x)
{
    double sum = (double)bias[j];
    for (size_t i = 0; i < n; i++) sum += (double)weight[j * n + i] * x[i];
    return sum;
}

/* One step of one row, by PyTorch's equations. */
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
    build(&r, json, SHAPE(T, C), N, 1);
    fill(whole, r.x, full);
    punch(whole, r.x);
    ode_rig_run(&r);
    size_t n = 0;
    for (size_t row = 0; row < N; row++) {
        double h[H] = {0};
        for (size_t t = 0; t < T; t++) {
            if (t < lengths[row]) step(r.theta, mask ? 2 * C : C, full[row][t], h);
            for (size_t j = 0; j < H && (all || t == T - 1); j++) expected[n++] = (real)h[j];
        }
    }
    assert_int_equal(r.out, n);
    test_assert_close(json, r.y, expected, n, tolerance);
    ode_rig_clear(&r);
}

static void is_the_loop(void **state)
{
    (void)state;
    check_loop(GRU "}", false, false);
    check_loop(GRU ", \"output\": \"all\"}", false, true);
    check_loop(GRU ", \"mask\": true}", true, false);
    check_loop(GRU ", \"mask\": true, \"output\": \"all\"}", true, true);
}

/* All uniform in +-1/sqrt(H): 195 numbers come near the bounds, and their mean to 0. */
static void starts_as_in_pytorch(void **state)
{
    (void)state;
    ode_rig r;
    const double bound = 1 / sqrt(H);
    double least = 0, most = 0, sum = 0;
    build(&r, GRU ", \"mask\": true}", SHAPE(T, C), 1, 1);
    const size_t p = r.m->n_params;
    assert_int_equal(p, 3 * H * (2 * C + H + 2));
    for (size_t i = 0; i < p; i++) {
        least = fmin(least, (double)r.theta[i]);
        most = fmax(most, (double)r.theta[i]);
        sum += (double)r.theta[i];
    }
    assert_true(least >= -bound && least < -0.9 * bound);
    assert_true(most <= bound && most > 0.9 * bound);
    assert_true(fabs(sum / (double)p) < 0.15 * bound);
    ode_rig_clear(&r);
}

/* ---- gaps, ends, masks ------------------------------------------------------------------------------------------- */

/* The same parameters and cotangent on other rows, of another module. */
static void follow(ode_rig *to, const ode_rig *from)
{
    assert_int_equal(to->m->n_params, from->m->n_params);
    assert_int_equal(to->out, from->out);
    memcpy(to->theta, from->theta, from->m->n_params * sizeof(real));
    memcpy(to->gy, from->gy, from->out * sizeof(real));
}

/* A row with gaps has the states and gradients of a filled one; what was carried on gets the gradients of all its uses. With a
 * mask the filled row has it as channels. */
static void check_filled(gaps missing, const char *json, const char *filled, size_t width)
{
    ode_rig r, f;
    double full[N][T][2 * C];
    build(&r, json, SHAPE(T, C), 1, 1);
    build(&f, filled, SHAPE(T, width), 1, 1);
    follow(&f, &r);
    real x[N * T * C];
    test_random(6, x, N * T * C, 1);
    fill(missing, x, full);
    punch(missing, x);
    for (size_t row = 0; row < N; row++) {
        const size_t end = lengths[row];
        memcpy(r.x, x + row * T * C, T * C * sizeof(real));
        for (size_t t = 0; t < T; t++)
            for (size_t c = 0; c < width; c++) f.x[t * width + c] = t < end ? (real)full[row][t][c] : (real)NAN;
        ode_rig_run(&r);
        ode_rig_run(&f);
        test_assert_same_bits("y", r.y, f.y, r.out);
        test_assert_close("gtheta", r.gtheta, f.gtheta, r.m->n_params, tolerance);
        real expected[T * C] = {0};
        for (size_t t = 0; t < end; t++)
            for (size_t c = 0; c < C; c++) {
                const size_t from = origin(missing, row, t, c);
                if (from < T) expected[from * C + c] += f.gx[t * width + c];
            }
        test_assert_close("gx", r.gx, expected, T * C, tolerance);
    }
    ode_rig_clear(&r);
    ode_rig_clear(&f);
}

static void a_gap_is_the_last_value(void **state)
{
    (void)state;
    check_filled(whole, GRU "}", GRU "}", C);
    check_filled(whole, GRU ", \"output\": \"all\"}", GRU ", \"output\": \"all\"}", C);
}

static void a_mask_is_more_channels(void **state)
{
    (void)state;
    check_filled(whole, GRU ", \"mask\": true}", GRU "}", 2 * C);
    check_filled(some, ODE_RNN ", \"mask\": true}", ODE_RNN "}", 2 * C);
}

/* Rows that end together are those of a shorter series; after the end the state stays, and nothing gets a gradient. */
static void check_end(const char *json, size_t end)
{
    ode_rig r, s;
    build(&r, json, SHAPE(T, C), N, 1);
    build(&s, json, SHAPE(end, C), N, 1);
    memcpy(s.theta, r.theta, r.m->n_params * sizeof(real));
    const bool all = r.m->y.rank == 2;
    for (size_t row = 0; row < N; row++) {
        real *x = r.x + row * T * C;
        memcpy(s.x + row * end * C, x, end * C * sizeof(real));
        for (size_t i = end * C; i < T * C; i++) x[i] = (real)NAN;
        for (size_t t = 0; t < (all ? T : 1); t++) {
            const size_t to = t < end ? t : end - 1;
            real *g = s.gy + (row * (all ? end : 1) + to) * H, *from = r.gy + (row * (all ? T : 1) + t) * H;
            for (size_t j = 0; j < H; j++) g[j] = t < end ? from[j] : g[j] + from[j];
        }
    }
    ode_rig_run(&r);
    ode_rig_run(&s);
    for (size_t row = 0; row < N; row++) {
        const size_t rows = all ? T : 1, short_rows = all ? end : 1;
        for (size_t t = 0; t < rows; t++)
            test_assert_close("y", r.y + (row * rows + t) * H,
                              s.y + (row * short_rows + cst_size_least(t, short_rows - 1)) * H, H, tolerance);
        real rest[T * C] = {0};
        test_assert_close("gx", r.gx + row * T * C, s.gx + row * end * C, end * C, tolerance);
        test_assert_close("gx after the end", r.gx + row * T * C + end * C, rest, (T - end) * C, 0);
    }
    test_assert_close("gtheta", r.gtheta, s.gtheta, r.m->n_params, 10 * tolerance);
    ode_rig_clear(&r);
    ode_rig_clear(&s);
}

static void an_early_end_is_a_shorter_series(void **state)
{
    (void)state;
    check_end(GRU "}", 4);
    check_end(GRU ", \"output\": \"all\"}", 1);
    check_end(ODE_RNN "}", 4);
    check_end(ODE_RNN ", \"output\": \"all\"}", 2);
}

static void without_any_value(void **state)
{
    static const char *const models[] = {GRU "}", GRU ", \"output\": \"all\"}", ODE_RNN ", \"mask\": true}"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        ode_rig r;
        build(&r, models[i], SHAPE(T, C), N, 1);
        for (size_t j = 0; j < r.in; j++) r.x[j] = (real)NAN;
        ode_rig_run(&r);
        real none[N * T * H] = {0};
        test_assert_close("y", r.y, none, r.out, 0);
        test_assert_close("gx", r.gx, none, r.in, 0);
        for (size_t j = 0; j < r.m->n_params; j++) assert_true(r.gtheta[j] == 0);
        ode_rig_clear(&r);
    }
}

/* Shards have rows of other lengths, and so fewer steps. */
static void rows_are_cut(void **state)
{
    (void)state;
    ode_rig one, three;
    build(&one, "{\"type\": \"gru\", \"hidden\": 32, \"output\": \"all\"}", SHAPE(T, C), 60, 1);
    build(&three, "{\"type\": \"gru\", \"hidden\": 32, \"output\": \"all\"}", SHAPE(T, C), 60, 3);
    assert_true(one.m->cost * 60 > 3e5); /* enough to be cut */
    for (size_t row = 0; row < 60; row++)
        for (size_t i = (1 + row % 20 / 4) * C; i < T * C; i++) one.x[row * T * C + i] = (real)NAN;
    memcpy(three.x, one.x, one.in * sizeof(real));
    ode_rig_run(&one);
    ode_rig_run(&three);
    test_assert_close("y", three.y, one.y, one.out, tolerance);
    test_assert_close("gx", three.gx, one.gx, one.in, 10 * tolerance);
    test_assert_close("gtheta", three.gtheta, one.gtheta, one.m->n_params, 10 * tolerance);
    ode_rig_clear(&one);
    ode_rig_clear(&three);
}

/* ---- ode_rnn ----------------------------------------------------------------------------------------------------- */

static const real times[T] = {(real)0.5, 1, (real)1.25, 2, (real)3.5, 4};

/* x (N, T, 1 + C) of x (N, T, C), a time in front. */
static void add_times(const real *x, real *timed)
{
    for (size_t row = 0; row < N; row++)
        for (size_t t = 0; t < T; t++) {
            real *to = timed + (row * T + t) * (1 + C);
            to[0] = t < lengths[row] ? times[t] : (real)NAN;
            memcpy(to + 1, x + (row * T + t) * C, C * sizeof *x);
        }
}

static void check_zero_field(bool channel, bool all)
{
    static const char *const jsons[2][2][2] = {
        {{GRU ", \"mask\": true}", GRU ", \"mask\": true, \"output\": \"all\"}"},
         {ODE_RNN ", \"mask\": true}", ODE_RNN ", \"mask\": true, \"output\": \"all\"}"}},
        {{GRU "}", GRU ", \"output\": \"all\"}"},
         {ODE_RNN ", \"times\": \"channel\"}", ODE_RNN ", \"times\": \"channel\", \"output\": \"all\"}"}}};
    ode_rig g, o;
    build(&g, jsons[channel][0][all], SHAPE(T, C), N, 1);
    build(&o, jsons[channel][1][all], SHAPE(T, C + channel), N, 1);
    punch(some, g.x);
    if (channel)
        add_times(g.x, o.x);
    else
        memcpy(o.x, g.x, g.in * sizeof(real));
    const size_t cell = g.m->n_params;
    memset(o.theta, 0, o.m->n_params * sizeof(real));
    memcpy(o.theta, g.theta, cell * sizeof(real));
    memcpy(o.gy, g.gy, g.out * sizeof(real));
    ode_rig_run(&g);
    ode_rig_run(&o);
    test_assert_close("y", o.y, g.y, g.out, tolerance);
    test_assert_close("gtheta", o.gtheta, g.gtheta, cell, 10 * tolerance);
    for (size_t i = 0; i < N * T; i++) {
        test_assert_close("gx", o.gx + i * (C + channel) + channel, g.gx + i * C, C, tolerance);
        if (channel) assert_true(o.gx[i * (C + 1)] == 0);
    }
    assert_int_equal(o.seen.nfe[0], channel ? 4 * (1 + 1 + 2 + 3 + 1) : 4 * 2 * (T - 1));
    ode_rig_clear(&g);
    ode_rig_clear(&o);
}

static void a_zero_field_leaves_the_gru(void **state)
{
    (void)state;
    check_zero_field(false, false);
    check_zero_field(false, true);
    check_zero_field(true, false);
    check_zero_field(true, true);
}

/* Beside others that go on, a row has the states and gradients that it has alone: under steps of fixed size it may. */
static void a_row_that_ends_stays(void **state)
{
    (void)state;
    ode_rig all, one;
    build(&all, ODE_RNN ", \"output\": \"all\"}", SHAPE(T, C), N, 1);
    build(&one, ODE_RNN ", \"output\": \"all\"}", SHAPE(T, C), 1, 1);
    memcpy(one.theta, all.theta, all.m->n_params * sizeof(real));
    punch(whole, all.x);
    ode_rig_run(&all);
    for (size_t row = 0; row < N; row++) {
        memcpy(one.x, all.x + row * T * C, T * C * sizeof(real));
        memcpy(one.gy, all.gy + row * T * H, T * H * sizeof(real));
        ode_rig_run(&one);
        test_assert_close("y", all.y + row * T * H, one.y, T * H, tolerance);
        test_assert_close("gx", all.gx + row * T * C, one.gx, T * C, tolerance);
    }
    ode_rig_clear(&all);
    ode_rig_clear(&one);
}

/* A step with nothing observed is not there: steps 0, 1, 2 with a gap at 1 are times 0 and 2, the solver's steps being the
 * same. */
static void nothing_observed_is_no_observation(void **state)
{
    (void)state;
    ode_rig three, two;
    build(&three, ODE_RNN "}", SHAPE(3, C), N, 1);
    build(&two, ODE_RNN ", \"times\": \"channel\"}", SHAPE(2, 1 + C), N, 1);
    follow(&two, &three);
    for (size_t row = 0; row < N; row++) {
        real *x = three.x + row * 3 * C, *to = two.x + row * 2 * (1 + C);
        for (size_t c = 0; c < C; c++) x[C + c] = (real)NAN;
        to[0] = 0, to[1 + C] = 2;
        memcpy(to + 1, x, C * sizeof *x);
        memcpy(to + 2 + C, x + 2 * C, C * sizeof *x);
    }
    ode_rig_run(&three);
    ode_rig_run(&two);
    test_assert_close("y", three.y, two.y, two.out, tolerance);
    test_assert_close("gtheta", three.gtheta, two.gtheta, two.m->n_params, 10 * tolerance);
    for (size_t row = 0; row < N; row++)
        for (size_t c = 0; c < C; c++) {
            const real *g = three.gx + row * 3 * C, *expected = two.gx + row * 2 * (1 + C) + 1;
            test_assert_close("gx", g + c, expected + c, 1, tolerance);
            assert_true(g[C + c] == 0);
            test_assert_close("gx", g + 2 * C + c, expected + 1 + C + c, 1, tolerance);
        }
    ode_rig_clear(&three);
    ode_rig_clear(&two);
}

/* ---- gradients by differences ------------------------------------------------------------------------------------ */

#ifdef CST_DOUBLE
/* The loss's derivative by *component; a component that is NaN has none. */
static void check_component(ode_rig *r, const char *what, size_t i, real *component, double got)
{
    const real x0 = *component;
    const double h = 1e-5;
    double loss[2];
    for (int side = 0; side < 2; side++) {
        *component = x0 + (side ? -h : h);
        loss[side] = ode_rig_loss(r);
    }
    *component = x0;
    const double expected = isnan(x0) ? 0 : (loss[0] - loss[1]) / (2 * h);
    if (fabs(got - expected) > 1e-8) fail_msg("%s[%zu]: differences give %.10g, vjp %.10g", what, i, expected, got);
}

static void check_gradients(const char *json, bool channel)
{
    ode_rig r;
    real x[N * T * C];
    build(&r, json, SHAPE(T, C + channel), N, 1);
    test_random(7, x, N * T * C, 1);
    punch(whole, x);
    if (channel)
        add_times(x, r.x);
    else
        memcpy(r.x, x, sizeof x);
    ode_rig_run(&r);
    for (size_t i = 0; i < r.m->n_params; i++) check_component(&r, "gtheta", i, &r.theta[i], r.gtheta[i]);
    for (size_t i = 0; i < r.in; i++)
        if (channel && i % (C + 1) == 0)
            assert_true(r.gx[i] == 0);
        else
            check_component(&r, "gx", i, &r.x[i], r.gx[i]);
    ode_rig_clear(&r);
}

static void gradients_are_differences(void **state)
{
    (void)state;
    check_gradients(GRU "}", false);
    check_gradients(GRU ", \"output\": \"all\", \"mask\": true}", false);
    check_gradients(ODE_RNN "}", false);
    check_gradients(ODE_RNN ", \"output\": \"all\", \"mask\": true}", false);
    check_gradients(ODE_RNN ", \"times\": \"channel\", \"output\": \"all\"}", true);
}
#endif

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static void check_times_error(size_t row, size_t t, double time, const char *message)
{
    ode_rig r;
    build(&r, ODE_RNN ", \"times\": \"channel\"}", SHAPE(T, 1 + C), N, 1);
    real x[N * T * C];
    test_random(7, x, N * T * C, 1);
    punch(some, x);
    add_times(x, r.x);
    r.x[(row * T + t) * (1 + C)] = (real)time;
    test_assert_error(ode_rig_forward(&r), CST_EARG, &r.error, message);
    ode_rig_clear(&r);
}

static void times_are_shared(void **state)
{
    (void)state;
    check_times_error(2, 1, 1.125, "expected rows that share their times, got 1 in row 0 and 1.125 in row 2 at step 1");
    check_times_error(1, 2, (double)NAN, "expected a time in channel 0, got nan at step 2 of row 1");
    check_times_error(0, 3, HUGE_VAL, "expected a time in channel 0, got inf at step 3 of row 0");
    /* rows 1 and 3 have ended, and row 0 is asked first */
    check_times_error(0, 4, 2, "expected rows that share their times, got 2 in row 0 and 3.5 in row 2 at step 4");
}

static void times_increase(void **state)
{
    (void)state;
    ode_rig r;
    build(&r, ODE_RNN ", \"times\": \"channel\"}", SHAPE(3, 2), 1, 1);
    r.x[0] = 0, r.x[2] = 1, r.x[4] = 1;
    test_assert_error(ode_rig_forward(&r), CST_EARG, &r.error, "expected times that increase, got 1 after 1 at step 2");
    ode_rig_clear(&r);
}

static void check_make_error(const char *json, cst_shape x, const char *message)
{
    cst_module *m = NULL;
    cst_error error = {0};
    test_assert_error(test_module_new(json, &x, &m, &error), CST_ECONFIG, &error, message);
    assert_null(m);
}

static void configs_that_do_not_fit(void **state)
{
    (void)state;
    check_make_error(GRU "}", cst_shape_1d(3), "model: expected rows of 2 dimensions (T, C), got (3)");
    check_make_error(ODE_RNN ", \"times\": \"channel\"}", SHAPE(3, 1),
                     "model: expected rows (T, C) of at least 1 step and 2 channels, got (3, 1)");
    check_make_error("{\"type\": \"gru\", \"hidden\": 0}", SHAPE(3, 1),
                     "model: hidden: expected an integer from 1 to 1000000, got 0");
    check_make_error("{\"type\": \"ode_rnn\", \"hidden\": 2, \"field\": {\"type\": \"linear\", \"out_features\": 3}}",
                     SHAPE(3, 1), "model: expected a field that keeps the shape of its state, got (2) -> (3)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_loop),
        cmocka_unit_test(starts_as_in_pytorch),
        cmocka_unit_test(a_gap_is_the_last_value),
        cmocka_unit_test(a_mask_is_more_channels),
        cmocka_unit_test(an_early_end_is_a_shorter_series),
        cmocka_unit_test(without_any_value),
        cmocka_unit_test(rows_are_cut),
        cmocka_unit_test(a_zero_field_leaves_the_gru),
        cmocka_unit_test(a_row_that_ends_stays),
        cmocka_unit_test(nothing_observed_is_no_observation),
#ifdef CST_DOUBLE
        cmocka_unit_test(gradients_are_differences),
#endif
        cmocka_unit_test(times_are_shared),
        cmocka_unit_test(times_increase),
        cmocka_unit_test(configs_that_do_not_fit),
    };
    return cmocka_run_group_tests_name("gru", tests, NULL, NULL);
}
