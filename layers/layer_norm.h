/* Layer normalization (Ba, Kiros and Hinton, "Layer normalization", 2016): each row is brought to mean 0 and variance 1
 * over all its entries, then every entry is scaled and shifted by parameters of its own:
 *
 *   y = weight (x - mean) / sqrt(variance + eps) + bias,   variance = mean((x - mean)^2)
 *
 * x, y of any shape. theta = [weight | bias], both of the shape of a row, initially 1 and 0. Cache: two numbers a row,
 * and as many a tangent. Work: none. Has all passes. */
#ifndef CST_LAYERS_LAYER_NORM_H
#define CST_LAYERS_LAYER_NORM_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_layer_norm_options {
    double eps; /* 1e-5 */
} cst_layer_norm_options;

/* Errors: CST_ESHAPE for empty rows; CST_EARG unless eps is a positive number (in reals); CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_layer_norm_new(const cst_shape *x, const cst_layer_norm_options *options, cst_module **m,
                                             cst_error *error);

extern const cst_module_type cst_layer_norm_type;

#ifdef __cplusplus
}
#endif
#endif
