/* The data set `ts`: time series in sktime's .ts files
 * (https://www.sktime.net/en/stable/api_reference/file_specifications/ts.html), the format of the UEA and UCR archives. Rows
 * are those of datasets/series.h.
 *
 * Empty lines and lines that begin with # are skipped. Up to the line @data, lines that begin with @ describe the file, in
 * any order and in upper or lower case:
 *     @timeStamps true|false   @dimensions N   @univariate true|false   @classLabel true NAME ... | false
 *     @targetLabel true|false
 * Exactly one of @classLabel and @targetLabel must be true. Other such lines, for example @equalLength, are ignored: what they
 * say can be seen from the data.
 *
 * Each line after @data is a series: its dimensions and then its class or its target, separated by colons. A dimension is a
 * list of numbers separated by commas, with "?" or "NaN" for a missing value, and all dimensions of a series have the same
 * length. With time stamps a dimension is a list of pairs (time,value) whose times increase. Dimensions may have different
 * times then: the series has the union of them. A time is a number or a date YYYY-MM-DD HH:MM:SS, which is converted to
 * seconds since the first time of the series.
 *
 * Classes are numbered in the order in which the training file names them. */
#ifndef CST_DATASETS_TS_H
#define CST_DATASETS_TS_H

#include "datasets/series.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The names of the classes, each followed by a NUL, in the order of their numbers. Zero-initialize it; the caller frees
 * `names`. */
typedef struct cst_ts_classes {
    char *names;
    size_t n;
} cst_ts_classes;

/* Read a file into `series`, which is zero-initialized and which the caller clears, on failure too. If no classes are known
 * yet, those of the file are stored in `classes`; otherwise a series of another class is an error. `path` must outlive the
 * series. Errors: CST_EIO; CST_EFORMAT naming the file, line, dimension and value; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_ts_read(const char *path, cst_ts_classes *classes, cst_series *series, cst_error *error);

extern const cst_dataset_type cst_ts_type;

#ifdef __cplusplus
}
#endif
#endif
