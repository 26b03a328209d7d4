/* Images in memory, decoded by stb_image: the only place that knows it. */
#ifndef CST_FORMATS_IMAGE_H
#define CST_FORMATS_IMAGE_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Decode a JPEG or PNG file's bytes to planes (channels, *h, *w), malloc'ed; channels is 1 or 3, and the image is
 * converted to that. `name` is the file's, for messages. CST_EFORMAT with the decoder's reason, also for a side
 * of more than 16384 pixels; CST_ENOMEM. The checksums of a PNG are not checked. */
CST_MUST_CHECK cst_status cst_image_decode(const char *name, const uint8_t *bytes, size_t size, size_t channels,
                                           size_t *h, size_t *w, uint8_t **planes, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
