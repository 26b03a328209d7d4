/* Images averaged to smaller ones: means, rounding, channels, errors, and the keys of the data sets. */
#include "datasets/downsample.h"
#include "tests/data_files.h"

enum { N = 2, C = 3, H = 4, W = 6, SIZE = N * C * H * W };

static uint8_t pixel(size_t i)
{
    return (uint8_t)(i * i * 31 % 256);
}

/* The sum of a k x k patch of plane p, from its definition. */
static unsigned patch_sum(size_t p, size_t y, size_t x, size_t k)
{
    unsigned sum = 0;
    for (size_t i = 0; i < k * k; i++) sum += pixel((p * H + y * k + i / k) * W + x * k + i % k);
    return sum;
}

static void a_patch_becomes_its_mean(void **state)
{
    (void)state;
    cst_error error;
    cst_dataset data = {.x = cst_shape_3d(C, H, W), .train = {.n = N}};
    data.train.bytes = malloc(SIZE);
    assert_non_null(data.train.bytes);
    for (size_t i = 0; i < SIZE; i++) data.train.bytes[i] = pixel(i);
    assert_int_equal(cst_dataset_downsample((cst_config){0}, 1, &data, &error), CST_OK);
    assert_true(data.train.bytes[SIZE - 1] == pixel(SIZE - 1) && data.x.dim[1] == H);
    assert_int_equal(cst_dataset_downsample((cst_config){0}, 2, &data, &error), CST_OK);
    const cst_shape small = cst_shape_3d(C, H / 2, W / 2);
    assert_true(cst_shape_equal(&data.x, &small));
    for (size_t p = 0; p < (size_t)N * C; p++)
        for (size_t y = 0; y < H / 2; y++)
            for (size_t x = 0; x < W / 2; x++) {
                const double mean = patch_sum(p, y, x, 2) / 4.0;
                const int got = data.train.bytes[(p * H / 2 + y) * W / 2 + x];
                if (got != (int)(mean + 0.5)) fail_msg("plane %zu (%zu, %zu): %d, mean %g", p, y, x, got, mean);
            }
    cst_dataset_clear(&data);
}

/* Two images 4 x 4 of idx files, white in their upper halves. One more white pixel adds half of a level to a mean. */
static void data_sets_have_a_key_for_it(void **state)
{
    (void)state;
    uint8_t images[16 + 32] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 4},
                        labels[8 + 2] = {0, 0, 8, 1, 0, 0, 0, 2};
    for (size_t i = 0; i < 32; i++) images[16 + i] = i % 16 < 8 ? 255 : 0;
    images[16 + 15] = 2;
    test_write("train-images-idx3-ubyte", images, sizeof images);
    test_write("train-labels-idx1-ubyte", labels, sizeof labels);
    test_write("t10k-images-idx3-ubyte", images, sizeof images);
    test_write("t10k-labels-idx1-ubyte", labels, sizeof labels);
    cst_dataset data;
    test_load_ok(JSON({"type": "idx", "path": "@", "downsample": 2, "normalize": false}), 0, &data);
    const uint8_t expected[8] = {255, 255, 0, 1, 255, 255, 0, 0};
    assert_memory_equal(data.train.bytes, expected, sizeof expected);
    assert_memory_equal(data.test.bytes, expected, sizeof expected);
    real x[4];
    cst_dataset_gather(&data, &data.train, &(size_t){0}, 1, x, NULL, NULL);
    test_assert_near("half a level, rounded up", (double)x[3], 1 / 255.0, 1e-7);
    cst_dataset_clear(&data);
    test_load_fails(JSON({"type": "idx", "path": "@", "downsample": 3}), CST_ECONFIG,
                    TEST_WORDS("downsample: expected rows (C, H, W) whose sides are multiples of 3, got (1, 4, 4)"));
    test_load_fails(JSON({"type": "idx", "path": "@", "downsample": 0}), CST_ECONFIG,
                    TEST_WORDS("downsample: expected"));
    /* Vectors have no patches. */
    images[3] = 2, images[11] = 16;
    memmove(images + 12, images + 16, 32);
    test_write("train-images-idx3-ubyte", images, 12 + 32);
    test_write("t10k-images-idx3-ubyte", images, 12 + 32);
    test_load_fails(JSON({"type": "idx", "path": "@", "downsample": 2}), CST_ECONFIG,
                    TEST_WORDS("downsample: ", "(16)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_patch_becomes_its_mean),
        cmocka_unit_test(data_sets_have_a_key_for_it),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
