/* Arrays on the heap whose sizes come from files and configs. A size that overflows is treated as exhausted memory, so
 * that callers need only one check. */
#ifndef CST_CORE_ARRAY_H
#define CST_CORE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Allocate an uninitialized array of `count` elements of `size` bytes each. The caller frees it with free(). Returns
 * NULL if memory is exhausted or the product is too large; an array of 0 elements is not NULL. */
void *cst_array_new(size_t count, size_t size);

/* Resize an array made by cst_array_new, and return it. `array` may be NULL, which is an empty array. New elements are
 * not initialized. If memory is exhausted or the product is too large, the old array is returned unchanged and *good
 * becomes false. On success *good is not written, so that one check serves several arrays. */
void *cst_array_resize(void *array, size_t count, size_t size, bool *good);

#ifdef __cplusplus
}
#endif
#endif
