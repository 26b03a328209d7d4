/* Trajectories in NumPy arrays as windows: splits, sizes, and errors. */
#include "datasets/split.h"
#include "datasets/trajectories.h"
#include "formats/npy.h"
#include "tests/data_files.h"

#include <math.h>

/* The number at an entry of a trajectory of a file. */
static double entry(size_t file, size_t trajectory, size_t point, size_t k)
{
    return (double)(10000 * file + 1000 * trajectory + 10 * point + k);
}

/* The shape of n trajectories of n_points points of `width` numbers. */
#define SHAPE(n, n_points, width) ((cst_shape){3, {n, n_points, width}})

/* An array of entry() in floats or doubles, in which number `changed`, if there is one, is `value`. */
static void write_file(const char *name, size_t file, cst_shape shape, cst_npy_type type, size_t changed, double value)
{
    float singles[1000];
    double doubles[1000];
    char path[TEST_PATH];
    const size_t size = cst_shape_size(&shape), n_points = shape.dim[1], width = shape.dim[2];
    assert_in_range(size, 0, 1000);
    for (size_t i = 0; i < size; i++) {
        const size_t point = i / width;
        doubles[i] = i == changed ? value : entry(file, point / n_points, point % n_points, i % width);
        singles[i] = (float)doubles[i];
    }
    const void *data = type == CST_NPY_F4 ? (const void *)singles : doubles;
    assert_int_equal(cst_npy_write(test_path(name, path), type, &shape, data, NULL), CST_OK);
}

/* Fail unless a split's rows are all windows of the trajectories first ... first + n - 1 of a file, and these are
 * kept. */
static void check_split(const cst_split *split, size_t file, size_t first, size_t n, size_t n_points, size_t width,
                        size_t window)
{
    const size_t starts = n_points - window + 1;
    assert_int_equal(split->n_trajectories, n);
    assert_int_equal(split->n_points, n_points);
    assert_int_equal(split->n, n * starts);
    for (size_t i = 0; i < split->n; i++) {
        for (size_t j = 0; j < window * width; j++) {
            const double expected = entry(file, first + i / starts, i % starts + j / width, j % width);
            assert_true((double)split->targets[i * window * width + j] == expected);
            if (j < width) assert_true((double)split->values[i * width + j] == expected);
        }
    }
    for (size_t i = 0; i < n * n_points * width; i++) {
        const size_t point = i / width;
        const double expected = entry(file, first + point / n_points, point % n_points, i % width);
        assert_true((double)split->trajectories[i] == expected);
    }
}

/* ---- windows ------------------------------------------------------------------------------------------------- */

/* Splits of different lengths without files, as another loader would make them. */
static void test_windows_of_arrays(void **state)
{
    (void)state;
    const char json[] = JSON({"window": 3});
    cst_document *document;
    cst_dataset data = {.x = cst_shape_1d(2)};
    cst_error error = {0};
    cst_split *const splits[] = {&data.train, &data.test};
    const size_t n[] = {3, 2}, points[] = {5, 3};
    for (size_t p = 0; p < 2; p++) {
        assert_int_equal(cst_trajectories_init(splits[p], n[p], points[p], 2, &error), CST_OK);
        for (size_t i = 0; i < n[p] * points[p] * 2; i++)
            splits[p]->trajectories[i] = (real)entry(p, i / 2 / points[p], i / 2 % points[p], i % 2);
    }
    assert_int_equal(cst_document_parse("test.json", json, strlen(json), &document, &error), CST_OK);
    const cst_config section = cst_document_root(document);
    cst_window_options options = {.window = 4};
    test_assert_failure(cst_trajectories_cut(section, &options, 0, &data, &error), CST_ECONFIG, &error,
                        TEST_WORDS("test.json: window: expected at most 3, the points of a trajectory, got 4"));
    cst_split_clear(&data.train);
    assert_int_equal(cst_trajectories_init(&data.train, 3, 5, 2, &error), CST_OK);
    for (size_t i = 0; i < 30; i++) data.train.trajectories[i] = (real)entry(0, i / 10, i / 2 % 5, i % 2);
    options.window = 3;
    if (cst_trajectories_cut(section, &options, 0, &data, &error) != CST_OK) fail_msg("%s", error.message);
    assert_int_equal(data.n_targets, 6);
    assert_int_equal(data.n_classes, 0);
    assert_int_equal(data.n_channels, 0);
    check_split(&data.train, 0, 0, 3, 5, 2, 3);
    check_split(&data.test, 1, 0, 2, 3, 2, 3);
    assert_int_equal(data.validation.n, 0);
    cst_document_free(document);
    cst_dataset_clear(&data);
    test_assert_failure(cst_trajectories_init(&data.train, SIZE_MAX / 2, 8, 8, &error), CST_ENOMEM, &error,
                        TEST_WORDS("out of memory for", "trajectories of 8 points"));
}

