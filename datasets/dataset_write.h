/* A data set written to a folder, as NumPy's arrays that the data sets `npy`, `series_npy` and `trajectories` read.
 *
 * Of each part PART (train, validation, test) that is there:
 *     PART_x.npy             rows (n, x), not normalized: reals, or the bytes of images
 *     PART_y.npy             labels (n), int32, or targets (n, y), reals; of a series' times (n, T), -1 where there is none, or
 *                            (n, T, k), NaN where there is none
 *     PART_trajectories.npy  (R, T, D), reals: all trajectories of a part whose rows are windows of them */
#ifndef CST_DATASETS_DATASET_WRITE_H
#define CST_DATASETS_DATASET_WRITE_H

#include "datasets/dataset.h"
#include "formats/npy.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Write to a folder that is there, in place of files of these names. `wrote`, unless NULL, is told of each file. CST_EIO, and
 * then some of the files may be there; CST_EUNSUPPORTED for rows of CST_MAX_RANK dimensions; CST_ENOMEM. */
typedef void (*cst_wrote)(void *context, const char *name, cst_npy_type type, const cst_shape *shape);
CST_MUST_CHECK cst_status cst_dataset_write(const cst_dataset *data, const char *folder, cst_wrote wrote, void *context,
                                            cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
