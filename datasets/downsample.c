#include "datasets/downsample.h"

#include <stdlib.h>

/* The mean of the k x k bytes at b in an image with rows of w bytes. The sum fits into 32 bits, because k is at most 1024. */
static uint8_t mean_of(const uint8_t *b, size_t k, size_t w)
{
    uint32_t sum = 0;
    const uint32_t count = (uint32_t)(k * k);
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < k; j++) sum += b[i * w + j];
    /* Adding half of the divisor rounds halves up. */
    return (uint8_t)((sum + count / 2) / count);
}

/* Works in place: the mean of a patch is written at or before the patch's first byte, and only later bytes are still to be
 * read. */
static void downsample_split(cst_split *split, size_t planes, size_t h, size_t w, size_t k)
{
    uint8_t *to = split->bytes;
    const size_t bytes = split->n * planes * (h / k) * (w / k);
    for (size_t p = 0; p < split->n * planes; p++) {
        const uint8_t *plane = split->bytes + p * h * w;
        for (size_t i = 0; i < h; i += k)
            for (size_t j = 0; j < w; j += k) *to++ = mean_of(plane + i * w + j, k, w);
    }
    /* Free the rest; if that fails the block keeps its size. */
    uint8_t *smaller = bytes > 0 ? realloc(split->bytes, bytes) : NULL;
    if (smaller) split->bytes = smaller;
}

cst_status cst_dataset_downsample(cst_config section, size_t k, cst_dataset *data, cst_error *error)
{
    cst_split *const splits[] = {&data->train, &data->validation, &data->test};
    char text[CST_SHAPE_TEXT];
    const size_t *d = data->x.dim;
    if (k <= 1) return CST_OK;
    /* Patches must cover the images. */
    if (data->x.rank != 3 || d[1] % k != 0 || d[2] % k != 0)
        return cst_config_fail(cst_config_get(section, "downsample"), error,
                               "expected rows (C, H, W) whose sides are multiples of %zu, got %s", k,
                               cst_shape_text(&data->x, text));
    /* All splits get smaller; then so does the shape of a row. */
    for (size_t i = 0; i < 3; i++)
        if (splits[i]->n > 0) downsample_split(splits[i], d[0], d[1], d[2], k);
    data->x = cst_shape_3d(d[0], d[1] / k, d[2] / k);
    return CST_OK;
}
