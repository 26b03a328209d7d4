/* Time series as rows of a data set.
 *
 * A row is one series, x (T, C): T times, C channels, the channels last. NaN: not observed. T is the longest series of
 * all parts; a shorter one is NaN in all channels from its end on, the time's included. Nothing is filled in here: that
 * is the models' to do, who interpolate.
 *
 * The channels are [time | values | intensity]. From a file's series to a row, in this order:
 *
 *   stride     the times 0, k, 2 k, ... of each series are kept, and what is to be learnt at them
 *   missing_rate  of the n times left floor(missing_rate n), drawn anew for each series, lose their values, all at once; the
 *              first one may be among them. So did Kidger, Morrill, Foster, Lyons, "Neural controlled differential equations for
 *              irregular time series" (2020), section 4.1. Times, labels and targets stay
 *   time       what the file says, or the index a time has in the file, before `stride`. Where reals lie so far apart at the
 *              file's times that a step from one to the next could be off by more than 1 %, such as seconds since 1970 as
 *              floats, the times of all parts are counted from the earliest one of the training part
 *   intensity  of each value channel how often it has been observed so far, this time included (section 4.2 there)
 *   normalize  (value - mean_c) / (deviation_c + 1e-5) over what is there in the training part, of each channel, the time
 *              and the counts too (in the published code of that paper, and of "Hey, that's not an ODE", only the values) */
#ifndef CST_DATASETS_SERIES_H
#define CST_DATASETS_SERIES_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cst_series_time {
    CST_SERIES_TIME_AUTO, /* the file's where it has times, the index otherwise */
    CST_SERIES_TIME_NONE, /* no such channel */
    CST_SERIES_TIME_INDEX,
    CST_SERIES_TIME_FILE
} cst_series_time;
extern const char *const cst_series_times[]; /* their names in a config, ended by NULL */

/* A loader's options begin with it. */
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
              .help = "channel 0: the file's times, the index in the file, or none; auto: the file's where it has "    \
                      "times, or the index"},                                                                          \
             {.name = "intensity",                                                                                     \
              .kind = CST_KEY_BOOL,                                                                                    \
              .offset = offsetof(cst_series_options, intensity),                                                       \
              .fallback = "false",                                                                                     \
              .help = "behind the values, a channel for each of them that counts its observations so far"},            \
             {.name = "stride",                                                                                        \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = offsetof(cst_series_options, stride),                                                          \
              .fallback = "1",                                                                                         \
              .range = CST_BETWEEN(1, 1e9),                                                                            \
              .help = "of each series keep the times 0, k, 2 k, ..."},                                                 \
             {.name = "missing_rate",                                                                                  \
              .kind = CST_KEY_REAL,                                                                                    \
              .offset = offsetof(cst_series_options, missing_rate),                                                    \
              .fallback = "0",                                                                                         \
              .range = CST_BELOW(1),                                                                                   \
              .help = "share of each series' times at which the values are taken away, drawn by the seed"})

/* The files of up to three parts, by the keys path, train, validation and test: `files` is a cst_series_files in the struct
 * `type`. */
typedef struct cst_series_files {
    const char *path;
    const char *names[3];
} cst_series_files;

#define CST_SERIES_FILE_KEYS(type, files)                                                                              \
    CST_INIT({.name = "path",                                                                                          \
              .kind = CST_KEY_STRING,                                                                                  \
              .offset = offsetof(type, files.path),                                                                    \
              .fallback = "",                                                                                          \
              .help = "folder of the files; without it their names are paths"},                                        \
             {.name = "train", .kind = CST_KEY_STRING, .offset = offsetof(type, files.names[0]), .help = "file"},      \
             {.name = "validation",                                                                                    \
              .kind = CST_KEY_STRING,                                                                                  \
              .offset = offsetof(type, files.names[1]),                                                                \
              .fallback = "",                                                                                          \
              .help = "file; without one series are drawn by validation_size"},                                        \
             {.name = "test",                                                                                          \
              .kind = CST_KEY_STRING,                                                                                  \
              .offset = offsetof(type, files.names[2]),                                                                \
              .fallback = "",                                                                                          \
              .help = "file; without one series are drawn by test_size"})

/* The series of a file, one behind the other: S times in all. A loader describes them, makes room and fills it. */
typedef struct cst_series {
    const char *path; /* the caller's, for messages */
    size_t channels;  /* values at a time */
    size_t n_targets; /* targets of a series, or of a time; 0: there are none */
    bool timed;       /* the file has times */
    bool labelled;    /* there are labels */
    bool stepwise;    /* labels or targets are those of a time, not of a series */
    size_t n;         /* series; 0: no such part */
    size_t *lengths;  /* (n), times of each */
    double *times;    /* (S), increasing within a series, or NULL */
    real *values;     /* (S, channels); NaN: not observed */
    int32_t *labels;  /* (n) or (S), or NULL; of a time -1: none */
    real *targets;    /* (n, n_targets) or (S, n_targets), or NULL; NaN: none */
    size_t series_room, times_room;
} cst_series;

/* Room for so many series, and times in all. What is there stays; room grows by half at least, so that one may be added
 * after the other. CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_series_reserve(cst_series *series, size_t n, size_t n_times, cst_error *error);
void cst_series_clear(cst_series *series); /* one that is zero-initialized is fine */

/* The end of a loader: make the rows of data from `parts` (train, validation, test), each of which is cleared once it has been
 * used; where they are labelled the caller has set n_classes. Then cut the parts to the sizes asked for, and normalize.
 * Errors: CST_EFORMAT naming the file, the series and the time where a part is unlike the training part, a series has no
 * times, times do not increase, as reals, or numbers are infinite, and for a channel without a value in the training part;
 * CST_ECONFIG at the section's keys; CST_ENOMEM. Whatever happens, the caller clears the parts and the data. */
CST_MUST_CHECK cst_status cst_series_finish(cst_config section, const cst_series_options *options, uint64_t seed,
                                            cst_series parts[3], cst_dataset *data, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
