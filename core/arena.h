/* One block of memory per purpose: a plan computes its size, it is cut into arrays once, and then it is used without
 * another heap call. Every array starts on a 64-byte boundary, which is a cache line and the widest vector register.
 *
 * A layout is planned and used by the same function, so that the two cannot disagree:
 *     static size_t lay_out(real *base, size_t n, arrays *a)
 *     {
 *         size_t size = 0;
 *         a->x = cst_cut(base, &size, n);
 *         a->y = cst_cut(base, &size, 2 * n);
 *         return size;  // base NULL: only the size is computed
 *     } */
#ifndef CST_CORE_ARENA_H
#define CST_CORE_ARENA_H

#include "core/real.h"
#include "core/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An arena owns its block. A zero-initialized arena is empty. */
typedef struct cst_arena {
    cst_real *base;    /* the block's first 64-byte boundary */
    size_t size, used; /* the capacity, and how much of it arrays take, in reals */
    void *block;       /* as allocated, for free() */
} cst_arena;

/* Allocate zeroed memory for `n` reals. The operating system provides the pages of a large block when they are first
 * used. Errors: CST_ENOMEM; then the arena is empty and may be cleared. */
CST_MUST_CHECK cst_status cst_arena_init(cst_arena *arena, size_t n, cst_error *error);

/* Returns the next n reals of the arena, on a 64-byte boundary. They belong to the arena. Each array takes
 * cst_size_align(n) reals of the capacity. Returns NULL if the capacity that is left is too small. */
cst_real *cst_arena_take(cst_arena *arena, size_t n);

/* Append an array of n reals or n doubles to a layout, and return the array's offset in reals. *size is the size of the
 * layout in reals; it grows by the array, rounded up to 64 bytes, and saturates at SIZE_MAX. Use offsets where one pass
 * writes the memory and another one only reads it. */
size_t cst_place(size_t *size, size_t n);
size_t cst_place_doubles(size_t *size, size_t n);

/* Append an array in the same way, and return its address in the memory at `base`, which has a 64-byte boundary. If
 * base is NULL, only the size is computed, and the result is NULL. */
cst_real *cst_cut(cst_real *base, size_t *size, size_t n);
double *cst_cut_doubles(cst_real *base, size_t *size, size_t n);

/* Returns the doubles at an offset that cst_place_doubles returned, for writing or for reading only. */
double *cst_doubles(cst_real *base, size_t at);
const double *cst_const_doubles(const cst_real *base, size_t at);

/* Free the block, and with it all arrays that were taken from the arena. The arena is empty afterwards and may be
 * initialized again. */
void cst_arena_clear(cst_arena *arena);

#ifdef __cplusplus
}
#endif
#endif
