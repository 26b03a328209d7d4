/* The data set `csv`: a table in a file of comma-separated values, a row a record.
 *
 * The columns that are neither `target` nor ignored are the features, in the file's order: numbers, each normalized. In
 * a classification the target's fields are the names of classes, which are numbered in the order of their bytes ("10"
 * before "2"); a test file may have no other. In a regression the targets are numbers too, and taken as they are. The
 * first line is a header if `header` says so, or by default if no field in it is a number; without one, columns are
 * called "1", "2", ... */
#ifndef CST_DATASETS_CSV_DATASET_H
#define CST_DATASETS_CSV_DATASET_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const cst_dataset_type cst_csv_dataset_type;

#ifdef __cplusplus
}
#endif
#endif