/* ---- files --------------------------------------------------------------------------------------------------- */

static void test_fractions(void **state)
{
    (void)state;
    const struct {
        const char *keys;
        size_t n, validation, test;
    } cases[] = {
        {"", 20, 3, 3},
        {"", 7, 1, 1},
        {"", 6, 0, 0},
        {"", 1, 0, 0},
        {", 'validation_fraction': 0", 10, 0, 1},
        {", 'test_fraction': 0.29, 'validation_fraction': 0.7", 100, 70, 29}, /* 0.29 100 = 28.999... */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[300];
        cst_dataset data;
        const size_t n = cases[i].n, test = n - cases[i].test, validation = test - cases[i].validation;
        write_file("some.npy", 1, SHAPE(n, 5, 2), CST_NPY_F8, SIZE_MAX, 0);
        snprintf(json, sizeof json, "{'type': 'trajectories', 'file': '@/some.npy', 'window': 4%s}", cases[i].keys);
        test_load_ok(json, 0, &data);
        assert_true(cst_shape_equal(&data.x, &(cst_shape){1, {2}}));
        assert_int_equal(data.n_targets, 8);
        check_split(&data.train, 1, 0, validation, 5, 2, 4);
        if (cases[i].validation > 0) check_split(&data.validation, 1, validation, cases[i].validation, 5, 2, 4);
        if (cases[i].test > 0) check_split(&data.test, 1, test, cases[i].test, 5, 2, 4);
        assert_true((cases[i].validation > 0) == (data.validation.n > 0) && (cases[i].test > 0) == (data.test.n > 0));
        cst_dataset_clear(&data);
    }
}

static void test_files_of_splits(void **state)
{
    (void)state;
    cst_dataset data;
    write_file("a.npy", 1, SHAPE(10, 6, 3), CST_NPY_F4, SIZE_MAX, 0);
    write_file("b.npy", 2, SHAPE(2, 4, 3), CST_NPY_F8, SIZE_MAX, 0); /* of another length and precision */
    write_file("c.npy", 3, SHAPE(1, 9, 3), CST_NPY_F4, SIZE_MAX, 0);
    test_load_ok(JSON({
                     "type": "trajectories",
                     "path": "@",
                     "file": "a.npy",
                     "validation_file": "b.npy",
                     "test_file": "c.npy",
                     "window": 2
                 }),
                 0, &data);
    check_split(&data.train, 1, 0, 10, 6, 3, 2);
    check_split(&data.validation, 2, 0, 2, 4, 3, 2);
    check_split(&data.test, 3, 0, 1, 9, 3, 2);
    cst_dataset_clear(&data);
    test_load_ok(JSON({
                     "type": "trajectories",
                     "path": "@",
                     "file": "a.npy",
                     "test_file": "c.npy",
                     "window": 2,
                     "validation_fraction": 0.5,
                     "normalize": true
                 }),
                 0, &data);
    check_split(&data.train, 1, 0, 5, 6, 3, 2);
    check_split(&data.validation, 1, 5, 5, 6, 3, 2);
    check_split(&data.test, 3, 0, 1, 9, 3, 2);
    assert_int_equal(data.n_channels, 3);
    /* Windows begin at points 0 to 4 of trajectories 0 to 4: 20 on average, and 2000. */
    test_assert_near("mean", data.mean[2], entry(1, 2, 2, 2), 1e-9);
    cst_dataset_clear(&data);
}

