#include "formats/wav.h"

#include "core/array.h"
#include "core/file.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    PCM = 1,
    IEEE_FLOAT = 3,
    EXTENSIBLE = 0xfffe,   /* the encoding is in the first two bytes of a GUID that follows */
    PCM_BYTES = 16,        /* the least size of the chunk "fmt " */
    EXTENSIBLE_BYTES = 40, /* and that of an extensible format */
    START = 12,            /* bytes of "RIFF", size, "WAVE" */
    CHUNK = 8              /* bytes of a chunk's name and size */
};

static const size_t largest_file = (size_t)1 << 30;

/* A file being read. */
typedef struct reader {
    const char *path;
    const uint8_t *bytes;
    size_t size, at; /* at: the next byte to read */
    cst_error *error;
    size_t encoding, bits, rate; /* from the chunk "fmt "; rate is 0 before it was read */
} reader;

/* CST_EFORMAT: "PATH: byte AT: expected ..." */
#define unexpected(r, at, format, ...)                                                                                 \
    cst_fail((r)->error, CST_EFORMAT, "%s: byte %zu: expected " format, (r)->path, at, __VA_ARGS__)

/* ---- bytes --------------------------------------------------------------------------------------------------- */

/* Little-endian numbers of 2, 4 and 8 bytes. */
static uint32_t u16(const uint8_t *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8;
}

static uint32_t u32(const uint8_t *b)
{
    return u16(b) | u16(b + 2) << 16;
}

static uint64_t u64(const uint8_t *b)
{
    return u32(b) | (uint64_t)u32(b + 4) << 32;
}

/* The name of a chunk in quotes, for messages. Unprintable bytes are shown as question marks. */
typedef struct letters {
    char text[7];
} letters;

static letters letters_of(const uint8_t *b)
{
    letters l = {"\"....\""};
    for (size_t i = 0; i < 4; i++) l.text[1 + i] = b[i] >= ' ' && b[i] <= '~' ? (char)b[i] : '?';
    return l;
}

/* ---- "fmt " -------------------------------------------------------------------------------------------------- */

/* The name of an encoding that is not supported, in parentheses; "" if it is unknown. */
static const char *encoding_name(size_t encoding)
{
    static const struct {
        size_t number;
        const char *name;
    } known[] = {{2, " (Microsoft ADPCM)"}, {6, " (A-law)"}, {7, " (mu-law)"},       {17, " (IMA ADPCM)"},
                 {49, " (GSM 6.10)"},       {80, " (MPEG)"}, {85, " (MPEG layer 3)"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].number == encoding) return known[i].name;
    }
    return "";
}

/* Read the encoding of an extensible format, whose chunk begins at byte `at`. If fewer bits than a sample has are
 * valid, they are the upper ones, so that the value of the sample is the same. */
static cst_status read_extension(reader *r, size_t at, size_t size)
{
    static const uint8_t guid[14] = {0, 0, 0,    0, 0x10, 0,    0x80,
                                     0, 0, 0xaa, 0, 0x38, 0x9b, 0x71}; /* its last 14 bytes */
    if (size < EXTENSIBLE_BYTES)
        return unexpected(r, at - 4, "an extensible format of at least %d bytes, found %zu", EXTENSIBLE_BYTES, size);
    const uint8_t *b = r->bytes + at + 24;
    r->encoding = u16(b);
    if (memcmp(b + 2, guid, sizeof guid) == 0) return CST_OK;
    return unexpected(r, at + 24,
                      "the GUID of PCM or of IEEE floats, found another one, which begins with %02x%02x%02x%02x", b[3],
                      b[2], b[1], b[0]);
}

/* Check that the encoding and its number of bits are supported. */
static cst_status check_encoding(const reader *r, size_t at, bool extensible)
{
    const size_t place = extensible ? at + 24 : at, bits = r->bits;
    if (r->encoding == PCM) {
        if (bits == 8 || bits == 16 || bits == 24 || bits == 32) return CST_OK;
        return unexpected(r, at + 14, "PCM in 8, 16, 24 or 32 bits, found %zu bits", bits);
    }
    if (r->encoding == IEEE_FLOAT) {
        if (bits == 32 || bits == 64) return CST_OK;
        return unexpected(r, at + 14, "floats of 32 or 64 bits, found %zu bits", bits);
    }
    return unexpected(r, place, "PCM (1) or IEEE floats (3), not compressed, found format %zu%s", r->encoding,
                      encoding_name(r->encoding));
}

/* Read the chunk "fmt ", which begins at byte `at`: encoding (0), channels (2), rate (4), bytes per frame (12), bits
 * (14). */
static cst_status read_format(reader *r, size_t at, size_t size)
{
    if (size < PCM_BYTES) return unexpected(r, at - 4, "a format of at least %d bytes, found %zu", PCM_BYTES, size);
    const uint8_t *b = r->bytes + at;
    r->encoding = u16(b);
    r->bits = u16(b + 14);
    const bool extensible = r->encoding == EXTENSIBLE;
    if (extensible) CST_TRY(read_extension(r, at, size));
    CST_TRY(check_encoding(r, at, extensible));
    /* One channel, a rate, and samples without padding. */
    const size_t channels = u16(b + 2), align = u16(b + 12);
    if (channels != 1) return unexpected(r, at + 2, "1 channel, got %zu", channels);
    r->rate = u32(b + 4);
    if (r->rate == 0) return unexpected(r, at + 4, "%s", "a sample rate, found 0");
    if (align == r->bits / 8) return CST_OK;
    return unexpected(r, at + 12, "%zu bytes per sample of %zu bits, found %zu", r->bits / 8, r->bits, align);
}

