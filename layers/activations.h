/* Elementwise y = s(x), on rows of any shape:
 *
 *   relu        max(0, x), with s'(0) = 0 as in PyTorch      elu       x for x > 0, alpha (exp(x) - 1) below
 *   leaky_relu  x for x > 0, negative_slope x below          silu      x / (1 + exp(-x))
 *   tanh        tanh(x)                                      gelu      x Phi(x), Phi the normal distribution's
 *   sigmoid     1 / (1 + exp(-x))                            square, cube   x^2, x^3
 *   softplus    log(1 + exp(x)), x above 20 as in PyTorch    identity  x
 *
 * No parameters, cache, tangent cache or work: derivatives are made anew from x or y, which costs less than memory.
 * A NaN stays a NaN in all of them. */
#ifndef CST_LAYERS_ACTIVATIONS_H
#define CST_LAYERS_ACTIVATIONS_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cst_activation {
    CST_RELU,
    CST_LEAKY_RELU,
    CST_TANH,
    CST_SIGMOID,
    CST_SOFTPLUS,
    CST_ELU,
    CST_SILU,
    CST_GELU,
    CST_SQUARE,
    CST_CUBE,
    CST_IDENTITY
} cst_activation;

typedef struct cst_activation_options {
    cst_activation kind;
    double parameter; /* leaky_relu's negative_slope, elu's alpha; others ignore it */
} cst_activation_options;

/* Errors: CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_activation_new(const cst_shape *x, const cst_activation_options *options, cst_module **m,
                                             cst_error *error);

/* No keys but leaky_relu's negative_slope (0.01) and elu's alpha (1). */
extern const cst_module_type cst_relu_type, cst_leaky_relu_type, cst_tanh_type, cst_sigmoid_type, cst_softplus_type,
    cst_elu_type, cst_silu_type, cst_gelu_type, cst_square_type, cst_cube_type, cst_identity_type;

#ifdef __cplusplus
}
#endif
#endif
