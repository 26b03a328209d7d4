#include "core/array.h"

#include "core/shape.h"

#include <stdint.h>
#include <stdlib.h>

void *cst_array_new(size_t count, size_t size)
{
    /* The product saturates, and sizes above PTRDIFF_MAX cannot be allocated. */
    const size_t bytes = cst_size_mul(count, size);
    return bytes > PTRDIFF_MAX ? NULL : malloc(bytes > 0 ? bytes : 1);
}

void *cst_array_resize(void *array, size_t count, size_t size, bool *good)
{
    const size_t bytes = cst_size_mul(count, size);
    void *larger = bytes > PTRDIFF_MAX ? NULL : realloc(array, bytes > 0 ? bytes : 1);
    if (!larger) *good = false;
    return larger ? larger : array;
}
