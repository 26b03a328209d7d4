#include "formats/png.h"

#include "core/file.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* The compressed data that stb holds and has not freed yet. stb leaks them if it finds no memory for the whole file. */
static _Thread_local void *compressed;

/* Free a block of stb's. */
static void release(void *block)
{
    if (block == compressed) compressed = NULL;
    free(block);
}

/* Compress n bytes with zlib. It replaces stb's compressor, which ends the process if memory is exhausted. */
static unsigned char *compress_all(unsigned char *bytes, int n, int *size, int level)
{
    uLongf capacity = compressBound((uLong)n);
    unsigned char *to = malloc(capacity);
    if (!to || compress2(to, &capacity, bytes, (uLong)n, level) != Z_OK) {
        free(to);
        return NULL;
    }
    *size = (int)capacity;
    compressed = to;
    return to;
}

#define STBIW_ZLIB_COMPRESS compress_all
#define STBIW_MALLOC(size) malloc(size)
#define STBIW_REALLOC(block, size) realloc(block, size)
#define STBIW_FREE(block) release(block)
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb_image_write.h>

/* Check the number of channels and the size of the whole image. */
static cst_status check(const char *path, size_t channels, size_t h, size_t w, cst_error *error)
{
    if ((channels == 1 || channels == 3) && h > 0 && w > 0 && h <= CST_PNG_LONGEST_SIDE && w <= CST_PNG_LONGEST_SIDE)
        return CST_OK;
    return cst_fail(error, CST_ESHAPE,
                    "%s: expected 1 or 3 channels and sides of 1 to %d pixels for a picture, got (%zu, %zu, %zu)", path,
                    CST_PNG_LONGEST_SIDE, channels, h, w);
}

/* Where stb's callback writes the file. It is called once with all bytes, or not at all if memory is exhausted. */
typedef struct target {
    const char *path;
    cst_status status;
    cst_error *error;
} target;

/* The callback of stb: write all bytes of the file. */
static void take(void *context, void *bytes, int size)
{
    target *t = context;
    t->status = cst_file_replace(t->path, bytes, (size_t)size, t->error);
}

static int encode(target *t, const uint8_t *pixels, int channels, int h, int w);

/* Encode an image with interleaved channels, and write it. */
static cst_status write_pixels(const char *path, const uint8_t *pixels, size_t channels, size_t h, size_t w,
                               cst_error *error)
{
    target t = {path, CST_ENOMEM, error};
    if (encode(&t, pixels, (int)channels, (int)h, (int)w)) return t.status;
    release(compressed);
    return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
}

/* Copy a picture (channels, h, w), magnified, to pixel `at` of an image with interleaved channels that is `width`
 * pixels wide. */
static void place(const uint8_t *picture, size_t channels, size_t h, size_t w, size_t zoom, uint8_t *at, size_t width)
{
    for (size_t y = 0; y < h * zoom; y++)
        for (size_t x = 0; x < w * zoom; x++)
            for (size_t c = 0; c < channels; c++)
                at[(y * width + x) * channels + c] = picture[(c * h + y / zoom) * w + x / zoom];
}

cst_status cst_png_write_grid(const char *path, const cst_png_grid *grid, const uint8_t *pictures, size_t n,
                              const cst_shape *shape, cst_error *error)
{
    const size_t channels = shape->dim[0], h = shape->dim[1], w = shape->dim[2];
    /* The size of the grid in pictures, of a cell with one gap, and of the image. All of them saturate. */
    const size_t across = grid->across, down = (n + across - 1) / across;
    const size_t cell_h = cst_size_add(cst_size_mul(h, grid->zoom), grid->gap);
    const size_t cell_w = cst_size_add(cst_size_mul(w, grid->zoom), grid->gap);
    const size_t height = cst_size_add(cst_size_mul(down, cell_h), grid->gap);
    const size_t width = cst_size_add(cst_size_mul(across, cell_w), grid->gap);
    CST_TRY(check(path, channels, h > 0 ? height : 0, w > 0 ? width : 0, error));
    uint8_t *pixels = malloc(channels * height * width);
    if (!pixels) return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    /* Fill the background and copy the pictures into their cells. */
    memset(pixels, grid->background, channels * height * width);
    for (size_t i = 0; i < n; i++) {
        const size_t y = grid->gap + i / across * cell_h, x = grid->gap + i % across * cell_w;
        place(pictures + i * channels * h * w, channels, h, w, grid->zoom, pixels + (y * width + x) * channels, width);
    }
    const cst_status status = write_pixels(path, pixels, channels, height, width, error);
    free(pixels);
    return status;
}

/* The encoder itself comes last, for the reason given in formats/image.c. */
#pragma GCC diagnostic ignored "-Wunused-function"
#if defined(__clang__)
#pragma GCC diagnostic ignored "-Weverything"
#endif
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image_write.h>

static int encode(target *t, const uint8_t *pixels, int channels, int h, int w)
{
    return stbi_write_png_to_func(take, t, w, h, channels, pixels, w * channels);
}
