/* idx files, plain and gzipped: splits, damaged files, folders and names, and the real data if they are installed. */
#include "datasets/idx.h"
#include "tests/data_files.h"

/* Write a header of up to four dimensions, then `n` elements 0, 7, 14, ... modulo 251. Returns the file's size. */
static size_t make_idx(uint8_t *file, size_t rank, const size_t *dim, size_t n)
{
    size_t size = 0;
    const uint8_t magic[] = {0, 0, 8, (uint8_t)rank};
    for (size_t i = 0; i < 4; i++) file[size++] = magic[i];
    for (size_t i = 0; i < rank; i++) {
        for (int shift = 24; shift >= 0; shift -= 8) file[size++] = (uint8_t)(dim[i] >> shift);
    }
    for (size_t i = 0; i < n; i++) file[size++] = (uint8_t)(7 * i % 251);
    return size;
}

static cst_status read_file(const char *name, cst_idx *idx, cst_error *error)
{
    char path[TEST_PATH];
    *error = (cst_error){0};
    return cst_idx_read(test_path(name, path), idx, error);
}

static void fails(const char *name, cst_status expected, const char *const *words)
{
    cst_idx idx;
    cst_error error;
    test_assert_failure(read_file(name, &idx, &error), expected, &error, words);
    assert_non_null(strstr(error.message, name)); /* every error names the file */
    assert_null(idx.bytes);
}

/* ---- files --------------------------------------------------------------------------------------------------- */

static void check_read(const char *name)
{
    cst_idx idx;
    cst_error error;
    if (read_file(name, &idx, &error) != CST_OK) fail_msg("%s", error.message);
    assert_int_equal(idx.rank, 3);
    assert_int_equal(idx.dim[0], 5);
    assert_int_equal(idx.dim[1], 300);
    assert_int_equal(idx.dim[2], 2);
    for (size_t i = 0; i < 3000; i++) assert_int_equal(idx.bytes[i], 7 * i % 251);
    free(idx.bytes);
}

static void test_plain_and_gzipped(void **state)
{
    (void)state;
    uint8_t file[4000];
    const size_t size = make_idx(file, 3, (size_t[]){5, 300, 2}, 3000);
    test_write("plain", file, size);
    test_write_gz("packed.gz", file, size);
    check_read("plain");
    check_read("packed.gz");
}

static void test_cut_off_anywhere(void **state)
{
    (void)state;
    uint8_t file[400], packed[400];
    const size_t size = make_idx(file, 2, (size_t[]){20, 10}, 200);
    for (size_t n = 0; n < size; n++) {
        test_write("cut", file, n);
        fails("cut", CST_EFORMAT, TEST_WORDS("found"));
    }
    test_write("cut", file, 100);
    fails("cut", CST_EFORMAT, TEST_WORDS("expected 212 bytes", "found 100"));
    test_write_gz("whole.gz", file, size);
    const size_t packed_size = test_read("whole.gz", packed, sizeof packed);
    for (size_t n = 0; n < packed_size; n++) {
        test_write("cut.gz", packed, n);
        fails("cut.gz", CST_EFORMAT, TEST_WORDS("cut.gz"));
    }
}

static void test_damaged_stream(void **state)
{
    (void)state;
    uint8_t file[400], packed[400];
    test_write_gz("good.gz", file, make_idx(file, 2, (size_t[]){20, 10}, 200));
    const size_t size = test_read("good.gz", packed, sizeof packed);
    const size_t header = 10; /* the header of gzip, in which another time stamp is not an error */
    for (size_t i = header; i < size; i++) {
        if (i == size - 9)
            continue; /* the stream's last byte before CRC and length, whose padding bits have no meaning */
        packed[i] ^= 1;
        test_write("bad.gz", packed, size);
        fails("bad.gz", CST_EFORMAT, TEST_WORDS("bad.gz"));
        packed[i] ^= 1;
    }
    packed[size - 8] ^= 1; /* the CRC alone */
    test_write("bad.gz", packed, size);
    fails("bad.gz", CST_EFORMAT, TEST_WORDS("cannot read"));
}

static void test_trailing_bytes(void **state)
{
    (void)state;
    uint8_t file[400] = {0};
    const size_t size = make_idx(file, 2, (size_t[]){20, 10}, 200);
    test_write("long", file, size + 1);
    fails("long", CST_EFORMAT, TEST_WORDS("expected 212 bytes", "found more"));
    test_write_gz("long.gz", file, size + 5);
    fails("long.gz", CST_EFORMAT, TEST_WORDS("expected 212 bytes", "found more"));
}

