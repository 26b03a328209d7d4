/* The data set `series_csv`: time series in files of comma-separated values, a line a time; rows are those of
 * datasets/series.h.
 *
 * One column names the series, one has the time; the lines of a series stand together, its times increase. The columns that
 * are neither these, nor the target, nor ignored are the channels, in the file's order: numbers, or nothing for what is not
 * observed. The target is a class by its name, or numbers, the same on each line of a series; or one of each time, where
 * "target_per" says so, and then nothing stands for none. Classes, header and separator are those of datasets/csv_table.h. */
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
