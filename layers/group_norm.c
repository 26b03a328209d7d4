#include "layers/group_norm.h"

#include "layers/normalize.h"

static const cst_module_ops group_norm_ops = {
    .name = "group_norm",
    .plan = cst_normalize_plan,
    .forward = cst_normalize_forward,
    .vjp = cst_normalize_vjp,
    .jvp = cst_normalize_jvp,
    .jvp_vjp = cst_normalize_jvp_vjp,
    .init = cst_normalize_init,
};

cst_status cst_group_norm_new(const cst_shape *x, const cst_group_norm_options *options, cst_module **m,
                              cst_error *error)
{
    *m = NULL;
    char text[CST_SHAPE_TEXT];
    const size_t groups = options->groups;
    if (!x->rank)
        return cst_fail(error, CST_ESHAPE, "expected rows with channels, (C, H, W) or (C), got %s",
                        cst_shape_text(x, text));
    if (!groups || x->dim[0] % groups)
        return cst_fail(error, CST_ESHAPE, "%zu groups do not divide the %zu channels of rows %s", groups, x->dim[0],
                        cst_shape_text(x, text));
    const cst_shape channels = cst_shape_1d(x->dim[0]);
    return cst_normalize_new(&group_norm_ops, x, &channels, groups, options->eps, m, error);
}

static const cst_key keys[] = {
    {.name = "groups",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_group_norm_options, groups),
     .min = 1,
     .max = 1e9,
     .help = "number of groups; divides the number of channels"},
    {.name = "eps",
     .kind = CST_KEY_REAL,
     .offset = offsetof(cst_group_norm_options, eps),
     .fallback = "1e-5",
     .max = 1e9,
     .help = "added to the variance"},
    {.name = NULL},
};

static cst_status make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                       cst_error *error)
{
    (void)registry;
    cst_group_norm_options options;
    CST_TRY(cst_config_read(section, keys, true, &options, error));
    return cst_group_norm_new(x, &options, m, error);
}

static const cst_module_example examples[] = {
    {CST_JSON({"type": "group_norm", "groups": 2}), {.rank = 3, .dim = {4, 3, 2}}},
    {CST_JSON({"type": "group_norm", "groups": 3, "eps": 1e-2}), {.rank = 3, .dim = {3, 2, 3}}},
    {CST_JSON({"type": "group_norm", "groups": 2}), {.rank = 1, .dim = {10}}},
};

const cst_module_type cst_group_norm_type = {
    .name = "group_norm",
    .summary = "normalize groups of channels, then scale and shift each channel",
    .keys = keys,
    .make = make,
    .n_examples = sizeof examples / sizeof *examples,
    .examples = examples,
};
