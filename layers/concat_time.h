/* The time t as one more input, first: feature 0 of a vector, channel 0 of an image (torchdiffeq's and FFJORD's
 * convention).
 *
 * x (N, D) -> y (N, 1 + D), or x (N, C, H, W) -> y (N, 1 + C, H, W). gt is the sum over the cotangent of that
 * channel. No parameters, cache or work. */
#ifndef CST_LAYERS_CONCAT_TIME_H
#define CST_LAYERS_CONCAT_TIME_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Errors: CST_ESHAPE unless x is (D) or (C, H, W); CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_concat_time_new(const cst_shape *x, cst_module **m, cst_error *error);

/* "concat_time": no keys. */
extern const cst_module_type cst_concat_time_type;

#ifdef __cplusplus
}
#endif
#endif
