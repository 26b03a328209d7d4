/* Time series as rows of a data set: what the data sets `ts`, `series_csv`, `series_npy` and `wav` share.
 *
 * A row is one series, x (T, C): T times and C channels, the channels last. NaN is a missing value. T is the length of the
 * longest series of all splits; a shorter one is padded with NaN in all channels, including the time. Missing values stay NaN:
 * models interpolate them.
 *
 * The channels are [time | values | intensity]. A series of a file becomes a row in these steps:
 *
 *   stride        keeps the times 0, k, 2 k, ... of each series, with their labels or targets
 *   missing_rate  removes the values, in all channels at once, at floor(missing_rate n) of the remaining n times. The times are
 *                 drawn separately for each series, and the first one may be among them, as in Kidger, Morrill, Foster,
 *                 Lyons, "Neural controlled differential equations for irregular time series" (2020), section 4.1. Times,
 *                 labels and targets stay
 *   time          is the file's time stamp, or the index of the time in the file (before `stride`). If reals are so coarse
 *                 that a step between two time stamps could be wrong by more than 1 %, such as for seconds since 1970 in
 *                 floats, the times of all splits are counted from the earliest one of the training split
 *   intensity     is one channel per value channel: the number of its observations so far, including this time
 *                 (section 4.2 of that paper)
 *   normalize     (value - mean_c) / (std_c + 1e-5) for each channel, with the moments of the training split. This includes
 *                 the time and the counts. (The published code of that paper, and of "Hey, that's not an ODE", normalizes
 *                 the values alone) */
#ifndef CST_DATASETS_SERIES_H
#define CST_DATASETS_SERIES_H

#include "datasets/dataset.h"
#include "datasets/locate.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cst_series_time {
    CST_SERIES_TIME_AUTO, /* the file's time stamps if it has any, the index otherwise */
    CST_SERIES_TIME_NONE, /* no time channel */
    CST_SERIES_TIME_INDEX,
    CST_SERIES_TIME_FILE
} cst_series_time;
extern const char *const cst_series_times[]; /* the choices of "time", ended by NULL */

/* The struct of a loader's options begins with it. */
typedef struct cst_series_options {
    cst_dataset_options common; /* first */
    int time;                   /* cst_series_time */
    bool intensity;
    size_t stride;
    double missing_rate;
} cst_series_options;

/* The keys of cst_series_options beside the common ones. */
#define CST_SERIES_KEYS                                                                                                \
    CST_INIT({.name = "time",                                                                                          \
              .kind = CST_KEY_CHOICE,                                                                                  \
              .offset = offsetof(cst_series_options, time),                                                            \
              .fallback = "\"auto\"",                                                                                  \
              .choices = cst_series_times,                                                                             \
              .help = "channel 0: the file's time stamps, the index in the file, or none; auto: time stamps if the "   \
                      "file has any, or the index"},                                                                   \
             {.name = "intensity",                                                                                     \
              .kind = CST_KEY_BOOL,                                                                                    \
              .offset = offsetof(cst_series_options, intensity),                                                       \
              .fallback = "false",                                                                                     \
              .help = "after the values, one channel for each of them with the number of its observations so far"},    \
             {.name = "stride",                                                                                        \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = offsetof(cst_series_options, stride),                                                          \
              .fallback = "1",                                                                                         \
              .range = CST_BETWEEN(1, 1e9),                                                                            \
              .help = "k: keep the times 0, k, 2 k, ... of each series"},                                              \
             {.name = "missing_rate",                                                                                  \
              .kind = CST_KEY_REAL,                                                                                    \
              .offset = offsetof(cst_series_options, missing_rate),                                                    \
              .fallback = "0",                                                                                         \
              .range = CST_BELOW(1),                                                                                   \
              .help = "share of the times of each series at which the values are removed, drawn by the seed"})

/* The files of up to three splits. */
typedef struct cst_series_files {
    const char *path;     /* the folder, or NULL */
    const char *names[3]; /* NULL: no such file */
} cst_series_files;

/* Their keys: path, train, validation and test. `files` is the cst_series_files in the struct `type`, which a section is read
 * into. */
#define CST_SERIES_FILE_KEYS(type, files)                                                                              \
    CST_INIT(CST_FOLDER_KEY(offsetof(type, files.path)),                                                               \
             CST_PATH_KEY("train", offsetof(type, files.names[0]), NULL, "training file"),                             \
             CST_PATH_KEY("validation", offsetof(type, files.names[1]), "",                                            \
                          "validation file; without one, series are drawn by validation_size"),                        \
             CST_PATH_KEY("test", offsetof(type, files.names[2]), "",                                                  \
                          "test file; without one, series are drawn by test_size"))

/* The series of one file, one after the other, with S times in all. A loader sets the description, reserves memory and fills
 * the arrays, which the struct owns. */
typedef struct cst_series {
    const char *path; /* for messages; not owned */
    size_t channels;  /* values per time */
    size_t n_targets; /* targets per series or per time; 0: none */
    bool timed;       /* the file has time stamps */
    bool labelled;    /* series have labels */
    bool stepwise;    /* there is a label, or targets, per time and not per series */
    size_t n;         /* series; 0: no such split */
    size_t *lengths;  /* (n), number of times of each */
    double *times;    /* (S), increasing within a series; NULL unless timed */
    real *values;     /* (S, channels); NaN: missing */
    int32_t *labels;  /* (n) or, if stepwise, (S) with -1 for none; NULL unless labelled */
    real *targets;    /* (n, n_targets) or (S, n_targets); NaN: none; NULL without targets */
    size_t series_capacity, times_capacity;
} cst_series;

/* Reserve memory for n series with n_times times in all, and keep the contents. The capacity grows by at least half, so series
 * may be added one by one. The description (timed to stepwise, channels, n_targets) must be set. Errors: CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_series_reserve(cst_series *series, size_t n, size_t n_times, cst_error *error);

/* Free the arrays and zero the struct. A zero-initialized one is fine. */
void cst_series_clear(cst_series *series);

/* The end of a loader: make the rows of data from the series of the splits (train, validation, test), cut the splits to the
 * sizes in the options, and normalize. If series have labels the caller has set data->n_classes. The caller clears the series,
 * on failure too, although those that have been used are cleared early to save memory. Errors: CST_EFORMAT, naming the file,
 * the series and the time, if the series of a split are of another kind than those of the training split, a series has no
 * times, times do not increase as reals, a number is infinite, or a channel has no values in the training split; CST_ECONFIG at
 * a key of the section; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_series_finish(cst_config section, const cst_series_options *options, uint64_t seed,
                                            cst_series splits[3], cst_dataset *data, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
