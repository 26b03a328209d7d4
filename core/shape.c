#include "core/shape.h"

#include "core/real.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

size_t cst_size_mul(size_t a, size_t b)
{
    return a && b > SIZE_MAX / a ? SIZE_MAX : a * b;
}

size_t cst_size_add(size_t a, size_t b)
{
    return b > SIZE_MAX - a ? SIZE_MAX : a + b;
}

size_t cst_size_align(size_t n)
{
    const size_t line = 64 / sizeof(real); /* reals per 64 bytes */
    return n > SIZE_MAX - (line - 1) ? SIZE_MAX : (n + line - 1) / line * line;
}

cst_shape cst_shape_1d(size_t d)
{
    return (cst_shape){.rank = 1, .dim = {d}};
}

cst_shape cst_shape_3d(size_t c, size_t h, size_t w)
{
    return (cst_shape){.rank = 3, .dim = {c, h, w}};
}

cst_shape cst_shape_4d(size_t a, size_t b, size_t c, size_t d)
{
    return (cst_shape){.rank = 4, .dim = {a, b, c, d}};
}

cst_shape cst_shape_rows(size_t n, const cst_shape *row)
{
    cst_shape shape = {.rank = row->rank + 1, .dim = {n}};
    memcpy(shape.dim + 1, row->dim, row->rank * sizeof row->dim[0]);
    return shape;
}

size_t cst_shape_size(const cst_shape *shape)
{
    size_t size = 1;
    for (size_t i = 0; i < shape->rank; i++) size = cst_size_mul(size, shape->dim[i]);
    return size;
}

bool cst_shape_equal(const cst_shape *a, const cst_shape *b)
{
    return a->rank == b->rank && memcmp(a->dim, b->dim, a->rank * sizeof a->dim[0]) == 0;
}

const char *cst_shape_text(const cst_shape *shape, char text[CST_SHAPE_TEXT])
{
    /* snprintf returns what it would have written: stop once that is more than fits. */
    int used = snprintf(text, CST_SHAPE_TEXT, "(");
    for (size_t i = 0; i < shape->rank && used < CST_SHAPE_TEXT; i++)
        used += snprintf(text + used, CST_SHAPE_TEXT - (size_t)used, "%s%zu", i ? ", " : "", shape->dim[i]);
    if (used < CST_SHAPE_TEXT) snprintf(text + used, CST_SHAPE_TEXT - (size_t)used, ")");
    return text;
}
