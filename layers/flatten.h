/* Makes vectors of rows of any shape: x (N, C, H, W) becomes y (N, C H W), in the order of memory.
 *
 * It has all passes, each of which copies its input. It has no parameters, cache, tangent cache or work. */
#ifndef CST_LAYERS_FLATTEN_H
#define CST_LAYERS_FLATTEN_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Make a flatten layer for rows of shape x. The caller frees *m with cst_module_free; it is NULL on failure. `error`
 * may be NULL. Errors: CST_ESHAPE for rows without elements; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_flatten_new(const cst_shape *x, cst_module **m, cst_error *error);

/* "flatten": no keys. */
extern const cst_module_type cst_flatten_type;

#ifdef __cplusplus
}
#endif
#endif
