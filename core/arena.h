/* One 64-byte aligned block of memory a purpose: sized by a plan, cut up once, then used without another heap call. */
#ifndef CST_CORE_ARENA_H
#define CST_CORE_ARENA_H

#include "core/real.h"
#include "core/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_arena {
    cst_real *base;
    size_t size, used; /* in reals */
    void *block;       /* as allocated */
} cst_arena;

/* Zeroed room for `n` reals; of a large block the operating system gives what is used only. On failure (CST_ENOMEM)
 * the arena is empty and may be cleared. */
CST_MUST_CHECK cst_status cst_arena_init(cst_arena *arena, size_t n, cst_error *error);

/* The next n reals, on a 64-byte boundary. The arena must have been sized for them with cst_size_align: asking for
 * more than there is returns NULL. */
cst_real *cst_arena_take(cst_arena *arena, size_t n);

/* For a layout's plan and its use in one: pieces on 64-byte boundaries, one behind the other, of which *size is the sum. It
 * saturates. cst_place returns where the next n reals or doubles begin, as an offset in reals: for memory that one pass writes
 * and another only reads. cst_cut returns them behind `base`, NULL where base is NULL and only the size is asked for. */
size_t cst_place(size_t *size, size_t n);
size_t cst_place_doubles(size_t *size, size_t n);
cst_real *cst_cut(cst_real *base, size_t *size, size_t n);
double *cst_cut_doubles(cst_real *base, size_t *size, size_t n);

/* Doubles at an offset that cst_place_doubles has returned, to write or to read. */
double *cst_doubles(cst_real *base, size_t at);
const double *cst_const_doubles(const cst_real *base, size_t at);

/* Free the block; the arena is then empty. */
void cst_arena_clear(cst_arena *arena);

#ifdef __cplusplus
}
#endif
#endif
