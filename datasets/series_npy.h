/* The data set `series_npy`: time series in NumPy's .npy files, datasets/series.h's rows.
 *
 * x is (n, T, C), or (n, T) for one channel, of any type, and NaN for what is not observed. Under "time": "file" channel 0 of
 * a file is the time. A series ends after the last time at which something is observed or to be learnt.
 *
 * y of integers or bools is labels, (n) from 0, or (n, T), one a time, with -1 for none. y of floats is targets: (n) or
 * (n, k), or (n, T, k) at each time, with NaN for none. */
#ifndef CST_DATASETS_SERIES_NPY_H
#define CST_DATASETS_SERIES_NPY_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const cst_dataset_type cst_series_npy_type;

#ifdef __cplusplus
}
#endif
#endif
