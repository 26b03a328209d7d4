/* The data set `wav`: WAV files (formats/wav.h) in folders, one folder a class (datasets/class_folders.h), as series
 * (datasets/series.h) of cepstral coefficients (formats/mfcc.h), one row (frames, n_mfcc) a clip, with a time channel before
 * them.
 *
 * After Kidger, Chen and Lyons, "Hey, that's not an ODE": Faster ODE Adjoints via Seminorms (2021), section 4.1: of Google's
 * Speech Commands the clips of ten words that have 16,000 samples, 161 frames of 20 coefficients each.
 *
 * Clips are read on all processors, whatever number of threads a config asks for: that one is the model's, and does not reach
 * loaders. */
#ifndef CST_DATASETS_WAV_DATASET_H
#define CST_DATASETS_WAV_DATASET_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const cst_dataset_type cst_wav_dataset_type;

#ifdef __cplusplus
}
#endif
#endif
