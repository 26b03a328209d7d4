/* Sound in WAV files: RIFF (Microsoft and IBM, Multimedia Programming Interface and Data Specifications 1.0, 1991), with
 * WAVE_FORMAT_EXTENSIBLE.
 *
 * A file is "RIFF", the size of what follows, "WAVE", and chunks: four letters, a size (4 bytes, little-endian), so many
 * bytes, and one more if the size is odd. Chunk "fmt " says what the samples of the later chunk "data" are; others are
 * skipped. Read are one channel of PCM in 8 (unsigned), 16, 24 or 32 bits, or of IEEE floats in 32 or 64 bits.
 *
 * A program that writes into a pipe cannot come back to fill in sizes. Samples go up to the end of the file where the
 * size of "data" is more than any file read here has, or 0 although the file goes on where "RIFF" says it has ended. */
#ifndef CST_FORMATS_WAV_H
#define CST_FORMATS_WAV_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_wav {
    size_t n, rate;  /* samples, and samples a second (at least 1) */
    double *samples; /* (n), malloc'ed: integers of b bits divided by 2^(b-1), so in [-1, 1); floats as they are */
} cst_wav;

/* Read a file of at most 2^30 bytes. Errors, each naming the file: CST_EIO if it cannot be read or is larger; CST_EFORMAT
 * with the byte (from 0), what was expected there and what was found, if it is no such file, is cut off before the end of
 * its samples, has several channels or another encoding, or a float that is not finite; CST_ENOMEM. Nothing is kept
 * then. */
CST_MUST_CHECK cst_status cst_wav_read(const char *path, cst_wav *wav, cst_error *error);
/* The same of `size` bytes in memory, which messages call `path`. */
CST_MUST_CHECK cst_status cst_wav_decode(const char *path, const uint8_t *bytes, size_t size, cst_wav *wav,
                                         cst_error *error);
void cst_wav_clear(cst_wav *wav);

#ifdef __cplusplus
}
#endif
#endif
