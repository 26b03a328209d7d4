/* The gated layers as sections of a config. They are in a file of their own because layers/concat_squash.c is
 * compiled once per processor level, and such a file may export functions only (scripts/levels.sh). */
#include "layers/concat_squash.h"

static cst_status linear_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                              cst_error *error)
{
    (void)registry;
    cst_linear_options options = {0};
    CST_TRY(cst_config_read(section, cst_linear_keys, true, &options, error));
    return cst_concat_squash_linear_new(x, &options, m, error);
}

static cst_status conv2d_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                              cst_error *error)
{
    (void)registry;
    cst_conv2d_options options = {0};
    CST_TRY(cst_config_read(section, cst_conv2d_keys, true, &options, error));
    return cst_concat_squash_conv2d_new(x, &options, m, error);
}

static const cst_module_example linear_examples[] = {
    {CST_JSON({"type": "concat_squash_linear", "out_features": 4}), {1, {3}}},
    {CST_JSON({"type": "concat_squash_linear", "out_features": 2, "bias": false}), {1, {2}}},
};

static const cst_module_example conv2d_examples[] = {
    {CST_JSON({"type": "concat_squash_conv2d", "out_channels": 3, "kernel": 3, "padding": 1}), {3, {2, 3, 4}}},
    {CST_JSON({"type": "concat_squash_conv2d", "out_channels": 2, "kernel": 2, "stride": 2, "bias": false}),
     {3, {1, 4, 4}}},
};

const cst_module_type cst_concat_squash_linear_type = {
    .name = "concat_squash_linear",
    .summary = "a linear map, gated and shifted by functions of time",
    .keys = cst_linear_keys,
    .make = linear_make,
    .n_examples = sizeof linear_examples / sizeof *linear_examples,
    .examples = linear_examples,
};

const cst_module_type cst_concat_squash_conv2d_type = {
    .name = "concat_squash_conv2d",
    .summary = "a convolution, gated and shifted by functions of time",
    .keys = cst_conv2d_keys,
    .make = conv2d_make,
    .n_examples = sizeof conv2d_examples / sizeof *conv2d_examples,
    .examples = conv2d_examples,
};
