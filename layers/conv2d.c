#include "layers/conv2d.h"

#include "layers/im2col.h"

#include <math.h>
#include <string.h>

typedef struct conv2d {
    cst_module base;
    cst_lowering lowering; /* x is the image, y the map */
} conv2d;

static const cst_lowering *lowering_of(const cst_module *m)
{
    return &((const conv2d *)(const void *)m)->lowering;
}

static const real *bias_of(const cst_module *m, const real *theta)
{
    return m->n_tensors > 1 ? theta + m->tensors[1].offset : NULL;
}

static void conv2d_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    (void)threads;
    plan->work = cst_lowering_work(lowering_of(m), cst_size_mul(n, k > 1 ? k : 1));
}

static cst_status conv2d_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    (void)cache;
    const cst_lowered a = {.weight = c->theta, .image = x, .bias = bias_of(m, c->theta), .to_map = y};
    cst_lowering_run(lowering_of(m), c->n, &a, c->work);
    return CST_OK;
}

/* forward: y = W columns(x) + b, a product for each row, so gx = columns^T(W^T gy), gW = sum of gy columns(x)^T and gb
 * = sum of gy over rows and pixels. `bias` says whether y contains b: tangents do not. */
static void pull_back(const cst_module *m, const cst_call *c, size_t rows, const real *x, const real *gy, real *gx,
                      real scale, real *gtheta, bool bias)
{
    const cst_lowering *l = lowering_of(m);
    if (!gy) {
        if (gx) memset(gx, 0, rows * cst_shape_size(&m->x) * sizeof *gx);
        return;
    }
    const cst_lowered a = {
        .weight = c->theta, .image = x, .map = gy, .to_image = gx, .gweight = gtheta, .scale = scale};
    if (gx || gtheta) cst_lowering_run(l, rows, &a, c->work);
    if (gtheta && bias && m->n_tensors > 1)
        cst_lowering_bias_gradient(rows, l->map_channels, l->oh * l->ow, gy, scale, gtheta + m->tensors[1].offset);
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
    cst_lowering_run(lowering_of(m), d->count * c->n, &a, c->work);
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

static void conv2d_init(const cst_module *m, cst_rng rng, real *theta)
{
    const cst_shape *weight = &m->tensors[0].shape;
    const double bound = 1 / sqrt((double)(cst_shape_size(weight) / weight->dim[0]));
    for (size_t i = 0; i < m->n_tensors; i++)
        cst_rng_fill_uniform(cst_rng_split(rng, i), theta + m->tensors[i].offset, cst_shape_size(&m->tensors[i].shape),
                             -bound, bound);
}

static const cst_module_ops conv2d_ops = {
    .name = "conv2d",
    .plan = conv2d_plan,
    .forward = conv2d_forward,
    .vjp = conv2d_vjp,
    .jvp = conv2d_jvp,
    .jvp_vjp = conv2d_jvp_vjp,
    .init = conv2d_init,
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
    CST_TRY(cst_module_new(sizeof(conv2d), &conv2d_ops, x, module, error));
    conv2d *m = (conv2d *)(void *)*module;
    m->lowering = l;
    m->base.y = cst_shape_3d(l.map_channels, l.oh, l.ow);
    m->base.cost = cst_lowering_cost(&l);
    cst_module_add_tensor(*module, "weight", cst_lowering_weight(&l));
    if (options->bias) cst_module_add_tensor(*module, "bias", cst_shape_1d(l.map_channels));
    return CST_OK;
}

const cst_key cst_conv2d_keys[] = {
    {.name = "out_channels",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_conv2d_options, out_channels),
     .min = 1,
     .max = 1e6,
     .help = "channels of y"},
    {.name = "kernel",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_conv2d_options, kernel),
     .min = 1,
     .max = 1e6,
     .help = "height and width of the kernel"},
    {.name = "stride",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_conv2d_options, stride),
     .fallback = "1",
     .min = 1,
     .max = 1e6,
     .help = "pixels from one window to the next"},
    {.name = "padding",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_conv2d_options, padding),
     .fallback = "0",
     .max = 1e6,
     .help = "zeros added on every side"},
    {.name = "dilation",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_conv2d_options, dilation),
     .fallback = "1",
     .min = 1,
     .max = 1e6,
     .help = "pixels from one entry of the kernel to the next"},
    {.name = "groups",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_conv2d_options, groups),
     .fallback = "1",
     .min = 1,
     .max = 1e6,
     .help = "parts that the channels of x and y are cut into"},
    {.name = "bias",
     .kind = CST_KEY_BOOL,
     .offset = offsetof(cst_conv2d_options, bias),
     .fallback = "true",
     .help = "add a value a channel"},
    {.name = NULL},
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
