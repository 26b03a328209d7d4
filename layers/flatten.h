/* Rows of any shape as vectors: (C, H, W) -> (C H W), in memory's order. No parameters, cache or work. */
#ifndef CST_LAYERS_FLATTEN_H
#define CST_LAYERS_FLATTEN_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Errors: CST_ESHAPE for rows of no elements or too many; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_flatten_new(const cst_shape *x, cst_module **m, cst_error *error);

/* "flatten": no keys. */
extern const cst_module_type cst_flatten_type;

#ifdef __cplusplus
}
#endif
#endif
