/* Folders of images: decoding, damaged files, splits and classes, and the real data if they are installed. */
#include "datasets/image_folder.h"
#include "formats/image.h"
#include "image_bytes.h"
#include "tests/data_files.h"

/* ---- decoding ------------------------------------------------------------------------------------------------ */

static void test_decode(void **state)
{
    (void)state;
    cst_error error = {0};
    uint8_t *planes = NULL;
    cst_shape shape = {0};
    assert_int_equal(cst_image_decode("a", rgb_png, sizeof rgb_png, 3, &planes, &shape, &error), CST_OK);
    assert_int_equal(shape.dim[1], 2);
    assert_int_equal(shape.dim[2], 3);
    for (size_t c = 0; c < 3; c++) {
        for (size_t y = 0; y < 2; y++) {
            for (size_t x = 0; x < 3; x++) assert_int_equal(planes[(c * 2 + y) * 3 + x], 100 * c + 10 * y + x);
        }
    }
    free(planes);
    assert_int_equal(cst_image_decode("a", grey_png, sizeof grey_png, 1, &planes, &shape, &error), CST_OK);
    for (size_t i = 0; i < 4; i++) assert_int_equal(planes[i], 85 * i);
    free(planes);
    assert_int_equal(cst_image_decode("a", flat_jpeg, sizeof flat_jpeg, 3, &planes, &shape, &error), CST_OK);
    assert_int_equal(shape.dim[1], 2);
    assert_int_equal(shape.dim[2], 3);
    for (size_t i = 0; i < 18; i++) assert_int_equal(planes[i], 168);
    free(planes);
}

/* A cut file is refused (a PNG if the cut is before its last checksum). A file with a changed byte may be decoded;
 * sanitizers see anything worse. */
static void test_damaged(void **state)
{
    (void)state;
    const uint8_t *const files[] = {rgb_png, grey_png, flat_jpeg};
    const size_t sizes[] = {sizeof rgb_png, sizeof grey_png, sizeof flat_jpeg};
    for (size_t f = 0; f < 3; f++) {
        for (size_t i = 0; i < 2 * sizes[f]; i++) {
            uint8_t bytes[256], *planes = NULL;
            cst_shape shape;
            cst_error error = {0};
            memcpy(bytes, files[f], sizes[f]);
            const bool cut = i < sizes[f];
            if (!cut) bytes[i - sizes[f]] ^= 0x21;
            const cst_status status = cst_image_decode("bad", bytes, cut ? i : sizes[f], 3, &planes, &shape, &error);
            if (status != CST_OK) {
                assert_non_null(strstr(error.message, "bad: "));
                continue;
            }
            free(planes);
            if (cut && i < sizes[f] - 4) fail_msg("file %zu cut off at %zu was decoded", f, i);
        }
    }
    cst_error error = {0};
    uint8_t *planes;
    cst_shape shape;
    test_assert_failure(cst_image_decode("some.png", (const uint8_t *)"no image", 8, 3, &planes, &shape, &error),
                        CST_EFORMAT, &error, TEST_WORDS("some.png: cannot decode", "type"));
}

/* flat_jpeg with a segment after its first two bytes. */
static cst_status decode_with(const uint8_t *segment, size_t n, cst_error *error)
{
    uint8_t bytes[1024], *planes;
    cst_shape shape;
    memcpy(bytes, flat_jpeg, 2);
    memcpy(bytes + 2, segment, n);
    memcpy(bytes + 2 + n, flat_jpeg + 2, sizeof flat_jpeg - 2);
    CST_TRY(cst_image_decode("bad.jpg", bytes, n + sizeof flat_jpeg, 1, &planes, &shape, error));
    assert_int_equal(planes[0], 168);
    free(planes);
    return CST_OK;
}

