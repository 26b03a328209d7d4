/* Group normalization (Wu and He, "Group normalization", ECCV 2018): the channels of a row are cut into groups, and
 * each group is brought to mean 0 and variance 1 over its channels and pixels, then scaled and shifted a channel:
 *
 *   y = weight (x - mean) / sqrt(variance + eps) + bias,   variance = mean((x - mean)^2)
 *
 * x, y (C, H, W) or (C); any row whose first dimension is the channels will do. theta = [weight (C) | bias (C)],
 * initially 1 and 0. Cache: two numbers a row and group, and as many a tangent. Work: none. Has all passes. */
#ifndef CST_LAYERS_GROUP_NORM_H
#define CST_LAYERS_GROUP_NORM_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_group_norm_options {
    size_t groups; /* divides C */
    double eps;    /* 1e-5 */
} cst_group_norm_options;

/* Errors: CST_ESHAPE unless rows have channels and `groups` divides their number; CST_EARG unless eps is a positive
 * number (in reals); CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_group_norm_new(const cst_shape *x, const cst_group_norm_options *options, cst_module **m,
                                             cst_error *error);

extern const cst_module_type cst_group_norm_type;

#ifdef __cplusplus
}
#endif
#endif
