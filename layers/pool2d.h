/* Pooling over pixels: avg_pool2d, max_pool2d and global_avg_pool2d.
 *
 *   x (C, H, W) -> y (C, OH, OW),   OH = floor((H + 2 padding - kernel) / stride) + 1, OW likewise
 *   avg   y = mean of the kernel x kernel window that starts at (stride i - padding, stride j - padding); the padding
 *         counts as zeros (PyTorch's count_include_pad)
 *   max   y = the window's largest entry; padding never wins. Gradients and tangents go by the window's first largest
 *         entry in row-major order; a NaN counts as larger than all before it, so it shows, as in PyTorch
 *   global_avg   x (C, H, W) -> y (C), the mean over pixels
 *
 * No parameters, no cache, no tangent cache, no work. All have all passes; in jvp_vjp the second derivative is zero. */
#ifndef CST_LAYERS_POOL2D_H
#define CST_LAYERS_POOL2D_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_pool2d_options {
    size_t kernel;
    size_t stride;  /* 0: the kernel */
    size_t padding; /* at most kernel / 2 */
} cst_pool2d_options;

/* Errors: CST_ESHAPE unless rows are (C, H, W), not empty, and a window fits into the padded image; CST_EARG for a
 * kernel of 0 or too much padding; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_avg_pool2d_new(const cst_shape *x, const cst_pool2d_options *options, cst_module **m,
                                             cst_error *error);
CST_MUST_CHECK cst_status cst_max_pool2d_new(const cst_shape *x, const cst_pool2d_options *options, cst_module **m,
                                             cst_error *error);
CST_MUST_CHECK cst_status cst_global_avg_pool2d_new(const cst_shape *x, cst_module **m, cst_error *error);

extern const cst_module_type cst_avg_pool2d_type, cst_max_pool2d_type, cst_global_avg_pool2d_type;

#ifdef __cplusplus
}
#endif
#endif