/* A JPEG's Huffman table with more codes than its lengths allow, which stb would write beyond the table. */
static void test_huffman_tables(void **state)
{
    (void)state;
    enum { HEAD = 5, COUNTS = 16, CODES = 256 };
    uint8_t dht[HEAD + COUNTS + CODES] = {0xff, 0xc4, (HEAD - 2 + COUNTS + CODES) >> 8,
                                          (HEAD - 2 + COUNTS + CODES) & 255, 3};
    uint8_t *counts = dht + HEAD;
    cst_error error = {0};
    counts[7] = 1;
    counts[15] = 255;
    if (decode_with(dht, sizeof dht, &error) != CST_OK) fail_msg("%s", error.message);
    const char *const *words = TEST_WORDS("bad.jpg: ", "too many codes");
    counts[6] = 1;
    test_assert_failure(decode_with(dht, sizeof dht, &error), CST_EFORMAT, &error, words);
    counts[6] = 0;
    counts[8] = 255; /* with the code of 8 bits, 256 short ones */
    counts[15] = 0;
    test_assert_failure(decode_with(dht, sizeof dht, &error), CST_EFORMAT, &error, words);
    /* A table that its segment cuts off, which stb notices too late. */
    uint8_t cut[] = {0xff, 0xc4, 0,   3,   3,   255, 255, 255, 255, 255, 255,
                     255,  255,  255, 255, 255, 255, 255, 255, 255, 255};
    test_assert_failure(decode_with(cut, sizeof cut, &error), CST_EFORMAT, &error, words);
    /* Fill bytes before the marker; and two tables in one segment, the second of which is too large. */
    uint8_t filled[sizeof cut + 2] = {0xff, 0xff};
    memcpy(filled + 2, cut, sizeof cut);
    test_assert_failure(decode_with(filled, sizeof filled, &error), CST_EFORMAT, &error, words);
    uint8_t two[4 + 17 + 17] = {0xff, 0xc4, 0, 36, 3};
    memset(two + 4 + 17 + 1, 255, 16);
    test_assert_failure(decode_with(two, sizeof two, &error), CST_EFORMAT, &error, words);
    /* Bytes of a comment that only look like a table. */
    uint8_t comment[4 + sizeof cut] = {0xff, 0xfe, 0, 2 + sizeof cut};
    memcpy(comment + 4, cut, sizeof cut);
    if (decode_with(comment, sizeof comment, &error) != CST_OK) fail_msg("%s", error.message);
}

/* Memory is not allocated for a PNG's chunk of 2 GB in a file of some bytes. */
static void test_promised_chunk(void **state)
{
    (void)state;
    uint8_t bytes[sizeof rgb_png], *planes;
    cst_shape shape;
    cst_error error = {0};
    memcpy(bytes, rgb_png, sizeof bytes);
    bytes[33] = 0x7f; /* the length of IDAT */
    test_assert_failure(cst_image_decode("bad.png", bytes, sizeof bytes, 3, &planes, &shape, &error), CST_EFORMAT,
                        &error, TEST_WORDS("bad.png: ", "a chunk is cut off"));
    uint8_t longer[sizeof rgb_png + 20];
    memcpy(longer, rgb_png, sizeof rgb_png);
    memset(longer + sizeof rgb_png, 0x7f, 20); /* any bytes may follow its end */
    assert_int_equal(cst_image_decode("a", longer, sizeof longer, 3, &planes, &shape, &error), CST_OK);
    free(planes);
}

/* ---- folders ------------------------------------------------------------------------------------------------- */

static void test_train_and_test(void **state)
{
    (void)state;
    const char *json = JSON({"type": "images", "path": "@/set", "normalize": false});
    test_folder("set");
    test_folder("set/train");
    test_load_fails(json, CST_EFORMAT, TEST_WORDS("set/train", "one folder per class"));
    test_folder("set/train/zebra");
    test_folder("set/train/Ant");
    test_folder("set/train/bee");
    test_folder("set/train/.hidden");
    test_write("set/train/README", "not a class", 11);
    test_write("set/train/zebra/1.png", rgb_png, sizeof rgb_png);
    test_write("set/train/Ant/b.jpg", flat_jpeg, sizeof flat_jpeg);
    test_write("set/train/Ant/a.png", rgb_png, sizeof rgb_png);
    test_write("set/train/Ant/.DS_Store", "no image", 8);
    test_load_fails(json, CST_EFORMAT, TEST_WORDS("set/train/bee: expected images in this class, found none"));
    test_write("set/train/bee/0.jpeg", flat_jpeg, sizeof flat_jpeg);
    test_load_fails(json, CST_EIO, TEST_WORDS("set/test"));
    test_folder("set/test");
    test_folder("set/test/bee"); /* a class may be missing */
    test_write("set/test/bee/x.png", rgb_png, sizeof rgb_png);
    cst_dataset data;
    test_load_ok(json, 0, &data);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){3, {3, 2, 3}}));
    assert_int_equal(data.n_classes, 3);
    assert_int_equal(data.train.n, 4);
    const int labels[] = {0, 0, 1, 2}, first[] = {0, 168, 168, 0}, last[] = {212, 168, 168, 212};
    for (size_t i = 0; i < 4; i++) { /* Ant/a.png, Ant/b.jpg, bee/0.jpeg, zebra/1.png */
        assert_int_equal(data.train.labels[i], labels[i]);
        assert_int_equal(data.train.bytes[18 * i], first[i]);
        assert_int_equal(data.train.bytes[18 * i + 17], last[i]);
    }
    assert_int_equal(data.test.n, 1);
    assert_int_equal(data.test.labels[0], 1);
    cst_dataset_clear(&data);
    test_folder("set/test/wasp");
    test_write("set/test/wasp/x.png", rgb_png, sizeof rgb_png);
    test_load_fails(json, CST_EFORMAT, TEST_WORDS("set/test", "class \"wasp\""));
}

