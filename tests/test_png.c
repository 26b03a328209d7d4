/* PNG files written, read back with the reader of images. */
#include "core/file.h"
#include "formats/image.h"
#include "formats/png.h"
#include "tests/data_files.h"

/* Read the planes of a file, which must have this shape. */
static uint8_t *read_back(const char *name, cst_shape expected)
{
    char path[TEST_PATH], *bytes = NULL;
    uint8_t *planes = NULL;
    size_t size = 0;
    cst_shape shape = {0};
    cst_error error;
    if (cst_file_read(test_path(name, path), 1 << 20, &bytes, &size, &error) != CST_OK) fail_msg("%s", error.message);
    if (cst_image_decode(name, (const uint8_t *)bytes, size, expected.dim[0], &planes, &shape, &error) != CST_OK)
        fail_msg("%s", error.message);
    assert_true(cst_shape_equal(&shape, &expected));
    free(bytes);
    return planes;
}

static cst_status write_alone(const char *path, const uint8_t *planes, cst_shape shape, cst_error *error)
{
    const cst_png_grid alone = {.across = 1, .zoom = 1};
    return cst_png_write_grid(path, &alone, planes, 1, &shape, error);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    enum { H = 5, W = 7 };
    for (size_t channels = 1; channels <= 3; channels += 2) {
        const cst_shape shape = cst_shape_3d(channels, H, W);
        char path[TEST_PATH];
        uint8_t planes[3 * H * W];
        cst_error error;
        for (size_t i = 0; i < sizeof planes; i++) planes[i] = (uint8_t)(i * i * 13);
        if (write_alone(test_path("a.png", path), planes, shape, &error) != CST_OK) fail_msg("%s", error.message);
        uint8_t *back = read_back("a.png", shape);
        assert_memory_equal(back, planes, channels * H * W);
        free(back);
    }
}

/* Five pictures of 2 x 3 in rows of two, with zoom 3 and gaps: every pixel is at its place. */
static void a_grid_has_each_picture_in_its_place(void **state)
{
    (void)state;
    enum { N = 5, C = 3, H = 2, W = 3, GAP = 4, ZOOM = 3, CELL_H = H * ZOOM + GAP, CELL_W = W * ZOOM + GAP };
    enum { HEIGHT = 3 * CELL_H + GAP, WIDTH = 2 * CELL_W + GAP };
    char path[TEST_PATH];
    const cst_shape shape = cst_shape_3d(C, H, W);
    uint8_t pictures[N * C * H * W];
    cst_error error;
    for (size_t i = 0; i < sizeof pictures; i++) pictures[i] = (uint8_t)(2 * i + 1);
    const cst_png_grid grid = {.across = 2, .gap = GAP, .zoom = ZOOM, .background = 200};
    if (cst_png_write_grid(test_path("grid.png", path), &grid, pictures, N, &shape, &error) != CST_OK)
        fail_msg("%s", error.message);
    uint8_t *back = read_back("grid.png", cst_shape_3d(C, HEIGHT, WIDTH));
    for (size_t i = 0; i < (size_t)C * HEIGHT * WIDTH; i++) {
        const size_t c = i / (HEIGHT * WIDTH), y = i / WIDTH % HEIGHT, x = i % WIDTH;
        const bool gap = y % CELL_H < GAP || x % CELL_W < GAP;
        const size_t which = y / CELL_H * 2 + x / CELL_W;
        int expected = 200;
        if (!gap && which < N)
            expected = pictures[((which * C + c) * H + (y % CELL_H - GAP) / ZOOM) * W + (x % CELL_W - GAP) / ZOOM];
        if (back[i] != expected) fail_msg("(%zu, %zu, %zu): expected %d, got %d", c, y, x, expected, back[i]);
    }
    free(back);
}

static void invalid_pictures_are_refused(void **state)
{
    (void)state;
    char path[TEST_PATH];
    const uint8_t pixel[3] = {1, 2, 3};
    cst_error error;
    test_path("none.png", path);
    test_assert_failure(write_alone(path, pixel, cst_shape_3d(2, 1, 1), &error), CST_ESHAPE, &error,
                        TEST_WORDS("none.png", "expected 1 or 3 channels", "(2, 1, 1)"));
    test_assert_failure(write_alone(path, pixel, cst_shape_3d(1, 0, 1), &error), CST_ESHAPE, &error,
                        TEST_WORDS("(1, 0, 1)"));
    test_assert_failure(write_alone(path, pixel, cst_shape_3d(1, 1, 16385), &error), CST_ESHAPE, &error,
                        TEST_WORDS("16384"));
    assert_false(cst_path_exists(path));
    test_path("nowhere/none.png", path);
    test_assert_failure(write_alone(path, pixel, cst_shape_3d(1, 1, 1), &error), CST_EIO, &error,
                        TEST_WORDS("nowhere/none.png"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_grid_has_each_picture_in_its_place),
        cmocka_unit_test(invalid_pictures_are_refused),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
