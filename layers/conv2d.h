/* Convolution of images with square kernels, and its transpose, as PyTorch's conv2d and conv_transpose2d.
 *
 * x is (N, C, H, W) and counts as zero outside of the image; y is (N, out, OH, OW). Sums are over c, a, b < kernel:
 *
 *   conv2d            y[o, i, j] = bias[o] + sum weight[o, c, a, b] x[c, i stride + a dilation - padding,
 *                                                                        j stride + b dilation - padding]
 *                     OH = (H + 2 padding - dilation (kernel - 1) - 1) / stride + 1; OW has the same formula with W
 *                     weight (out, C / groups, kernel, kernel)
 *   conv_transpose2d  y[o] = bias[o], then for all c, a, b and pixels (i, j) of x
 *                     y[o, i stride + a dilation - padding, j stride + b dilation - padding]
 *                         += weight[c, o, a, b] x[c, i, j]
 *                     OH = (H - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1; OW the same with W
 *                     weight (C, out / groups, kernel, kernel)
 *
 * theta = [weight | bias (out)]. With several groups, the g-th part of y's channels depends on the g-th part of x's
 * channels only. Without bias, conv_transpose2d is the transpose of the linear map that conv2d applies.
 *
 * Initial distribution: PyTorch's, weight and bias uniform in +-1/sqrt(fan in), where fan in is the number of entries
 * of weight[0]. Cache and tangent cache: none. Work: the columns of a block of the batch (layers/im2col.h). Both layers
 * have all passes. */
#ifndef CST_LAYERS_CONV2D_H
#define CST_LAYERS_CONV2D_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_conv2d_options {
    size_t out_channels;     /* channels of y */
    size_t kernel;           /* height and width of the kernel */
    size_t stride;           /* pixels of x from one window to the next */
    size_t padding;          /* rows and columns of zeros added on every side of x */
    size_t dilation, groups; /* pixels between neighbouring entries of the kernel; parts of the channels */
    bool bias;               /* add bias[o] to every pixel of channel o */
} cst_conv2d_options;

/* Make a conv2d for rows of shape x. The caller frees *m with cst_module_free; it is NULL on failure. `error` may be
 * NULL. Errors: CST_EARG if an option other than padding and bias is 0; CST_ESHAPE unless x is (C, H, W), the groups
 * divide C and out_channels, the kernel fits into the padded image and sizes do not overflow; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_conv2d_new(const cst_shape *x, const cst_conv2d_options *options, cst_module **m,
                                         cst_error *error);

typedef struct cst_conv_transpose2d_options {
    size_t out_channels;     /* channels of y */
    size_t kernel;           /* height and width of the kernel */
    size_t stride;           /* pixels of y from one pixel of x to the next */
    size_t padding;          /* rows and columns of y cut off on every side */
    size_t output_padding;   /* rows added at the bottom and columns added on the right; below stride or dilation */
    size_t dilation, groups; /* pixels between neighbouring entries of the kernel; parts of the channels */
    bool bias;               /* add bias[o] to every pixel of channel o */
} cst_conv_transpose2d_options;

/* Make a conv_transpose2d for rows of shape x. *m and `error` are as for cst_conv2d_new. Errors: CST_EARG if
 * out_channels, kernel, stride, dilation or groups is 0, or output_padding is too large; CST_ESHAPE unless x is (C, H,
 * W), the groups divide C and out_channels, y has pixels and sizes do not overflow; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_conv_transpose2d_new(const cst_shape *x, const cst_conv_transpose2d_options *options,
                                                   cst_module **m, cst_error *error);

/* Keys of a section that is read into cst_conv2d_options. */
extern const cst_key cst_conv2d_keys[];

/* "conv2d": out_channels, kernel, stride (1), padding (0), dilation (1), groups (1), bias (true).
 * "conv_transpose2d": the same keys and output_padding (0). */
extern const cst_module_type cst_conv2d_type, cst_conv_transpose2d_type;

#ifdef __cplusplus
}
#endif
#endif
