#include "layers/conv_transpose2d.h"

#include "layers/convolution.h"

#include <string.h>

static cst_status conv_transpose2d_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    (void)cache;
    const cst_lowered a = {.weight = c->theta, .map = x, .bias = cst_convolution_bias(m, c->theta), .to_image = y};
    cst_lowering_run(cst_convolution_lowering(m), c->n, &a, c->work);
    return CST_OK;
}

/* forward: y = columns^T(W^T x) + b, so gx = W columns(gy), gW = sum of x columns(gy)^T and gb = sum of gy over rows and
 * pixels. `bias` says whether y contains b: tangents do not. */
static void pull_back(const cst_module *m, const cst_call *c, size_t rows, const real *x, const real *gy, real *gx,
                      real scale, real *gtheta, bool bias)
{
    if (!gy) {
        if (gx) memset(gx, 0, rows * cst_shape_size(&m->x) * sizeof *gx);
        return;
    }
    const cst_lowered a = {.weight = c->theta, .image = gy, .map = x, .to_map = gx, .gweight = gtheta, .scale = scale};
    if (gx || gtheta) cst_lowering_run(cst_convolution_lowering(m), rows, &a, c->work);
    if (bias) cst_convolution_bias_gradient(m, rows, gy, scale, gtheta);
}

static cst_status conv_transpose2d_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                                       const cst_grads *g)
{
    pull_back(m, c, c->n, p->x, gy, g->gx, g->scale, g->gtheta, true);
    return CST_OK;
}

/* y is affine in x: tangents are more rows, without b. */
static cst_status conv_transpose2d_jvp(const cst_module *m, const cst_call *c, const cst_point *p,
                                       const cst_tangents *d)
{
    (void)p;
    const cst_lowered a = {.weight = c->theta, .map = d->xdot, .to_image = d->ydot};
    cst_lowering_run(cst_convolution_lowering(m), d->count * c->n, &a, c->work);
    return CST_OK;
}

/* (y, ydot_k) = (columns^T(W^T x) + b, columns^T(W^T xdot_k)): gx comes from gy alone, gxdot from gydot alone, and gW is
 * the sum of both pairs' products. */
static cst_status conv_transpose2d_jvp_vjp(const cst_module *m, const cst_call *c, const cst_point *p,
                                           const cst_tangents *d, const real *gy, const real *gydot, const cst_grads *g)
{
    pull_back(m, c, c->n, p->x, gy, g->gx, g->scale, g->gtheta, true);
    pull_back(m, c, d->count * c->n, d->xdot, gydot, g->gxdot, g->scale, g->gtheta, false);
    return CST_OK;
}

static const cst_module_ops conv_transpose2d_ops = {
    .name = "conv_transpose2d",
    .plan = cst_convolution_plan,
    .forward = conv_transpose2d_forward,
    .vjp = conv_transpose2d_vjp,
    .jvp = conv_transpose2d_jvp,
    .jvp_vjp = conv_transpose2d_jvp_vjp,
    .init = cst_convolution_init,
};

/* Pixels of y along a side of x: 0 if there is none. */
static size_t side(const cst_conv_transpose2d_options *o, size_t size)
{
    const size_t first = cst_size_mul(size - 1, o->stride), last = cst_size_mul(o->dilation, o->kernel - 1);
    const size_t padded = cst_size_add(cst_size_add(first, last), cst_size_add(o->output_padding, 1));
    const size_t padding = cst_size_mul(2, o->padding);
    return padded > padding ? padded - padding : 0;
}

