/* What the modules conv2d and conv_transpose2d share: a lowering (layers/im2col.h), parameters, work and keys. conv2d's x is the
 * lowering's image and its y the map; conv_transpose2d's the other way round. */
#ifndef CST_LAYERS_CONVOLUTION_H
#define CST_LAYERS_CONVOLUTION_H

#include "core/config.h"
#include "core/module.h"
#include "layers/im2col.h"

#ifdef __cplusplus
extern "C" {
#endif

/* theta = [weight as the lowering's | bias (y's channels) if it has one]. */
CST_MUST_CHECK cst_status cst_convolution_new(const cst_module_ops *ops, const cst_shape *x, const cst_shape *y,
                                              const cst_lowering *lowering, bool bias, cst_module **m,
                                              cst_error *error);

const cst_lowering *cst_convolution_lowering(const cst_module *m);
const real *cst_convolution_bias(const cst_module *m, const real *theta); /* NULL if it has none */

/* gbias += scale times the sum of gy (rows, y) over rows and pixels, if it has a bias and a gradient is wanted. */
void cst_convolution_bias_gradient(const cst_module *m, size_t rows, const real *gy, real scale, real *gtheta);

/* For cst_module_ops. Initial distribution: PyTorch's, uniform in +-1/sqrt(entries of one of the weight's rows). */
void cst_convolution_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan);
void cst_convolution_init(const cst_module *m, cst_rng rng, real *theta);

/* A key that is a size of the options, at least `least`. */
#define CST_CONVOLUTION_SIZE(options, field, fallback, least, help)                                                    \
    {                                                                                                                  \
#field, CST_KEY_SIZE, offsetof(options, field), fallback, CST_BETWEEN(least, 1e6), NULL, help                  \
    }

#ifdef __cplusplus
}
#endif
#endif
