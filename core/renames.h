/* Names that have changed: of keys and values of configs, and of numbers in the files of a run. There is no other support
 * for the old names than messages that say the new ones. */
#ifndef CST_CORE_RENAMES_H
#define CST_CORE_RENAMES_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What `old` may be called now, NULL if there is nothing more; begin with *i = 0. A name can have more than one new one, by
 * its place: the caller takes the one that it knows. */
const char *cst_new_name(const char *old, size_t *i);

/* The new name of `old` that is in a list ended by NULL, or NULL. */
const char *cst_new_name_among(const char *old, const char *const *names);

#ifdef __cplusplus
}
#endif
#endif
