/* NumPy's .npy files, one array each (NEP 1, https://numpy.org/neps/nep-0001-npy-format.html; versions 1.0, 2.0, 3.0).
 *
 * A file is: 0x93 "NUMPY", two bytes of version, the header's length (2 bytes in version 1.0, then 4, little-endian),
 * the header, the elements. The header is a Python dict, padded with blanks and ended by a newline:
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 * Read are little-endian arrays of the types below and at most CST_MAX_RANK dimensions; those in Fortran order are
 * transposed. */
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

/* Type, its name in a file, C type. */
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

typedef enum cst_npy_type {
#define X(name, text, type) CST_NPY_##name,
    CST_NPY_TYPES(X)
#undef X
        CST_N_NPY_TYPES,
    CST_NPY_REAL = sizeof(real) == sizeof(float) ? CST_NPY_F4 : CST_NPY_F8
} cst_npy_type;

typedef struct cst_npy {
    cst_npy_type type;
    cst_shape shape; /* rank 0: a single number */
    void *data;      /* in C order, malloc'ed */
} cst_npy;

/* Read a file. Of one whose size is known no more is allocated than it has; from a pipe memory grows with what is read.
 * Errors, each naming the file: CST_EIO if it cannot be read; CST_EFORMAT if it is no such file, is of another type,
 * has more dimensions, holds fewer or more bytes than its header says, or a bool that is neither 0 nor 1; CST_ENOMEM.
 * Nothing is kept then. */
CST_MUST_CHECK cst_status cst_npy_read(const char *path, cst_npy *array, cst_error *error);
void cst_npy_clear(cst_npy *array);

/* Element i, in C order; of 64-bit integers the nearest double. */
double cst_npy_get(const cst_npy *array, size_t i);

/* The first element, in C order, that is not finite as a real; their number if all are. */
size_t cst_npy_first_nonfinite(const cst_npy *array);

/* The elements as reals, to be freed with free(): the array's own, if they are reals, and then it is empty. CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_npy_take_reals(const char *path, cst_npy *array, real **reals, cst_error *error);

bool cst_npy_is_float(cst_npy_type type);
const char *cst_npy_type_name(cst_npy_type type); /* "f4" */

/* Write an array, data in C order, in place of what `path` was. CST_EIO: the file is as it was before. */
CST_MUST_CHECK cst_status cst_npy_write(const char *path, cst_npy_type type, const cst_shape *shape, const void *data,
                                        cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