static void test_single_folder(void **state)
{
    (void)state;
    char name[64];
    test_folder("one");
    for (int c = 0; c < 2; c++) {
        snprintf(name, sizeof name, "one/c%d", c);
        test_folder(name);
        for (int i = 0; i < 5; i++) {
            snprintf(name, sizeof name, "one/c%d/%d.png", c, i);
            test_write(name, grey_png, sizeof grey_png);
        }
    }
    cst_dataset data;
    test_load_ok(JSON({"type": "images", "path": "@/one", "channels": 1, "test_size": 3, "validation_size": 2}), 0,
                 &data);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){3, {1, 2, 2}}));
    assert_int_equal(data.train.n, 5);
    assert_int_equal(data.validation.n, 2);
    assert_int_equal(data.test.n, 3);
    assert_int_equal(data.n_channels, 1);
    test_assert_near("mean", data.mean[0], 0.5, 1e-14);
    test_assert_near("deviation", data.std[0], 0.37267799624996495, 1e-14); /* sqrt(5) / 6 */
    cst_dataset_clear(&data);
    test_load_fails(JSON({"type": "images", "path": "@/one", "channels": 2}), CST_ECONFIG,
                    TEST_WORDS("test.json: channels", "1 or 3"));
    test_load_fails(JSON({"type": "images", "path": "@/one", "test_size": 10}), CST_ECONFIG,
                    TEST_WORDS("test.json: test_size", "at most 9"));
    test_write("one/c1/3.png", rgb_png, sizeof rgb_png);
    test_load_fails(JSON({"type": "images", "path": "@/one"}), CST_EFORMAT,
                    TEST_WORDS("one/c1/3.png", "2 x 2", "one/c0/0.png", "found 3 x 2"));
    test_write("one/c1/3.png", rgb_png, sizeof rgb_png / 2);
    test_load_fails(JSON({"type": "images", "path": "@/one"}), CST_EFORMAT, TEST_WORDS("one/c1/3.png: cannot decode"));
    test_folder("one/c1/inner");
    test_write("one/c1/3.png", grey_png, sizeof grey_png);
    test_load_fails(JSON({"type": "images", "path": "@/one"}), CST_EIO, TEST_WORDS("one/c1/inner"));
}

static void test_real(void **state)
{
    (void)state;
    cst_dataset data;
    cst_error error = {0};
    const cst_status status = test_load(JSON({"type": "images", "path": "cifar10_images"}), 0, &data, &error);
    if (status == CST_EIO) {
        print_message("skipped: %s\n", error.message);
        skip();
    }
    if (status != CST_OK) fail_msg("%s", error.message);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){3, {3, 32, 32}}));
    assert_int_equal(data.train.n, 1500);
    assert_int_equal(data.test.n, 500);
    const double mean[3] = {0.4914, 0.4822, 0.4465}; /* the published values of CIFAR-10, over all images */
    for (size_t c = 0; c < 3; c++) test_assert_near("mean", data.mean[c], mean[c], 0.02);
    cst_dataset_clear(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),         cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_huffman_tables), cmocka_unit_test(test_promised_chunk),
        cmocka_unit_test(test_train_and_test), cmocka_unit_test(test_single_folder),
        cmocka_unit_test(test_real),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
