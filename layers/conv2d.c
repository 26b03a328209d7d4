#include "layers/conv2d.h"

#include "layers/convolution.h"

#include <string.h>

static cst_status conv2d_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    (void)cache;
    const cst_lowered a = {.weight = c->theta, .image = x, .bias = cst_convolution_bias(m, c->theta), .to_map = y};
    cst_lowering_run(cst_convolution_lowering(m), c->n, &a, c->work);
    return CST_OK;
}

/* forward: y = W columns(x) + b, a product for each row, so gx = columns^T(W^T gy), gW = sum of gy columns(x)^T and gb
 * = sum of gy over rows and pixels. `bias` says whether y contains b: tangents do not. */
static void pull_back(const cst_module *m, const cst_call *c, size_t rows, const real *x, const real *gy, real *gx,
                      real scale, real *gtheta, bool bias)
{
    if (!gy) {
        if (gx) memset(gx, 0, rows * cst_shape_size(&m->x) * sizeof *gx);
        return;
    }
    const cst_lowered a = {
        .weight = c->theta, .image = x, .map = gy, .to_image = gx, .gweight = gtheta, .scale = scale};
    if (gx || gtheta) cst_lowering_run(cst_convolution_lowering(m), rows, &a, c->work);
    if (bias) cst_convolution_bias_gradient(m, rows, gy, scale, gtheta);
}

static cst_status conv2d_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                             const cst_grads *g)
{
    pull_back(m, c, c->n, p->x, gy, g->gx, g->scale, g->gtheta, true);
    return CST_OK;
}

/* y is affine in x: tangents are more rows, without b. */
static cst_status conv2d_jvp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangents *d)
{
    (void)p;
    const cst_lowered a = {.weight = c->theta, .image = d->xdot, .to_map = d->ydot};
    cst_lowering_run(cst_convolution_lowering(m), d->count * c->n, &a, c->work);
    return CST_OK;
}

/* (y, ydot_k) = (W columns(x) + b, W columns(xdot_k)): gx comes from gy alone, gxdot from gydot alone, and gW is the
 * sum of both pairs' products. */
static cst_status conv2d_jvp_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangents *d,
                                 const real *gy, const real *gydot, const cst_grads *g)
{
    pull_back(m, c, c->n, p->x, gy, g->gx, g->scale, g->gtheta, true);
    pull_back(m, c, d->count * c->n, d->xdot, gydot, g->gxdot, g->scale, g->gtheta, false);
    return CST_OK;
}

static const cst_module_ops conv2d_ops = {
    .name = "conv2d",
    .plan = cst_convolution_plan,
    .forward = conv2d_forward,
    .vjp = conv2d_vjp,
    .jvp = conv2d_jvp,
    .jvp_vjp = conv2d_jvp_vjp,
    .init = cst_convolution_init,
};

/* Pixels of y along a side of x: 0 if the kernel does not fit. */
static size_t side(const cst_conv2d_options *o, size_t size)
{
    const size_t padded = cst_size_add(size, cst_size_mul(2, o->padding));
    const size_t reach = cst_size_add(cst_size_mul(o->dilation, o->kernel - 1), 1);
    return reach > padded ? 0 : (padded - reach) / o->stride + 1;
}

static cst_status make_lowering(const cst_shape *x, const cst_conv2d_options *o, cst_lowering *l, cst_error *error)
{
    char text[CST_SHAPE_TEXT];
    CST_TRY(cst_module_expect_rank(x, 3, "(C, H, W)", error));
    if (!o->out_channels) return cst_fail(error, CST_EARG, "expected out_channels of at least 1, got 0");
    *l = (cst_lowering){.image_channels = x->dim[0],
                        .h = x->dim[1],
                        .w = x->dim[2],
                        .map_channels = o->out_channels,
                        .kernel = o->kernel,
                        .stride = o->stride,
                        .padding = o->padding,
                        .dilation = o->dilation,
                        .groups = o->groups};
    CST_TRY(cst_lowering_check(l, error));
    l->oh = side(o, l->h);
    l->ow = side(o, l->w);
    if (!l->oh || !l->ow)
        return cst_fail(error, CST_ESHAPE,
                        "a kernel of %zu with dilation %zu does not fit into rows %s with padding %zu", o->kernel,
                        o->dilation, cst_shape_text(x, text), o->padding);
    return cst_lowering_init(l, error);
}

cst_status cst_conv2d_new(const cst_shape *x, const cst_conv2d_options *options, cst_module **module, cst_error *error)
{
    *module = NULL;
    cst_lowering l;
    CST_TRY(make_lowering(x, options, &l, error));
    const cst_shape y = cst_shape_3d(l.map_channels, l.oh, l.ow);
    return cst_convolution_new(&conv2d_ops, x, &y, &l, options->bias, module, error);
}

#define SIZE(field, fallback, least, help) CST_CONVOLUTION_SIZE(cst_conv2d_options, field, fallback, least, help)
const cst_key cst_conv2d_keys[] = {
    SIZE(out_channels, NULL, 1, "channels of y"),
    SIZE(kernel, NULL, 1, "height and width of the kernel"),
    SIZE(stride, "1", 1, "pixels from one window to the next"),
    SIZE(padding, "0", 0, "zeros added on every side"),
    SIZE(dilation, "1", 1, "pixels from one entry of the kernel to the next"),
    SIZE(groups, "1", 1, "parts that the channels of x and y are cut into"),
    {"bias", CST_KEY_BOOL, offsetof(cst_conv2d_options, bias), "true", 0, 0, NULL, "add a value a channel"},
    {0},
};

static cst_status conv2d_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                              cst_error *error)
{
    (void)registry;
    cst_conv2d_options options = {0};
    CST_TRY(cst_config_read(section, cst_conv2d_keys, true, &options, error));
    return cst_conv2d_new(x, &options, m, error);
}

static const cst_module_example conv2d_examples[] = {
    {CST_JSON({"type": "conv2d", "out_channels": 3, "kernel": 3, "padding": 1}), {3, {2, 4, 5}}},
    {CST_JSON({"type": "conv2d", "out_channels": 4, "kernel": 3, "stride": 2, "padding": 1, "groups": 2}),
     {3, {2, 5, 4}}},
    {CST_JSON({"type": "conv2d", "out_channels": 2, "kernel": 2, "dilation": 2, "bias": false}), {3, {3, 4, 4}}},
    {CST_JSON({"type": "conv2d", "out_channels": 3, "kernel": 1}), {3, {2, 3, 2}}},
};

const cst_module_type cst_conv2d_type = {
    .name = "conv2d",
    .summary = "convolution with square kernels on rows (C, H, W)",
    .keys = cst_conv2d_keys,
    .make = conv2d_make,
    .n_examples = sizeof conv2d_examples / sizeof *conv2d_examples,
    .examples = conv2d_examples,
};
