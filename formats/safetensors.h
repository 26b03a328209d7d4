/* Named tensors in a file: the safetensors format (8 bytes little-endian length, JSON header, data), which PyTorch
 * reads and writes. Written to a temporary name, flushed to disk and renamed: a reader sees the old file or the new
 * one. Little-endian machines only. */
#ifndef CST_FORMATS_SAFETENSORS_H
#define CST_FORMATS_SAFETENSORS_H

#include "core/module.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cst_dtype { CST_F32, CST_F64, CST_U64 } cst_dtype;

/* A tensor to write: `data` has the product of `shape` elements. */
typedef struct cst_save_tensor {
    const char *name;
    cst_dtype dtype;
    cst_shape shape;
    const void *data;
} cst_save_tensor;

/* metadata: pairs of strings (key, value, key, value, NULL), may be NULL. CST_EIO: the file is as it was before.
 * CST_EARG: a name is not UTF-8, occurs twice or is "__metadata__". */
CST_MUST_CHECK cst_status cst_safetensors_save(const char *path, const cst_save_tensor *tensors, size_t n,
                                               const char *const *metadata, cst_error *error);

typedef struct cst_safetensors cst_safetensors;

/* Open and check a whole file: CST_EIO, or CST_EFORMAT naming what is wrong (length, header, type, offsets that
 * overlap, leave holes or do not fit the shape, trailing bytes). */
CST_MUST_CHECK cst_status cst_safetensors_open(const char *path, cst_safetensors **file, cst_error *error);
void cst_safetensors_close(cst_safetensors *file); /* NULL is fine */

const char *cst_safetensors_path(const cst_safetensors *file);
size_t cst_safetensors_count(const cst_safetensors *file);
const char *cst_safetensors_name(const cst_safetensors *file, size_t i);            /* in the order of the data */
const char *cst_safetensors_metadata(const cst_safetensors *file, const char *key); /* NULL if absent */

/* Copy the tensor of that name and shape into `data`, F32 and F64 converted to `dtype` (U64 only to itself).
 * CST_EFORMAT if it is absent, of another type (named) or of another shape (both named). NULL data: only check. */
CST_MUST_CHECK cst_status cst_safetensors_read(const cst_safetensors *file, const char *name, cst_dtype dtype,
                                               const cst_shape *shape, void *data, cst_error *error);

/* A module's parameters by their dotted names. Loading takes each with `prefix` (NULL: none) before it and demands
 * every tensor of the module; with `exact` also that the file holds no tensor under the prefix that the module does not
 * have. A file that does not fit leaves theta as it was. */
CST_MUST_CHECK cst_status cst_params_save(const char *path, const cst_module *m, const real *theta,
                                          const char *const *metadata, cst_error *error);
CST_MUST_CHECK cst_status cst_params_load(const cst_safetensors *file, const cst_module *m, const char *prefix,
                                          bool exact, real *theta, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
