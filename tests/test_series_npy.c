/* Series from NumPy arrays: gaps and ends, types, splits, targets, labels per time, and errors. */
#include "datasets/dataset_write.h"
#include "formats/npy.h"
#include "tests/data_files.h"

#include <math.h>

#define GAP ((float)NAN)
static const double gap = (double)NAN; /* a gap in expected values */

#define SHAPE(...) ((cst_shape){sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t), {__VA_ARGS__}})

static void write_array(const char *name, cst_npy_type type, cst_shape shape, const void *data)
{
    char path[TEST_PATH];
    assert_int_equal(cst_npy_write(test_path(name, path), type, &shape, data, NULL), CST_OK);
}

static void assert_numbers(const real *got, const double *expected, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (isnan(expected[i]) ? isnan(got[i]) : (double)got[i] == expected[i]) continue;
        fail_msg("number %zu: expected %g, got %g", i, expected[i], (double)got[i]);
    }
}

#define SET(x, y) "{'type': 'series_npy', 'path': '@', 'train_x': '" x "', 'train_y': '" y "'"

/* ---- arrays -------------------------------------------------------------------------------------------------- */

static void test_gaps_and_ends(void **state)
{
    (void)state;
    cst_dataset data;
    /* Four times of two channels. The second series ends after two of them, and no file has all four. */
    write_array("x", CST_NPY_F4, SHAPE(2, 4, 2),
                (float[]){1, 10, GAP, GAP, GAP, 30, GAP, GAP, 5, GAP, 6, 60, GAP, GAP, GAP, GAP});
    write_array("y", CST_NPY_U1, SHAPE(2), "\2\0");
    test_load_ok(SET("x", "y") ", 'normalize': false}", 0, &data);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){2, {3, 3}}));
    assert_numbers(data.train.values, (double[]){0, 1, 10, 1, gap, gap, 2, gap, 30, 0, 5, gap, 1, 6, 60, gap, gap, gap},
                   18);
    assert_int_equal(data.n_classes, 3);
    assert_true(data.train.labels[0] == 2 && data.train.labels[1] == 0 && data.steps == 0);
    cst_dataset_clear(&data);
    /* Channel 0 is the time, which continues as long as the file has times. */
    write_array("timed", CST_NPY_F4, SHAPE(2, 3, 2), (float[]){1, 10, 3, GAP, 7, GAP, -2, 8, 0, 9, GAP, GAP});
    test_load_ok(SET("timed", "y") ", 'normalize': false, 'time': 'file'}", 0, &data);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){2, {3, 2}}));
    assert_numbers(data.train.values, (double[]){1, 10, 3, gap, 7, gap, -2, 8, 0, 9, gap, gap}, 12);
    cst_dataset_clear(&data);
}

static void test_types_and_splits(void **state)
{
    (void)state;
    cst_dataset data;
    int8_t x[4 * 3];
    for (size_t i = 0; i < sizeof x; i++) x[i] = (int8_t)(10 * (int)i - 60);
    write_array("bytes", CST_NPY_I1, SHAPE(4, 3), x); /* one channel */
    write_array("labels", CST_NPY_U1, SHAPE(4), "\0\1\1\3");
    write_array("longer", CST_NPY_U1, SHAPE(1, 5, 1), "\1\2\3\4\377");
    write_array("label", CST_NPY_I8, SHAPE(1), (int64_t[]){4});
    write_array("other", CST_NPY_F8, SHAPE(1, 1, 1), (double[]){0.5});
    test_load_ok(SET("bytes", "labels") ", 'validation_x': 'longer', 'validation_y': 'label', 'test_x': "
                                        "'other', 'test_y': 'label'}",
                 0, &data);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){2, {5, 2}})); /* the longest series is in another split */
    assert_int_equal(data.n_classes, 5);
    assert_true(data.train.n == 4 && data.validation.n == 1 && data.test.n == 1);
    assert_numbers(data.train.values, (double[]){0, -60, 1, -50, 2, -40, gap, gap, gap, gap, 0, -30}, 12);
    assert_numbers(data.validation.values, (double[]){0, 1, 1, 2, 2, 3, 3, 4, 4, 255},
                   10); /* plain numbers, not grey levels */
    assert_numbers(data.test.values, (double[]){0, 0.5, gap, gap}, 4);
    test_assert_near("mean", data.mean[1], -5, 1e-12);
    test_assert_near("deviation", data.std[1], 10 * sqrt(143.0 / 12) + 1e-5, 1e-12);
    cst_dataset_clear(&data);
    test_load_ok(SET("bytes", "labels") ", 'classes': 9, 'time': 'none', 'train_size': 2, 'test_size': 1}", 0, &data);
    assert_true(data.n_classes == 9 && data.train.n == 2 && data.test.n == 1 && data.x.dim[1] == 1);
    cst_dataset_clear(&data);
}