/* ---- "data" -------------------------------------------------------------------------------------------------- */

/* IEEE floats of 32 and 64 bits from their bit patterns. */
static double float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The sample at b as a double. Integers of n bits are divided by 2^(n-1): they are read as the upper bits of a
 * 32-bit integer and divided by 2^31. PCM in 8 bits is unsigned, with 0x80 for silence. */
static double sample_at(const reader *r, const uint8_t *b)
{
    if (r->encoding == IEEE_FLOAT) return r->bits == 32 ? float_of(u32(b)) : double_of(u64(b));
    uint32_t upper;
    switch (r->bits) {
    case 8:
        return ((double)b[0] - 0x80) / 0x80;
    case 16:
        upper = u16(b) << 16;
        break;
    case 24:
        upper = u16(b) << 8 | (uint32_t)b[2] << 24;
        break;
    default:
        upper = u32(b);
    }
    const double value = (double)upper; /* as two's complement */
    return (value < 0x1p31 ? value : value - 0x1p32) / 0x1p31;
}

/* Read `size` bytes of samples from byte `at` on. */
static cst_status read_samples(const reader *r, size_t at, size_t size, cst_wav *wav)
{
    const size_t width = r->bits / 8, n = size / width;
    if (size % width != 0)
        return unexpected(r, at - 4, "whole samples of %zu bytes, found %zu bytes of them", width, size);
    wav->samples = cst_array_new(n, sizeof *wav->samples);
    if (!wav->samples) return cst_fail(r->error, CST_ENOMEM, "%s: out of memory for %zu samples", r->path, n);
    wav->n = n;
    wav->rate = r->rate;
    for (size_t i = 0; i < n; i++) {
        wav->samples[i] = sample_at(r, r->bytes + at + i * width);
        if (!isfinite(wav->samples[i]))
            return unexpected(r, at + i * width, "a finite sample, found %g", wav->samples[i]);
    }
    return CST_OK;
}

/* Correct the size of the chunk "data", whose samples begin at byte `at`, if the writer could not fill it in. */
static cst_status samples_size(const reader *r, size_t at, size_t *size)
{
    const size_t left = r->size - at,
                 end = CHUNK + (size_t)u32(r->bytes + 4); /* end: where the file ends by the size in "RIFF" */
    /* Streaming writers leave 0, 2^32 - 1, or a number just below 2^31 (sox). */
    if ((*size == 0 && (end <= at || end > r->size)) || *size >= 0x7fff0000) *size = left;
    if (*size <= left) return CST_OK;
    return unexpected(r, at, "%zu bytes of samples, found %zu: the file is cut off", *size, left);
}

/* ---- chunks -------------------------------------------------------------------------------------------------- */

/* Check "RIFF" and "WAVE". */
static cst_status read_start(reader *r)
{
    if (r->size < START) return unexpected(r, (size_t)0, "a WAV file, of at least %d bytes, found %zu", START, r->size);
    if (memcmp(r->bytes, "RIFF", 4) != 0)
        return unexpected(r, (size_t)0, "\"RIFF\" of a WAV file, found %s", letters_of(r->bytes).text);
    if (memcmp(r->bytes + 8, "WAVE", 4) != 0)
        return unexpected(r, (size_t)8, "\"WAVE\" of a WAV file, found %s", letters_of(r->bytes + 8).text);
    r->at = START;
    return CST_OK;
}

/* Read the chunks up to "data", and its samples. */
static cst_status read_chunks(reader *r, cst_wav *wav)
{
    while (r->size - r->at >= CHUNK) {
        const uint8_t *name = r->bytes + r->at;
        size_t size = u32(name + 4);
        const size_t at = r->at + CHUNK, left = r->size - at;
        if (memcmp(name, "data", 4) == 0) {
            if (r->rate == 0) return unexpected(r, r->at, "%s", "chunk \"fmt \" before the samples, found \"data\"");
            CST_TRY(samples_size(r, at, &size));
            return read_samples(r, at, size, wav);
        }
        if (size > left)
            return unexpected(r, at, "the %zu bytes of chunk %s, found %zu: the file is cut off", size,
                              letters_of(name).text, left);
        if (memcmp(name, "fmt ", 4) == 0) CST_TRY(read_format(r, at, size));
        const size_t padded = size + size % 2; /* a last chunk may lack the byte that makes it even */
        r->at = at + (padded < left ? padded : left);
    }
    return unexpected(r, r->at, "chunk %s, found the file's end", r->rate == 0 ? "\"fmt \"" : "\"data\"");
}

/* ---- for callers --------------------------------------------------------------------------------------------- */

cst_status cst_wav_decode(const char *path, const uint8_t *bytes, size_t size, cst_wav *wav, cst_error *error)
{
    *wav = (cst_wav){0};
    reader r = {.path = path, .bytes = bytes, .size = size, .error = error};
    cst_status status = read_start(&r);
    if (status == CST_OK) status = read_chunks(&r, wav);
    if (status != CST_OK) cst_wav_clear(wav);
    return status;
}

cst_status cst_wav_read(const char *path, cst_wav *wav, cst_error *error)
{
    char *bytes;
    size_t size;
    *wav = (cst_wav){0};
    CST_TRY(cst_file_read(path, largest_file, &bytes, &size, error));
    const cst_status status = cst_wav_decode(path, (const uint8_t *)bytes, size, wav, error);
    free(bytes);
    return status;
}

void cst_wav_clear(cst_wav *wav)
{
    free(wav->samples);
    *wav = (cst_wav){0};
}
