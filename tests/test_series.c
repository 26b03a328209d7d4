/* Series in general: rows, strides, origins of time, normalization, dropped values, labels and targets per time,
 * errors. */
#include "datasets/series.h"
#include "tests/data_files.h"

#include <math.h>

#define GAP ((real)NAN)

/* ---- series in memory ---------------------------------------------------------------------------------------- */

static void add(cst_series *s, size_t length, const double *times, const real *values)
{
    size_t first = 0;
    for (size_t i = 0; i < s->n; i++) first += s->lengths[i];
    assert_int_equal(cst_series_reserve(s, s->n + 1, first + length, NULL), CST_OK);
    s->lengths[s->n++] = length;
    if (times && s->timed) memcpy(s->times + first, times, length * sizeof *times);
    memcpy(s->values + first * s->channels, values, length * s->channels * sizeof *values);
}

/* Two series of two channels, with five and three times of their own; labels 1 and 0. */
static cst_series pair(void)
{
    static const double times[] = {10, 11, 13, 16, 20}, more_times[] = {-1, 0, 5};
    static const real values[] = {1, 10, GAP, 20, 3, GAP, GAP, GAP, 5, 50}, more[] = {7, 70, 8, GAP, 9, 90};
    cst_series s = {.path = "a.ts", .channels = 2, .timed = true, .labelled = true};
    add(&s, 5, times, values);
    add(&s, 3, more_times, more);
    s.labels[0] = 1;
    s.labels[1] = 0;
    return s;
}

static const cst_key keys[] = {CST_SERIES_KEYS, {0}};

/* Finish the data set with the keys of `json`, which takes ownership of the splits. */
static cst_status finish(const char *json, uint64_t seed, cst_series splits[3], cst_dataset *data, cst_error *error)
{
    cst_document *document = NULL;
    cst_series_options o = {0};
    *data = (cst_dataset){.n_classes = 2};
    cst_status status = cst_document_parse("test.json", json, strlen(json), &document, error);
    if (status == CST_OK) status = cst_dataset_read(cst_document_root(document), keys, &o, data, error);
    if (status == CST_OK) status = cst_series_finish(cst_document_root(document), &o, seed, splits, data, error);
    for (size_t p = 0; p < 3; p++) cst_series_clear(&splits[p]);
    cst_document_free(document);
    if (status != CST_OK) cst_dataset_clear(data);
    return status;
}

static void finish_ok(const char *json, cst_series train, cst_dataset *data)
{
    cst_series splits[3] = {train};
    cst_error error = {0};
    if (finish(json, 0, splits, data, &error) != CST_OK) fail_msg("%s: %s", json, error.message);
}

static void finish_fails(const char *json, cst_series train, cst_series test, cst_status expected,
                         const char *const *words)
{
    cst_series splits[3] = {train, {0}, test};
    cst_dataset data;
    cst_error error = {0};
    test_assert_failure(finish(json, 0, splits, &data, &error), expected, &error, words);
}

static void assert_numbers(const char *what, const real *got, const real *expected, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (isnan(expected[i]) ? isnan(got[i]) : got[i] == expected[i]) continue;
        fail_msg("%s: number %zu: expected %g, got %g", what, i, (double)expected[i], (double)got[i]);
    }
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

static void test_rows(void **state)
{
    (void)state;
    cst_dataset data;
    finish_ok(JSON({"normalize": false}), pair(), &data);
    static const real timed[] = {10, 1, 10, 11, GAP, 20,  13, 3, GAP, 16,  GAP, GAP, 20,  5,   50,
                                 -1, 7, 70, 0,  8,   GAP, 5,  9, 90,  GAP, GAP, GAP, GAP, GAP, GAP};
    assert_true(cst_shape_equal(&data.x, &(cst_shape){2, {5, 3}}));
    assert_numbers("file's times", data.train.values, timed, 30);
    assert_int_equal(data.train.n, 2);
    assert_true(data.train.labels[0] == 1 && data.train.labels[1] == 0);
    assert_int_equal(data.steps, 0);
    assert_true(data.channels_last && data.n_channels == 3);
    cst_dataset_clear(&data);

    finish_ok(JSON({"normalize": false, "time": "none"}), pair(), &data);
    static const real untimed[] = {1, 10, GAP, 20, 3, GAP, GAP, GAP, 5, 50, 7, 70, 8, GAP, 9, 90, GAP, GAP, GAP, GAP};
    assert_true(cst_shape_equal(&data.x, &(cst_shape){2, {5, 2}}));
    assert_numbers("no times", data.train.values, untimed, 20);
    cst_dataset_clear(&data);

    finish_ok(JSON({"normalize": false, "time": "index", "intensity": true}), pair(), &data);
    static const real counted[] = {0,   1, 10, 1,  1, 1,  GAP, 20,  1,   2,   2,   3,   GAP, 2,   2,   3,   GAP,
                                   GAP, 2, 2,  4,  5, 50, 3,   3,   0,   7,   70,  1,   1,   1,   8,   GAP, 2,
                                   1,   2, 9,  90, 3, 2,  GAP, GAP, GAP, GAP, GAP, GAP, GAP, GAP, GAP, GAP};
    assert_true(cst_shape_equal(&data.x, &(cst_shape){2, {5, 5}}));
    assert_numbers("counts", data.train.values, counted, 50);
    cst_dataset_clear(&data);
}

