/* The data set `ts`: time series in sktime's .ts files
 * (https://www.sktime.net/en/stable/api_reference/file_specifications/ts.html), which the UEA and UCR archives have; rows are
 * those of datasets/series.h.
 *
 * Lines that begin with # and empty ones are skipped. Those that begin with @, in any order and case, describe the file up to
 * @data:
 *     @timeStamps true|false   @dimensions N   @univariate true|false   @classLabel true NAME ... | false
 *     @targetLabel true|false
 * Others, such as @equalLength, say nothing that is not seen anyway. One of the two labels has to be there. Then each line is a
 * series: its dimensions, and its class, or the number to learn, between colons. A dimension is numbers between commas, "?" or
 * "NaN" for what is not observed, and all dimensions of a series are of one length. With time stamps it is pairs (time,value),
 * with times that increase and may be others than another dimension's: a series has all of them. A time is a number, or a
 * date YYYY-MM-DD HH:MM:SS, and then seconds from the series' first one.
 *
 * Classes are numbered as the training file names them. */
#ifndef CST_DATASETS_TS_H
#define CST_DATASETS_TS_H

#include "datasets/series.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The names of classes, a NUL behind each. Zero-initialize it, and free names. */
typedef struct cst_ts_classes {
    char *names;
    size_t n;
} cst_ts_classes;

/* Read a file; `series` is zero-initialized, and the caller clears it whatever happens. Classes are those of the file where
 * none are known yet, and others are an error where there are. CST_EIO; CST_EFORMAT naming file, line, dimension and value;
 * CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_ts_read(const char *path, cst_ts_classes *classes, cst_series *series, cst_error *error);

extern const cst_dataset_type cst_ts_type;

#ifdef __cplusplus
}
#endif
#endif
