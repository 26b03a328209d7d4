/* The activations as sections of a config. (layers/activations.c exports functions only: see scripts/levels.sh.) */
#include "layers/activations.h"

static const cst_key no_keys[] = {{.name = NULL}};

static const cst_key leaky_relu_keys[] = {
    {.name = "negative_slope",
     .kind = CST_KEY_REAL,
     .offset = offsetof(cst_activation_options, parameter),
     .fallback = "0.01",
     .help = "slope below 0"},
    {.name = NULL},
};

static const cst_key elu_keys[] = {
    {.name = "alpha",
     .kind = CST_KEY_REAL,
     .offset = offsetof(cst_activation_options, parameter),
     .fallback = "1",
     .help = "minus the limit at minus infinity"},
    {.name = NULL},
};

/* X(name, enumerator, keys, default parameter, summary) */
#define ACTIVATIONS(X)                                                                                                 \
    X(relu, CST_RELU, no_keys, 0, "max(0, x)")                                                                         \
    X(leaky_relu, CST_LEAKY_RELU, leaky_relu_keys, 0.01, "x for x > 0, negative_slope x below")                        \
    X(tanh, CST_TANH, no_keys, 0, "tanh(x)")                                                                           \
    X(sigmoid, CST_SIGMOID, no_keys, 0, "1 / (1 + exp(-x))")                                                           \
    X(softplus, CST_SOFTPLUS, no_keys, 0, "log(1 + exp(x))")                                                           \
    X(elu, CST_ELU, elu_keys, 1, "x for x > 0, alpha (exp(x) - 1) below")                                              \
    X(silu, CST_SILU, no_keys, 0, "x / (1 + exp(-x))")                                                                 \
    X(gelu, CST_GELU, no_keys, 0, "x Phi(x), Phi the normal distribution function")                                    \
    X(square, CST_SQUARE, no_keys, 0, "x^2")                                                                           \
    X(cube, CST_CUBE, no_keys, 0, "x^3")                                                                               \
    X(identity, CST_IDENTITY, no_keys, 0, "x")

#define TYPE(type, kind_, keys_, parameter_, text)                                                                     \
    static cst_status type##_make(const cst_registry *registry, cst_config section, const cst_shape *x,                \
                                  cst_module **m, cst_error *error)                                                    \
    {                                                                                                                  \
        (void)registry;                                                                                                \
        cst_activation_options options = {.kind = kind_, .parameter = parameter_};                                     \
        CST_TRY(cst_config_read(section, keys_, true, &options, error));                                               \
        return cst_activation_new(x, &options, m, error);                                                              \
    }                                                                                                                  \
    static const cst_module_example type##_examples[] = {                                                              \
        {"{\"type\": \"" #type "\"}", {1, {5}}},                                                                       \
        {"{\"type\": \"" #type "\"}", {3, {2, 3, 3}}},                                                                 \
    };                                                                                                                 \
    const cst_module_type cst_##type##_type = {                                                                        \
        .name = #type,                                                                                                 \
        .summary = text,                                                                                               \
        .keys = keys_,                                                                                                 \
        .make = type##_make,                                                                                           \
        .n_examples = sizeof type##_examples / sizeof *type##_examples,                                                \
        .examples = type##_examples,                                                                                   \
    };
ACTIVATIONS(TYPE)
#undef TYPE