static void test_targets(void **state)
{
    (void)state;
    cst_dataset data;
    write_array("x", CST_NPY_F4, SHAPE(2, 2, 1), (float[]){1, 2, 3, GAP});
    write_array("one", CST_NPY_F8, SHAPE(2), (double[]){7, 8});
    write_array("two", CST_NPY_F4, SHAPE(2, 2), (float[]){1, 2, 3, 4});
    test_load_ok(SET("x", "one") "}", 0, &data);
    assert_true(data.n_targets == 1 && data.steps == 0 && data.n_classes == 0 && data.train.targets[1] == 8);
    cst_dataset_clear(&data);
    test_load_ok(SET("x", "two") "}", 0, &data); /* (n, k), although k = T */
    assert_true(data.n_targets == 2 && data.steps == 0 && data.train.targets[3] == 4);
    cst_dataset_clear(&data);
}

/* ---- something to learn at every time ------------------------------------------------------------------------- */

static bool same(real a, real b)
{
    return a == b || (isnan(a) && isnan(b));
}

/* A series written and read again is the same. */
static void round_trip(const cst_dataset *data, const char *folder)
{
    char path[TEST_PATH], json[400];
    cst_dataset again;
    test_folder(folder);
    assert_int_equal(cst_dataset_write(data, test_path(folder, path), NULL, NULL, NULL), CST_OK);
    snprintf(
        json, sizeof json,
        JSON(
            {"type": "series_npy", "path": "@/%s", "train_x": "train_x.npy", "train_y": "train_y.npy", "time": "file"}),
        folder);
    test_load_ok(json, 0, &again);
    const size_t n = data->train.n, size = n * cst_shape_size(&data->x), labels = n * cst_dataset_labels(data);
    assert_true(cst_shape_equal(&again.x, &data->x) && again.steps == data->steps);
    assert_true(again.n_targets == data->n_targets && again.n_classes == data->n_classes);
    for (size_t i = 0; i < size; i++) assert_true(same(again.train.values[i], data->train.values[i]));
    if (data->train.labels)
        assert_memory_equal(again.train.labels, data->train.labels, labels * sizeof *data->train.labels);
    for (size_t i = 0; i < n * data->n_targets; i++) assert_true(same(again.train.targets[i], data->train.targets[i]));
    cst_dataset_clear(&again);
}

static void test_every_time(void **state)
{
    (void)state;
    cst_dataset data;
    write_array("x", CST_NPY_F4, SHAPE(2, 4, 1), (float[]){1, 2, 3, 4, 5, GAP, GAP, GAP});
    write_array("labels", CST_NPY_I4, SHAPE(2, 4), (int32_t[]){-1, 2, 0, 1, 0, -1, 1, -1});
    test_load_ok(SET("x", "labels") "}", 0, &data);
    assert_true(data.steps == 4 && data.n_classes == 3);
    /* The second series continues until its last label. */
    assert_numbers(data.train.values, (double[]){0, 1, 1, 2, 2, 3, 3, 4, 0, 5, 1, gap, 2, gap, gap, gap}, 16);
    assert_memory_equal(data.train.labels, ((int32_t[]){-1, 2, 0, 1, 0, -1, 1, -1}), 8 * sizeof(int32_t));
    round_trip(&data, "labelled");
    cst_dataset_clear(&data);
    write_array("targets", CST_NPY_F4, SHAPE(2, 4, 2),
                (float[]){1, 2, GAP, 4, 5, 6, 7, 8, 9, 10, GAP, GAP, GAP, GAP, GAP, GAP});
    test_load_ok(SET("x", "targets") "}", 0, &data);
    assert_true(data.steps == 4 && data.n_targets == 8 && data.train.targets[3] == 4 && data.train.targets[9] == 10);
    assert_true(isnan(data.train.targets[2]) && isnan(data.train.targets[15]) && isnan(data.train.values[10]));
    round_trip(&data, "with_targets");
    cst_dataset_clear(&data);
}

/* Floats resolve every 128th such second only, so times count from the first one. */
static void test_unix_times(void **state)
{
    (void)state;
    cst_dataset data;
    const double first = sizeof(real) == sizeof(float) ? 1.6e9 : 0;
    write_array("seconds", CST_NPY_F8, SHAPE(1, 3, 2), (double[]){1.6e9, 1, 1.6e9 + 30, 2, 1.6e9 + 60.5, 3});
    write_array("y", CST_NPY_U1, SHAPE(1), "\1");
    test_load_ok(SET("seconds", "y") ", 'normalize': false, 'time': 'file'}", 0, &data);
    assert_numbers(data.train.values, (double[]){1.6e9 - first, 1, 1.6e9 + 30 - first, 2, 1.6e9 + 60.5 - first, 3}, 6);
    cst_dataset_clear(&data);
}