static void test_every(void **state)
{
    (void)state;
    cst_dataset data;
    finish_ok(JSON({"normalize": false, "stride": 2, "time": "index"}), pair(), &data);
    static const real index[] = {0, 1, 10, 2, 3, GAP, 4, 5, 50, 0, 7, 70, 2, 9, 90, GAP, GAP, GAP};
    assert_true(cst_shape_equal(&data.x, &(cst_shape){2, {3, 3}}));
    assert_numbers("every second", data.train.values, index, 18); /* the index is that of the file */
    cst_dataset_clear(&data);
    finish_ok(JSON({"normalize": false, "stride": 100}), pair(), &data);
    static const real first[] = {10, 1, 10, -1, 7, 70};
    assert_true(cst_shape_equal(&data.x, &(cst_shape){2, {1, 3}}));
    assert_numbers("the first", data.train.values, first, 6);
    cst_dataset_clear(&data);
}

/* ---- times that a float lacks --------------------------------------------------------------------------------- */

enum { STEPS = 100 };

/* Times first, first + step, ... of one channel. */
static cst_series steady(double first, double step)
{
    double times[STEPS];
    real values[STEPS];
    cst_series s = {.path = "t.ts", .channels = 1, .timed = true, .labelled = true};
    for (size_t k = 0; k < STEPS; k++) {
        times[k] = first + step * (double)k;
        values[k] = (real)k;
    }
    add(&s, STEPS, times, values);
    s.labels[0] = 0;
    return s;
}

/* Each step between a row's times, normalized or not, is the file's to 2 %. */
static void assert_steps(const cst_dataset *data, const cst_split *split, double step)
{
    real x[2 * STEPS];
    int32_t label;
    cst_dataset_gather(data, split, (const size_t[]){0}, 1, x, &label, NULL);
    for (size_t k = 1; k < STEPS; k++)
        test_assert_near("step", (double)(x[2 * k] - x[2 * k - 2]), step / data->std[0], 0.02 * step / data->std[0]);
}

