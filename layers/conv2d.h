/* Convolution of images with square kernels, as PyTorch's conv2d:
 *
 *   y[o, i, j] = bias[o] + sum over c, a, b of weight[o, c, a, b] x[c, i stride + a dilation - padding,
 *                                                                   j stride + b dilation - padding]
 *
 * x (N, C, H, W), zero outside; y (N, out, OH, OW), OH = (H + 2 padding - dilation (kernel - 1) - 1) / stride + 1, OW
 * likewise. theta = [weight (out, C / groups, kernel, kernel) | bias (out)]; with several groups, the channels of y's
 * g-th part see those of x's g-th part alone. Initial distribution: PyTorch's, uniform in +-1/sqrt(fan in), fan in =
 * C / groups kernel^2. Cache, tangent cache: none; work: the columns of a block of the batch (layers/im2col.h). */
#ifndef CST_LAYERS_CONV2D_H
#define CST_LAYERS_CONV2D_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_conv2d_options {
    size_t out_channels, kernel, stride, padding, dilation, groups;
    bool bias;
} cst_conv2d_options;

/* Errors: CST_EARG for an option that must not be 0 and is; CST_ESHAPE unless x is (C, H, W), the groups divide C and
 * out_channels, the kernel fits into the padded image and sizes do not overflow; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_conv2d_new(const cst_shape *x, const cst_conv2d_options *options, cst_module **m,
                                         cst_error *error);

/* Keys of a section that is read into cst_conv2d_options. */
extern const cst_key cst_conv2d_keys[];

/* "conv2d": out_channels, kernel, stride (1), padding (0), dilation (1), groups (1), bias (true). */
extern const cst_module_type cst_conv2d_type;

#ifdef __cplusplus
}
#endif
#endif
