/* Data sets whose rows are drawn from the seed: what `spirals`, `circles` and `density` share.
 *
 * A new data set needs a function that fills n rows, a table of keys that includes CST_GENERATOR_KEYS, and a loader that ends
 * with cst_dataset_generate. The splits draw from separate streams of the seed, so the size of one does not change the rows of
 * another. */
#ifndef CST_DATASETS_GENERATOR_H
#define CST_DATASETS_GENERATOR_H

#include "core/rng.h"
#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_GENERATOR_MAX_ROWS = 10000000 }; /* sanity limit of a split's size */

/* The keys in place of the common ones: the sizes are the number of rows that are generated, and points are not normalized
 * by default. `n_train` and `n_test` are the default sizes; by default there is no validation split. */
#define CST_GENERATOR_KEYS(n_train, n_test)                                                                            \
    CST_INIT(CST_SPLIT_SIZE_KEY(train, n_train, CST_BETWEEN(1, CST_GENERATOR_MAX_ROWS), "training rows"),              \
             CST_SPLIT_SIZE_KEY(validation, "0", CST_BETWEEN(0, CST_GENERATOR_MAX_ROWS), "validation rows"),           \
             CST_SPLIT_SIZE_KEY(test, n_test, CST_BETWEEN(0, CST_GENERATOR_MAX_ROWS), "test rows"),                    \
             CST_NORMALIZE_KEY("false", "mean 0 and std 1 in each coordinate of the training split"))

/* Fill n rows x (n, d) from streams of rng, and labels (n). `labels` is NULL if the data set has no classes. `options` is the
 * struct that the type's keys were read into; it begins with a cst_dataset_options. */
typedef void (*cst_generate)(const cst_dataset_options *options, cst_rng rng, size_t n, cst_real *x, int32_t *labels);

/* Generate all splits of data in the sizes of the options, and normalize them. The caller has set data->x, and
 * data->n_classes if rows have labels. Errors: CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_dataset_generate(const cst_dataset_options *options, cst_generate generate, uint64_t seed,
                                               cst_dataset *data, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
