/* The pooling layers' constructors and their sections of a config. Their passes are in avg_pool2d.c and
 * max_pool2d.c, which are compiled once per processor level and may export functions only (scripts/levels.sh). */
#include "layers/pool2d_internal.h"

/* ---- construction -------------------------------------------------------------------------------------------- */

/* A module with h and w filled; the caller sets the rest. */
static cst_status pool_new(const cst_module_ops *ops, const cst_shape *x, cst_module **m, cst_error *error)
{
    char text[CST_SHAPE_TEXT];
    *m = NULL;
    CST_TRY(cst_module_expect_rank(x, 3, "(C, H, W)", error));
    if (!cst_shape_size(x))
        return cst_fail(error, CST_ESHAPE, "expected rows with entries, got %s", cst_shape_text(x, text));
    CST_TRY(cst_module_new(sizeof(cst_pool2d), ops, x, m, error));
    ((cst_pool2d *)*m)->h = x->dim[1];
    ((cst_pool2d *)*m)->w = x->dim[2];
    return CST_OK;
}

/* Windows must not lie in the padding alone, and at least one must fit. */
static cst_status check_windows(const cst_shape *x, const cst_pool2d_options *options, cst_error *error)
{
    char text[CST_SHAPE_TEXT];
    const size_t kernel = options->kernel, padding = options->padding;
    CST_TRY(cst_module_expect_rank(x, 3, "(C, H, W)", error));
    if (!kernel) return cst_fail(error, CST_EARG, "kernel: expected a positive number, got 0");
    if (padding > kernel / 2)
        return cst_fail(error, CST_EARG, "padding: expected at most half the kernel of %zu, got %zu", kernel, padding);
    if (kernel > cst_size_add(x->dim[1], 2 * padding) || kernel > cst_size_add(x->dim[2], 2 * padding))
        return cst_fail(error, CST_ESHAPE, "a kernel of %zu does not fit into rows %s with a padding of %zu", kernel,
                        cst_shape_text(x, text), padding);
    return CST_OK;
}

cst_status cst_pool2d_new(const cst_module_ops *ops, const cst_shape *x, const cst_pool2d_options *options,
                          cst_module **module, cst_error *error)
{
    *module = NULL;
    CST_TRY(check_windows(x, options, error));
    CST_TRY(pool_new(ops, x, module, error));
    cst_pool2d *m = (cst_pool2d *)*module;
    m->kernel = options->kernel;
    m->stride = options->stride ? options->stride : options->kernel;
    m->padding = options->padding;
    /* As many windows as fit into the padded image. */
    m->oh = (cst_size_add(m->h, 2 * m->padding) - m->kernel) / m->stride + 1;
    m->ow = (cst_size_add(m->w, 2 * m->padding) - m->kernel) / m->stride + 1;
    /* Windows for which the passes have loops of their own. */
    m->pairs = m->kernel == 2 && m->stride == 2 && m->padding == 0;
    m->base.y = cst_shape_3d(x->dim[0], m->oh, m->ow);
    m->base.cost = (double)cst_shape_size(&m->base.y) * (double)m->kernel * (double)m->kernel;
    return CST_OK;
}

cst_status cst_pool2d_new_global(const cst_module_ops *ops, const cst_shape *x, cst_module **module, cst_error *error)
{
    CST_TRY(pool_new(ops, x, module, error));
    cst_pool2d *m = (cst_pool2d *)*module;
    m->global = true;
    m->oh = m->ow = 1;
    m->base.y = cst_shape_1d(x->dim[0]);
    m->base.cost = (double)cst_shape_size(x);
    return CST_OK;
}

/* ---- the types ----------------------------------------------------------------------------------------------- */

static const cst_key keys[] = {
    {.name = "kernel",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_pool2d_options, kernel),
     .range = CST_BETWEEN(1, 1e6),
     .help = "height and width of a window"},
    {.name = "stride",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_pool2d_options, stride),
     .fallback = "0",
     .range = CST_BETWEEN(0, 1e6),
     .help = "pixels from one window to the next; 0: the kernel"},
    {.name = "padding",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_pool2d_options, padding),
     .fallback = "0",
     .range = CST_BETWEEN(0, 1e6),
     .help = "rows and columns added on every side; at most half the kernel"},
    {.name = NULL},
};
static const cst_key no_keys[] = {{.name = NULL}};

/* Read the options of a pool with windows and make it. */
#define WINDOWS_MAKE(type)                                                                                             \
    static cst_status type##_make(const cst_registry *registry, cst_config section, const cst_shape *x,                \
                                  cst_module **m, cst_error *error)                                                    \
    {                                                                                                                  \
        (void)registry;                                                                                                \
        cst_pool2d_options options;                                                                                    \
        CST_TRY(cst_config_read(section, keys, true, &options, error));                                                \
        return cst_##type##_pool2d_new(x, &options, m, error);                                                         \
    }
WINDOWS_MAKE(avg)
WINDOWS_MAKE(max)

static cst_status global_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                              cst_error *error)
{
    (void)registry;
    CST_TRY(cst_config_read(section, no_keys, true, NULL, error));
    return cst_global_avg_pool2d_new(x, m, error);
}

static const cst_module_example avg_examples[] = {
    {"{\"type\": \"avg_pool2d\", \"kernel\": 2}", {.rank = 3, .dim = {2, 5, 6}}},
    {"{\"type\": \"avg_pool2d\", \"kernel\": 3, \"stride\": 2, \"padding\": 1}", {.rank = 3, .dim = {2, 5, 4}}},
    {"{\"type\": \"avg_pool2d\", \"kernel\": 2, \"stride\": 3}", {.rank = 3, .dim = {1, 5, 6}}},
};
static const cst_module_example max_examples[] = {
    {"{\"type\": \"max_pool2d\", \"kernel\": 2}", {.rank = 3, .dim = {2, 5, 6}}},
    {"{\"type\": \"max_pool2d\", \"kernel\": 3, \"stride\": 2, \"padding\": 1}", {.rank = 3, .dim = {2, 5, 4}}},
    {"{\"type\": \"max_pool2d\", \"kernel\": 2, \"stride\": 1}", {.rank = 3, .dim = {1, 4, 3}}},
};
static const cst_module_example global_examples[] = {
    {"{\"type\": \"global_avg_pool2d\"}", {.rank = 3, .dim = {3, 4, 5}}},
    {"{\"type\": \"global_avg_pool2d\"}", {.rank = 3, .dim = {2, 1, 1}}},
};

const cst_module_type cst_avg_pool2d_type = {
    .name = "avg_pool2d",
    .summary = "mean over square windows",
    .keys = keys,
    .make = avg_make,
    .n_examples = sizeof avg_examples / sizeof *avg_examples,
    .examples = avg_examples,
};

const cst_module_type cst_max_pool2d_type = {
    .name = "max_pool2d",
    .summary = "largest entry of square windows",
    .keys = keys,
    .make = max_make,
    .n_examples = sizeof max_examples / sizeof *max_examples,
    .examples = max_examples,
};

const cst_module_type cst_global_avg_pool2d_type = {
    .name = "global_avg_pool2d",
    .summary = "mean over all pixels: (C, H, W) -> (C)",
    .keys = no_keys,
    .make = global_make,
    .n_examples = sizeof global_examples / sizeof *global_examples,
    .examples = global_examples,
};
