/* y = x W^T + b on each row. If rows have more dimensions, the map applies along the last one, as in PyTorch: with
 * rows (T, in) it is a readout at each of T times.
 *
 * x (N, ..., in), y (N, ..., out), row-major. theta = [weight W (out, in) | bias b (out)]. Initial distribution:
 * PyTorch's, W and b uniform in +-1/sqrt(in). It has no cache, tangent cache or work, and all passes. The other
 * dimensions of x count as more rows of one matrix product. So do the K tangents, for which b is left out. */
#ifndef CST_LAYERS_LINEAR_H
#define CST_LAYERS_LINEAR_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_linear_options {
    size_t out_features; /* out; at least 1 */
    bool bias;           /* whether y has the term b */
} cst_linear_options;

/* Make a linear layer for rows of shape x. The caller frees *m with cst_module_free; it is NULL on failure. `error` may
 * be NULL. Errors: CST_ESHAPE unless x is (..., in) and not empty; CST_EARG if out_features is 0; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_linear_new(const cst_shape *x, const cst_linear_options *options, cst_module **m,
                                         cst_error *error);

/* gb (width) += scale times the sum of the rows of gy (rows, width): the gradient of a bias. The sum is completed
 * before it is scaled and added to gb. If gb is large, adding the rows one by one would round each of them. */
void cst_add_rows(size_t rows, size_t width, cst_real scale, const cst_real *gy, cst_real *gb);

/* A function for cst_module_ops.init. It fills each own tensor of m uniformly in +-1/sqrt(fan in), where fan in is the
 * number of entries of weight[0], and `weight` is the first tensor. This is PyTorch's distribution for linear layers
 * and convolutions. */
void cst_linear_init(const cst_module *m, cst_rng rng, cst_real *theta);

/* Keys of a section that is read into cst_linear_options. */
extern const cst_key cst_linear_keys[];

/* "linear": out_features, bias (true). */
extern const cst_module_type cst_linear_type;

#ifdef __cplusplus
}
#endif
#endif
