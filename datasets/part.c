#include "datasets/part.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void cst_part_clear(cst_part *part)
{
    free(part->bytes);
    free(part->values);
    free(part->labels);
    free(part->targets);
    free(part->trajectories);
    *part = (cst_part){0};
}

void *cst_array_new(size_t count, size_t size)
{
    const size_t bytes = cst_size_mul(count, size);
    return bytes > PTRDIFF_MAX ? NULL : malloc(bytes > 0 ? bytes : 1);
}

cst_status cst_part_init(cst_part *part, cst_part_kind kind, size_t n, size_t row, cst_error *error)
{
    *part = (cst_part){.n = n};
    const size_t count = cst_size_mul(n, row);
    if (kind == CST_PART_BYTES) {
        part->bytes = cst_array_new(count, sizeof *part->bytes);
    } else {
        part->values = cst_array_new(count, sizeof *part->values);
    }
    part->labels = cst_array_new(n, sizeof *part->labels);
    if ((part->bytes || part->values) && part->labels) return CST_OK;
    cst_part_clear(part);
    return cst_fail(error, CST_ENOMEM, "out of memory for %zu rows of %zu %s", n, row,
                    kind == CST_PART_BYTES ? "bytes" : "numbers");
}

/* Move the picked rows of one array, `size` bytes each, to the front of `to` (which may be `from`). */
static void pack(const void *from, void *to, const uint8_t *pick, uint8_t value, size_t n, size_t size)
{
    if (!from) return;
    size_t next = 0;
    for (size_t i = 0; i < n; i++) {
        if (pick[i] != value) continue;
        if (from != to || next != i) memcpy((char *)to + next * size, (const char *)from + i * size, size);
        next++;
    }
}

static void pack_all(const cst_part *from, cst_part *to, const uint8_t *pick, uint8_t value, size_t x_size,
                     size_t y_size)
{
    pack(from->bytes, to->bytes, pick, value, from->n, x_size * sizeof *from->bytes);
    pack(from->values, to->values, pick, value, from->n, x_size * sizeof *from->values);
    pack(from->labels, to->labels, pick, value, from->n, sizeof *from->labels);
    pack(from->targets, to->targets, pick, value, from->n, y_size * sizeof *from->targets);
}

cst_status cst_part_copy(const cst_part *part, const uint8_t *pick, uint8_t value, size_t count, size_t x_size,
                         size_t y_size, cst_part *copy, cst_error *error)
{
    *copy = (cst_part){.n = count};
    if (part->bytes) copy->bytes = cst_array_new(cst_size_mul(count, x_size), sizeof *copy->bytes);
    if (part->values) copy->values = cst_array_new(cst_size_mul(count, x_size), sizeof *copy->values);
    if (part->labels) copy->labels = cst_array_new(count, sizeof *copy->labels);
    if (part->targets) copy->targets = cst_array_new(cst_size_mul(count, y_size), sizeof *copy->targets);
    if (!copy->bytes != !part->bytes || !copy->values != !part->values || !copy->labels != !part->labels ||
        !copy->targets != !part->targets) {
        cst_part_clear(copy);
        return cst_fail(error, CST_ENOMEM, "out of memory for %zu rows", count);
    }
    pack_all(part, copy, pick, value, x_size, y_size);
    return CST_OK;
}

/* Give back what is behind the first n rows; where that fails the block stays as large as it was. */
static void *shrink(void *array, size_t bytes)
{
    void *smaller = array ? realloc(array, bytes > 0 ? bytes : 1) : NULL;
    return smaller ? smaller : array;
}

void cst_part_keep(cst_part *part, const uint8_t *pick, uint8_t value, size_t x_size, size_t y_size)
{
    pack_all(part, part, pick, value, x_size, y_size);
    size_t n = 0;
    for (size_t i = 0; i < part->n; i++) n += pick[i] == value;
    part->n = n;
    part->bytes = shrink(part->bytes, n * x_size * sizeof *part->bytes);
    part->values = shrink(part->values, n * x_size * sizeof *part->values);
    part->labels = shrink(part->labels, n * sizeof *part->labels);
    part->targets = shrink(part->targets, n * y_size * sizeof *part->targets);
}
