/* Data sets: rows of one shape with a label or values each, in memory, in up to three parts.
 *
 * Images stay bytes until a batch is gathered: x = (byte / 255 - mean_c) / deviation_c, with the channel's mean and
 * deviation taken from the training split. Rows of values: x = (value - mean_c) / deviation_c.
 *
 * A config's section "data" names a type; the type's loader reads the section's keys, finds and reads the files (or
 * generates the rows), and ends with cst_dataset_split and cst_dataset_normalize. */
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

/* One part. Exactly one of bytes and values is set, unless n is 0. */
typedef struct cst_split {
    size_t n;
    uint8_t *bytes;    /* (n, x) */
    cst_real *values;  /* (n, x) */
    int32_t *labels;   /* (n), or (n, steps), or NULL; -1: none at this step */
    cst_real *targets; /* (n, y), or NULL; NaN: none at this step */
    /* Where rows are windows of trajectories, all of these: (n_trajectories, n_points, x). Otherwise NULL. */
    cst_real *trajectories;
    size_t n_trajectories, n_points;
} cst_split;

typedef struct cst_dataset {
    cst_shape x;      /* shape of a row */
    size_t n_classes; /* 0 for regression */
    size_t n_targets; /* length of a target row, 0 for classification; without either there is nothing but x */
    size_t steps; /* where each of a row's steps has a label, or n_targets / steps targets, of its own; 0: a row has */
    size_t n_channels; /* a row is so many channels of equal length, normalized each; 0: values as they are, byte/255 */
    bool channels_last; /* x (..., n_channels) of values, and NaN for what is not there: datasets/series.h */
    double *mean, *std; /* (n_channels), of cst_dataset_normalize; NULL before it and without channels */
    cst_split train, validation, test;  /* validation and test may be empty (n = 0) */
    size_t batch_size, eval_batch_size; /* rows a batch in training and in evaluation, from the section */
} cst_dataset;

/* Labels of a row, where rows have labels. */
static inline size_t cst_dataset_labels(const cst_dataset *data)
{
    return data->steps > 0 ? data->steps : 1;
}

typedef struct cst_dataset_type {
    const char *name, *summary;
    const cst_key *keys; /* of the section "data" beside "type" and cst_dataset_keys, or in place of one of these */
    cst_status (*load)(cst_config section, uint64_t seed, cst_dataset *data, cst_error *error);
} cst_dataset_type;

extern const cst_key cst_dataset_keys[]; /* common to all types */

/* ---- for callers --------------------------------------------------------------------------------------------- */

void cst_dataset_clear(cst_dataset *data);

/* Gather rows rows[0 .. n-1] of a part, normalized: x (n, x), and labels (n), or (n, steps), or targets (n, y), whichever
 * it has; NULL for either is "not needed". */
void cst_dataset_gather(const cst_dataset *data, const cst_split *split, const size_t *rows, size_t n, cst_real *x,
                        int32_t *labels, cst_real *targets);

/* ---- for loaders --------------------------------------------------------------------------------------------- */

/* The values of cst_dataset_keys. A type's options begin with it, so that one table of keys fills both. */
typedef struct cst_dataset_options {
    size_t batch_size, eval_batch_size;
    size_t train_size, validation_size, test_size;
    bool normalize;
} cst_dataset_options;

/* Read the section by the type's keys and the common ones that these do not replace (by name) into `target`, which
 * begins with a cst_dataset_options, and set the batch sizes of data. */
CST_MUST_CHECK cst_status cst_dataset_read(cst_config section, const cst_key *keys, void *target, cst_dataset *data,
                                           cst_error *error);

/* Cut the parts to the sizes asked for. Where there is no validation split, validation_size rows, drawn by the seed, go from
 * the training split to it, and likewise test_size more where there is no test split. Of what is left train_size rows stay
 * (0: all), and of parts that were there validation_size and test_size (0: all). All rows are drawn alike, without
 * replacement, so that classes are balanced as in the whole, in expectation; a seed draws the same validation rows for
 * every train_size. Rows keep their order. Errors: CST_ECONFIG naming the key if there are not so many rows or none would
 * be left to learn from. */
CST_MUST_CHECK cst_status cst_dataset_split(cst_config section, const cst_dataset_options *options, uint64_t seed,
                                            cst_dataset *data, cst_error *error);

/* Each channel's mean and deviation over what is there in the training split, a deviation of 0 taken as 1; 0 and 1 for all
 * channels unless `normalize`. CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_dataset_normalize(cst_dataset *data, bool normalize, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
