/* The types of data sets that a config may name, and the function that loads the named one.
 *
 * A new type gets one line in the table of registry.c. Its loader needs datasets/dataset.h and not this header. */
#ifndef CST_DATASETS_REGISTRY_H
#define CST_DATASETS_REGISTRY_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const cst_dataset_type *const cst_dataset_types[]; /* ended by NULL */

/* Load the data set that the section "data" describes. All random draws come from streams of `seed`. Free the result with
 * cst_dataset_clear; on failure there is nothing to free.
 * Errors: CST_ECONFIG at a key of the section; CST_EIO if a file is missing or cannot be read, and CST_EFORMAT for its
 * contents (both name the file); CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_dataset_load(cst_config section, uint64_t seed, cst_dataset *data, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
