/* CIFAR-10 in its binary files: batches, splits, damaged files, and the real data if they are installed. */
#include "datasets/cifar10.h"
#include "tests/data_files.h"

enum { IMAGE = 3072, RECORD = 3073 };

static uint8_t records[8 * RECORD];

/* n records with labels first, first + 1, ... Their pixels identify record, plane and position. */
static void make_records(size_t n, size_t first)
{
    for (size_t i = 0; i < n; i++) {
        records[i * RECORD] = (uint8_t)(first + i);
        for (size_t j = 0; j < IMAGE; j++) records[i * RECORD + 1 + j] = (uint8_t)(10 * (first + i) + j / 1024 + j % 7);
    }
}

static void fails(const char *name, cst_status expected, const char *const *words)
{
    char path[TEST_PATH];
    cst_split split = {0};
    cst_error error = {0};
    test_assert_failure(cst_cifar10_read(test_path(name, path), &split, &error), expected, &error, words);
    assert_non_null(strstr(error.message, name));
    assert_null(split.bytes);
}

static void test_malformed(void **state)
{
    (void)state;
    make_records(3, 0);
    test_write("cut.bin", records, 2 * RECORD - 1);
    fails("cut.bin", CST_EFORMAT, TEST_WORDS("records of 3073 bytes", "found 6145"));
    test_write("long.bin", records, 2 * RECORD + 1);
    fails("long.bin", CST_EFORMAT, TEST_WORDS("found 6147"));
    test_write("empty.bin", records, 0);
    fails("empty.bin", CST_EFORMAT, TEST_WORDS("found 0"));
    records[2 * RECORD] = 10;
    test_write("label.bin", records, 3 * RECORD);
    fails("label.bin", CST_EFORMAT, TEST_WORDS("below 10", "found 10 at record 2"));
    fails("absent.bin", CST_EIO, TEST_WORDS("absent.bin"));
}

static void test_batches(void **state)
{
    (void)state;
    const char *json = JSON({"type": "cifar10", "path": "@/cifar"});
    test_folder("cifar");
    test_load_fails(json, CST_EIO, TEST_WORDS("expected at least one of data_batch_1.bin to data_batch_5.bin"));
    make_records(2, 0);
    test_write("cifar/data_batch_1.bin", records, 2 * RECORD);
    test_load_fails(json, CST_EIO, TEST_WORDS("test_batch.bin"));
    make_records(3, 2);
    test_write("cifar/data_batch_4.bin", records, 3 * RECORD); /* 2, 3 and 5 are missing */
    make_records(1, 9);
    test_write("cifar/test_batch.bin", records, RECORD);
    cst_dataset data;
    test_load_ok(json, 0, &data);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){3, {3, 32, 32}}));
    assert_int_equal(data.n_classes, 10);
    assert_int_equal(data.n_channels, 3);
    assert_int_equal(data.train.n, 5);
    assert_int_equal(data.test.n, 1);
    assert_int_equal(data.test.labels[0], 9);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(data.train.labels[i], i);
        for (size_t j = 0; j < IMAGE; j++) assert_int_equal(data.train.bytes[i * IMAGE + j], 10 * i + j / 1024 + j % 7);
    }
    /* Planes differ by 1, and so do their means. */
    test_assert_near("mean", data.mean[2] - data.mean[0], 2 / 255.0, 0.2 / 255);
    test_assert_near("deviation", data.std[1], data.std[0], 0.05 / 255);
    cst_dataset_clear(&data);
    make_records(1, 0);
    test_write("cifar/data_batch_5.bin", records, RECORD - 1);
    test_load_fails(json, CST_EFORMAT, TEST_WORDS("data_batch_5.bin"));
}

static void test_real(void **state)
{
    (void)state;
    cst_dataset data;
    cst_error error = {0};
    const cst_status status = test_load(JSON({"type": "cifar10"}), 0, &data, &error);
    if (status == CST_EIO) {
        print_message("skipped: %s\n", error.message);
        skip();
    }
    if (status != CST_OK) fail_msg("%s", error.message);
    /* Means of the whole set, which the means of some thousand images approach. */
    const double mean[3] = {0.4914, 0.4822, 0.4465};
    for (size_t c = 0; c < 3; c++) test_assert_near("mean", data.mean[c], mean[c], 0.01);
    cst_dataset_clear(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_real),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
