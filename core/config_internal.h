/* What the files of core/config.h that know cJSON share; not installed. */
#ifndef CST_CORE_CONFIG_INTERNAL_H
#define CST_CORE_CONFIG_INTERNAL_H

#include "core/config.h"

enum { CST_CONFIG_DEPTH = 64 }; /* of nested lists and objects: bounds every recursion over a document */

/* Text -> tree, strictly. `name` is what messages call the text. */
CST_MUST_CHECK cst_status cst_config_parse(const char *name, const char *text, size_t size, size_t max_depth,
                                           struct cJSON **tree, cst_error *error);

#endif
