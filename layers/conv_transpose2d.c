#include "layers/conv_transpose2d.h"

#include "layers/im2col.h"

#include <math.h>
#include <string.h>

typedef struct conv_transpose2d {
    cst_module base;
    cst_lowering lowering; /* y is the image, x the map */
} conv_transpose2d;

static const cst_lowering *lowering_of(const cst_module *m)
{
    return &((const conv_transpose2d *)(const void *)m)->lowering;
}

static const real *bias_of(const cst_module *m, const real *theta)
{
    return m->n_tensors > 1 ? theta + m->tensors[1].offset : NULL;
}

static void conv_transpose2d_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    (void)threads;
    plan->work = cst_lowering_work(lowering_of(m), cst_size_mul(n, k > 1 ? k : 1));
}

static cst_status conv_transpose2d_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    (void)cache;
    const cst_lowered a = {.weight = c->theta, .map = x, .bias = bias_of(m, c->theta), .to_image = y};
    cst_lowering_run(lowering_of(m), c->n, &a, c->work);
    return CST_OK;
}

/* forward: y = columns^T(W^T x) + b, so gx = W columns(gy), gW = sum of x columns(gy)^T and gb = sum of gy over rows and
 * pixels. `bias` says whether y contains b: tangents do not. */
static void pull_back(const cst_module *m, const cst_call *c, size_t rows, const real *x, const real *gy, real *gx,
                      real scale, real *gtheta, bool bias)
{
    const cst_lowering *l = lowering_of(m);
    if (!gy) {
        if (gx) memset(gx, 0, rows * cst_shape_size(&m->x) * sizeof *gx);
        return;
    }
    const cst_lowered a = {.weight = c->theta, .image = gy, .map = x, .to_map = gx, .gweight = gtheta, .scale = scale};
    if (gx || gtheta) cst_lowering_run(l, rows, &a, c->work);
    if (gtheta && bias && m->n_tensors > 1)
        cst_lowering_bias_gradient(rows, l->image_channels, l->h * l->w, gy, scale, gtheta + m->tensors[1].offset);
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
    cst_lowering_run(lowering_of(m), d->count * c->n, &a, c->work);
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

static void conv_transpose2d_init(const cst_module *m, cst_rng rng, real *theta)
{
    const cst_shape *weight = &m->tensors[0].shape;
    const double bound = 1 / sqrt((double)(cst_shape_size(weight) / weight->dim[0]));
    for (size_t i = 0; i < m->n_tensors; i++)
        cst_rng_fill_uniform(cst_rng_split(rng, i), theta + m->tensors[i].offset, cst_shape_size(&m->tensors[i].shape),
                             -bound, bound);
}

static const cst_module_ops conv_transpose2d_ops = {
    .name = "conv_transpose2d",
    .plan = conv_transpose2d_plan,
    .forward = conv_transpose2d_forward,
    .vjp = conv_transpose2d_vjp,
    .jvp = conv_transpose2d_jvp,
    .jvp_vjp = conv_transpose2d_jvp_vjp,
    .init = conv_transpose2d_init,
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
    CST_TRY(cst_module_new(sizeof(conv_transpose2d), &conv_transpose2d_ops, x, module, error));
    conv_transpose2d *m = (conv_transpose2d *)(void *)*module;
    m->lowering = l;
    m->base.y = cst_shape_3d(l.image_channels, l.h, l.w);
    m->base.cost = cst_lowering_cost(&l);
    cst_module_add_tensor(*module, "weight", cst_lowering_weight(&l));
    if (options->bias) cst_module_add_tensor(*module, "bias", cst_shape_1d(l.image_channels));
    return CST_OK;
}

const cst_key cst_conv_transpose2d_keys[] = {
    {.name = "out_channels",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_conv_transpose2d_options, out_channels),
     .min = 1,
     .max = 1e6,
     .help = "channels of y"},
    {.name = "kernel",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_conv_transpose2d_options, kernel),
     .min = 1,
     .max = 1e6,
     .help = "height and width of the kernel"},
    {.name = "stride",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_conv_transpose2d_options, stride),
     .fallback = "1",
     .min = 1,
     .max = 1e6,
     .help = "pixels of y from one pixel of x to the next"},
    {.name = "padding",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_conv_transpose2d_options, padding),
     .fallback = "0",
     .max = 1e6,
     .help = "rows and columns of y cut off on every side"},
    {.name = "output_padding",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_conv_transpose2d_options, output_padding),
     .fallback = "0",
     .max = 1e6,
     .help = "rows and columns added at the bottom and on the right of y"},
    {.name = "dilation",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_conv_transpose2d_options, dilation),
     .fallback = "1",
     .min = 1,
     .max = 1e6,
     .help = "pixels from one entry of the kernel to the next"},
    {.name = "groups",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_conv_transpose2d_options, groups),
     .fallback = "1",
     .min = 1,
     .max = 1e6,
     .help = "parts that the channels of x and y are cut into"},
    {.name = "bias",
     .kind = CST_KEY_BOOL,
     .offset = offsetof(cst_conv_transpose2d_options, bias),
     .fallback = "true",
     .help = "add a value a channel"},
    {.name = NULL},
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
    .keys = cst_conv_transpose2d_keys,
    .make = conv_transpose2d_make,
    .n_examples = sizeof conv_transpose2d_examples / sizeof *conv_transpose2d_examples,
    .examples = conv_transpose2d_examples,
};
