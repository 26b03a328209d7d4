/* Sound in WAV files: RIFF (Microsoft and IBM, Multimedia Programming Interface and Data Specifications 1.0, 1991),
 * including WAVE_FORMAT_EXTENSIBLE.
 *
 * A file consists of "RIFF", the size of the rest, "WAVE", and chunks. A chunk is a name of four letters, a size (4
 * bytes, little-endian), that many bytes, and one more byte if the size is odd. Chunk "fmt " describes the samples
 * in the later chunk "data"; all other chunks are skipped. One channel of samples is read, as PCM in 8 (unsigned),
 * 16, 24 or 32 bits, or as IEEE floats in 32 or 64 bits.
 *
 * A program that writes into a pipe cannot return to the beginning and fill in sizes. The samples are therefore
 * assumed to reach the end of the file if the size of "data" is larger than any file accepted here, or if it is 0
 * and the size in "RIFF" is wrong as well. */
#ifndef CST_FORMATS_WAV_H
#define CST_FORMATS_WAV_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A clip in memory, which owns its samples. */
typedef struct cst_wav {
    size_t n;        /* number of samples */
    size_t rate;     /* samples per second, at least 1 */
    double *samples; /* (n): integers of b bits divided by 2^(b-1), which lie in [-1, 1); floats unchanged */
} cst_wav;

/* Read a file of at most 2^30 bytes. The caller frees the samples with cst_wav_clear. Errors, each with the path:
 * CST_EIO if the file cannot be read or is larger; CST_ENOMEM; CST_EFORMAT, with the offset in the file and with what
 * was expected and found at it, if the file is not a WAV file, is cut off, has several channels or another encoding, or
 * holds a float that is not finite. The clip is then empty. */
CST_MUST_CHECK cst_status cst_wav_read(const char *path, cst_wav *wav, cst_error *error);
/* Read a clip in the same way from the `size` bytes of a file in memory. Messages name `path`. */
CST_MUST_CHECK cst_status cst_wav_decode(const char *path, const uint8_t *bytes, size_t size, cst_wav *wav,
                                         cst_error *error);
/* Free the samples. The clip is empty afterwards. */
void cst_wav_clear(cst_wav *wav);

#ifdef __cplusplus
}
#endif
#endif
