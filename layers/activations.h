/* Elementwise y = s(x), on rows of any shape. CST_ACTIVATIONS below lists the functions with their formulas.
 *
 * x, y (N, ...). Activations have no parameters, cache, tangent cache or work: derivatives are recomputed from x and y,
 * which costs less than storing them. All of them have all passes. A NaN in x gives a NaN in y.
 *
 * To add an activation, add its row here and its kernels in activations.c. No other file needs a change. */
#ifndef CST_LAYERS_ACTIVATIONS_H
#define CST_LAYERS_ACTIVATIONS_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, enumerator, flops per element (roughly), keys (tables in activations_config.c), summary)
 *
 * relu has s'(0) = 0 as in PyTorch, and softplus is x itself above 20 as in PyTorch. Phi is the distribution
 * function of the standard normal distribution. */
#define CST_ACTIVATIONS(X)                                                                                             \
    X(relu, CST_RELU, 1, no_keys, "max(0, x)")                                                                         \
    X(leaky_relu, CST_LEAKY_RELU, 2, leaky_relu_keys, "x for x > 0, negative_slope x below")                           \
    X(tanh, CST_TANH, 20, no_keys, "tanh(x)")                                                                          \
    X(sigmoid, CST_SIGMOID, 20, no_keys, "1 / (1 + exp(-x))")                                                          \
    X(softplus, CST_SOFTPLUS, 40, no_keys, "log(1 + exp(x))")                                                          \
    X(elu, CST_ELU, 20, elu_keys, "x for x > 0, alpha (exp(x) - 1) below")                                             \
    X(silu, CST_SILU, 20, no_keys, "x / (1 + exp(-x))")                                                                \
    X(gelu, CST_GELU, 40, no_keys, "x Phi(x), Phi the normal distribution function")                                   \
    X(square, CST_SQUARE, 1, no_keys, "x^2")                                                                           \
    X(cube, CST_CUBE, 2, no_keys, "x^3")                                                                               \
    X(identity, CST_IDENTITY, 1, no_keys, "x")

typedef enum cst_activation {
#define X(name, enumerator, flops, keys, summary) enumerator,
    CST_ACTIVATIONS(X)
#undef X
} cst_activation;

typedef struct cst_activation_options {
    cst_activation kind;
    double parameter; /* negative_slope of leaky_relu or alpha of elu; other activations ignore it */
} cst_activation_options;

/* Make an activation for rows of shape x. The caller frees *m with cst_module_free; it is NULL on failure. `error` may
 * be NULL. Errors: CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_activation_new(const cst_shape *x, const cst_activation_options *options, cst_module **m,
                                             cst_error *error);

/* The module types cst_relu_type and so on, one per activation. Keys: leaky_relu has negative_slope (0.01), elu has
 * alpha (1). */
#define X(name, enumerator, flops, keys, summary) extern const cst_module_type cst_##name##_type;
CST_ACTIVATIONS(X)
#undef X

#ifdef __cplusplus
}
#endif
#endif