static void test_promises_too_much(void **state)
{
    (void)state;
    uint8_t file[400];
    size_t size = make_idx(file, 3, (size_t[]){60000, 28, 28}, 4);
    test_write("promise", file, size);
    fails("promise", CST_EFORMAT, TEST_WORDS("expected 47040016 bytes", "found 20"));
    size = make_idx(file, 2, (size_t[]){0xffffffff, 0xffff}, 0); /* 2^48 bytes, which must not be allocated */
    test_write("promise", file, size);
    fails("promise", CST_EFORMAT, TEST_WORDS("expected 281470681677837 bytes", "found 12"));
    size = make_idx(file, 4, (size_t[]){0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, 4);
    test_write("promise", file, size);
    fails("promise", CST_EFORMAT, TEST_WORDS("expected dimensions whose product fits into memory"));
}

static void test_other_files(void **state)
{
    (void)state;
    const uint8_t floats[] = {0, 0, 0x0d, 1, 0, 0, 0, 1, 0, 0, 0, 0}, rank0[] = {0, 0, 8, 0}, rank5[] = {0, 0, 8, 5};
    test_write("floats", floats, sizeof floats);
    fails("floats", CST_EFORMAT, TEST_WORDS("unsigned bytes", "00 00 0d 01"));
    test_write("rank", rank0, sizeof rank0);
    fails("rank", CST_EFORMAT, TEST_WORDS("rank from 1 to 4", "00 00 08 00"));
    test_write("rank", rank5, sizeof rank5);
    fails("rank", CST_EFORMAT, TEST_WORDS("00 00 08 05"));
    test_write("text", "hello, world", 12);
    fails("text", CST_EFORMAT, TEST_WORDS("68 65 6c 6c"));
    fails("absent", CST_EIO, TEST_WORDS("absent"));
    test_folder("a_folder");
    fails("a_folder", CST_EIO, TEST_WORDS("a_folder"));
}

/* ---- splits -------------------------------------------------------------------------------------------------- */

static cst_status read_part(const char *images, const char *labels, size_t n_classes, cst_shape *x, cst_split *split,
                            cst_error *error)
{
    char a[TEST_PATH], b[TEST_PATH];
    *error = (cst_error){0};
    return cst_idx_read_split(test_path(images, a), test_path(labels, b), n_classes, x, split, error);
}

static void part_fails(const char *images, const char *labels, cst_shape x, const char *const *words)
{
    cst_split split;
    cst_error error;
    test_assert_failure(read_part(images, labels, 10, &x, &split, &error), CST_EFORMAT, &error, words);
    assert_null(split.bytes);
    assert_null(split.labels);
}

static void test_splits(void **state)
{
    (void)state;
    uint8_t file[400];
    cst_split split;
    cst_error error;
    test_write("labels", file, make_idx(file, 1, (size_t[]){2}, 2)); /* 0, 7 */
    const size_t dim[3][4] = {{2, 6}, {2, 3, 4}, {2, 3, 4, 5}};
    const cst_shape shape[3] = {cst_shape_1d(6), cst_shape_3d(1, 3, 4), cst_shape_3d(3, 4, 5)};
    for (size_t i = 0; i < 3; i++) {
        cst_shape x = {0};
        const size_t n = 2 * cst_shape_size(&shape[i]);
        test_write("images", file, make_idx(file, i + 2, dim[i], n));
        if (read_part("images", "labels", 10, &x, &split, &error) != CST_OK) fail_msg("%s", error.message);
        assert_true(cst_shape_equal(&x, &shape[i]));
        assert_int_equal(split.n, 2);
        assert_int_equal(split.labels[1], 7);
        assert_int_equal(split.bytes[n - 1], 7 * (n - 1) % 251);
        free(split.bytes);
        free(split.labels);
    }
}

static void test_splits_that_do_not_fit(void **state)
{
    (void)state;
    uint8_t file[400];
    const cst_shape any = {0};
    test_write("images2", file, make_idx(file, 3, (size_t[]){2, 3, 4}, 24));
    test_write("labels2", file, make_idx(file, 1, (size_t[]){2}, 2));
    test_write("labels3", file, make_idx(file, 1, (size_t[]){3}, 3)); /* 0, 7, 14 */
    test_write("images3", file, make_idx(file, 3, (size_t[]){3, 3, 4}, 36));
    test_write("images0", file, make_idx(file, 3, (size_t[]){0, 3, 4}, 0));
    part_fails("images2", "labels3", any, TEST_WORDS("labels3", "expected 2 labels", "found 3"));
    part_fails("images3", "labels3", any, TEST_WORDS("labels3", "below 10", "found 14 at row 2"));
    part_fails("images2", "images2", any, TEST_WORDS("images2", "one dimension, found 3 dimensions"));
    part_fails("labels2", "labels2", any, TEST_WORDS("labels2", "expected images"));
    part_fails("images0", "labels2", any, TEST_WORDS("images0", "expected data, found 0 rows"));
    part_fails("images2", "labels2", cst_shape_3d(1, 4, 3), TEST_WORDS("images2", "(1, 4, 3)", "(1, 3, 4)"));
}

/* ---- data sets ----------------------------------------------------------------------------------------------- */

static void test_folder_and_names(void **state)
{
    (void)state;
    uint8_t file[400];
    test_folder("set");
    test_write_gz("set/train-images-idx3-ubyte.gz", file, make_idx(file, 3, (size_t[]){3, 2, 2}, 12));
    test_write("set/train-labels-idx1-ubyte", file, make_idx(file, 1, (size_t[]){3}, 3)); /* 0, 7, 14 */
    test_write("set/t10k-images-idx3-ubyte", file, make_idx(file, 3, (size_t[]){2, 2, 2}, 8));
    test_load_fails(JSON({"type": "idx", "path": "@/set"}), CST_EIO,
                    TEST_WORDS("set/t10k-labels-idx1-ubyte,", "set/t10k-labels-idx1-ubyte.gz"));
    test_write_gz("set/t10k-labels-idx1-ubyte.gz", file, make_idx(file, 1, (size_t[]){2}, 2));
    cst_dataset data;
    test_load_ok(JSON({"type": "idx", "path": "@/set", "batch_size": 2}), 0, &data);
    assert_int_equal(data.n_classes, 15); /* the largest label plus one */
    assert_int_equal(data.train.n, 3);
    assert_int_equal(data.test.n, 2);
    assert_int_equal(data.batch_size, 2);
    assert_int_equal(data.eval_batch_size, 256);
    /* Bytes 0, 7, ..., 77: mean 7 * 5.5, deviation 7 sqrt((144 - 1) / 12). */
    test_assert_near("mean", data.mean[0], 38.5 / 255, 1e-14);
    test_assert_near("deviation", data.std[0], 7 * 3.4520525295346629 / 255, 1e-14);
    cst_dataset_clear(&data);
    /* The same by names, in the folder and as paths. */
    test_load_ok(JSON({"type": "idx", "path": "@/set", "train_images": "train-images-idx3-ubyte.gz"}), 0, &data);
    cst_dataset_clear(&data);
    test_load_ok(JSON({
                     "type": "idx",
                     "train_images": "@/set/t10k-images-idx3-ubyte",
                     "train_labels": "@/set/t10k-labels-idx1-ubyte",
                     "test_images": "@/set/train-images-idx3-ubyte",
                     "test_labels": "@/set/train-labels-idx1-ubyte"
                 }),
                 0, &data);
    assert_int_equal(data.train.n, 2);
    cst_dataset_clear(&data);
    test_load_fails(JSON({"type": "idx", "train_images": "@/set/t10k-images-idx3-ubyte"}), CST_ECONFIG,
                    TEST_WORDS("test.json", "\"path\" or \"train_labels\""));
    test_load_fails(JSON({"type": "mnist", "path": "@/set"}), CST_EFORMAT, TEST_WORDS("below 10", "found 14"));
}

/* The moments that are commonly used for these two sets. In Fashion-MNIST each class has 6,000 images. */
static void check_real(const char *json, double mean, double deviation)
{
    cst_dataset data;
    cst_error error = {0};
    const cst_status status = test_load(json, 0, &data, &error);
    if (status == CST_EIO) {
        print_message("skipped: %s: %s\n", json, error.message);
        skip();
    }
    if (status != CST_OK) fail_msg("%s", error.message);
    assert_int_equal(data.train.n, 60000);
    assert_int_equal(data.test.n, 10000);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){3, {1, 28, 28}}));
    assert_int_equal(data.n_classes, 10);
    test_assert_near("mean", data.mean[0], mean, 5e-5);
    test_assert_near("deviation", data.std[0], deviation, 5e-5);
    size_t counts[10] = {0};
    for (size_t i = 0; i < data.train.n; i++) counts[data.train.labels[i]]++;
    for (size_t i = 0; i < 10; i++) assert_in_range(counts[i], 5000, 7000);
    cst_dataset_clear(&data);
}

static void test_fashion_mnist(void **state)
{
    (void)state;
    check_real(JSON({"type": "fashion_mnist"}), 0.2860, 0.3530);
}

static void test_mnist(void **state)
{
    (void)state;
    check_real(JSON({"type": "mnist"}), 0.1307, 0.3081);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_and_gzipped),
        cmocka_unit_test(test_cut_off_anywhere),
        cmocka_unit_test(test_damaged_stream),
        cmocka_unit_test(test_trailing_bytes),
        cmocka_unit_test(test_promises_too_much),
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_splits),
        cmocka_unit_test(test_splits_that_do_not_fit),
        cmocka_unit_test(test_folder_and_names),
        cmocka_unit_test(test_fashion_mnist),
        cmocka_unit_test(test_mnist),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
