/* NumPy's .npy files, each of which holds one array (NEP 1, https://numpy.org/neps/nep-0001-npy-format.html;
 * versions 1.0, 2.0, 3.0).
 *
 * A file consists of 0x93 "NUMPY", two bytes of version, the header's length (little-endian; 2 bytes in version 1.0,
 * 4 bytes in later ones), the header, and the elements. The header is a Python dict, padded with blanks and ended by
 * a newline:
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 * Little-endian arrays of the types below and of at most CST_MAX_RANK dimensions are read. Arrays in Fortran order
 * are transposed to C order. Files of version 1.0 are written. */
#ifndef CST_FORMATS_NPY_H
#define CST_FORMATS_NPY_H

#include "core/real.h"
#include "core/shape.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The first bytes of every file. */
#define CST_NPY_MAGIC "\x93NUMPY"

/* All types: the enum's name, the name in a file, the C type. */
#define CST_NPY_TYPES(X)                                                                                               \
    X(BOOL, "b1", uint8_t)                                                                                             \
    X(I1, "i1", int8_t)                                                                                                \
    X(U1, "u1", uint8_t)                                                                                               \
    X(I2, "i2", int16_t)                                                                                               \
    X(U2, "u2", uint16_t)                                                                                              \
    X(I4, "i4", int32_t)                                                                                               \
    X(U4, "u4", uint32_t)                                                                                              \
    X(I8, "i8", int64_t)                                                                                               \
    X(U8, "u8", uint64_t)                                                                                              \
    X(F4, "f4", float)                                                                                                 \
    X(F8, "f8", double)

/* CST_NPY_REAL is the type of a real. */
typedef enum cst_npy_type {
#define X(name, text, type) CST_NPY_##name,
    CST_NPY_TYPES(X)
#undef X
        CST_N_NPY_TYPES,
    CST_NPY_REAL = sizeof(real) == sizeof(float) ? CST_NPY_F4 : CST_NPY_F8
} cst_npy_type;

/* An array in memory, which owns its data. A zero-initialized array is empty. */
typedef struct cst_npy {
    cst_npy_type type;
    cst_shape shape; /* rank 0 is a single number */
    void *data;      /* the elements in C order, of the C type for `type` */
} cst_npy;

/* Read a file; the caller clears the array with cst_npy_clear. The memory that is allocated is bounded by the size of
 * the file, and not by the header alone. For a pipe it grows with the data that arrive.
 *
 * Errors, each with the path: CST_EIO if the file cannot be read; CST_EFORMAT if it is not an npy file, has an
 * element type or a number of dimensions that is not supported, holds fewer or more bytes than its header says, or
 * holds a bool other than 0 and 1; CST_ENOMEM. The array is then empty. */
CST_MUST_CHECK cst_status cst_npy_read(const char *path, cst_npy *array, cst_error *error);
/* Free the data. The array is empty afterwards. */
void cst_npy_clear(cst_npy *array);

/* Returns element i in C order as a double. A 64-bit integer is rounded to the nearest double. */
double cst_npy_get(const cst_npy *array, size_t i);

/* Returns the index in C order of the first element that is not finite after conversion to real, or the number of
 * elements if all are finite. */
size_t cst_npy_first_nonfinite(const cst_npy *array);

/* Convert the elements to reals, in an array that the caller frees with free(). If they are reals already, the array's
 * own data are returned without a copy, and the array is empty afterwards. Messages name `path`. Errors: CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_npy_take_reals(const char *path, cst_npy *array, real **reals, cst_error *error);

/* Returns whether the type is f4 or f8. */
bool cst_npy_is_float(cst_npy_type type);
/* Returns the name of the type in a file, without its byte order: "f4". The string is static. */
const char *cst_npy_type_name(cst_npy_type type);
/* Returns the size of an element in bytes. */
size_t cst_npy_type_size(cst_npy_type type);

/* Write an array of this type and shape, with `data` in C order, and replace the file at `path` (core/file.h). Errors:
 * CST_EIO, CST_ENOMEM; then an old file is unchanged. */
CST_MUST_CHECK cst_status cst_npy_write(const char *path, cst_npy_type type, const cst_shape *shape, const void *data,
                                        cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
