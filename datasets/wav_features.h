/* Cepstral coefficients (formats/mfcc.h) of many WAV files, computed on all processors and cached in a file.
 *
 * The cache file is a NumPy array (n, T, n_mfcc) of reals, where T is the largest number of frames of a clip. Shorter clips are
 * padded with NaN, and a clip that is left out is all NaN. The file's name is "mfcc-" and a hash of everything that the numbers
 * depend on, in 16 hexadecimal digits: the options, the sample rate, the precision, and the name, size and modification time
 * of each WAV file. Any change of these therefore leads to another file; the old file is not removed. */
#ifndef CST_DATASETS_WAV_FEATURES_H
#define CST_DATASETS_WAV_FEATURES_H

#include "core/real.h"
#include "datasets/class_folders.h"
#include "formats/mfcc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The coefficients of n clips. Owns its arrays. */
typedef struct cst_wav_features {
    size_t n, steps, channels; /* clips, T, n_mfcc */
    real *values;              /* (n, steps, channels) */
    size_t *frames;            /* (n), number of frames of each clip; 0: left out */
} cst_wav_features;

/* Compute the coefficients of the files in `paths`, or read them from the cache. `root` is the folder that all paths begin with;
 * only the rest of a path counts for the hash. Clips with another number of samples than `samples` are left out; with 0 no clip
 * is left out. `cache` is the folder of the cache file, which is created if it does not exist; NULL: no cache. A damaged or
 * foreign file in its place is recomputed. Free the result with cst_wav_features_clear; on failure there is nothing to free.
 * Errors: CST_EARG for the options (cst_mfcc_new); CST_EFORMAT and CST_EIO, naming the first WAV file in the list that cannot
 * be read, has another sample rate than the first file, or has too few or too large samples; CST_EIO naming the cache's file or
 * folder; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_wav_features_read(const char *root, const cst_names *paths,
                                                const cst_mfcc_options *options, size_t samples, const char *cache,
                                                cst_wav_features *features, cst_error *error);
void cst_wav_features_clear(cst_wav_features *features);

#ifdef __cplusplus
}
#endif
#endif
