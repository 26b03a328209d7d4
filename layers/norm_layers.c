#include "layers/norm_layers.h"

#include "layers/normalize_internal.h"

#include <math.h>

/* The two types differ in their names and in what their constructors hand to normalize_new. */
#define NORM_OPS(type)                                                                                                 \
    {                                                                                                                  \
        .name = type, .plan = cst_normalize_plan, .forward = cst_normalize_forward, .vjp = cst_normalize_vjp,          \
        .jvp = cst_normalize_jvp, .jvp_vjp = cst_normalize_jvp_vjp, .init = cst_normalize_init                         \
    }
static const cst_module_ops group_norm_ops = NORM_OPS("group_norm");
static const cst_module_ops layer_norm_ops = NORM_OPS("layer_norm");

/* ---- constructors -------------------------------------------------------------------------------------------- */

/* A module for rows of shape x with weight and bias of shape `affine`. `groups` divides the row into equal parts,
 * and each parameter serves neighbouring entries of one part. */
static cst_status normalize_new(const cst_module_ops *ops, const cst_shape *x, const cst_shape *affine, size_t groups,
                                double eps, cst_module **module, cst_error *error)
{
    *module = NULL;
    char text[CST_SHAPE_TEXT];
    const size_t size = cst_shape_size(x), n_weights = cst_shape_size(affine);
    if (!x->rank || !size)
        return cst_fail(error, CST_ESHAPE, "expected rows with entries, got %s", cst_shape_text(x, text));
    /* eps has to be positive in `real` too: if it rounds to 0, a constant group divides by zero. */
    if (!((real)eps > 0) || !isfinite(eps))
        return cst_fail(error, CST_EARG, "eps: expected a positive number, got %g", eps);

    CST_TRY(cst_module_new(sizeof(cst_normalize), ops, x, module, error));
    cst_normalize *m = (cst_normalize *)*module;
    m->groups = groups;
    m->m = size / groups;
    m->inverse_m = (real)(1 / (double)m->m);
    m->eps = (real)eps;
    /* Fewer weights than entries: each weight is shared by the entries of one part. */
    m->shared = n_weights < size;
    m->part = m->shared ? size / n_weights : m->m;
    m->parts = m->m / m->part;
    cst_module_add_tensor(*module, "weight", *affine);
    cst_module_add_tensor(*module, "bias", *affine);
    m->base.cost = 8 * (double)size;
    return CST_OK;
}

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
    return normalize_new(&group_norm_ops, x, &channels, groups, options->eps, m, error);
}

cst_status cst_layer_norm_new(const cst_shape *x, const cst_layer_norm_options *options, cst_module **m,
                              cst_error *error)
{
    return normalize_new(&layer_norm_ops, x, x, 1, options->eps, m, error);
}

/* ---- the types ----------------------------------------------------------------------------------------------- */

#define EPS_KEY(options)                                                                                               \
    {                                                                                                                  \
        .name = "eps", .kind = CST_KEY_REAL, .offset = offsetof(options, eps), .fallback = "1e-5",                     \
        .range = CST_BETWEEN(0, 1e9), .help = "added to the variance"                                                  \
    }

static const cst_key group_norm_keys[] = {
    {.name = "groups",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_group_norm_options, groups),
     .range = CST_BETWEEN(1, 1e9),
     .help = "number of groups; divides the number of channels"},
    EPS_KEY(cst_group_norm_options),
    {.name = NULL},
};

static cst_status group_norm_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                                  cst_error *error)
{
    (void)registry;
    cst_group_norm_options options;
    CST_TRY(cst_config_read(section, group_norm_keys, true, &options, error));
    return cst_group_norm_new(x, &options, m, error);
}

static const cst_module_example group_norm_examples[] = {
    {"{\"type\": \"group_norm\", \"groups\": 2}", {.rank = 3, .dim = {4, 3, 2}}},
    {"{\"type\": \"group_norm\", \"groups\": 3, \"eps\": 1e-2}", {.rank = 3, .dim = {3, 2, 3}}},
    {"{\"type\": \"group_norm\", \"groups\": 2}", {.rank = 1, .dim = {10}}},
};

const cst_module_type cst_group_norm_type = {
    .name = "group_norm",
    .summary = "normalize groups of channels, then scale and shift each channel",
    .keys = group_norm_keys,
    .make = group_norm_make,
    .n_examples = sizeof group_norm_examples / sizeof *group_norm_examples,
    .examples = group_norm_examples,
};

static const cst_key layer_norm_keys[] = {
    EPS_KEY(cst_layer_norm_options),
    {.name = NULL},
};

static cst_status layer_norm_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                                  cst_error *error)
{
    (void)registry;
    cst_layer_norm_options options;
    CST_TRY(cst_config_read(section, layer_norm_keys, true, &options, error));
    return cst_layer_norm_new(x, &options, m, error);
}

static const cst_module_example layer_norm_examples[] = {
    {"{\"type\": \"layer_norm\"}", {.rank = 1, .dim = {7}}},
    {"{\"type\": \"layer_norm\", \"eps\": 1e-2}", {.rank = 3, .dim = {2, 3, 2}}},
};

const cst_module_type cst_layer_norm_type = {
    .name = "layer_norm",
    .summary = "normalize each row, then scale and shift each entry",
    .keys = layer_norm_keys,
    .make = layer_norm_make,
    .n_examples = sizeof layer_norm_examples / sizeof *layer_norm_examples,
    .examples = layer_norm_examples,
};
