#include "core/arena.h"

#include "core/shape.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

cst_status cst_arena_init(cst_arena *arena, size_t n, cst_error *error)
{
    *arena = (cst_arena){0};
    const size_t size = cst_size_align(n ? n : 1);
    const size_t bytes = cst_size_mul(size, sizeof(real));
    real *base = bytes <= PTRDIFF_MAX ? aligned_alloc(64, bytes) : NULL;
    if (!base) return cst_fail(error, CST_ENOMEM, "cannot allocate %zu numbers of %zu bytes", n, sizeof(real));
    memset(base, 0, bytes);
    *arena = (cst_arena){.base = base, .size = size};
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

void cst_arena_reset(cst_arena *arena)
{
    arena->used = 0;
}

void cst_arena_clear(cst_arena *arena)
{
    free(arena->base);
    *arena = (cst_arena){0};
}
