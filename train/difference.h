/* The first difference between two configs. It decides whether a run may be resumed under a config. */
#ifndef CST_TRAIN_DIFFERENCE_H
#define CST_TRAIN_DIFFERENCE_H

#include "core/config.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Compare a with b; the order of keys does not matter. *path becomes the path of the first value that is missing from
 * one of them or differs, such as "model.layers[2].units". It is allocated: free it with free(). *path is NULL if the
 * configs are equal. Keys of the roots that are listed in `except` (ended by NULL) are ignored; `except` may be NULL.
 * If a key of `a` was renamed and b has its new name, the path names both. Errors: CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_config_difference(cst_config a, cst_config b, const char *const *except, char **path,
                                                cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
