/* Old and new names of keys and values of configs, and of columns and keys in the files of a run. The old names are not
 * accepted any more: this table only lets error messages name the new ones. */
#ifndef CST_CORE_RENAMES_H
#define CST_CORE_RENAMES_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Iterate over the new names of `old`: start with *i = 0 and call again until the result is NULL. An old name may
 * have several new ones, because the same word was renamed differently in different sections. The caller picks the
 * one that exists in its section. The strings are static. */
const char *cst_new_name(const char *old, size_t *i);

/* Returns the first new name of `old` that is in `names`, a list ended by NULL; NULL if none is. */
const char *cst_new_name_among(const char *old, const char *const *names);

#ifdef __cplusplus
}
#endif
#endif
