/* FFJORD's time-dependent layers (Grathwohl et al., "FFJORD", 2019): a linear map or a convolution whose output is
 * gated and shifted, a value a channel, by functions of time:
 *
 *   y = layer(x) sigmoid(hyper_gate(t)) + hyper_bias(t)
 *
 * with hyper_gate(t) = w t + v and hyper_bias(t) = u t, linear maps of the 1-vector t to as many values as y has
 * features (linear) or channels (conv2d). Children, in the order of theta: layer, hyper_bias (no bias), hyper_gate.
 *
 * The cache holds the layer's own and its value, the tangent cache the same of tangents; work has room for one
 * cotangent of the layer's value (and K of its tangents), a few values a channel, and what the layer needs. */
#ifndef CST_LAYERS_CONCAT_SQUASH_H
#define CST_LAYERS_CONCAT_SQUASH_H

#include "core/registry.h"
#include "layers/conv2d.h"
#include "layers/linear.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Errors: the layer's; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_concat_squash_linear_new(const cst_shape *x, const cst_linear_options *options,
                                                       cst_module **m, cst_error *error);
CST_MUST_CHECK cst_status cst_concat_squash_conv2d_new(const cst_shape *x, const cst_conv2d_options *options,
                                                       cst_module **m, cst_error *error);

/* "concat_squash_linear" and "concat_squash_conv2d": keys as for linear and conv2d. */
extern const cst_module_type cst_concat_squash_linear_type, cst_concat_squash_conv2d_type;

#ifdef __cplusplus
}
#endif
#endif
