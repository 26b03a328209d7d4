/* The data set `npy`: rows, and labels or targets, in NumPy's .npy files.
 *
 * x is (n, ...): n rows of the remaining shape; (n) gives rows of one number. Bytes (u1) stay bytes in memory and become
 * byte / 255 in a batch; all other types become reals. Rows (d) are normalized per column, rows (c, h, w) per channel, others
 * as a whole. y of integers or bools is (n) labels from 0; y of floats is (n) or (n, k) targets of a regression. Without y the
 * data set is rows alone, for models of densities. */
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
