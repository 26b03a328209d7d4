/* FFJORD's time-dependent layers (Grathwohl et al., "FFJORD", 2019): a linear map or a convolution whose output is
 * gated and shifted by functions of time, with one gate and one shift per channel:
 *
 *   y = layer(x) sigmoid(hyper_gate(t)) + hyper_bias(t),   hyper_gate(t) = w t + v,   hyper_bias(t) = u t
 *
 * x, y and their shapes are those of the layer: linear on rows (in), or conv2d on rows (C, H, W). A "channel" is a
 * channel of conv2d's y or a feature of linear's. w, v and u have one entry per channel. Children, in the order of
 * theta: layer, hyper_bias (linear without bias), hyper_gate (linear).
 *
 * Cache: the layer's cache, its value, and the functions of time. Tangent cache: the layer's, and the tangents of
 * its value. Work: one cotangent of the layer's value and K of its tangents, a few values per channel, and the
 * layer's work. Both layers have all passes. */
#ifndef CST_LAYERS_CONCAT_SQUASH_H
#define CST_LAYERS_CONCAT_SQUASH_H

#include "core/registry.h"
#include "layers/conv2d.h"
#include "layers/linear.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Make a concat_squash layer for rows of shape x. The caller frees *m with cst_module_free; it is NULL on failure.
 * `error` may be NULL. Errors: those of cst_linear_new and cst_conv2d_new; CST_ESHAPE if the layer is linear and x is
 * not (in); CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_concat_squash_linear_new(const cst_shape *x, const cst_linear_options *options,
                                                       cst_module **m, cst_error *error);
CST_MUST_CHECK cst_status cst_concat_squash_conv2d_new(const cst_shape *x, const cst_conv2d_options *options,
                                                       cst_module **m, cst_error *error);

/* "concat_squash_linear" and "concat_squash_conv2d", with the keys of linear and conv2d. */
extern const cst_module_type cst_concat_squash_linear_type, cst_concat_squash_conv2d_type;

#ifdef __cplusplus
}
#endif
#endif
