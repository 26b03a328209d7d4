/* conv2d and conv_transpose2d as sections of a config. They are in a file of their own because layers/conv2d.c is
 * compiled once per processor level, and such a file may export functions only (scripts/levels.sh). */
#include "layers/conv2d.h"

/* A key for a size of at least `least`; `fallback` NULL: the key is required. */
#define SIZE_KEY(options, field, fallback_, least, text)                                                               \
    {                                                                                                                  \
        .name = #field, .kind = CST_KEY_SIZE, .offset = offsetof(options, field), .fallback = fallback_,               \
        .range = CST_BETWEEN(least, 1e6), .help = text                                                                 \
    }
#define BIAS_KEY(options)                                                                                              \
    {                                                                                                                  \
        .name = "bias", .kind = CST_KEY_BOOL, .offset = offsetof(options, bias), .fallback = "true",                   \
        .help = "add a value per channel"                                                                              \
    }

/* ---- conv2d -------------------------------------------------------------------------------------------------- */

#define SIZE(field, fallback, least, help) SIZE_KEY(cst_conv2d_options, field, fallback, least, help)
const cst_key cst_conv2d_keys[] = {
    SIZE(out_channels, NULL, 1, "channels of y"),
    SIZE(kernel, NULL, 1, "height and width of the kernel"),
    SIZE(stride, "1", 1, "pixels from one window to the next"),
    SIZE(padding, "0", 0, "zeros added on every side"),
    SIZE(dilation, "1", 1, "pixels from one entry of the kernel to the next"),
    SIZE(groups, "1", 1, "parts that the channels of x and y are split into"),
    BIAS_KEY(cst_conv2d_options),
    {.name = NULL},
};
#undef SIZE

static cst_status conv2d_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                              cst_error *error)
{
    (void)registry;
    cst_conv2d_options options = {0};
    CST_TRY(cst_config_read(section, cst_conv2d_keys, true, &options, error));
    return cst_conv2d_new(x, &options, m, error);
}

static const cst_module_example conv2d_examples[] = {
    {"{\"type\": \"conv2d\", \"out_channels\": 3, \"kernel\": 3, \"padding\": 1}", {3, {2, 4, 5}}},
    {"{\"type\": \"conv2d\", \"out_channels\": 4, \"kernel\": 3, \"stride\": 2, \"padding\": 1, \"groups\": 2}",
     {3, {2, 5, 4}}},
    {"{\"type\": \"conv2d\", \"out_channels\": 2, \"kernel\": 2, \"dilation\": 2, \"bias\": false}", {3, {3, 4, 4}}},
    {"{\"type\": \"conv2d\", \"out_channels\": 3, \"kernel\": 1}", {3, {2, 3, 2}}},
};

const cst_module_type cst_conv2d_type = {
    .name = "conv2d",
    .summary = "convolution with square kernels on rows (C, H, W)",
    .keys = cst_conv2d_keys,
    .make = conv2d_make,
    .n_examples = sizeof conv2d_examples / sizeof *conv2d_examples,
    .examples = conv2d_examples,
};

/* ---- conv_transpose2d ---------------------------------------------------------------------------------------- */

#define SIZE(field, fallback, least, help) SIZE_KEY(cst_conv_transpose2d_options, field, fallback, least, help)
static const cst_key conv_transpose2d_keys[] = {
    SIZE(out_channels, NULL, 1, "channels of y"),
    SIZE(kernel, NULL, 1, "height and width of the kernel"),
    SIZE(stride, "1", 1, "pixels of y from one pixel of x to the next"),
    SIZE(padding, "0", 0, "rows and columns of y cut off on every side"),
    SIZE(output_padding, "0", 0, "rows and columns added at the bottom and on the right of y"),
    SIZE(dilation, "1", 1, "pixels from one entry of the kernel to the next"),
    SIZE(groups, "1", 1, "parts that the channels of x and y are split into"),
    BIAS_KEY(cst_conv_transpose2d_options),
    {.name = NULL},
};
#undef SIZE

static cst_status conv_transpose2d_make(const cst_registry *registry, cst_config section, const cst_shape *x,
                                        cst_module **m, cst_error *error)
{
    (void)registry;
    cst_conv_transpose2d_options options = {0};
    CST_TRY(cst_config_read(section, conv_transpose2d_keys, true, &options, error));
    return cst_conv_transpose2d_new(x, &options, m, error);
}

static const cst_module_example conv_transpose2d_examples[] = {
    {"{\"type\": \"conv_transpose2d\", \"out_channels\": 3, \"kernel\": 4, \"stride\": 2, \"padding\": 1}",
     {3, {2, 2, 3}}},
    {"{\"type\": \"conv_transpose2d\", \"out_channels\": 2, \"kernel\": 3, \"padding\": 1, \"bias\": false}",
     {3, {3, 4, 3}}},
    {"{\"type\": \"conv_transpose2d\", \"out_channels\": 4, \"kernel\": 2, \"stride\": 3, \"output_padding\": 1, "
     "\"dilation\": 2, \"groups\": 2}",
     {3, {2, 2, 2}}},
};

const cst_module_type cst_conv_transpose2d_type = {
    .name = "conv_transpose2d",
    .summary = "transposed convolution with square kernels on rows (C, H, W)",
    .keys = conv_transpose2d_keys,
    .make = conv_transpose2d_make,
    .n_examples = sizeof conv_transpose2d_examples / sizeof *conv_transpose2d_examples,
    .examples = conv_transpose2d_examples,
};
