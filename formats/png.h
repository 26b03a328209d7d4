/* Writing of PNG files. formats/png.c is the only file that uses stb_image_write. formats/image.h reads images. */
#ifndef CST_FORMATS_PNG_H
#define CST_FORMATS_PNG_H

#include "core/shape.h"
#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The largest width or height that is written, in pixels. formats/image.c reads images up to the same limit. */
enum { CST_PNG_LONGEST_SIDE = 16384 };

/* How several pictures are arranged in one image. */
typedef struct cst_png_grid {
    size_t across;      /* pictures per row of the grid, at least 1 */
    size_t gap;         /* pixels between the pictures and around them */
    size_t zoom;        /* each pixel of a picture becomes zoom x zoom pixels; at least 1 */
    uint8_t background; /* grey value of the gaps, 0 to 255 */
} cst_png_grid;

/* Write n >= 1 pictures, each of shape (channels, h, w), as one image, in reading order, and replace the file at `path`
 * (core/file.h). channels is 1 (grey) or 3 (red, green, blue); values are 0 to 255.
 *
 * Errors: CST_ESHAPE for another number of channels, pictures without pixels, or a side of more than
 * CST_PNG_LONGEST_SIDE; CST_EIO; CST_ENOMEM. An old file is then unchanged. */
CST_MUST_CHECK cst_status cst_png_write_grid(const char *path, const cst_png_grid *grid, const uint8_t *pictures,
                                             size_t n, const cst_shape *shape, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