/* ---- errors -------------------------------------------------------------------------------------------------- */

/* Arrays that fit neither the series nor their targets, each named for its fault. */
static void write_bad_arrays(void)
{
    const float f[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    write_array("x", CST_NPY_F4, SHAPE(2, 2, 2), f);
    write_array("x1", CST_NPY_F4, SHAPE(2, 4), f);
    write_array("row", CST_NPY_F4, SHAPE(8), f);
    write_array("none", CST_NPY_F4, SHAPE(0, 2, 2), f);
    write_array("nothing", CST_NPY_F4, SHAPE(2, 1, 2), (float[]){1, 2, GAP, GAP});
    write_array("inf", CST_NPY_F4, SHAPE(2, 1, 2), (float[]){1, 2, 3, (float)INFINITY});
    write_array("back", CST_NPY_F4, SHAPE(2, 2, 2), (float[]){1, 2, 2, 3, 4, 5, 3, 0});
    write_array("gap", CST_NPY_F4, SHAPE(2, 2, 2), (float[]){1, 2, 2, 3, GAP, 5, 3, 0});
    write_array("y", CST_NPY_I4, SHAPE(2), (int32_t[]){0, 1});
    write_array("y3", CST_NPY_I4, SHAPE(3), (int32_t[]){0, 1, 2});
    write_array("minus", CST_NPY_I4, SHAPE(2), (int32_t[]){0, -1});
    write_array("times", CST_NPY_I4, SHAPE(2, 3), (int32_t[]){0, -1, 0, 0, 0, 0});
    write_array("below", CST_NPY_I4, SHAPE(2, 2), (int32_t[]){0, -1, -2, 0});
    write_array("behind", CST_NPY_I4, SHAPE(2, 3), (int32_t[]){0, -1, -1, 0, 1, -7});
    write_array("ends", CST_NPY_F4, SHAPE(2, 3), (float[]){1, 2, GAP, 3, 4, GAP});
    write_array("huge", CST_NPY_I8, SHAPE(2), (int64_t[]){0, (int64_t)1 << 40});
    write_array("deep", CST_NPY_I4, SHAPE(2, 2, 1), (int32_t[]){0, -1, -2, 0});
    write_array("t", CST_NPY_F8, SHAPE(2), (double[]){0, (double)NAN});
    write_array("each", CST_NPY_F8, SHAPE(2, 2), (double[]){0, (double)NAN, 2, 3});
    write_array("t4", CST_NPY_F8, SHAPE(2, 2, 1, 1), (double[]){0, 1, 2, 3});
    write_array("t0", CST_NPY_F8, SHAPE(2, 2, 0), NULL);
    write_array("tinf", CST_NPY_F8, SHAPE(2, 2, 1), (double[]){0, (double)NAN, 2, (double)INFINITY});
}

static void test_bad_series(void **state)
{
    (void)state;
    write_bad_arrays();
    test_load_fails(JSON({"type": "series_npy", "train_x": "x"}), CST_ECONFIG, TEST_WORDS("missing key \"train_y\""));
    test_load_fails(SET("x", "y") ", 'test_x': 'x'}", CST_ECONFIG, TEST_WORDS("missing key \"test_y\""));
    test_load_fails(SET("row", "y") "}", CST_EFORMAT,
                    TEST_WORDS("/row: expected series (n, T, C) or (n, T)", "shape (8)"));
    test_load_fails(SET("none", "y") "}", CST_EFORMAT, TEST_WORDS("/none: expected series", "f4 of shape (0, 2, 2)"));
    test_load_fails(SET("nothing", "y") "}", CST_EFORMAT,
                    TEST_WORDS("/nothing: series 1: expected at least one time, found none"));
    test_load_fails(SET("inf", "y") "}", CST_EFORMAT, TEST_WORDS("/inf: series 1, time 0, channel 1", "found inf"));
    test_load_fails(SET("back", "y") ", 'time': 'file'}", CST_EFORMAT,
                    TEST_WORDS("/back: series 1, time 1: expected times that increase, found 3 after 4"));
    test_load_fails(SET("gap", "y") ", 'time': 'file'}", CST_EFORMAT,
                    TEST_WORDS("/gap: series 1, time 0: expected a finite number in the range", "found nan"));
    test_load_fails(SET("x1", "y") ", 'time': 'file'}", CST_EFORMAT,
                    TEST_WORDS("/x1: expected another channel beside the time", "(2, 4)"));
}

static void test_bad_targets(void **state)
{
    (void)state;
    write_bad_arrays();
    test_load_fails(SET("x", "y3") "}", CST_EFORMAT, TEST_WORDS("/y3: expected", "2 series", "/x has", "shape (3)"));
    test_load_fails(SET("x", "minus") "}", CST_EFORMAT,
                    TEST_WORDS("/minus: series 1: expected a label from 0 to 2147483646, found -1"));
    test_load_fails(SET("x", "y") ", 'classes': 1}", CST_EFORMAT,
                    TEST_WORDS("/y: series 1: expected a label from 0 to 0, found 1"));
    test_load_fails(SET("x", "times") "}", CST_EFORMAT,
                    TEST_WORDS("/times: expected 2 times as in", "/x", "shape (2, 3)"));
    test_load_fails(SET("x", "below") "}", CST_EFORMAT,
                    TEST_WORDS("/below: series 1: expected a label from -1", "found -2"));
    test_load_fails(SET("ends", "behind") "}", CST_EFORMAT, /* the series has ended here */
                    TEST_WORDS("/behind: series 1: expected a label from -1", "found -7"));
    test_load_fails(SET("x", "huge") "}", CST_EFORMAT,
                    TEST_WORDS("/huge: series 1: expected a label from 0 to 2147483646, found 1099511627776"));
    test_load_fails(SET("x", "deep") "}", CST_EFORMAT, TEST_WORDS("/deep: expected labels (n) or (n, T), found i4"));
    test_load_fails(SET("x", "t") "}", CST_EFORMAT, TEST_WORDS("/t: series 1: expected finite numbers", "found nan"));
    test_load_fails(SET("x", "each") "}", CST_EFORMAT,
                    TEST_WORDS("/each: series 0: expected finite numbers in the range of a " CST_REAL_NAME
                               ", found nan; targets per time are (n, T, k)"));
    test_load_fails(SET("x", "t4") "}", CST_EFORMAT, TEST_WORDS("/t4: expected targets (n), (n, k) or (n, T, k)"));
    test_load_fails(SET("x", "t0") "}", CST_EFORMAT, TEST_WORDS("/t0: expected targets", "(2, 2, 0)"));
    test_load_fails(SET("x", "tinf") "}", CST_EFORMAT,
                    TEST_WORDS("/tinf: series 1: expected numbers", "or NaN, found inf"));
    test_load_fails(SET("x", "tinf") ", 'classes': 2}", CST_EFORMAT, TEST_WORDS("/tinf"));
    test_load_fails(SET("x", "y") ", 'test_x': 'x1', 'test_y': 'y'}", CST_EFORMAT,
                    TEST_WORDS("/x1: expected 2 channels as in", "/x, found 1"));
    test_load_fails(SET("x", "y") ", 'test_x': 'x', 'test_y': 'x'}", CST_EFORMAT,
                    TEST_WORDS("/x: expected a label per series as in", "/x"));
}

/* ---- real data ------------------------------------------------------------------------------------------------- */

static void test_speech_commands(void **state)
{
    (void)state;
    cst_dataset data;
    cst_error error = {0};
    const cst_status status = test_load(JSON({
                                            "type": "series_npy",
                                            "path": "speech_commands_mfcc",
                                            "train_x": "x_val.npy",
                                            "train_y": "y_val.npy",
                                            "test_x": "x_test.npy",
                                            "test_y": "y_test.npy"
                                        }),
                                        0, &data, &error);
    if (status == CST_EIO) {
        print_message("skipped: %s\n", error.message);
        skip();
    }
    if (status != CST_OK) fail_msg("%s", error.message);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){2, {98, 21}}));
    assert_true(data.train.n == 3703 && data.test.n == 4074 && data.n_classes == 10);
    static real x[98 * 21];
    double sum = 0, squares = 0;
    for (size_t i = 0; i < data.train.n; i++) {
        cst_dataset_gather(&data, &data.train, &i, 1, x, NULL, NULL);
        for (size_t k = 0; k < 98; k++) {
            test_assert_near("time", (double)x[21 * k], ((double)k - 48.5) / (sqrt(9603.0 / 12) + 1e-5), 1e-6);
            for (size_t c = 1; c < 21; c++) {
                sum += (double)x[21 * k + c];
                squares += (double)x[21 * k + c] * (double)x[21 * k + c];
            }
        }
    }
    const double n = (double)data.train.n * 98 * 20;
    test_assert_near("mean", sum / n, 0, 1e-6);
    test_assert_near("variance", squares / n, 1, 1e-4); /* (d / (d + 1e-5))^2 */
    cst_dataset_clear(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gaps_and_ends), cmocka_unit_test(test_types_and_splits),
        cmocka_unit_test(test_targets),       cmocka_unit_test(test_every_time),
        cmocka_unit_test(test_unix_times),    cmocka_unit_test(test_bad_series),
        cmocka_unit_test(test_bad_targets),   cmocka_unit_test(test_speech_commands),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
