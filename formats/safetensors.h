/* Named tensors in a file of the safetensors format (https://github.com/huggingface/safetensors), which PyTorch
 * reads and writes: 8 bytes with the header's length (little-endian), a header in JSON, and the data. A file is
 * replaced as a whole (core/file.h). Big-endian machines are not supported. */
#ifndef CST_FORMATS_SAFETENSORS_H
#define CST_FORMATS_SAFETENSORS_H

#include "core/module.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The types of elements that are read and written: float, double and uint64_t. */
typedef enum cst_dtype { CST_F32, CST_F64, CST_U64 } cst_dtype;

/* A tensor to be written. It owns nothing. */
typedef struct cst_save_tensor {
    const char *name; /* UTF-8 */
    cst_dtype dtype;
    cst_shape shape;
    const void *data; /* the elements in C order; their number is that of the shape */
} cst_save_tensor;

/* Write n tensors. `metadata` is a list of pairs (key, value, key, value, NULL) of strings; it may be NULL. Errors:
 * CST_EIO and CST_ENOMEM; CST_EARG if a name or a key is not UTF-8, occurs twice, or is "__metadata__". An old file
 * is then unchanged. */
CST_MUST_CHECK cst_status cst_safetensors_save(const char *path, const cst_save_tensor *tensors, size_t n,
                                               const char *const *metadata, cst_error *error);

/* An open file, whose header has been checked. */
typedef struct cst_safetensors cst_safetensors;

/* Open a file and check its header against its size. The caller closes it with cst_safetensors_close. Errors:
 * CST_EIO; CST_ENOMEM; CST_EFORMAT, which says what is wrong: the length, the header, a type, offsets that overlap,
 * leave holes or do not fit a shape, or bytes after the data. */
CST_MUST_CHECK cst_status cst_safetensors_open(const char *path, cst_safetensors **file, cst_error *error);
/* Close a file, and free the strings that the functions below returned. NULL is fine. */
void cst_safetensors_close(cst_safetensors *file);

/* Return the path, the number of tensors, the name of tensor i in the order of the data, or the value of a metadata key
 * (NULL if it is absent). The strings belong to the file. */
const char *cst_safetensors_path(const cst_safetensors *file);
size_t cst_safetensors_count(const cst_safetensors *file);
const char *cst_safetensors_name(const cst_safetensors *file, size_t i);
const char *cst_safetensors_metadata(const cst_safetensors *file, const char *key);

/* Copy the tensor with this name and shape into `data`. F32 and F64 are converted to `dtype`; U64 is read as U64 only.
 * If data is NULL, the tensor is checked but not read. Errors: CST_EFORMAT if the tensor is absent or has another type
 * or shape; CST_EIO. */
CST_MUST_CHECK cst_status cst_safetensors_read(const cst_safetensors *file, const char *name, cst_dtype dtype,
                                               const cst_shape *shape, void *data, cst_error *error);

/* ---- parameters of a module (formats/safetensors_params.c) --------------------------------------------------- */

/* Write a module's parameters theta (P) as tensors with their dotted names. Errors: as cst_safetensors_save. */
CST_MUST_CHECK cst_status cst_params_save(const char *path, const cst_module *m, const real *theta,
                                          const char *const *metadata, cst_error *error);

/* Read a module's parameters into theta (P). The name of each tensor is `prefix` (NULL: none) followed by its dotted
 * name. Every tensor of the module must exist in the file. If `exact`, the file must have no other tensor whose name
 * begins with the prefix. Errors: CST_EFORMAT, and then theta is unchanged; CST_EIO; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_params_load(const cst_safetensors *file, const cst_module *m, const char *prefix,
                                          bool exact, real *theta, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
