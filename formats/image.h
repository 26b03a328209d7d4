/* Decoding of JPEG and PNG images in memory. formats/image.c is the only file that uses stb_image. */
#ifndef CST_FORMATS_IMAGE_H
#define CST_FORMATS_IMAGE_H

#include "core/shape.h"
#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Decode the `size` bytes of a JPEG or PNG file to planes of values 0 .. 255, whose shape becomes (channels, h, w).
 * The caller frees them with free(). channels is 1 (grey) or 3 (red, green, blue); an image of another kind is
 * converted. `name` is the file's name in messages. The checksums of a PNG are not verified.
 *
 * Errors: CST_EFORMAT with the decoder's reason, also for a side of more than 16384 pixels; CST_ENOMEM. *planes and
 * *shape are then undefined, and nothing has to be freed. */
CST_MUST_CHECK cst_status cst_image_decode(const char *name, const uint8_t *bytes, size_t size, size_t channels,
                                           uint8_t **planes, cst_shape *shape, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
