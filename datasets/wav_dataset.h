/* The data set `wav`: WAV files (formats/wav.h) in folders, one folder per class (datasets/class_folders.h). Rows are series
 * (datasets/series.h) of cepstral coefficients (formats/mfcc.h): one row (frames, n_mfcc) per clip, with a time channel before
 * the coefficients.
 *
 * It follows Kidger, Chen and Lyons, "Hey, that's not an ODE": Faster ODE Adjoints via Seminorms (2021), section 4.1, which
 * uses those clips of ten words of Google's Speech Commands that have 16,000 samples, 161 frames of 20 coefficients each.
 *
 * Clips are read on all processors. The number of threads in the config applies to the model only. */
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
