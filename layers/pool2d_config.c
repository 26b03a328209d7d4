/* The pooling layers as sections of a config. (layers/pool2d.c exports functions only: see scripts/levels.sh.) */
#include "layers/pool2d.h"

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
     .help = "from one window to the next; 0: the kernel"},
    {.name = "padding",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_pool2d_options, padding),
     .fallback = "0",
     .range = CST_BETWEEN(0, 1e6),
     .help = "rows and columns added on every side; at most half the kernel"},
    {.name = NULL},
};
static const cst_key no_keys[] = {{.name = NULL}};

static cst_status avg_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                           cst_error *error)
{
    (void)registry;
    cst_pool2d_options options;
    CST_TRY(cst_config_read(section, keys, true, &options, error));
    return cst_avg_pool2d_new(x, &options, m, error);
}

static cst_status max_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                           cst_error *error)
{
    (void)registry;
    cst_pool2d_options options;
    CST_TRY(cst_config_read(section, keys, true, &options, error));
    return cst_max_pool2d_new(x, &options, m, error);
}

static cst_status global_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                              cst_error *error)
{
    (void)registry;
    CST_TRY(cst_config_read(section, no_keys, true, NULL, error));
    return cst_global_avg_pool2d_new(x, m, error);
}

static const cst_module_example avg_examples[] = {
    {CST_JSON({"type": "avg_pool2d", "kernel": 2}), {.rank = 3, .dim = {2, 5, 6}}},
    {CST_JSON({"type": "avg_pool2d", "kernel": 3, "stride": 2, "padding": 1}), {.rank = 3, .dim = {2, 5, 4}}},
    {CST_JSON({"type": "avg_pool2d", "kernel": 2, "stride": 3}), {.rank = 3, .dim = {1, 5, 6}}},
};
static const cst_module_example max_examples[] = {
    {CST_JSON({"type": "max_pool2d", "kernel": 2}), {.rank = 3, .dim = {2, 5, 6}}},
    {CST_JSON({"type": "max_pool2d", "kernel": 3, "stride": 2, "padding": 1}), {.rank = 3, .dim = {2, 5, 4}}},
    {CST_JSON({"type": "max_pool2d", "kernel": 2, "stride": 1}), {.rank = 3, .dim = {1, 4, 3}}},
};
static const cst_module_example global_examples[] = {
    {CST_JSON({"type": "global_avg_pool2d"}), {.rank = 3, .dim = {3, 4, 5}}},
    {CST_JSON({"type": "global_avg_pool2d"}), {.rank = 3, .dim = {2, 1, 1}}},
};

const cst_module_type cst_avg_pool2d_type = {
    "avg_pool2d", "mean over square windows", keys, avg_make, sizeof avg_examples / sizeof *avg_examples, avg_examples};
const cst_module_type cst_max_pool2d_type = {"max_pool2d", "largest entry of square windows",          keys,
                                             max_make,     sizeof max_examples / sizeof *max_examples, max_examples};
const cst_module_type cst_global_avg_pool2d_type = {
    "global_avg_pool2d", "mean over all pixels: (C, H, W) -> (C)",         no_keys,
    global_make,         sizeof global_examples / sizeof *global_examples, global_examples};
