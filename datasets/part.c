#include "datasets/part.h"

#include "core/array.h"

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

/* Bytes a row in each of a part's arrays. */
typedef struct sizes {
    size_t bytes, values, labels, targets;
} sizes;

static sizes sizes_of(const cst_dataset *data)
{
    const size_t x = cst_shape_size(&data->x), labels = cst_dataset_labels(data);
    return (sizes){x, cst_size_mul(x, sizeof(real)), cst_size_mul(labels, sizeof(int32_t)),
                   cst_size_mul(data->n_targets, sizeof(real))};
}

static void pack_all(const cst_part *from, cst_part *to, const uint8_t *pick, uint8_t value, const sizes *size)
{
    pack(from->bytes, to->bytes, pick, value, from->n, size->bytes);
    pack(from->values, to->values, pick, value, from->n, size->values);
    pack(from->labels, to->labels, pick, value, from->n, size->labels);
    pack(from->targets, to->targets, pick, value, from->n, size->targets);
}

cst_status cst_part_copy(const cst_dataset *data, const cst_part *part, const uint8_t *pick, uint8_t value,
                         size_t count, cst_part *copy, cst_error *error)
{
    const sizes size = sizes_of(data);
    *copy = (cst_part){.n = count};
    if (part->bytes) copy->bytes = cst_array_new(count, size.bytes);
    if (part->values) copy->values = cst_array_new(count, size.values);
    if (part->labels) copy->labels = cst_array_new(count, size.labels);
    if (part->targets) copy->targets = cst_array_new(count, size.targets);
    if (!copy->bytes != !part->bytes || !copy->values != !part->values || !copy->labels != !part->labels ||
        !copy->targets != !part->targets) {
        cst_part_clear(copy);
        return cst_fail(error, CST_ENOMEM, "out of memory for %zu rows", count);
    }
    pack_all(part, copy, pick, value, &size);
    return CST_OK;
}

/* Give back what is behind the first n rows; where that fails the block stays as large as it was. */
static void *shrink(void *array, size_t bytes)
{
    void *smaller = array ? realloc(array, bytes > 0 ? bytes : 1) : NULL;
    return smaller ? smaller : array;
}

void cst_part_keep(const cst_dataset *data, cst_part *part, const uint8_t *pick, uint8_t value)
{
    const sizes size = sizes_of(data);
    pack_all(part, part, pick, value, &size);
    size_t n = 0;
    for (size_t i = 0; i < part->n; i++) n += pick[i] == value;
    part->n = n;
    part->bytes = shrink(part->bytes, n * size.bytes);
    part->values = shrink(part->values, n * size.values);
    part->labels = shrink(part->labels, n * size.labels);
    part->targets = shrink(part->targets, n * size.targets);
}
