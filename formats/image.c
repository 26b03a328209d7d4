#include "formats/image.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Whether an allocation has failed since the decoding of this thread's current image began. stb's own reason of a
 * failure, which is per thread as well, does not always say so. */
static _Thread_local bool no_memory;

/* Remember a failed allocation. */
static void *check_block(void *block)
{
    no_memory = no_memory || !block;
    return block;
}

/* Memory is zeroed, because stb 2.27 reads Huffman tables that a damaged JPEG does not define, and does not write
 * pixels that the file lacks. */
#define STBI_MALLOC(size) check_block(calloc(1, size))
#define STBI_REALLOC(block, size) check_block(realloc(block, size))
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

/* ---- checks that stb lacks ----------------------------------------------------------------------------------- */

/* A JPEG file being read in the same way as stb reads it: after the end of the file, bytes are zero. */
typedef struct jpeg {
    const uint8_t *bytes;
    size_t size, at;
} jpeg;

static unsigned next_byte(jpeg *j)
{
    return j->at < j->size ? j->bytes[j->at++] : 0;
}

/* The length of a segment: two bytes, big-endian, including themselves. */
static int next_length(jpeg *j)
{
    const unsigned high = next_byte(j);
    return (int)(high << 8 | next_byte(j));
}

/* Skip to the next marker and return it. Returns 0 at the end of the file, and for a byte 0xff within compressed
 * data. */
static unsigned next_marker(jpeg *j)
{
    const uint8_t *found = j->at < j->size ? memchr(j->bytes + j->at, 0xff, j->size - j->at) : NULL;
    j->at = found ? (size_t)(found - j->bytes) : j->size;
    while (j->at < j->size && j->bytes[j->at] == 0xff) j->at++;
    return next_byte(j);
}

/* Check a segment of Huffman tables. A table is one byte, 16 counts of codes per length, and the symbols. stb 2.27
 * has memory for 256 codes and writes beyond it if there are more (2.28 refuses them). It also looks up codes of up
 * to 9 bits by their number in a byte, in which 255 means "none". */
static bool tables_fit(jpeg *j)
{
    for (int left = next_length(j) - 2; left > 0;) {
        /* Sum the counts of all codes, and of those of up to 9 bits. */
        unsigned codes = 0, short_codes = 0;
        (void)next_byte(j);
        for (int length = 1; length <= 16; length++) {
            codes += next_byte(j);
            if (length <= 9) short_codes = codes;
        }
        if (codes > 256 || short_codes > 255) return false;
        /* Skip the symbols. */
        j->at += codes;
        left -= 17 + (int)codes;
    }
    return true;
}

/* Whether all Huffman tables of a JPEG that stb would read fit into its memory. Like stb, skip segments by their
 * lengths and compressed data up to the next marker. Where stb would stop with an error, the result does not matter. */
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

/* Whether each chunk of a PNG lies within the file. stb allocates memory for a chunk before it reads it: 2 GB if its
 * length says so. */
static bool has_its_chunks(const uint8_t *bytes, size_t size)
{
    enum { SIGNATURE = 8, HEAD = 8, CHECKSUM = 4 }; /* a chunk: length and type, data, checksum */
    for (size_t at = SIGNATURE; at < size && size - at >= HEAD;) {
        const uint8_t *b = bytes + at;
        const size_t length = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
        at += HEAD;
        if (length > size - at) return false;
        if (memcmp(b + 4, "IEND", 4) == 0) return true; /* the last chunk: stb does not read further */
        at += length + CHECKSUM;
    }
    return true;
}

/* Why stb must not see the file, or NULL. The first byte tells JPEG from PNG. */
static const char *find_flaw(const uint8_t *bytes, size_t size)
{
    if (size > 0 && bytes[0] == 0xff && !has_sane_tables(bytes, size)) return "a Huffman table with too many codes";
    if (size > 0 && bytes[0] == 0x89 && !has_its_chunks(bytes, size)) return "a chunk is cut off";
    return NULL;
}

/* ---- decoding ------------------------------------------------------------------------------------------------ */

/* Convert interleaved channels to planes: planes[c][i] = pixels[i][c]. */
static void separate(const uint8_t *restrict pixels, uint8_t *restrict planes, size_t n, size_t channels)
{
    for (size_t c = 0; c < channels; c++) {
        for (size_t i = 0; i < n; i++) planes[c * n + i] = pixels[i * channels + c];
    }
}

/* Fail with stb's reason, or for lack of memory. */
static cst_status fail_decoding(const char *name, cst_error *error)
{
    if (no_memory) return cst_fail(error, CST_ENOMEM, "%s: out of memory", name);
    const char *why = stbi_failure_reason();
    return cst_fail(error, CST_EFORMAT, "%s: cannot decode the image: %s", name, why ? why : "unknown reason");
}

cst_status cst_image_decode(const char *name, const uint8_t *bytes, size_t size, size_t channels, uint8_t **planes,
                            cst_shape *shape, cst_error *error)
{
    if (size > INT_MAX) return cst_fail(error, CST_EFORMAT, "%s: too large for an image", name);
    const char *flaw = find_flaw(bytes, size);
    if (flaw) return cst_fail(error, CST_EFORMAT, "%s: cannot decode the image: %s", name, flaw);
    /* Decode to interleaved bytes, and convert them to planes. */
    int width = 0, height = 0, found = 0;
    no_memory = false;
    stbi_uc *pixels = stbi_load_from_memory(bytes, (int)size, &width, &height, &found, (int)channels);
    if (!pixels) return fail_decoding(name, error);
    const size_t n = (size_t)width * (size_t)height;
    *planes = malloc(cst_size_mul(n, channels));
    cst_status status = CST_OK;
    if (*planes) {
        separate(pixels, *planes, n, channels);
        *shape = cst_shape_3d(channels, (size_t)height, (size_t)width);
    } else {
        status = cst_fail(error, CST_ENOMEM, "%s: out of memory", name);
    }
    stbi_image_free(pixels);
    return status;
}

/* The decoder itself comes last. Warnings about unused functions are issued at the end of a file, and must be off
 * for those of stb. */
#pragma GCC diagnostic ignored "-Wunused-function"
#if defined(__clang__)
#pragma GCC diagnostic ignored "-Weverything"
#else
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#define STB_IMAGE_IMPLEMENTATION
#include <stb_image.h>
