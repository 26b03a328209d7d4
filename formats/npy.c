#include "formats/npy.h"

#include "core/array.h"
#include "core/file.h"
#include "core/text.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* Elements are copied to and from the file without conversion. */
#if defined(__BYTE_ORDER__)
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "npy.c needs a little-endian machine");
#endif
_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "float and double must be IEEE 754's");

/* Names and sizes in bytes, in the order of the enum. */
static const struct {
    const char *name;
    size_t size;
} types[CST_N_NPY_TYPES] = {
#define X(name, text, type) {text, sizeof(type)},
    CST_NPY_TYPES(X)
#undef X
};

enum {
    PREFIX = 8,    /* bytes of the magic string and the version */
    ALIGNMENT = 64 /* of the first element in a file, in bytes */
};

/* ---- elements ------------------------------------------------------------------------------------------------ */

void cst_npy_clear(cst_npy *array)
{
    free(array->data);
    *array = (cst_npy){0};
}

double cst_npy_get(const cst_npy *array, size_t i)
{
    switch (array->type) {
#define X(name, text, type)                                                                                            \
    case CST_NPY_##name:                                                                                               \
        return (double)((const type *)array->data)[i];
        CST_NPY_TYPES(X)
#undef X
    case CST_N_NPY_TYPES:
        break;
    }
    return 0;
}

size_t cst_npy_first_nonfinite(const cst_npy *array)
{
    const size_t n = cst_shape_size(&array->shape);
    size_t i = 0;
    while (i < n && isfinite((real)cst_npy_get(array, i))) i++;
    return i;
}

cst_status cst_npy_take_reals(const char *path, cst_npy *array, real **reals, cst_error *error)
{
    const size_t n = cst_shape_size(&array->shape);
    /* Hand over the data of an array of reals. */
    if (array->type == CST_NPY_REAL) {
        *reals = array->data;
        *array = (cst_npy){0};
        return CST_OK;
    }
    /* Convert any other type. */
    real *values = cst_array_new(n, sizeof *values);
    if (!values) return cst_fail(error, CST_ENOMEM, "%s: out of memory for %zu numbers", path, n);
    for (size_t i = 0; i < n; i++) values[i] = (real)cst_npy_get(array, i);
    *reals = values;
    return CST_OK;
}

bool cst_npy_is_float(cst_npy_type type)
{
    return type == CST_NPY_F4 || type == CST_NPY_F8;
}

const char *cst_npy_type_name(cst_npy_type type)
{
    return types[type].name;
}

size_t cst_npy_type_size(cst_npy_type type)
{
    return types[type].size;
}

/* ---- writing ------------------------------------------------------------------------------------------------- */

cst_status cst_npy_write(const char *path, cst_npy_type type, const cst_shape *shape, const void *data,
                         cst_error *error)
{
    /* The header. A type of one byte has no byte order, and a tuple of one element ends with a comma. */
    cst_text header = {0};
    cst_text_printf(&header, "{'descr': '%c%s', 'fortran_order': False, 'shape': (", types[type].size == 1 ? '|' : '<',
                    types[type].name);
    for (size_t i = 0; i < shape->rank; i++) cst_text_printf(&header, "%s%zu", i > 0 ? ", " : "", shape->dim[i]);
    cst_text_puts(&header, shape->rank == 1 ? ",), }" : "), }");
    /* Pad it so that the elements are aligned. 2 is the size of its length, 1 that of the newline. */
    while (!header.failed && (PREFIX + 2 + header.size + 1) % ALIGNMENT != 0) cst_text_puts(&header, " ");
    cst_text_puts(&header, "\n");
    /* Write magic string, version 1.0, the header's length, the header and the elements. */
    cst_new_file file = {0};
    cst_status status = CST_OK;
    if (header.failed) status = cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    if (status == CST_OK) status = cst_new_file_create(path, &file, error);
    if (status == CST_OK) {
        const uint8_t after[] = {1, 0, (uint8_t)header.size, (uint8_t)(header.size >> 8)};
        cst_new_file_write(&file, CST_NPY_MAGIC, sizeof CST_NPY_MAGIC - 1);
        cst_new_file_write(&file, after, sizeof after);
        cst_new_file_write(&file, header.data, header.size);
        cst_new_file_write(&file, data, cst_size_mul(cst_shape_size(shape), types[type].size));
        status = cst_new_file_commit(&file, error);
    }
    free(header.data);
    return status;
}
