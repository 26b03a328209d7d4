/* Adds the time t as the first input: feature 0 of a vector or channel 0 of an image, as torchdiffeq and FFJORD do.
 *
 *   x (N, D)        y (N, 1 + D),        y = [t | x]
 *   x (N, C, H, W)  y (N, 1 + C, H, W),  y = [t at every pixel | x]
 *
 * gt is the sum of the cotangent of that feature or channel. It has no parameters, cache, tangent cache or work, and
 * all passes. */
#ifndef CST_LAYERS_CONCAT_TIME_H
#define CST_LAYERS_CONCAT_TIME_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Make a concat_time layer for rows of shape x. The caller frees *m with cst_module_free; it is NULL on failure.
 * `error` may be NULL. Errors: CST_ESHAPE unless x is (D) or (C, H, W); CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_concat_time_new(const cst_shape *x, cst_module **m, cst_error *error);

/* "concat_time": no keys. */
extern const cst_module_type cst_concat_time_type;

#ifdef __cplusplus
}
#endif
#endif
