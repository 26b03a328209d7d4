/* Arrays on the heap whose sizes come from files and configs: a product that overflows is "no memory". */
#ifndef CST_CORE_ARRAY_H
#define CST_CORE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An array of `count` elements of `size` bytes, uninitialized, that the caller frees with free(). An array of no elements is
 * not NULL. NULL if there is no memory or the product is too large. */
void *cst_array_new(size_t count, size_t size);
/* Resize an array of cst_array_new (or NULL) and return it. If there is no memory, return the old array unchanged and set
 * *good to false; otherwise *good is not written, so that one check serves several arrays. */
void *cst_array_resize(void *array, size_t count, size_t size, bool *good);

#ifdef __cplusplus
}
#endif
#endif
