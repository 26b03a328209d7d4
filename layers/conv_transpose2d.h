/* Transposed convolution of images with square kernels, as PyTorch's conv_transpose2d: the transpose of the linear map
 * that conv2d applies,
 *
 *   y[o, i stride + a dilation - padding, j stride + b dilation - padding] += weight[c, o, a, b] x[c, i, j]
 *
 * for all c, a, b and the pixels that exist, starting from y[o] = bias[o].
 *
 * x (N, C, H, W); y (N, out, OH, OW), OH = (H - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1, OW
 * likewise. theta = [weight (C, out / groups, kernel, kernel) | bias (out)]. Initial distribution: PyTorch's, uniform in
 * +-1/sqrt(out / groups kernel^2). Cache, tangent cache: none; work: the columns of a block of the batch
 * (layers/im2col.h). */
#ifndef CST_LAYERS_CONV_TRANSPOSE2D_H
#define CST_LAYERS_CONV_TRANSPOSE2D_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_conv_transpose2d_options {
    size_t out_channels, kernel, stride, padding;
    size_t output_padding; /* rows and columns more, at the bottom and on the right; less than stride or dilation */
    size_t dilation, groups;
    bool bias;
} cst_conv_transpose2d_options;

/* Errors: CST_EARG for an option that must not be 0 and is, or for a large output_padding; CST_ESHAPE unless x is
 * (C, H, W), the groups divide C and out_channels, y has pixels and sizes do not overflow; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_conv_transpose2d_new(const cst_shape *x, const cst_conv_transpose2d_options *options,
                                                   cst_module **m, cst_error *error);

/* Keys of a section that is read into cst_conv_transpose2d_options. */
extern const cst_key cst_conv_transpose2d_keys[];

/* "conv_transpose2d": out_channels, kernel, stride (1), padding (0), output_padding (0), dilation (1), groups (1), bias
 * (true). */
extern const cst_module_type cst_conv_transpose2d_type;

#ifdef __cplusplus
}
#endif
#endif
