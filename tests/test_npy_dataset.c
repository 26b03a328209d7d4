/* Data sets of NumPy arrays: labels, targets, images, and arrays that do not fit. */
#include "formats/npy.h"
#include "tests/data_files.h"

#include <math.h>

static void write_array(const char *name, cst_npy_type type, cst_shape shape, const void *data)
{
    char path[TEST_PATH];
    assert_int_equal(cst_npy_write(test_path(name, path), type, &shape, data, NULL), CST_OK);
}

#define SHAPE(...) ((cst_shape){sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t), {__VA_ARGS__}})

/* Four rows with labels 0 to 2 in x.npy and y.npy, two rows with labels 1 and 4 in x2.npy and y2.npy. */
static void write_labelled_rows(void)
{
    const double x[8] = {1, 10, 3, 30, 5, 50, 7, 70};
    const int64_t y[4] = {0, 2, 1, 0};
    write_array("x.npy", CST_NPY_F8, SHAPE(4, 2), x);
    write_array("y.npy", CST_NPY_I8, SHAPE(4), y);
    write_array("y2.npy", CST_NPY_U1, SHAPE(2), "\1\4");
    write_array("x2.npy", CST_NPY_I2, SHAPE(2, 2), (int16_t[]){-4, 0, 4, 1});
}

static void test_labels(void **state)
{
    (void)state;
    cst_dataset data;
    write_labelled_rows();
    test_load_ok(JSON({"type": "npy", "train_x": "@/x.npy", "train_y": "@/y.npy"}), 0, &data);
    assert_int_equal(data.n_classes, 3);
    assert_int_equal(data.n_targets, 0);
    assert_int_equal(data.train.n, 4);
    assert_int_equal(data.test.n, 0);
    assert_int_equal(data.n_channels, 2); /* one channel per column */
    assert_int_equal(data.train.labels[1], 2);
    test_assert_near("mean", data.mean[1], 40, 1e-12);
    test_assert_near("deviation", data.std[0], sqrt(5), 1e-12);
    cst_dataset_clear(&data);
    test_load_ok(JSON({
                     "type": "npy",
                     "path": "@",
                     "train_x": "x.npy",
                     "train_y": "y.npy",
                     "test_x": "x2.npy",
                     "test_y": "y2.npy"
                 }),
                 0, &data);
    assert_int_equal(data.n_classes, 5); /* the largest label is the test split's */
    assert_int_equal(data.test.n, 2);
    assert_true(data.test.values[0] == -4 && data.test.labels[1] == 4);
    cst_dataset_clear(&data);
}

static void test_labels_of_validation(void **state)
{
    (void)state;
    cst_dataset data;
    write_labelled_rows();
    test_load_ok(JSON({
                     "type": "npy",
                     "path": "@",
                     "train_x": "x.npy",
                     "train_y": "y.npy",
                     "validation_x": "x2.npy",
                     "validation_y": "y2.npy",
                     "test_size": 1
                 }),
                 0, &data);
    assert_int_equal(data.n_classes, 5); /* the largest label is the validation split's */
    assert_int_equal(data.train.n, 3);
    assert_int_equal(data.validation.n, 2);
    assert_int_equal(data.test.n, 1);
    assert_true(data.validation.values[2] == 4 && data.validation.labels[0] == 1);
    cst_dataset_clear(&data);
    test_load_ok(JSON({
                     "type": "npy",
                     "path": "@",
                     "train_x": "x.npy",
                     "train_y": "y.npy",
                     "classes": 7,
                     "test_size": 1,
                     "validation_size": 1
                 }),
                 0, &data);
    assert_int_equal(data.n_classes, 7);
    assert_int_equal(data.train.n, 2);
    assert_int_equal(data.validation.n, 1);
    assert_int_equal(data.test.n, 1);
    cst_dataset_clear(&data);
}

/* Rows without targets, for models of densities. */
static void test_no_targets(void **state)
{
    (void)state;
    cst_dataset data;
    write_array("alone.npy", CST_NPY_F8, SHAPE(4, 2), (double[]){1, 10, 3, 30, 5, 50, 7, 70});
    write_array("more.npy", CST_NPY_F8, SHAPE(1, 2), (double[]){4, 40});
    test_load_ok(JSON({"type": "npy", "path": "@", "train_x": "alone.npy", "test_x": "more.npy", "validation_size": 1}),
                 0, &data);
    assert_true(data.n_classes == 0 && data.n_targets == 0 && !data.train.labels && !data.train.targets);
    assert_true(data.train.n == 3 && data.validation.n == 1 && data.test.n == 1);
    const size_t row = 0;
    real x[2];
    cst_dataset_gather(&data, &data.test, &row, 1, x, NULL, NULL);
    test_assert_near("normalized", (double)x[1], (40 - data.mean[1]) / data.std[1], 1e-6);
    cst_dataset_clear(&data);
}

