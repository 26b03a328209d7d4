/* The data set `series_csv`: time series in files of comma-separated values, one line per time. Rows are those of
 * datasets/series.h.
 *
 * One column names the series, another has the time. The lines of a series are consecutive, and their times increase. The
 * columns that are neither these two, nor the target, nor ignored are the channels, in the order of the file; an empty field is
 * a missing value. The target is the name of a class, or numbers, and must be the same on each line of a series. With
 * "target_per": "time" each time has its own, and an empty field means none. Classes, header and separator are those of
 * datasets/csv_table.h. */
#ifndef CST_DATASETS_SERIES_CSV_H
#define CST_DATASETS_SERIES_CSV_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const cst_dataset_type cst_series_csv_type;

#ifdef __cplusplus
}
#endif
#endif
