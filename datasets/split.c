#include "datasets/split.h"

#include "core/array.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void cst_split_clear(cst_split *split)
{
    free(split->bytes);
    free(split->values);
    free(split->labels);
    free(split->targets);
    free(split->trajectories);
    *split = (cst_split){0};
}

cst_status cst_split_init(cst_split *split, cst_split_kind kind, size_t n, size_t row, cst_error *error)
{
    *split = (cst_split){.n = n};
    /* An overflow gives SIZE_MAX, which cannot be allocated. */
    const size_t count = cst_size_mul(n, row);
    if (kind == CST_SPLIT_BYTES) {
        split->bytes = cst_array_new(count, sizeof *split->bytes);
    } else {
        split->values = cst_array_new(count, sizeof *split->values);
    }
    split->labels = cst_array_new(n, sizeof *split->labels);
    if ((split->bytes || split->values) && split->labels) return CST_OK;
    cst_split_clear(split);
    return cst_fail(error, CST_ENOMEM, "out of memory for %zu rows of %zu %s", n, row,
                    kind == CST_SPLIT_BYTES ? "bytes" : "numbers");
}

/* Copy the rows i of one array with pick[i] == value, `size` bytes each, to the front of `to`, which may be `from`. A no-op
 * if the split does not have the array. */
static void pack(const void *from, void *to, const uint8_t *pick, uint8_t value, size_t n, size_t size)
{
    if (!from) return;
    size_t next = 0;
    for (size_t i = 0; i < n; i++) {
        if (pick[i] != value) continue;
        /* In place a row moves to the place of an earlier row, so the two do not overlap. */
        if (from != to || next != i) memcpy((char *)to + next * size, (const char *)from + i * size, size);
        next++;
    }
}

/* Bytes per row in each of the arrays of a split. */
typedef struct sizes {
    size_t bytes, values, labels, targets;
} sizes;

/* 0 for targets if the data set has none. */
static sizes sizes_of(const cst_dataset *data)
{
    const size_t x = cst_shape_size(&data->x), labels = cst_dataset_labels(data);
    return (sizes){x, cst_size_mul(x, sizeof(real)), cst_size_mul(labels, sizeof(int32_t)),
                   cst_size_mul(data->n_targets, sizeof(real))};
}

/* Pack all arrays. */
static void pack_all(const cst_split *from, cst_split *to, const uint8_t *pick, uint8_t value, const sizes *size)
{
    pack(from->bytes, to->bytes, pick, value, from->n, size->bytes);
    pack(from->values, to->values, pick, value, from->n, size->values);
    pack(from->labels, to->labels, pick, value, from->n, size->labels);
    pack(from->targets, to->targets, pick, value, from->n, size->targets);
}

cst_status cst_split_copy(const cst_dataset *data, const cst_split *split, const uint8_t *pick, uint8_t value,
                          size_t count, cst_split *copy, cst_error *error)
{
    /* Only the arrays that the split has. */
    const sizes size = sizes_of(data);
    *copy = (cst_split){.n = count};
    if (split->bytes) copy->bytes = cst_array_new(count, size.bytes);
    if (split->values) copy->values = cst_array_new(count, size.values);
    if (split->labels) copy->labels = cst_array_new(count, size.labels);
    if (split->targets) copy->targets = cst_array_new(count, size.targets);
    /* Each array of the split must have its copy. */
    if (!copy->bytes != !split->bytes || !copy->values != !split->values || !copy->labels != !split->labels ||
        !copy->targets != !split->targets) {
        cst_split_clear(copy);
        return cst_fail(error, CST_ENOMEM, "out of memory for %zu rows", count);
    }
    pack_all(split, copy, pick, value, &size);
    return CST_OK;
}

/* Free the end of an array. If that fails the block keeps its size. */
static void *shrink(void *array, size_t bytes)
{
    void *smaller = array ? realloc(array, bytes > 0 ? bytes : 1) : NULL;
    return smaller ? smaller : array;
}

void cst_split_keep(const cst_dataset *data, cst_split *split, const uint8_t *pick, uint8_t value)
{
    const sizes size = sizes_of(data);
    pack_all(split, split, pick, value, &size);
    /* Count the rows that were kept, and shrink the arrays to them. */
    size_t n = 0;
    for (size_t i = 0; i < split->n; i++) n += pick[i] == value;
    split->n = n;
    split->bytes = shrink(split->bytes, n * size.bytes);
    split->values = shrink(split->values, n * size.values);
    split->labels = shrink(split->labels, n * size.labels);
    split->targets = shrink(split->targets, n * size.targets);
}
