#include "datasets/image.h"

#include "core/shape.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

/* Whether an allocation of the image at hand has failed: stb's reason does not always say so. A thread's own, as is that. */
static _Thread_local bool no_memory;

static void *note(void *block)
{
    no_memory = no_memory || !block;
    return block;
}

#define STBI_MALLOC(size) note(malloc(size))
#define STBI_REALLOC(block, size) note(realloc(block, size))
#define STBI_FREE(block) free(block)
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_FAILURE_USERMSG
#define STBI_MAX_DIMENSIONS 16384
#include <stb_image.h>

/* Interleaved channels -> planes. */
static void separate(const uint8_t *restrict pixels, uint8_t *restrict planes, size_t n, size_t channels)
{
    for (size_t c = 0; c < channels; c++) {
        for (size_t i = 0; i < n; i++) planes[c * n + i] = pixels[i * channels + c];
    }
}

static cst_status fail_decoding(const char *name, cst_error *error)
{
    if (no_memory) return cst_fail(error, CST_ENOMEM, "%s: out of memory", name);
    const char *why = stbi_failure_reason();
    return cst_fail(error, CST_EFORMAT, "%s: cannot decode the image: %s", name, why ? why : "unknown reason");
}

cst_status cst_image_decode(const char *name, const uint8_t *bytes, size_t size, size_t channels, size_t *h, size_t *w,
                            uint8_t **planes, cst_error *error)
{
    if (size > INT_MAX) return cst_fail(error, CST_EFORMAT, "%s: too large for an image", name);
    int width = 0, height = 0, found = 0;
    no_memory = false;
    stbi_uc *pixels = stbi_load_from_memory(bytes, (int)size, &width, &height, &found, (int)channels);
    if (!pixels) return fail_decoding(name, error);
    const size_t n = (size_t)width * (size_t)height;
    *planes = malloc(cst_size_mul(n, channels));
    cst_status status = CST_OK;
    if (*planes) {
        separate(pixels, *planes, n, channels);
        *h = (size_t)height;
        *w = (size_t)width;
    } else {
        status = cst_fail(error, CST_ENOMEM, "%s: out of memory", name);
    }
    stbi_image_free(pixels);
    return status;
}

/* The decoder itself, behind all else: warnings about unused functions come at the end of the file, so that those about
 * its own have to be off there. */
#pragma GCC diagnostic ignored "-Wunused-function"
#if defined(__clang__)
#pragma GCC diagnostic ignored "-Weverything"
#else
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#define STB_IMAGE_IMPLEMENTATION
#include <stb_image.h>
