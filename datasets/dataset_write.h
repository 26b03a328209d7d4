/* Writing a data set to a folder, as NumPy arrays that the data sets `npy`, `series_npy` and `trajectories` read.
 *
 * For each split SPLIT (train, validation, test) that is not empty:
 *     SPLIT_x.npy             rows (n, x), not normalized: reals, or the bytes of images
 *     SPLIT_y.npy             labels (n), int32, or targets (n, y), reals. If they are per time step: labels (n, T) with -1 for
 *                             no label, or targets (n, T, k) with NaN for no target. No file if rows have neither
 *     SPLIT_trajectories.npy  (R, T, D), reals: the trajectories that the rows are windows of, if they are */
#ifndef CST_DATASETS_DATASET_WRITE_H
#define CST_DATASETS_DATASET_WRITE_H

#include "datasets/dataset.h"
#include "formats/npy.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A callback that is told of each file that has been written. */
typedef void (*cst_wrote)(void *context, const char *name, cst_npy_type type, const cst_shape *shape);

/* Write the data set to an existing folder and replace files of the same names. `wrote` may be NULL. Errors: CST_EIO, and some
 * of the files may have been written then; CST_EUNSUPPORTED for rows of CST_MAX_RANK dimensions; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_dataset_write(const cst_dataset *data, const char *folder, cst_wrote wrote, void *context,
                                            cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
