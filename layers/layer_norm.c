#include "layers/layer_norm.h"

#include "layers/normalize.h"

static const cst_module_ops layer_norm_ops = {
    .name = "layer_norm",
    .plan = cst_normalize_plan,
    .forward = cst_normalize_forward,
    .vjp = cst_normalize_vjp,
    .jvp = cst_normalize_jvp,
    .jvp_vjp = cst_normalize_jvp_vjp,
    .init = cst_normalize_init,
};

cst_status cst_layer_norm_new(const cst_shape *x, const cst_layer_norm_options *options, cst_module **m,
                              cst_error *error)
{
    return cst_normalize_new(&layer_norm_ops, x, x, 1, options->eps, m, error);
}

static const cst_key keys[] = {
    {.name = "eps",
     .kind = CST_KEY_REAL,
     .offset = offsetof(cst_layer_norm_options, eps),
     .fallback = "1e-5",
     .max = 1e9,
     .help = "added to the variance"},
    {.name = NULL},
};

static cst_status make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                       cst_error *error)
{
    (void)registry;
    cst_layer_norm_options options;
    CST_TRY(cst_config_read(section, keys, true, &options, error));
    return cst_layer_norm_new(x, &options, m, error);
}

static const cst_module_example examples[] = {
    {CST_JSON({"type": "layer_norm"}), {.rank = 1, .dim = {7}}},
    {CST_JSON({"type": "layer_norm", "eps": 1e-2}), {.rank = 3, .dim = {2, 3, 2}}},
};

const cst_module_type cst_layer_norm_type = {
    .name = "layer_norm",
    .summary = "normalize each row, then scale and shift each entry",
    .keys = keys,
    .make = make,
    .n_examples = sizeof examples / sizeof *examples,
    .examples = examples,
};
