/* Declarations shared by the files that implement core/config.h on top of cJSON. This header is not installed. */
#ifndef CST_CORE_CONFIG_INTERNAL_H
#define CST_CORE_CONFIG_INTERNAL_H

#include "core/config.h"

/* The deepest nesting of lists and objects that is accepted. It bounds every recursion over a document. */
enum { CST_CONFIG_DEPTH = 64 };

/* Parse `size` bytes of text strictly into a cJSON tree, which the caller deletes with cJSON_Delete. Messages use
 * `name` for the text. Errors: CST_ECONFIG with line and column, CST_ENOMEM; *tree is then unchanged. */
CST_MUST_CHECK cst_status cst_config_parse(const char *name, const char *text, size_t size, size_t max_depth,
                                           struct cJSON **tree, cst_error *error);

#endif
