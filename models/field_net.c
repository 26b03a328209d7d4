#include "models/field_net.h"

#include "layers/concat_squash.h"
#include "layers/concat_time.h"
#include "layers/sequential.h"

#include <math.h>

/* The choices of `time`. */
typedef enum with_time { TIME_CONCAT, TIME_CONCAT_SQUASH, TIME_NONE } with_time;

/* What the keys are read into. */
typedef struct field_net_section {
    cst_config hidden, activation;
    int time;
    size_t kernel;
} field_net_section;

static const char *const times[] = {
    [TIME_CONCAT] = "concat", [TIME_CONCAT_SQUASH] = "concat_squash", [TIME_NONE] = "none", NULL};

static const cst_key field_net_keys[] = {
    {.name = "hidden",
     .kind = CST_KEY_LIST,
     .offset = offsetof(field_net_section, hidden),
     .help = "features or channels of each hidden layer",
     .holds = "sizes"},
    {.name = "time",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(field_net_section, time),
     .fallback = "\"concat\"",
     .choices = times,
     .help = "how each layer sees t: as one more input (concat), by a gate and a shift of its output (concat_squash), "
             "or not (none)"},
    {.name = "activation",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(field_net_section, activation),
     .fallback = CST_JSON({"type": "tanh"}),
     .help = "activation between the layers",
     .holds = "module"},
    {.name = "kernel",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(field_net_section, kernel),
     .fallback = "3",
     .range = CST_BETWEEN(1, 1e6),
     .help = "kernel size of convolutions, odd; unused if rows are no images"},
    {.name = NULL},
};

/* A linear layer or a convolution with `out` features or channels; under concat_squash, one that sees t. */
static cst_status make_layer(const cst_shape *x, const field_net_section *s, size_t out, cst_module **m,
                             cst_error *error)
{
    const bool squash = s->time == TIME_CONCAT_SQUASH;
    /* Rows of numbers: a linear layer. */
    if (x->rank == 1) {
        const cst_linear_options o = {.out_features = out, .bias = true};
        return (squash ? cst_concat_squash_linear_new : cst_linear_new)(x, &o, m, error);
    }
    /* Padding of half the kernel keeps the image's sides. */
    const cst_conv2d_options o = {.out_channels = out,
                                  .kernel = s->kernel,
                                  .stride = 1,
                                  .padding = s->kernel / 2,
                                  .dilation = 1,
                                  .groups = 1,
                                  .bias = true};
    return (squash ? cst_concat_squash_conv2d_new : cst_conv2d_new)(x, &o, m, error);
}

/* Append a layer; under concat, t as one more feature before it. */
static cst_status add_layer(cst_module *net, const field_net_section *s, size_t out, cst_error *error)
{
    cst_module *layer = NULL;
    if (s->time == TIME_CONCAT) {
        CST_TRY(cst_concat_time_new(&net->y, &layer, error));
        CST_TRY(cst_sequential_add(net, layer, error));
    }
    CST_TRY(make_layer(&net->y, s, out, &layer, error));
    return cst_sequential_add(net, layer, error);
}

/* A layer and an activation per hidden width, then a layer back to the width of the rows. */
static cst_status add_layers(const cst_registry *registry, const field_net_section *s, cst_module *net,
                             cst_error *error)
{
    const size_t n = cst_config_length(s->hidden);
    for (size_t i = 0; i < n; i++) {
        const cst_config item = cst_config_item(s->hidden, i);
        cst_module *activation = NULL;
        double width = 0;
        if (!cst_config_number(item, &width) || !(width >= 1 && width <= 1e9) || width != floor(width))
            return cst_config_expected(item, "a positive whole number", error);
        CST_TRY(add_layer(net, s, (size_t)width, error));
        CST_TRY(cst_module_from_config(registry, s->activation, &net->y, &activation, error));
        CST_TRY(cst_sequential_add(net, activation, error));
    }
    /* The last layer restores the features or channels of the rows, without an activation. */
    return add_layer(net, s, net->x.dim[0], error);
}

/* The sequential of a section, for rows of shape x. */
static cst_status field_net_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                                 cst_error *error)
{
    field_net_section s = {0};
    char got[CST_SHAPE_TEXT];
    cst_module *net = NULL;
    *m = NULL;
    CST_TRY(cst_config_read(section, field_net_keys, true, &s, error));
    /* Rows of numbers or images; an odd kernel can keep an image's sides. */
    if (x->rank != 1 && x->rank != 3)
        return cst_fail(error, CST_ESHAPE, "expected rows (D) or (C, H, W), got %s", cst_shape_text(x, got));
    if (s.kernel % 2 == 0)
        return cst_config_fail(cst_config_get(section, "kernel"), error, "expected an odd number, got %zu", s.kernel);
    CST_TRY(cst_sequential_new(x, &net, error));
    const cst_status status = add_layers(registry, &s, net, error);
    if (status == CST_OK)
        *m = net;
    else
        cst_module_free(net);
    return status;
}

/* Configs for the conformance tests: all ways to see t, numbers and images. */
static const cst_module_example field_net_examples[] = {
    {CST_JSON({"type": "field_net", "hidden": [4, 3], "time": "concat_squash"}), {1, {2}}},
    {CST_JSON({"type": "field_net", "hidden": [3], "activation": {"type": "softplus"}}), {3, {2, 3, 4}}},
    {CST_JSON({"type": "field_net", "hidden": [], "time": "none"}), {1, {3}}},
    {CST_JSON({"type": "field_net", "hidden": [2], "time": "concat_squash", "kernel": 1}), {3, {1, 2, 2}}},
};

const cst_module_type cst_field_net_type = {
    .name = "field_net",
    .summary = "network for a field: every layer sees t, and the shape of the rows, numbers or images, is kept",
    .keys = field_net_keys,
    .make = field_net_make,
    .n_examples = sizeof field_net_examples / sizeof *field_net_examples,
    .examples = field_net_examples,
};