static void test_times_far_from_0(void **state)
{
    (void)state;
    static const struct {
        double first, step;
        int lost; /* 0: never; 1: the step is lost in float; 2: in double, too */
    } cases[] = {{1.6e9, 1000, 1}, {1.6e9, 30, 1}, {1.6e9, 1e5, 0}, {-1.6e9, 1, 1},
                 {1e7, 1, 1}, /* exact, but not after normalization */
                 {2000, 0.002, 1}, {50000, 1, 0},  {1, 0.1, 0},     {0x1p48, 1, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const double first = cases[i].first, step = cases[i].step;
        const double origin = cases[i].lost > (sizeof(real) == sizeof(float) ? 0 : 1) ? first : 0;
        for (size_t normalize = 0; normalize < 2; normalize++) {
            cst_dataset data;
            cst_error error = {0};
            /* Other splits count from the training split's first time, too. */
            cst_series splits[3] = {steady(first, step), steady(first - 50 * step, step), steady(first + step, step)};
            const char *json = normalize ? "{}" : JSON({"normalize": false});
            if (finish(json, 0, splits, &data, &error) != CST_OK) fail_msg("from %g: %s", first, error.message);
            assert_true(data.train.values[0] == (real)(first - origin));
            assert_true(data.validation.values[0] == (real)(first - 50 * step - origin));
            assert_true(data.test.values[0] == (real)(first + step - origin));
            assert_steps(&data, &data.train, step);
            assert_steps(&data, &data.validation, step);
            cst_dataset_clear(&data);
        }
    }
}

static void test_origin(void **state)
{
    (void)state;
    cst_dataset data;
    cst_series s = steady(1.6e9 + 1000, 1); /* the earliest time belongs to another series */
    const double times[] = {1.6e9, 1.6e9 + 10};
    add(&s, 2, times, (const real[]){1, 2});
    s.labels[1] = 0;
    finish_ok(JSON({"normalize": false}), s, &data);
    const double origin = sizeof(real) == sizeof(float) ? 1.6e9 : 0;
    assert_true(data.train.values[0] == (real)(1.6e9 + 1000 - origin));
    assert_true(data.train.values[2 * STEPS] == (real)(1.6e9 - origin));
    assert_true(data.train.values[2 * STEPS + 2] == (real)(1.6e9 + 10 - origin));
    cst_dataset_clear(&data);
}

/* ---- normalization ------------------------------------------------------------------------------------------- */

static void test_normalization(void **state)
{
    (void)state;
    cst_dataset data;
    cst_series splits[3] = {pair(), {0}, {.path = "b.ts", .channels = 2, .timed = true, .labelled = true}};
    cst_error error;
    add(&splits[2], 2, (const double[]){1, 2}, (const real[]){GAP, -6, 1000, GAP});
    splits[2].labels[0] = 0;
    assert_int_equal(finish(JSON({"intensity": true}), 0, splits, &data, &error), CST_OK);
    /* From the training split alone: times, values 1 3 5 7 8 9 and 10 20 50 70 90, and the number of values. */
    double mean[5] = {0, 33.0 / 6, 48}, deviation[5] = {0, sqrt(229.0 / 6 - 5.5 * 5.5), sqrt(896)};
    for (size_t c = 0; c < 5; c++) {
        double n = 0, sum = 0, squares = 0;
        for (size_t i = c; i < 2 * 5 * 5; i += 5) {
            const double v = (double)data.train.values[i];
            if (!isnan(v)) n++, sum += v, squares += v * v;
        }
        if (c == 0 || c > 2) mean[c] = sum / n, deviation[c] = sqrt(squares / n - sum / n * (sum / n));
        test_assert_near("mean", data.mean[c], mean[c], 1e-12);
        test_assert_near("deviation", data.std[c], deviation[c] + 1e-5, 1e-12);
    }
    real x[2 * 5 * 5];
    int32_t labels[2];
    cst_dataset_gather(&data, &data.test, (const size_t[]){0}, 1, x, labels, NULL);
    static const double expected[] = {1, (double)NAN, -6, 0, 1, 2, 1000, (double)NAN, 1, 1};
    for (size_t i = 0; i < 10; i++) {
        const double normalized = (expected[i] - mean[i % 5]) / (deviation[i % 5] + 1e-5);
        assert_true(isnan(x[i]) == isnan(expected[i]));
        if (!isnan(x[i])) test_assert_near("x", (double)x[i], normalized, 1e-5 * (1 + fabs(normalized)));
    }
    for (size_t i = 10; i < 25; i++) assert_true(isnan(x[i])); /* it has ended */
    cst_dataset_gather(&data, &data.train, (const size_t[]){1, 0}, 2, x, labels, NULL);
    assert_true(labels[0] == 0 && labels[1] == 1);
    test_assert_near("x", (double)x[0], (-1 - mean[0]) / (deviation[0] + 1e-5), 1e-5);
    test_assert_near("x", (double)x[25], (10 - mean[0]) / (deviation[0] + 1e-5), 1e-5);
    test_assert_near("x", (double)x[26], (1 - 5.5) / (deviation[1] + 1e-5), 1e-5);
    cst_dataset_clear(&data);
}

/* ---- dropping ------------------------------------------------------------------------------------------------ */

enum { SERIES = 400, LENGTH = 11, WIDTH = 5 };

static cst_series ramps(void)
{
    cst_series s = {.path = "c.ts", .channels = 2, .labelled = true};
    real values[2 * LENGTH];
    for (size_t k = 0; k < LENGTH; k++) values[2 * k] = values[2 * k + 1] = (real)k + 1;
    for (size_t i = 0; i < SERIES; i++) add(&s, i % 2 ? LENGTH : LENGTH - 1, NULL, values);
    for (size_t i = 0; i < SERIES; i++) s.labels[i] = 0;
    return s;
}

static size_t count_dropped(const cst_dataset *data, const cst_split *split, size_t row, size_t gone[LENGTH])
{
    size_t n = 0;
    for (size_t k = 0; k < LENGTH; k++) {
        const real *x = split->values + row * cst_shape_size(&data->x) + WIDTH * k;
        assert_true(isnan(x[1]) == isnan(x[2])); /* both values together */
        if (isnan(x[0])) {
            assert_true(k == LENGTH - 1 && isnan(x[1])); /* the padding after the end, which drops nothing */
            continue;
        }
        assert_true(x[0] == (real)k && (isnan(x[1]) || x[1] == (real)k + 1)); /* the time stays */
        n += isnan(x[1]) ? 1 : 0;
        gone[k] += isnan(x[1]) ? 1 : 0;
        assert_true(x[3] == (real)(k + 1 - n) && x[4] == x[3]); /* removed values do not count */
    }
    return n;
}

static void test_drop(void **state)
{
    (void)state;
    cst_dataset data, again;
    size_t gone[LENGTH] = {0};
    finish_ok(JSON({"missing_rate": 0.3, "intensity": true}), ramps(), &data);
    /* floor(0.3 L): 3 of 10 as of 11. */
    for (size_t i = 0; i < SERIES; i++) assert_int_equal(count_dropped(&data, &data.train, i, gone), 3);
    for (size_t k = 0; k < LENGTH - 1;
         k++) { /* each place is drawn equally often: 0.3 N times, within five standard deviations */
        test_assert_near("dropped", (double)gone[k] / SERIES, 0.5 * (0.3 + 3.0 / 11), 5 * sqrt(0.3 * 0.7 / SERIES));
    }
    cst_series splits[3] = {ramps()};
    assert_int_equal(finish(JSON({"missing_rate": 0.3, "intensity": true}), 0, splits, &again, NULL), CST_OK);
    assert_numbers("same seed", again.train.values, data.train.values, SERIES * LENGTH * WIDTH);
    cst_dataset_clear(&again);
    /* Another split has positions of its own, and so has another seed. */
    cst_series two[3] = {ramps(), ramps()};
    assert_int_equal(finish(JSON({"missing_rate": 0.3, "intensity": true}), 1, two, &again, NULL), CST_OK);
    assert_true(memcmp(again.train.values, data.train.values, SERIES * LENGTH * WIDTH * sizeof(real)) != 0);
    assert_true(memcmp(again.train.values, again.validation.values, SERIES * LENGTH * WIDTH * sizeof(real)) != 0);
    cst_dataset_clear(&again);
    cst_dataset_clear(&data);
    finish_ok(JSON({"missing_rate": 0.9999, "intensity": true}), ramps(), &data); /* one value stays */
    assert_int_equal(count_dropped(&data, &data.train, 0, gone), LENGTH - 2);
    cst_dataset_clear(&data);
}

/* ---- something to learn at every time --------------------------------------------------------------------------- */

static cst_series stepwise_labels(void)
{
    cst_series s = {.path = "d.ts", .channels = 1, .labelled = true, .stepwise = true};
    add(&s, 3, NULL, (const real[]){1, 2, 3});
    add(&s, 2, NULL, (const real[]){4, 5});
    memcpy(s.labels, (const int32_t[]){0, -1, 1, 1, 0}, 5 * sizeof *s.labels);
    return s;
}

static void test_labels_at_every_time(void **state)
{
    (void)state;
    cst_dataset data;
    finish_ok(JSON({"missing_rate": 0.5}), stepwise_labels(), &data);
    static const int32_t all[] = {0, -1, 1, 1, 0, -1};
    assert_int_equal(data.steps, 3);
    assert_int_equal(data.n_targets, 0);
    assert_memory_equal(data.train.labels, all, sizeof all);
    int32_t labels[6];
    real x[12];
    cst_dataset_gather(&data, &data.train, (const size_t[]){1, 0}, 2, x, labels, NULL);
    assert_memory_equal(labels, ((const int32_t[]){1, 0, -1, 0, -1, 1}), sizeof labels);
    cst_dataset_clear(&data);
    finish_ok(JSON({"stride": 2}), stepwise_labels(), &data);
    assert_memory_equal(data.train.labels, ((const int32_t[]){0, 1, 1, -1}), 4 * sizeof(int32_t));
    cst_dataset_clear(&data);
    /* Rows that move to another split take their labels along. */
    finish_ok(JSON({"test_size": 1}), stepwise_labels(), &data);
    assert_true(data.train.n == 1 && data.test.n == 1);
    const bool first = data.test.values[1] == 1;
    assert_memory_equal(data.test.labels, first ? all : all + 3, 3 * sizeof(int32_t));
    assert_memory_equal(data.train.labels, first ? all + 3 : all, 3 * sizeof(int32_t));
    cst_dataset_clear(&data);
}

static void test_targets_at_every_time(void **state)
{
    (void)state;
    cst_series s = {.path = "e.ts", .channels = 1, .n_targets = 2, .stepwise = true};
    add(&s, 1, NULL, (const real[]){1});
    add(&s, 2, NULL, (const real[]){2, 3});
    memcpy(s.targets, ((const real[]){1, 2, 3, GAP, 5, 6}), 6 * sizeof(real));
    cst_dataset data;
    finish_ok("{}", s, &data);
    assert_int_equal(data.steps, 2);
    assert_int_equal(data.n_targets, 4);
    assert_numbers("targets", data.train.targets, ((const real[]){1, 2, GAP, GAP, 3, GAP, 5, 6}), 8);
    cst_dataset_clear(&data);
}

/* ---- errors -------------------------------------------------------------------------------------------------- */

static cst_series one(size_t channels, bool timed, size_t length, const double *times, const real *values)
{
    cst_series s = {.path = "x.ts", .channels = channels, .timed = timed, .labelled = true};
    add(&s, length, times, values);
    s.labels[0] = 0;
    return s;
}

static void test_series_that_are_wrong(void **state)
{
    (void)state;
    const double t[] = {1, 2, 2}, far[] = {0, 1e9, 1e9 + 1}, huge[] = {0, 1e39};
    const real v[] = {1, 2, 3, 4, 5, 6}, none[] = {1, GAP, 2, GAP}, inf[] = {1, 2, (real)INFINITY, 3};
    const cst_series nothing = {0};
    finish_fails("{}", one(1, true, 3, t, v), nothing, CST_EFORMAT,
                 TEST_WORDS("x.ts: series 0, time 2: expected times that increase, found 2 after 2"));
    finish_fails(
        "{}", one(1, true, 2, (const double[]){0, (double)NAN}, v), nothing, CST_EFORMAT,
        TEST_WORDS("x.ts: series 0, time 1: expected a finite number in the range of a " CST_REAL_NAME ", found nan"));
    finish_fails("{}", one(1, true, 2, (const double[]){-(double)INFINITY, 0}, v), nothing, CST_EFORMAT,
                 TEST_WORDS("x.ts: series 0, time 0: expected a finite number", "found -inf"));
    if (sizeof(real) == sizeof(float)) {
        finish_fails("{}", one(1, true, 3, far, v), nothing, CST_EFORMAT,
                     TEST_WORDS("x.ts: series 0, time 2: expected times that increase, found 1000000001 after "
                                "1000000000 in a float's precision"));
        finish_fails("{}", one(1, true, 2, huge, v), nothing, CST_EFORMAT,
                     TEST_WORDS("series 0, time 1: expected a finite number in the range of a float, found 1e+39"));
    }
    finish_fails("{}", one(1, false, 0, t, v), nothing, CST_EFORMAT,
                 TEST_WORDS("x.ts: series 0: expected at least one time, found none"));
    finish_fails("{}", one(2, false, 2, t, none), nothing, CST_EFORMAT,
                 TEST_WORDS("x.ts: channel 1: expected a value in the training split, found none"));
    finish_fails("{}", one(2, false, 2, t, inf), nothing, CST_EFORMAT,
                 TEST_WORDS("x.ts: series 0, time 1, channel 0: expected a number in the range of a " CST_REAL_NAME
                            ", found inf"));
    finish_fails(JSON({"time": "file"}), one(1, false, 3, t, v), nothing, CST_ECONFIG,
                 TEST_WORDS("test.json: time: expected a file with time stamps, but x.ts has none"));
    finish_fails("{}", one(1, false, 3, t, v), one(2, false, 3, t, v), CST_EFORMAT,
                 TEST_WORDS("x.ts: expected 1 channels as in x.ts, found 2"));
    finish_fails("{}", one(1, true, 2, t, v), one(1, false, 2, t, v), CST_EFORMAT,
                 TEST_WORDS("x.ts: expected series with time stamps as in x.ts"));
    finish_fails("{}", one(1, false, 2, t, v), stepwise_labels(), CST_EFORMAT,
                 TEST_WORDS("d.ts: expected a label per series as in x.ts"));
    finish_fails("{}", nothing, nothing, CST_EFORMAT, TEST_WORDS("no training rows"));
    finish_fails(JSON({"missing_rate": 1}), one(1, false, 2, t, v), nothing, CST_ECONFIG,
                 TEST_WORDS("missing_rate", "[0, 1)"));
    finish_fails(JSON({"stride": 0}), one(1, false, 2, t, v), nothing, CST_ECONFIG, TEST_WORDS("stride"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_every),
        cmocka_unit_test(test_times_far_from_0),
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_normalization),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_labels_at_every_time),
        cmocka_unit_test(test_targets_at_every_time),
        cmocka_unit_test(test_series_that_are_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