/* Some of the windows, drawn by the seed. All trajectories are kept. */
static void test_sizes(void **state)
{
    (void)state;
    cst_dataset all, some, other;
    write_file("a.npy", 1, SHAPE(20, 6, 3), CST_NPY_F4, SIZE_MAX, 0);
    const char *json = JSON({
        "type": "trajectories",
        "file": "@/a.npy",
        "window": 3,
        "train_size": 9,
        "validation_size": 5,
        "test_size": 4
    });
    test_load_ok(JSON({"type": "trajectories", "file": "@/a.npy", "window": 3}), 0, &all);
    test_load_ok(json, 0, &some);
    test_load_ok(json, 1, &other);
    assert_int_equal(all.train.n, 14 * 4);
    const cst_split *const splits[] = {&all.train, &all.validation, &all.test};
    const cst_split *const kept[] = {&some.train, &some.validation, &some.test};
    const size_t n[] = {9, 5, 4};
    for (size_t p = 0; p < 3; p++) {
        size_t from = 0;
        assert_int_equal(kept[p]->n, n[p]);
        assert_int_equal(kept[p]->n_trajectories, splits[p]->n_trajectories);
        for (size_t i = 0; i < n[p]; i++, from++) { /* each window is one of all, in order, with its targets */
            while (from < splits[p]->n &&
                   memcmp(splits[p]->values + 3 * from, kept[p]->values + 3 * i, 3 * sizeof(real)))
                from++;
            assert_in_range(from, 0, splits[p]->n - 1);
            assert_memory_equal(splits[p]->targets + 9 * from, kept[p]->targets + 9 * i, 9 * sizeof(real));
        }
    }
    assert_memory_not_equal(some.validation.values, other.validation.values, 15 * sizeof(real));
    cst_dataset_clear(&all);
    cst_dataset_clear(&some);
    cst_dataset_clear(&other);
}

/* ---- errors -------------------------------------------------------------------------------------------------- */

static void fails(const char *keys, cst_status expected, const char *const *words)
{
    char json[400];
    snprintf(json, sizeof json, "{'type': 'trajectories', 'path': '@', %s}", keys);
    test_load_fails(json, expected, words);
}

static void write_bad_files(void)
{
    char path[TEST_PATH];
    const double numbers[8] = {0};
    write_file("a", 1, SHAPE(10, 6, 3), CST_NPY_F4, SIZE_MAX, 0);
    write_file("short", 1, SHAPE(10, 4, 3), CST_NPY_F4, SIZE_MAX, 0);
    write_file("wide", 1, SHAPE(10, 6, 4), CST_NPY_F4, SIZE_MAX, 0);
    write_file("none", 1, SHAPE(0, 6, 3), CST_NPY_F4, SIZE_MAX, 0);
    write_file("nan", 1, SHAPE(10, 6, 3), CST_NPY_F4, (7 * 6 + 5) * 3 + 2, (double)NAN);
    write_file("inf", 1, SHAPE(10, 6, 3), CST_NPY_F8, 3, -(double)INFINITY);
    write_file("two", 1, SHAPE(2, 6, 3), CST_NPY_F4, SIZE_MAX, 0);
    assert_int_equal(cst_npy_write(test_path("matrix", path), CST_NPY_F8, &(cst_shape){2, {4, 2}}, numbers, NULL), 0);
    assert_int_equal(cst_npy_write(test_path("whole", path), CST_NPY_I8, &(cst_shape){3, {1, 4, 2}}, numbers, NULL), 0);
    test_write("text", "hello", 5);
}

