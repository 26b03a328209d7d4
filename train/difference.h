/* What two documents do not share: whether a run can go on under a config. */
#ifndef CST_TRAIN_DIFFERENCE_H
#define CST_TRAIN_DIFFERENCE_H

#include "core/config.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The path of the first value that only one of the two has, or that differs, keys in any order: allocated, to be freed
 * with free(). *path is NULL if there is none. Keys of the roots listed in `but` (ended by NULL) may differ. CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_config_difference(cst_config a, cst_config b, const char *const *except, char **path,
                                                cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
