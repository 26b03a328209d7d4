/* CIFAR-10's binary version (Krizhevsky, "Learning multiple layers of features from tiny images", 2009;
 * https://www.cs.toronto.edu/~kriz/cifar.html).
 *
 * A file is records of 3,073 bytes: the label, then 32 x 32 bytes each of red, green and blue. Rows are (3, 32, 32).
 * The training split is data_batch_1.bin to data_batch_5.bin, those that are there and at least one; the test split
 * test_batch.bin. */
#ifndef CST_DATASETS_CIFAR10_H
#define CST_DATASETS_CIFAR10_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Append a file's records to a part. Errors, each naming the file: CST_EIO if it cannot be read; CST_EFORMAT if its
 * size is no multiple of a record's, it has no record, or a label is not below 10; CST_ENOMEM. The part is then as it
 * was. */
CST_MUST_CHECK cst_status cst_cifar10_read(const char *path, cst_split *split, cst_error *error);

extern const cst_dataset_type cst_cifar10_type;

#ifdef __cplusplus
}
#endif
#endif
