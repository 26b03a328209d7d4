/* PNG files written, by stb_image_write: the only place that knows it. What is read is in formats/image.h. */
#ifndef CST_FORMATS_PNG_H
#define CST_FORMATS_PNG_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_PNG_LONGEST_SIDE = 16384 }; /* as formats/image.c reads them */

/* Where pictures stand in one of them: rows of `across`, `gap` pixels of `background` between and around them, each pixel
 * shown `zoom` times zoom large. */
typedef struct cst_png_grid {
    size_t across, gap, zoom;
    uint8_t background;
} cst_png_grid;

/* Write n >= 1 pictures (n, channels, h, w), of 1 or 3 channels, as one, in their order, in place of what `path` was.
 * CST_ESHAPE for other channels, no pixels or a side of more than CST_PNG_LONGEST_SIDE; CST_EIO: the file is as it was before;
 * CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_png_write_grid(const char *path, const cst_png_grid *grid, const uint8_t *pictures,
                                             size_t n, size_t channels, size_t h, size_t w, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
