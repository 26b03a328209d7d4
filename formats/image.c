#include "formats/image.h"

#include "core/shape.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Whether an allocation of the image at hand has failed: stb's reason does not always say so. A thread's own, as is that. */
static _Thread_local bool no_memory;

static void *note(void *block)
{
    no_memory = no_memory || !block;
    return block;
}

/* Zeroed: stb 2.27 reads Huffman tables that a damaged JPEG does not have, and leaves pixels that it does not have as they
 * are. */
#define STBI_MALLOC(size) note(calloc(1, size))
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

/* ---- what stb does not check ----------------------------------------------------------------------------------- */

/* A JPEG file, read as stb reads it: past the end there are zeros. */
typedef struct jpeg {
    const uint8_t *bytes;
    size_t size, at;
} jpeg;

static unsigned next_byte(jpeg *j)
{
    return j->at < j->size ? j->bytes[j->at++] : 0;
}

static int next_length(jpeg *j)
{
    const unsigned high = next_byte(j);
    return (int)(high << 8 | next_byte(j));
}

/* Go behind the next marker, whatever is before it; 0 at the end of the file, or at a byte 0xff of compressed data. */
static unsigned next_marker(jpeg *j)
{
    const uint8_t *found = j->at < j->size ? memchr(j->bytes + j->at, 0xff, j->size - j->at) : NULL;
    j->at = found ? (size_t)(found - j->bytes) : j->size;
    while (j->at < j->size && j->bytes[j->at] == 0xff) j->at++;
    return next_byte(j);
}

/* Huffman tables, each a byte, 16 counts of codes by length, the symbols. stb 2.27 has room for 256 codes and writes beyond
 * it where there are more (2.28 refuses them); and it finds codes of up to 9 bits by a byte in which 255 means "none". */
static bool tables_fit(jpeg *j)
{
    for (int left = next_length(j) - 2; left > 0;) {
        unsigned codes = 0, quick = 0;
        (void)next_byte(j);
        for (int length = 1; length <= 16; length++) {
            codes += next_byte(j);
            if (length <= 9) quick = codes;
        }
        if (codes > 256 || quick > 255) return false;
        j->at += codes;
        left -= 17 + (int)codes;
    }
    return true;
}

/* Whether every Huffman table of a JPEG that stb would come across is one it has room for. Segments are skipped by their
 * lengths, compressed data up to the next marker, as stb does; where it would give up it does not matter what is found. */
static bool has_sane_tables(const uint8_t *bytes, size_t size)
{
    enum { DHT = 0xc4, RST0 = 0xd0, SOI = 0xd8, EOI = 0xd9 };
    jpeg j = {bytes, size, 0};
    while (j.at < j.size) {
        const unsigned marker = next_marker(&j);
        if (marker == EOI) return true;
        if (marker <= 1 || (marker >= RST0 && marker <= SOI)) continue; /* these have no length */
        if (marker == DHT) {
            if (!tables_fit(&j)) return false;
            continue;
        }
        const int length = next_length(&j);
        if (length < 2) return true;
        j.at += (size_t)length - 2;
    }
    return true;
}

/* Whether each chunk of a PNG is in the file: stb makes room for a chunk before it reads it, 2 GB if its length says so. */
static bool has_its_chunks(const uint8_t *bytes, size_t size)
{
    enum { SIGNATURE = 8, HEAD = 8, CHECKSUM = 4 }; /* a chunk: length and type, data, checksum */
    for (size_t at = SIGNATURE; at < size && size - at >= HEAD;) {
        const uint8_t *b = bytes + at;
        const size_t length = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
        at += HEAD;
        if (length > size - at) return false;
        if (memcmp(b + 4, "IEND", 4) == 0) return true; /* nobody looks at what comes behind it */
        at += length + CHECKSUM;
    }
    return true;
}

static const char *find_flaw(const uint8_t *bytes, size_t size)
{
    if (size > 0 && bytes[0] == 0xff && !has_sane_tables(bytes, size)) return "a Huffman table of too many codes";
    if (size > 0 && bytes[0] == 0x89 && !has_its_chunks(bytes, size)) return "a chunk is cut off";
    return NULL;
}

/* ---- decoding -------------------------------------------------------------------------------------------------- */

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
    const char *flaw = find_flaw(bytes, size);
    if (flaw) return cst_fail(error, CST_EFORMAT, "%s: cannot decode the image: %s", name, flaw);
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