static void test_targets_and_images(void **state)
{
    (void)state;
    cst_dataset data;
    uint8_t images[2 * 3 * 2 * 2];
    for (size_t i = 0; i < sizeof images; i++) images[i] = (uint8_t)(10 * i);
    write_array("images.npy", CST_NPY_U1, SHAPE(2, 3, 2, 2), images);
    write_array("t.npy", CST_NPY_F4, SHAPE(2, 2), (float[]){1, 2, 3, 4});
    write_array("t1.npy", CST_NPY_F8, SHAPE(2), (double[]){1, 2});
    write_array("x1.npy", CST_NPY_F4, SHAPE(2), (float[]){5, 7});
    write_array("x3.npy", CST_NPY_F4, SHAPE(2, 2, 1), (float[]){1, 2, 3, 4});
    write_array("b.npy", CST_NPY_BOOL, SHAPE(2), "\1\0");
    test_load_ok(JSON({"type": "npy", "path": "@", "train_x": "images.npy", "train_y": "t.npy"}), 0, &data);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){3, {3, 2, 2}}));
    assert_memory_equal(data.train.bytes, images, sizeof images); /* bytes stay bytes */
    assert_null(data.train.values);
    assert_null(data.train.labels);
    assert_int_equal(data.n_channels, 3);
    assert_int_equal(data.n_classes, 0);
    assert_int_equal(data.n_targets, 2);
    assert_true(data.train.targets[3] == 4);
    cst_dataset_clear(&data);
    test_load_ok(JSON({"type": "npy", "path": "@", "train_x": "x1.npy", "train_y": "t1.npy"}), 0, &data);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){1, {1}})); /* (n): rows of one number */
    assert_int_equal(data.n_targets, 1);
    assert_true(data.train.targets[1] == 2 && data.train.values[1] == 7);
    cst_dataset_clear(&data);
    test_load_ok(JSON({"type": "npy", "path": "@", "train_x": "x3.npy", "train_y": "b.npy"}), 0, &data);
    assert_int_equal(data.n_channels, 1); /* rows of two dimensions are normalized as a whole */
    assert_int_equal(data.n_classes, 2);
    assert_int_equal(data.train.labels[0], 1);
    cst_dataset_clear(&data);
}

static void set_fails(const char *more, cst_status expected, const char *const *words)
{
    char json[600];
    snprintf(json, sizeof json, "{'type': 'npy', 'path': '@', %s}", more);
    test_load_fails(json, expected, words);
}

#define SET(x, y) "'train_x': '" x "', 'train_y': '" y "'"
#define TEST_SET(x, y) ", 'test_x': '" x "', 'test_y': '" y "'"

/* Arrays that do not fit together, and some that no data set can have. */
static void write_bad_arrays(void)
{
    const float f[6] = {1, 2, 3, 4, 5, 6};
    write_array("x", CST_NPY_F4, SHAPE(3, 2), f);
    write_array("x2", CST_NPY_F4, SHAPE(2, 3), f);
    write_array("scalar", CST_NPY_F4, (cst_shape){0}, f);
    write_array("none", CST_NPY_F4, SHAPE(0, 2), f);
    write_array("empty", CST_NPY_F4, SHAPE(3, 0), f);
    write_array("nan", CST_NPY_F4, SHAPE(3, 2), (float[]){0, 0, 0, (float)NAN, 0, 0});
    write_array("y", CST_NPY_I4, SHAPE(3), (int32_t[]){0, 1, 2});
    write_array("y2", CST_NPY_I4, SHAPE(2), (int32_t[]){0, 1});
    write_array("column", CST_NPY_I4, SHAPE(3, 1), (int32_t[]){0, 1, 2});
    write_array("minus", CST_NPY_I4, SHAPE(3), (int32_t[]){0, -1, 2});
    write_array("large", CST_NPY_I8, SHAPE(3), (int64_t[]){0, 0x7fffffff, 2});
    write_array("t", CST_NPY_F8, SHAPE(3), (double[]){0, 1, 2});
    write_array("t2", CST_NPY_F8, SHAPE(3, 2), (double[]){0, 1, 2, 3, 4, 5});
    write_array("t3", CST_NPY_F8, SHAPE(3, 2, 1), (double[]){0, 1, 2, 3, 4, 5});
    write_array("t0", CST_NPY_F8, SHAPE(3, 0), NULL);
    write_array("inf", CST_NPY_F8, SHAPE(3), (double[]){0, 1, (double)INFINITY});
}

