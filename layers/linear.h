/* y = x W^T + b on every row, and where a row has more dimensions along its last one, as PyTorch's: a readout at each time
 * of a series.
 *
 * x (N, ..., in), y (N, ..., out); theta = [weight W (out, in) | bias b (out)]. Initial distribution: PyTorch's, W and b uniform
 * in +-1/sqrt(in). Cache, tangent cache and work: none. K tangents are K N more rows of one matrix product, without b; so are the entries of the other dimensions, with it. */
#ifndef CST_LAYERS_LINEAR_H
#define CST_LAYERS_LINEAR_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_linear_options {
    size_t out_features;
    bool bias;
} cst_linear_options;

/* Errors: CST_ESHAPE unless x is (..., in); CST_EARG for out_features 0; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_linear_new(const cst_shape *x, const cst_linear_options *options, cst_module **m,
                                         cst_error *error);

/* gb (width) += scale times the sum of gy's rows (rows, width): a bias's gradient. The sum is made before it is scaled and
 * added: gb may be a quadrature much larger than one row's contribution. */
void cst_add_rows(size_t rows, size_t width, real scale, const real *gy, real *gb);

/* Keys of a section that is read into cst_linear_options. */
extern const cst_key cst_linear_keys[];

/* "linear": out_features, bias (true). */
extern const cst_module_type cst_linear_type;

#ifdef __cplusplus
}
#endif
#endif
