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
    real *base;
    size_t size, used; /* in reals */
    void *block;       /* as allocated */
} cst_arena;

/* Zeroed room for `n` reals; of a large block the operating system gives what is used only. On failure (CST_ENOMEM)
 * the arena is empty and may be cleared. */
CST_MUST_CHECK cst_status cst_arena_init(cst_arena *arena, size_t n, cst_error *error);

/* The next n reals, on a 64-byte boundary. The arena must have been sized for them with cst_size_align: asking for
 * more than there is returns NULL. */
real *cst_arena_take(cst_arena *arena, size_t n);

/* The same of memory that was planned and handed on: n reals or doubles from *work, which moves behind them. */
real *cst_take(real **work, size_t n);
double *cst_take_doubles(real **work, size_t n);
size_t cst_reals_for_doubles(size_t n); /* what n doubles move it by; saturates */

/* For a plan and its use in one: n reals or doubles, *size behind `base`, NULL where only the size is asked for; adds to *size. */
real *cst_cut(real *base, size_t *size, size_t n);
double *cst_cut_doubles(real *base, size_t *size, size_t n);

/* The same layout of what another pass has written and this one only reads, const. */
real *cst_view(const real *memory);

/* Give everything taken back, and free the block. */
void cst_arena_reset(cst_arena *arena);
void cst_arena_clear(cst_arena *arena);

#ifdef __cplusplus
}
#endif
#endif
