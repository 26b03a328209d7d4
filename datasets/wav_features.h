/* Cepstral coefficients (formats/mfcc.h) of many WAV files, computed on all processors and kept in a file for the next time.
 *
 * The file is an array (n, T, n_mfcc) of reals in NumPy's format, T the most frames that a clip has; NaN follows a shorter
 * one's frames, and a clip that is left out is all NaN. Its name, "mfcc-" and 16 hexadecimal digits, is a hash of whatever
 * the numbers depend on: the options, the sample rate, the precision, and each file's name, size and time of last change.
 * With anything changed another file is made; nothing removes the old one. */
#ifndef CST_DATASETS_WAV_FEATURES_H
#define CST_DATASETS_WAV_FEATURES_H

#include "core/real.h"
#include "datasets/class_folders.h"
#include "formats/mfcc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_wav_features {
    size_t n, steps, channels; /* clips, T, n_mfcc */
    real *values;              /* (n, steps, channels) */
    size_t *frames;            /* (n), of each clip; 0: left out */
} cst_wav_features;

/* Clips that have another number of samples than `samples` are left out; 0: none is. Files are named below `root` in the
 * hash. `cache` is the folder of the file, made if it is not there; NULL: none. One that is not what was written is made
 * anew.
 * Errors: CST_EARG for the options (cst_mfcc_new); CST_EFORMAT and CST_EIO naming the WAV file, the first in the list's
 * order, that cannot be read, has another sample rate than the first one (named, too), or samples too few or too
 * large; CST_EIO naming the cache's file or folder; CST_ENOMEM. Nothing is kept then. */
CST_MUST_CHECK cst_status cst_wav_features_read(const char *root, const cst_names *paths,
                                                const cst_mfcc_options *options, size_t samples, const char *cache,
                                                cst_wav_features *features, cst_error *error);
void cst_wav_features_clear(cst_wav_features *features);

#ifdef __cplusplus
}
#endif
#endif
