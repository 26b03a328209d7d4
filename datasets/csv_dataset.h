/* The data set `csv`: a table in a file of comma-separated values, one row per record.
 *
 * The columns that are neither the target nor ignored are the features, in the order of the file: numbers, each normalized. In
 * a classification the fields of the target column are the names of classes, which are numbered in byte order ("10" comes
 * before "2"); a test file may have no other classes. In a regression the targets are numbers too and are not normalized. The
 * first line is a header if `header` says so or, by default, if none of its fields is a number. Without a header the columns
 * are called "1", "2", ... */
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
