/* The data set types that a config may name, and loading the one that it names.
 *
 * A new type is added here and nowhere else: its loader knows datasets/dataset.h alone. */
#ifndef CST_DATASETS_REGISTRY_H
#define CST_DATASETS_REGISTRY_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const cst_dataset_type *const cst_dataset_types[]; /* ended by NULL */

/* Load what the section "data" describes. Parts are drawn with streams of `seed`. On failure nothing is kept.
 * Errors: CST_ECONFIG for the section, CST_EIO for files that are not there or cannot be read, CST_EFORMAT for what is
 * in them (both name the file), CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_dataset_load(cst_config section, uint64_t seed, cst_dataset *data, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
