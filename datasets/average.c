#include "datasets/average.h"

#include <stdlib.h>

/* The mean of the k x k bytes at b, whose rows are w apart: their sum fits, as k is at most 1024. */
static uint8_t mean_of(const uint8_t *b, size_t k, size_t w)
{
    uint32_t sum = 0;
    const uint32_t count = (uint32_t)(k * k);
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < k; j++) sum += b[i * w + j];
    return (uint8_t)((sum + count / 2) / count);
}

/* In place: a mean is written no later than where its patch begins, behind which alone is what is still to be read. */
static void average_part(cst_part *part, size_t planes, size_t h, size_t w, size_t k)
{
    uint8_t *to = part->bytes;
    const size_t bytes = part->n * planes * (h / k) * (w / k);
    for (size_t p = 0; p < part->n * planes; p++) {
        const uint8_t *plane = part->bytes + p * h * w;
        for (size_t i = 0; i < h; i += k)
            for (size_t j = 0; j < w; j += k) *to++ = mean_of(plane + i * w + j, k, w);
    }
    uint8_t *less = bytes > 0 ? realloc(part->bytes, bytes) : NULL;
    if (less) part->bytes = less;
}

cst_status cst_dataset_average(cst_config section, size_t k, cst_dataset *data, cst_error *error)
{
    cst_part *const parts[] = {&data->train, &data->validation, &data->test};
    char text[CST_SHAPE_TEXT];
    const size_t *d = data->x.dim;
    if (k <= 1) return CST_OK;
    if (data->x.rank != 3 || d[1] % k != 0 || d[2] % k != 0)
        return cst_config_fail(cst_config_get(section, "downsample"), error,
                               "expected rows (C, H, W) whose sides are multiples of %zu, got %s", k,
                               cst_shape_text(&data->x, text));
    for (size_t i = 0; i < 3; i++)
        if (parts[i]->n > 0) average_part(parts[i], d[0], d[1], d[2], k);
    data->x = cst_shape_3d(d[0], d[1] / k, d[2] / k);
    return CST_OK;
}
