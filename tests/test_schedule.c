/* Learning rates against closed forms and PyTorch's plateau, epoch by epoch and iteration by iteration; warm-up;
 * sections of a config. */
#include "tests/helpers.h"
#include "train/schedule.h"

#include <math.h>
#include <stdio.h>

enum { EPOCHS = 12, ITERATIONS = 5 }; /* iterations per epoch */
static const double lr0 = 0.3;

static cst_schedule read_good(const char *json, size_t epochs)
{
    cst_schedule s;
    cst_error error = {0};
    cst_document *document = test_parse(json);
    test_assert_ok(json, cst_schedule_read(cst_document_root(document), epochs, &s, &error), &error);
    cst_document_free(document);
    return s;
}

/* `terms`: the size of the terms that the rate is a sum of; the rate itself may be much smaller. */
static void assert_rate(const char *what, size_t epoch, double got, double expected, double terms)
{
    if (fabs(got - expected) <= 1e-15 * (expected + terms)) return;
    fail_msg("%s, after %zu epochs: expected %.17g, got %.17g", what, epoch, expected, got);
}

/* ---- closed forms -------------------------------------------------------------------------------------------- */

/* The rate after e epochs, without warm-up. */
typedef double (*closed_form)(size_t e);

static double constant(size_t e)
{
    (void)e;
    return lr0;
}

static double times(double gamma, size_t n)
{
    double rate = lr0;
    while (n-- > 0) rate *= gamma;
    return rate;
}

static double step_of_4(size_t e)
{
    return times(0.25, e / 4);
}

static double step_of_1(size_t e)
{
    return times(0.1, e);
}

static double exponential(size_t e)
{
    return times(0.75, e);
}

/* Half a turn of the unit circle, as a projection: 1 + cos a = 2 cos^2(a / 2). */
static double half_turn(double low, double share)
{
    const double c = cos(acos(0.0) * share);
    return low + (lr0 - low) * c * c;
}

static double cosine(size_t e)
{
    return half_turn(0, (double)e / EPOCHS);
}

static double short_cosine(size_t e)
{
    return half_turn(0.02, (double)e / 8.5);
}

static const struct {
    const char *json;
    closed_form rate;
    double terms;
} forms[] = {
    {"{'type': 'constant'", constant, 0},
    {"{'type': 'step', 'step_size': 4, 'gamma': 0.25", step_of_4, 0},
    {"{'type': 'step', 'step_size': 1", step_of_1, 0},
    {"{'type': 'exponential', 'gamma': 0.75", exponential, 0},
    {"{'type': 'cosine'", cosine, lr0},
    {"{'type': 'cosine', 'T_max': null", cosine, lr0},
    {"{'type': 'cosine', 'T_max': 8.5, 'eta_min': 0.02", short_cosine, lr0}, /* and up again */
};
enum { N_FORMS = sizeof forms / sizeof forms[0] };

/* W iterations of warm-up; the monitored values are noise that these schedules ignore. */
static void check_form(const char *json, closed_form rate, double terms, size_t warmup)
{
    const cst_schedule s = read_good(json, EPOCHS);
    cst_schedule_state state;
    cst_schedule_start(&state, lr0);
    for (size_t e = 0; e <= EPOCHS; e++) {
        assert_int_equal(state.epochs, e);
        assert_rate(json, e, state.lr, rate(e), terms);
        for (size_t i = e * ITERATIONS; i < (e + 1) * ITERATIONS; i++) {
            const double share = i + 1 < warmup ? (double)(i + 1) / (double)warmup : 1;
            assert_rate(json, e, cst_schedule_lr(&s, &state, i, ITERATIONS), share * rate(e), terms);
        }
        cst_schedule_epoch(&s, lr0, e % 3 == 0 ? (double)NAN : (double)e, &state);
    }
}

static void test_closed_forms(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        size_t iterations;
    } warmups[] = {{"}", 0},
                   {", 'warmup': 0}", 0},
                   {", 'warmup': 2}", 2 * ITERATIONS},
                   {", 'warmup': 1, 'warmup_unit': 'epochs'}", ITERATIONS},
                   {", 'warmup': 13, 'warmup_unit': 'iterations'}", 13},
                   {", 'warmup': 1, 'warmup_unit': 'iterations'}", 1}};
    for (size_t i = 0; i < N_FORMS; i++) {
        for (size_t j = 0; j < sizeof warmups / sizeof warmups[0]; j++) {
            char json[200];
            snprintf(json, sizeof json, "%s%s", forms[i].json, warmups[j].json);
            check_form(json, forms[i].rate, forms[i].terms, warmups[j].iterations);
        }
    }
}

