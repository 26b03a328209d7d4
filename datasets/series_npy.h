/* The data set `series_npy`: time series in NumPy's .npy files. Rows are those of datasets/series.h.
 *
 * x is (n, T, C), or (n, T) for one channel, of any type, with NaN for missing values. With "time": "file" channel 0 is the
 * time. A series ends after the last time at which a value, label or target is present.
 *
 * y of integers or bools is labels: (n) from 0, or (n, T) per time, with -1 for none. y of floats is targets: (n), (n, k), or
 * (n, T, k) per time, with NaN for none. */
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
