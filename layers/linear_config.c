/* linear as a section of a config. It is in a file of its own because layers/linear.c is compiled once per processor
 * level, and such a file may export functions only (scripts/levels.sh). */
#include "layers/linear.h"

const cst_key cst_linear_keys[] = {
    {.name = "out_features",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_linear_options, out_features),
     .range = CST_BETWEEN(1, 1e9),
     .help = "features of a row of y"},
    {.name = "bias",
     .kind = CST_KEY_BOOL,
     .offset = offsetof(cst_linear_options, bias),
     .fallback = "true",
     .help = "add a vector b"},
    {.name = NULL},
};

static cst_status linear_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                              cst_error *error)
{
    (void)registry;
    cst_linear_options options = {0};
    CST_TRY(cst_config_read(section, cst_linear_keys, true, &options, error));
    return cst_linear_new(x, &options, m, error);
}

static const cst_module_example linear_examples[] = {
    {CST_JSON({"type": "linear", "out_features": 3}), {1, {4}}},
    {CST_JSON({"type": "linear", "out_features": 5, "bias": false}), {1, {2}}},
    {CST_JSON({"type": "linear", "out_features": 1}), {1, {1}}},
    {CST_JSON({"type": "linear", "out_features": 2}), {2, {3, 4}}},
    {CST_JSON({"type": "linear", "out_features": 3, "bias": false}), {3, {2, 1, 2}}},
};

const cst_module_type cst_linear_type = {
    .name = "linear",
    .summary = "y = x W^T + b on rows (..., in_features)",
    .keys = cst_linear_keys,
    .make = linear_make,
    .n_examples = sizeof linear_examples / sizeof *linear_examples,
    .examples = linear_examples,
};