static void test_bad_keys(void **state)
{
    (void)state;
    write_bad_arrays();
    set_fails("'train_x': 'x'" TEST_SET("x", "y"), CST_ECONFIG,
              TEST_WORDS("test.json", "missing key \"train_y\": expected a string beside \"test_y\""));
    set_fails("'train_y': 'y'", CST_ECONFIG, TEST_WORDS("missing key \"train_x\""));
    set_fails("'train_x': 'x', 'classes': 2", CST_ECONFIG,
              TEST_WORDS("test.json: classes: expected labels with it, but train_y is missing"));
    set_fails(SET("x", "y") ", 'test_x': 'x'", CST_ECONFIG, TEST_WORDS("missing key \"test_y\"", "beside \"test_x\""));
    set_fails(SET("x", "y") ", 'test_y': 'y'", CST_ECONFIG, TEST_WORDS("missing key \"test_x\""));
    set_fails(SET("x", "y") ", 'validation_x': 'x'", CST_ECONFIG,
              TEST_WORDS("missing key \"validation_y\"", "beside \"validation_x\""));
    set_fails(SET("x", "t") ", 'validation_x': 'x', 'validation_y': 'y'", CST_EFORMAT,
              TEST_WORDS("/y: expected floats, targets, as in", "/t, found integers"));
    set_fails(SET("x", "y") ", 'classes': 0", CST_ECONFIG, TEST_WORDS("test.json: classes"));
    set_fails(SET("absent", "y"), CST_EIO, TEST_WORDS("test.json", "no data found: tried", "/absent"));
}

static void test_bad_arrays(void **state)
{
    (void)state;
    write_bad_arrays();
    set_fails(SET("scalar", "y"), CST_EFORMAT,
              TEST_WORDS("/scalar: expected rows of numbers, (n, ...)", "of shape ()"));
    set_fails(SET("none", "y"), CST_EFORMAT, TEST_WORDS("/none: expected rows", "of shape (0, 2)"));
    set_fails(SET("empty", "y"), CST_EFORMAT, TEST_WORDS("/empty: expected rows", "of shape (3, 0)"));
    set_fails(SET("nan", "y"), CST_EFORMAT, TEST_WORDS("/nan: row 1: expected finite numbers, found nan"));
    set_fails(SET("x", "inf"), CST_EFORMAT, TEST_WORDS("/inf: row 2: expected finite numbers, found inf"));
    set_fails(SET("x", "y2"), CST_EFORMAT, TEST_WORDS("/y2: expected 3 rows, as many as", "/x has", "of shape (2)"));
    set_fails(SET("x", "scalar"), CST_EFORMAT, TEST_WORDS("/scalar: expected 3 rows", "of shape ()"));
    set_fails(SET("x", "column"), CST_EFORMAT, TEST_WORDS("/column: expected labels of shape (n)", "shape (3, 1)"));
    set_fails(SET("x", "minus"), CST_EFORMAT,
              TEST_WORDS("/minus: row 1: expected a label from 0 to 2147483646, found -1"));
    set_fails(SET("x", "large"), CST_EFORMAT, TEST_WORDS("/large: row 1", "found 2147483647"));
    set_fails(SET("x", "y") ", 'classes': 2", CST_EFORMAT,
              TEST_WORDS("/y: row 2: expected a label from 0 to 1, found 2"));
    set_fails(SET("x", "t3"), CST_EFORMAT,
              TEST_WORDS("/t3: expected targets of shape (n) or (n, k), found f8 of shape (3, 2, 1)"));
    set_fails(SET("x", "t0"), CST_EFORMAT, TEST_WORDS("/t0: expected targets", "shape (3, 0)"));
    set_fails(SET("x", "t") ", 'classes': 2", CST_ECONFIG,
              TEST_WORDS("test.json: classes: expected labels with it", "/t has floats"));
    set_fails(SET("x", "y") TEST_SET("x2", "y2"), CST_EFORMAT,
              TEST_WORDS("/x2: expected rows of (2) as in the training split, found (3)"));
    set_fails(SET("x", "y") TEST_SET("x", "t"), CST_EFORMAT,
              TEST_WORDS("/t: expected integers, labels, as in", "/y, found floats"));
    set_fails(SET("x", "t") TEST_SET("x", "y"), CST_EFORMAT,
              TEST_WORDS("/y: expected floats, targets, as in", "/t, found integers"));
    set_fails(SET("x", "t") TEST_SET("x", "t2"), CST_EFORMAT,
              TEST_WORDS("/t2: expected 1 targets per row as in the training split, found 2"));
#ifndef CST_DOUBLE
    write_array("huge", CST_NPY_F8, SHAPE(3), (double[]){0, 1e300, 2});
    set_fails(SET("x", "huge"), CST_EFORMAT, TEST_WORDS("in single precision's range, found 1e+300"));
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),     cmocka_unit_test(test_labels_of_validation),
        cmocka_unit_test(test_no_targets), cmocka_unit_test(test_targets_and_images),
        cmocka_unit_test(test_bad_keys),   cmocka_unit_test(test_bad_arrays),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
