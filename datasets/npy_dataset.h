/* The data set `npy`: rows, and labels or values to learn, in NumPy's .npy files.
 *
 * x is (n, ...), the rest being a row's shape; (n) gives rows of one number. Bytes (u1) stay bytes, so that a row has
 * byte / 255, all other types become reals. Rows (d) are normalized by column, (c, h, w) by channel, others as a whole.
 * y of integers or bools is (n) labels from 0; y of floats is (n) or (n, k) targets of a regression. */
#ifndef CST_DATASETS_NPY_DATASET_H
#define CST_DATASETS_NPY_DATASET_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const cst_dataset_type cst_npy_dataset_type;

#ifdef __cplusplus
}
#endif
#endif