/* ---- plateau ------------------------------------------------------------------------------------------------- */

/* The monitored value of each epoch and the rate after it, computed by hand. */
typedef struct point {
    double value, rate;
} point;

static void check_plateau(const char *json, double start, const point *points, size_t n)
{
    const cst_schedule s = read_good(json, n);
    cst_schedule_state state;
    cst_schedule_start(&state, start);
    for (size_t e = 0; e < n; e++) {
        cst_schedule_epoch(&s, start, points[e].value, &state);
        assert_rate(json, e + 1, cst_schedule_lr(&s, &state, (e + 1) * ITERATIONS, ITERATIONS), points[e].rate, 0);
    }
}

static void test_plateau(void **state)
{
    (void)state;
    static const point points[] = {
        {1, 0.8},     {0.95, 0.8},  /* 1st epoch that does not improve 1 by a tenth */
        {0.9, 0.4},                 /* 2nd, more than the patience of 1 */
        {0.91, 0.4},                /* 1st again */
        {0.89, 0.4},                /* better */
        {0.9, 0.4},   {0.5, 0.4},   /* 1st, better */
        {0.45, 0.4},                /* 1st: not below 0.9 times the best */
        {0.44, 0.4},                /* better, though by less than 0.1 */
        {0.45, 0.4},  {0.46, 0.2},  /* 1st, 2nd */
        {0.47, 0.2},  {0.48, 0.15}, /* no lower than min_lr, */
        {0.49, 0.15}, {0.5, 0.15},  /* nor then */
    };
    check_plateau(JSON({"type": "plateau", "factor": 0.5, "patience": 1, "threshold": 0.1, "min_lr": 0.15}), 0.8,
                  points, sizeof points / sizeof points[0]);
}

static void test_plateau_defaults(void **state)
{
    (void)state;
    point points[14]; /* the first is the best, ten are within the patience, the eleventh is not */
    for (size_t e = 0; e < 14; e++) points[e] = (point){e == 0 ? 2 : 1.9999, e < 11 ? 1 : 0.1};
    check_plateau(JSON({"type": "plateau"}), 1, points, 14);
    /* Half of the threshold is not an improvement, one and a half is; NaN never is. */
    const point impatient[] = {{2, 1}, {1.9999, 0.1}, {1.9997, 0.1}, {(double)NAN, 0.01}, {1.9997, 0.001}, {3, 1e-4}};
    /* Only epochs 1, 4 and 7 count. */
    const point seldom[] = {{2, 1}, {1, 1}, {1, 1}, {2, 0.1}, {3, 0.1}, {3, 0.1}, {1.5, 0.1}, {9, 0.1}};
    check_plateau(JSON({"type": "plateau", "patience": 0, "check_every": 3}), 1, seldom,
                  sizeof seldom / sizeof seldom[0]);
    check_plateau(JSON({"type": "plateau", "patience": 0}), 1, impatient, sizeof impatient / sizeof impatient[0]);
    /* PyTorch's eps: a drop by 2e-9 is ignored, one by 1.8e-8 is not. */
    const point gentle[] = {{1, 2e-8}, {1, 2e-8}, {1, 2e-8}}, steep[] = {{1, 2e-8}, {1, 2e-9}, {1, 2e-9}};
    check_plateau(JSON({"type": "plateau", "patience": 0, "factor": 0.9}), 2e-8, gentle, 3);
    check_plateau(JSON({"type": "plateau", "patience": 0, "factor": 0.1}), 2e-8, steep, 3);
    const point to_nothing[] = {{1, 0.5}, {1, 0}, {1, 0}};
    check_plateau(JSON({"type": "plateau", "patience": 0, "factor": 0}), 0.5, to_nothing, 3);
}

/* Warm-up scales the current rate, which has dropped in between. */
static void test_plateau_in_warmup(void **state)
{
    (void)state;
    const cst_schedule s = read_good(JSON({"type": "plateau", "patience": 0, "factor": 0.5, "warmup": 2}), EPOCHS);
    cst_schedule_state at;
    cst_schedule_start(&at, lr0);
    cst_schedule_epoch(&s, lr0, 1, &at);
    assert_rate("better", 1, cst_schedule_lr(&s, &at, 6, ITERATIONS), lr0 * 0.7, 0);
    cst_schedule_epoch(&s, lr0, 1, &at);
    assert_rate("no better", 2, cst_schedule_lr(&s, &at, 7, ITERATIONS), 0.5 * lr0 * 0.8, 0);
    assert_rate("after warm-up", 2, cst_schedule_lr(&s, &at, 10, ITERATIONS), 0.5 * lr0, 0);
}

