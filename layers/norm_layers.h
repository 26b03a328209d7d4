/* Group and layer normalization. Both bring the entries of a group to mean 0 and variance 1, then scale and shift
 * them:
 *
 *   y = weight (x - mean) / sqrt(variance + eps) + bias,   variance = mean((x - mean)^2)
 *
 * group_norm  (Wu and He, "Group normalization", ECCV 2018) splits the channels of each row into `groups` groups. A
 *             group consists of all pixels of its channels. x, y (N, C, H, W) or (N, C); any row whose first dimension
 *             is the channels is accepted. theta = [weight (C) | bias (C)]: one pair of parameters per channel.
 * layer_norm  (Ba, Kiros and Hinton, "Layer normalization", 2016) treats the whole row as one group. x, y (N, ...) of
 *             any shape. theta = [weight | bias], each of the shape of a row: one pair of parameters per entry.
 *
 * Initially weight = 1 and bias = 0. Cache: two numbers per row and group (mean, 1 / std). Tangent cache: two numbers
 * per tangent, row and group. No pass needs work. Both layers have all passes; layers/normalize_internal.h has their
 * loops. */
#ifndef CST_LAYERS_NORM_LAYERS_H
#define CST_LAYERS_NORM_LAYERS_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_group_norm_options {
    size_t groups; /* number of groups; must divide C */
    double eps;    /* added to the variance; 1e-5 in a config without the key */
} cst_group_norm_options;

/* Make a group_norm for rows of shape x. The caller frees *m with cst_module_free; it is NULL on failure. `error` may
 * be NULL. Errors: CST_ESHAPE if rows have no channels or `groups` does not divide their number; CST_EARG unless eps is
 * finite and, rounded to `real`, above 0; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_group_norm_new(const cst_shape *x, const cst_group_norm_options *options, cst_module **m,
                                             cst_error *error);

typedef struct cst_layer_norm_options {
    double eps; /* added to the variance; 1e-5 in a config without the key */
} cst_layer_norm_options;

/* Make a layer_norm for rows of shape x. *m and `error` are as for cst_group_norm_new. Errors: CST_ESHAPE for empty
 * rows; CST_EARG unless eps is finite and, rounded to `real`, above 0; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_layer_norm_new(const cst_shape *x, const cst_layer_norm_options *options, cst_module **m,
                                             cst_error *error);

/* "group_norm": groups, eps (1e-5). "layer_norm": eps (1e-5). */
extern const cst_module_type cst_group_norm_type, cst_layer_norm_type;

#ifdef __cplusplus
}
#endif
#endif
