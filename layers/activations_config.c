/* The activations as sections of a config. They are in a file of their own because layers/activations.c is compiled
 * once per processor level, and such a file may export functions only (scripts/levels.sh).
 *
 * Here are the tables of keys that the rows of CST_ACTIVATIONS name. */
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

/* The type of one activation: its `make`, examples for the conformance suite and description. */
#define X(type, kind_, flops, keys_, text)                                                                             \
    static cst_status type##_make(const cst_registry *registry, cst_config section, const cst_shape *x,                \
                                  cst_module **m, cst_error *error)                                                    \
    {                                                                                                                  \
        (void)registry;                                                                                                \
        cst_activation_options options = {.kind = kind_};                                                              \
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
CST_ACTIVATIONS(X)
#undef X
