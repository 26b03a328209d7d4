#include "core/arena.h"

#include "core/shape.h"

#include <stdint.h>
#include <stdlib.h>

enum { LINE = 64 }; /* bytes of a cache line */

cst_status cst_arena_init(cst_arena *arena, size_t n, cst_error *error)
{
    *arena = (cst_arena){0};
    /* One cache line more than needed, for alignment: calloc aligns to less than a line. It knows which memory from
     * the operating system is zero already, and does not touch it. */
    const size_t size = cst_size_align(n ? n : 1), bytes = cst_size_mul(size, sizeof(real));
    void *block = bytes <= PTRDIFF_MAX - LINE ? calloc(1, bytes + LINE) : NULL;
    if (!block) return cst_fail(error, CST_ENOMEM, "cannot allocate %zu numbers of %zu bytes", n, sizeof(real));
    /* Start at the first boundary of a line. */
    const size_t past = (uintptr_t)block % LINE;
    char *base = (char *)block + (past > 0 ? LINE - past : 0);
    *arena = (cst_arena){.base = (real *)(void *)base, .size = size, .block = block};
    return CST_OK;
}

real *cst_arena_take(cst_arena *arena, size_t n)
{
    const size_t size = cst_size_align(n);
    if (size > arena->size - arena->used) return NULL;
    real *taken = arena->base + arena->used;
    arena->used += size;
    return taken;
}

size_t cst_place(size_t *size, size_t n)
{
    const size_t at = *size;
    *size = cst_size_add(at, cst_size_align(n));
    return at;
}

size_t cst_place_doubles(size_t *size, size_t n)
{
    return cst_place(size, cst_size_mul(n, sizeof(double) / sizeof(real)));
}

real *cst_cut(real *base, size_t *size, size_t n)
{
    const size_t at = cst_place(size, n);
    return base ? base + at : NULL;
}

double *cst_cut_doubles(real *base, size_t *size, size_t n)
{
    return (double *)(void *)cst_cut(base, size, cst_size_mul(n, sizeof(double) / sizeof(real)));
}

double *cst_doubles(real *base, size_t at)
{
    return (double *)(void *)(base + at);
}

const double *cst_const_doubles(const real *base, size_t at)
{
    return (const double *)(const void *)(base + at);
}

void cst_arena_clear(cst_arena *arena)
{
    free(arena->block);
    *arena = (cst_arena){0};
}
