/* Data sets in memory: rows of one shape in up to three splits (train, validation, test).
 *
 * Each row has something to learn: a label, or a vector of targets, or nothing (for models of densities). Rows are
 * stored as they were read and normalized when a batch is gathered, channel by channel:
 *     x = (value - mean_c) / std_c            for reals
 *     x = (byte / 255 - mean_c) / std_c       for images, which stay bytes in memory
 * mean_c and std_c are the moments of channel c over the training split.
 *
 * A config's section "data" names a type (datasets/registry.h). The type's loader reads the keys of the section, finds and
 * reads its files or generates its rows, and ends with cst_dataset_split and cst_dataset_normalize. */
#ifndef CST_DATASETS_DATASET_H
#define CST_DATASETS_DATASET_H

#include "core/config.h"
#include "core/real.h"
#include "core/shape.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One split. It owns its arrays. Unless n is 0, exactly one of bytes and values is set. x stands for the size of a row and
 * y for the number of its targets. */
typedef struct cst_split {
    size_t n;          /* rows */
    uint8_t *bytes;    /* (n, x) */
    cst_real *values;  /* (n, x) */
    int32_t *labels;   /* (n), or (n, steps) for labels per time step; -1: no label; NULL: the data set has none */
    cst_real *targets; /* (n, y); NaN: no target; NULL: the data set has none */
    /* The trajectories (n_trajectories, n_points, x) that the rows are windows of (datasets/trajectories.h). NULL for all
     * other data sets. */
    cst_real *trajectories;
    size_t n_trajectories, n_points;
} cst_split;

typedef struct cst_dataset {
    cst_shape x;      /* shape of a row */
    size_t n_classes; /* number of classes; 0 for a regression */
    size_t n_targets; /* length of a row's targets; 0 for a classification. Both 0: the data set is x alone */
    size_t steps;     /* sequence length T if there is a label, or n_targets / T targets, per time step; 0 if per row */
    /* A row consists of n_channels channels of equal length, each with its mean and std. 0: values stay as they are, and
     * bytes are divided by 255. */
    size_t n_channels;
    bool channels_last; /* rows are series (T, n_channels) of values, with NaN for missing ones (datasets/series.h) */
    double *mean, *std; /* (n_channels), owned; NULL before cst_dataset_normalize and without channels */
    cst_split train, validation, test;  /* validation and test may be empty (n = 0) */
    size_t batch_size, eval_batch_size; /* rows per batch in training and in evaluation, from the section */
} cst_dataset;

/* Number of labels per row, where rows have labels. */
static inline size_t cst_dataset_labels(const cst_dataset *data)
{
    return data->steps > 0 ? data->steps : 1;
}

/* A type of data set: a row of the table in datasets/registry.c. */
typedef struct cst_dataset_type cst_dataset_type;
struct cst_dataset_type {
    const char *name, *summary;
    /* Keys of the section "data", ended by an entry without a name. They come in addition to "type" and cst_dataset_keys; a
     * key that has the name of a common one replaces it. */
    const cst_key *keys;
    /* Fill the zero-initialized `data`. On failure the caller clears it. Errors: those of cst_dataset_load. */
    cst_status (*load)(const cst_dataset_type *type, cst_config section, uint64_t seed, cst_dataset *data,
                       cst_error *error);
    const void *context; /* for a loader that several types share: what differs for this type; may be NULL */
};

extern const cst_key cst_dataset_keys[]; /* the keys common to all types, ended by an entry without a name */

/* ---- for callers --------------------------------------------------------------------------------------------- */

/* Free the arrays and zero the struct. A zero-initialized one is fine. */
void cst_dataset_clear(cst_dataset *data);

/* Gather n rows of a split into a batch: x (n, x) gets rows[0], ..., rows[n-1], normalized; labels becomes (n) or (n, steps)
 * and targets (n, y), if the data set has them. `labels` and `targets` may be NULL if not needed. */
void cst_dataset_gather(const cst_dataset *data, const cst_split *split, const size_t *rows, size_t n, cst_real *x,
                        int32_t *labels, cst_real *targets);

/* ---- for loaders --------------------------------------------------------------------------------------------- */

/* The values of cst_dataset_keys. The struct of a type's options begins with one, so that one call reads both. */
typedef struct cst_dataset_options {
    size_t batch_size, eval_batch_size;
    size_t train_size, validation_size, test_size;
    bool normalize;
} cst_dataset_options;

/* Initializers of a cst_key for the size of a split (`split` is train, validation or test) and for "normalize". A type uses
 * them to replace the common key by one with another default, range or meaning. */
#define CST_SPLIT_SIZE_KEY(split, value, numbers, text)                                                                \
    CST_INIT({.name = #split "_size",                                                                                  \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = offsetof(cst_dataset_options, split##_size),                                                   \
              .fallback = value,                                                                                       \
              .range = numbers,                                                                                        \
              .help = text})
#define CST_NORMALIZE_KEY(value, text)                                                                                 \
    CST_INIT({.name = "normalize",                                                                                     \
              .kind = CST_KEY_BOOL,                                                                                    \
              .offset = offsetof(cst_dataset_options, normalize),                                                      \
              .fallback = value,                                                                                       \
              .help = text})

/* Read the section by the type's `keys`, and by those common keys that they do not replace, into `target`, which begins with
 * a cst_dataset_options. Also sets the batch sizes of data. Errors: CST_ECONFIG at a key of the section. */
CST_MUST_CHECK cst_status cst_dataset_read(cst_config section, const cst_key *keys, void *target, cst_dataset *data,
                                           cst_error *error);

/* Cut the splits to the sizes that the options ask for.
 *   validation_size  draws that many rows from the training split if there is no validation split yet. Otherwise it is the
 *                    number of validation rows that are kept (0: all)
 *   test_size        the same for the test split
 *   train_size       the number of the remaining training rows that are kept (0: all)
 * Rows are drawn uniformly without replacement, whatever their class, and keep their order. The seed decides: it draws the
 * same validation rows for every train_size. Errors: CST_ECONFIG at the key if there are too few rows, or if none would be
 * left to train on; CST_EFORMAT if the training split is empty; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_dataset_split(cst_config section, const cst_dataset_options *options, uint64_t seed,
                                            cst_dataset *data, cst_error *error);

/* Set the mean and std of each channel from the training split, leaving out NaN; a std of 0 becomes 1. Without `normalize`
 * all means are 0 and all stds 1. A no-op if data has no channels. Errors: CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_dataset_normalize(cst_dataset *data, bool normalize, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