/* ---- from a config ------------------------------------------------------------------------------------------- */

static void test_absent(void **state)
{
    (void)state;
    cst_document *document = test_parse(JSON({"null": null}));
    const cst_config root = cst_document_root(document);
    for (int i = 0; i < 2; i++) {
        cst_schedule s;
        assert_int_equal(cst_schedule_read(cst_config_get(root, i ? "null" : "absent"), EPOCHS, &s, NULL), CST_OK);
        assert_int_equal(s.kind, CST_SCHEDULE_CONSTANT);
        assert_int_equal(s.warmup, 0);
    }
    cst_document_free(document);
}

/* A cosine gets its length from the run if the config does not state it. */
static void test_length_is_written(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        double expected;
    } cases[] = {{JSON({"type": "cosine"}), EPOCHS},
                 {JSON({"T_max": null, "type": "cosine"}), EPOCHS},
                 {JSON({"type": "cosine", "T_max": 3.5}), 3.5}};
    for (size_t i = 0; i < 3; i++) {
        cst_schedule s;
        double written = -1;
        cst_document *document = test_parse(cases[i].json);
        const cst_config root = cst_document_root(document);
        assert_int_equal(cst_schedule_read(root, EPOCHS, &s, NULL), CST_OK);
        assert_true(cst_config_number(cst_config_get(root, "T_max"), &written));
        if (written != cases[i].expected) fail_msg("%s: T_max became %g", cases[i].json, written);
        cst_document_free(document);
    }
}

static void test_config_errors(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"{}", "test.json: missing key \"type\": expected the name of a schedule"},
        {JSON({"type": "cosin"}),
         "test.json: type: expected the name of a schedule (the nearest is \"cosine\"), got \"cosin\""},
        {JSON({"type": "constant", "gamma": 0.5}),
         "test.json: gamma: unknown key; the nearest known one is \"warmup\""},
        {JSON({"type": "constant", "warmup": 1.5}),
         "test.json: warmup: expected an integer from 0 to 1000000000, got 1.5"},
        {JSON({"type": "constant", "warmup_unit": "steps"}),
         "test.json: warmup_unit: expected one of \"epochs\", \"iterations\", got \"steps\""},
        {JSON({"type": "step"}), "test.json: missing key \"step_size\": expected an integer from 1 to 1000000000"},
        {JSON({"type": "step", "step_size": 0}),
         "test.json: step_size: expected an integer from 1 to 1000000000, got 0"},
        {JSON({"type": "step", "step_size": 2, "gamma": 0}), "test.json: gamma: expected a positive number, got 0"},
        {JSON({"type": "exponential"}), "test.json: missing key \"gamma\": expected a positive number"},
        {JSON({"type": "exponential", "gamma": -1}), "test.json: gamma: expected a positive number, got -1"},
        {JSON({"type": "cosine", "T_max": 0}), "test.json: T_max: expected a positive number, got 0"},
        {JSON({"type": "cosine", "eta_min": -0.1}), "test.json: eta_min: expected a non-negative number, got -0.1"},
        {JSON({"type": "plateau", "factor": 1}), "test.json: factor: expected a number in [0, 1), got 1"},
        {JSON({"type": "plateau", "patience": -1}),
         "test.json: patience: expected an integer from 0 to 1000000000, got -1"},
        {JSON({"type": "plateau", "threshold": 1}), "test.json: threshold: expected a number in [0, 1), got 1"},
        {JSON({"type": "plateau", "min_lr": -1}), "test.json: min_lr: expected a non-negative number, got -1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cst_schedule s;
        cst_error error = {0};
        cst_document *document = test_parse(cases[i].json);
        const cst_status status = cst_schedule_read(cst_document_root(document), EPOCHS, &s, &error);
        cst_document_free(document);
        test_assert_error(status, CST_ECONFIG, &error, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_forms),     cmocka_unit_test(test_plateau),
        cmocka_unit_test(test_plateau_defaults), cmocka_unit_test(test_plateau_in_warmup),
        cmocka_unit_test(test_absent),           cmocka_unit_test(test_length_is_written),
        cmocka_unit_test(test_config_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
