/* Pooling over pixels: avg_pool2d, max_pool2d and global_avg_pool2d.
 *
 * x (N, C, H, W); avg_pool2d and max_pool2d have y (N, C, OH, OW),
 *
 *   OH = floor((H + 2 padding - kernel) / stride) + 1, OW the same with W,
 *
 * and pixel (i, j) of y sees the kernel x kernel window of x that starts at (stride i - padding, stride j -
 * padding):
 *
 *   avg_pool2d         y = mean over the window; padding counts as zeros (PyTorch's count_include_pad)
 *   max_pool2d         y = largest entry of the window; padding never wins. Gradients and tangents follow the window's
 *                      first largest entry in row-major order. A NaN counts as larger than the entries before it, as
 *                      in PyTorch, so that it reaches y
 *   global_avg_pool2d  y (N, C) = mean over all pixels
 *
 * The pools have no parameters, cache, tangent cache or work. All of them have all passes; their second derivatives are
 * zero. */
#ifndef CST_LAYERS_POOL2D_H
#define CST_LAYERS_POOL2D_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_pool2d_options {
    size_t kernel;  /* height and width of a window, in pixels; at least 1 */
    size_t stride;  /* pixels from one window to the next; 0 means the kernel's size */
    size_t padding; /* rows and columns added on every side; at most kernel / 2 */
} cst_pool2d_options;

/* Make a pool for rows of shape x. The caller frees *m with cst_module_free; it is NULL on failure. `error` may be
 * NULL. Errors: CST_ESHAPE unless x is (C, H, W), not empty, and a window fits into the padded image; CST_EARG for a
 * kernel of 0 or too much padding; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_avg_pool2d_new(const cst_shape *x, const cst_pool2d_options *options, cst_module **m,
                                             cst_error *error);
CST_MUST_CHECK cst_status cst_max_pool2d_new(const cst_shape *x, const cst_pool2d_options *options, cst_module **m,
                                             cst_error *error);
CST_MUST_CHECK cst_status cst_global_avg_pool2d_new(const cst_shape *x, cst_module **m, cst_error *error);

/* "avg_pool2d", "max_pool2d": kernel, stride (0), padding (0). "global_avg_pool2d": no keys. */
extern const cst_module_type cst_avg_pool2d_type, cst_max_pool2d_type, cst_global_avg_pool2d_type;

#ifdef __cplusplus
}
#endif
#endif