static cst_status make_lowering(const cst_shape *x, const cst_conv_transpose2d_options *o, cst_lowering *l,
                                cst_error *error)
{
    char text[CST_SHAPE_TEXT];
    CST_TRY(cst_module_expect_rank(x, 3, "(C, H, W)", error));
    if (!o->out_channels) return cst_fail(error, CST_EARG, "expected out_channels of at least 1, got 0");
    *l = (cst_lowering){.map_channels = x->dim[0],
                        .oh = x->dim[1],
                        .ow = x->dim[2],
                        .image_channels = o->out_channels,
                        .kernel = o->kernel,
                        .stride = o->stride,
                        .padding = o->padding,
                        .dilation = o->dilation,
                        .groups = o->groups};
    CST_TRY(cst_lowering_check(l, error));
    if (o->output_padding >= o->stride && o->output_padding >= o->dilation)
        return cst_fail(error, CST_EARG, "output_padding: expected less than stride %zu or dilation %zu, got %zu",
                        o->stride, o->dilation, o->output_padding);
    l->h = side(o, l->oh);
    l->w = side(o, l->ow);
    if (!l->h || !l->w)
        return cst_fail(error, CST_ESHAPE, "a padding of %zu leaves nothing of rows %s with a kernel of %zu",
                        o->padding, cst_shape_text(x, text), o->kernel);
    return cst_lowering_init(l, error);
}

cst_status cst_conv_transpose2d_new(const cst_shape *x, const cst_conv_transpose2d_options *options,
                                    cst_module **module, cst_error *error)
{
    *module = NULL;
    cst_lowering l;
    CST_TRY(make_lowering(x, options, &l, error));
    const cst_shape y = cst_shape_3d(l.image_channels, l.h, l.w);
    return cst_convolution_new(&conv_transpose2d_ops, x, &y, &l, options->bias, module, error);
}

#define SIZE(field, fallback, least, help)                                                                             \
    CST_CONVOLUTION_SIZE(cst_conv_transpose2d_options, field, fallback, least, help)
const cst_key cst_conv_transpose2d_keys[] = {
    SIZE(out_channels, NULL, 1, "channels of y"),
    SIZE(kernel, NULL, 1, "height and width of the kernel"),
    SIZE(stride, "1", 1, "pixels of y from one pixel of x to the next"),
    SIZE(padding, "0", 0, "rows and columns of y cut off on every side"),
    SIZE(output_padding, "0", 0, "rows and columns added at the bottom and on the right of y"),
    SIZE(dilation, "1", 1, "pixels from one entry of the kernel to the next"),
    SIZE(groups, "1", 1, "parts that the channels of x and y are cut into"),
    {"bias", CST_KEY_BOOL, offsetof(cst_conv_transpose2d_options, bias), "true", 0, 0, NULL, "add a value a channel"},
    {0},
};

static cst_status conv_transpose2d_make(const cst_registry *registry, cst_config section, const cst_shape *x,
                                        cst_module **m, cst_error *error)
{
    (void)registry;
    cst_conv_transpose2d_options options = {0};
    CST_TRY(cst_config_read(section, cst_conv_transpose2d_keys, true, &options, error));
    return cst_conv_transpose2d_new(x, &options, m, error);
}

static const cst_module_example conv_transpose2d_examples[] = {
    {CST_JSON({"type": "conv_transpose2d", "out_channels": 3, "kernel": 4, "stride": 2, "padding": 1}), {3, {2, 2, 3}}},
    {CST_JSON({"type": "conv_transpose2d", "out_channels": 2, "kernel": 3, "padding": 1, "bias": false}),
     {3, {3, 4, 3}}},
    {CST_JSON({
         "type": "conv_transpose2d",
         "out_channels": 4,
         "kernel": 2,
         "stride": 3,
         "output_padding": 1,
         "dilation": 2,
         "groups": 2
     }),
     {3, {2, 2, 2}}},
};

const cst_module_type cst_conv_transpose2d_type = {
    .name = "conv_transpose2d",
    .summary = "transposed convolution with square kernels on rows (C, H, W)",
    .keys = cst_conv_transpose2d_keys,
    .make = conv_transpose2d_make,
    .n_examples = sizeof conv_transpose2d_examples / sizeof *conv_transpose2d_examples,
    .examples = conv_transpose2d_examples,
};