static void test_bad_keys(void **state)
{
    (void)state;
    write_bad_files();
    fails("'file': 'a'", CST_ECONFIG, TEST_WORDS("test.json", "missing key \"window\""));
    fails("'window': 4", CST_ECONFIG, TEST_WORDS("test.json", "missing key \"file\""));
    fails("'file': 'a', 'window': 1", CST_ECONFIG, TEST_WORDS("test.json: window: expected an integer from 2"));
    fails("'file': 'a', 'window': 2, 'test_fraction': 1.5", CST_ECONFIG,
          TEST_WORDS("test.json: test_fraction: expected a number in [0, 1], got 1.5"));
    fails("'file': 'absent', 'window': 2", CST_EIO, TEST_WORDS("test.json: no data found: tried", "/absent"));
}

static void test_bad_files(void **state)
{
    (void)state;
    write_bad_files();
    fails("'file': 'text', 'window': 2", CST_EFORMAT, TEST_WORDS("/text: expected a NumPy array"));
    fails("'file': 'matrix', 'window': 2", CST_EFORMAT,
          TEST_WORDS("/matrix: expected trajectories, floats of shape (R, T, D), found f8 of shape (4, 2)"));
    fails("'file': 'whole', 'window': 2", CST_EFORMAT,
          TEST_WORDS("/whole: expected trajectories, floats", "found i8 of shape (1, 4, 2)"));
    fails("'file': 'none', 'window': 2", CST_EFORMAT,
          TEST_WORDS("/none: expected trajectories", "found f4 of shape (0, 6, 3)"));
    fails("'file': 'a', 'window': 7", CST_EFORMAT,
          TEST_WORDS("/a: expected trajectories of at least 7 points, a window, found 6"));
    fails("'file': 'a', 'test_file': 'short', 'window': 5", CST_EFORMAT,
          TEST_WORDS("/short: expected trajectories of at least 5 points, a window, found 4"));
    fails("'file': 'a', 'validation_file': 'wide', 'window': 5", CST_EFORMAT,
          TEST_WORDS("/wide: expected points of 3 numbers as in", "/a, found 4"));
    fails("'file': 'nan', 'window': 5", CST_EFORMAT,
          TEST_WORDS("/nan: trajectory 7, point 5, entry 2: expected a finite number, found nan"));
    fails("'file': 'a', 'test_file': 'inf', 'window': 5", CST_EFORMAT,
          TEST_WORDS("/inf: trajectory 0, point 1, entry 0: expected a finite number, found -inf"));
    fails("'file': 'two', 'window': 5, 'test_fraction': 0.5, 'validation_fraction': 0.5", CST_ECONFIG,
          TEST_WORDS("test.json: expected a trajectory of",
                     "/two that is left to train on, found 1 of 2 for validation and "
                     "1 for the test"));
    fails("'file': 'two', 'window': 5, 'validation_fraction': 1", CST_ECONFIG,
          TEST_WORDS("found 2 of 2 for validation and 0 for the test"));
    fails("'file': 'two', 'window': 5, 'test_size': 1", CST_ECONFIG,
          TEST_WORDS("test.json: test_size: expected 0, because this split has no trajectories, got 1"));
    fails("'file': 'a', 'window': 5, 'validation_size': 3", CST_ECONFIG,
          TEST_WORDS("test.json: validation_size: expected at most 2, the rows there are, got 3"));
    fails("'file': 'a', 'window': 5, 'train_size': 17", CST_ECONFIG,
          TEST_WORDS("test.json: train_size: expected at most 16, the rows there are, got 17"));
#ifndef CST_DOUBLE
    write_file("huge", 1, SHAPE(10, 6, 3), CST_NPY_F8, 5, 1e300);
    fails("'file': 'huge', 'window': 5", CST_EFORMAT,
          TEST_WORDS("/huge: trajectory 0, point 1, entry 2: expected a finite number in single precision's range, "
                     "found 1e+300"));
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows_of_arrays), cmocka_unit_test(test_fractions),
        cmocka_unit_test(test_files_of_splits),   cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_bad_keys),          cmocka_unit_test(test_bad_files),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
