/* The data set `cifar10`: CIFAR-10 in its binary version (Krizhevsky, "Learning multiple layers of features from tiny
 * images", 2009; https://www.cs.toronto.edu/~kriz/cifar.html).
 *
 * A file consists of records of 3,073 bytes: the label, and 32 x 32 bytes each of red, green and blue. Rows are (3, 32, 32).
 * The training split is read from those of data_batch_1.bin to data_batch_5.bin that exist, at least one, and the test split
 * from test_batch.bin. */
#ifndef CST_DATASETS_CIFAR10_H
#define CST_DATASETS_CIFAR10_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Append the records of a file to a split of images. On failure the split is unchanged. Errors, which name the file: CST_EIO
 * if it cannot be read; CST_EFORMAT if it is empty, if its size is not a multiple of a record, or for a label above 9;
 * CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_cifar10_read(const char *path, cst_split *split, cst_error *error);

extern const cst_dataset_type cst_cifar10_type;

#ifdef __cplusplus
}
#endif
#endif
