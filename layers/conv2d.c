#include "layers/conv2d.h"

#include "layers/im2col.h"
#include "layers/linear.h"

#include <string.h>

/* Both layers are products with one matrix of a lowering (layers/im2col.h), which lies between images and maps:
 *
 *                      x is the    y is the
 *   conv2d             image       map        y = W columns(x) + b
 *   conv_transpose2d   map         image      y = columns^T(W^T x) + b
 *
 * Every pass of one layer is that of the other with image and map swapped. */
typedef struct convolution {
    cst_module base;
    cst_lowering lowering;
    bool transposed; /* conv_transpose2d */
} convolution;

static const convolution *as_convolution(const cst_module *m)
{
    return (const convolution *)m;
}

static bool has_bias(const cst_module *m)
{
    return m->n_tensors > 1;
}

/* ---- passes -------------------------------------------------------------------------------------------------- */

/* y = the linear map of x, for `rows` rows, plus bias unless that is NULL. */
static void apply(const cst_module *m, const cst_call *c, size_t rows, const real *x, const real *bias, real *y)
{
    const convolution *v = as_convolution(m);
    cst_lowered a = {.weight = c->theta, .bias = bias};
    if (v->transposed) {
        a.map = x, a.to_image = y; /* y <- columns^T(W^T x) + b */
    } else {
        a.image = x, a.to_map = y; /* y <- W columns(x) + b */
    }
    cst_lowering_run(&v->lowering, rows, &a, c->work);
}

/* forward: y[o] = ... + b[o] at every pixel, so gb[o] += scale times the sum of gy[o] over rows and pixels. gy NULL:
 * zero. */
static void add_bias_gradient(const cst_module *m, size_t rows, const real *gy, real scale, real *gtheta)
{
    if (!gy || !gtheta || !has_bias(m)) return;
    const size_t channels = m->y.dim[0], pixels = m->y.dim[1] * m->y.dim[2];
    real *gbias = gtheta + m->tensors[1].offset;
    for (size_t c = 0; c < channels; c++) {
        real sum = 0;
        for (size_t n = 0; n < rows; n++) {
            const real *restrict plane = gy + (n * channels + c) * pixels;
#pragma omp simd reduction(+ : sum)
            for (size_t i = 0; i < pixels; i++) sum += plane[i];
        }
        gbias[c] += scale * sum;
    }
}

/* What a reverse pass makes of one cotangent gy of `rows` rows x: gx, and what is added to g->gtheta. Either may be NULL
 * (not needed); gy NULL stands for zero.
 *
 * conv2d            forward: y = W columns(x) + b,     so gx = columns^T(W^T gy), gW += scale gy columns(x)^T
 * conv_transpose2d  forward: y = columns^T(W^T x) + b, so gx = W columns(gy),     gW += scale x columns(gy)^T */
static void pull_back(const cst_module *m, const cst_call *c, size_t rows, const real *x, const real *gy,
                      const cst_grads *g, real *gx)
{
    const convolution *v = as_convolution(m);
    if (!gy) {
        if (gx) memset(gx, 0, rows * cst_shape_size(&m->x) * sizeof *gx);
        return;
    }
    cst_lowered a = {.weight = c->theta, .gweight = g->gtheta, .scale = g->scale};
    if (v->transposed) {
        a.image = gy, a.map = x, a.to_map = gx;
    } else {
        a.image = x, a.map = gy, a.to_image = gx;
    }
    if (gx || g->gtheta) cst_lowering_run(&v->lowering, rows, &a, c->work);
}

static cst_status forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    (void)cache;
    apply(m, c, c->n, x, has_bias(m) ? c->theta + m->tensors[1].offset : NULL, y);
    return CST_OK;
}

static cst_status vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy, const cst_grads *g)
{
    pull_back(m, c, c->n, p->x, gy, g, g->gx);
    add_bias_gradient(m, c->n, gy, g->scale, g->gtheta);
    return CST_OK;
}

/* y is affine in x, so tangents are more rows, without b. */
static cst_status jvp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangents *d)
{
    (void)p;
    apply(m, c, d->count * c->n, d->xdot, NULL, d->ydot);
    return CST_OK;
}

/* jvp: ydot_k is the linear map of xdot_k. So gx comes from gy alone, gxdot from gydot alone, and gW is the sum of the
 * products of both pairs. b does not occur in ydot. */
static cst_status jvp_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangent_point *d,
                          const real *gy, const real *gydot, const cst_grads *g)
{
    pull_back(m, c, c->n, p->x, gy, g, g->gx);
    add_bias_gradient(m, c->n, gy, g->scale, g->gtheta);
    pull_back(m, c, d->count * c->n, d->xdot, gydot, g, g->gxdot);
    return CST_OK;
}

/* Tangent passes handle K tangents of N rows as K N rows. */
static void plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    (void)threads;
    plan->work = cst_lowering_work(&as_convolution(m)->lowering, cst_size_mul(n, k > 1 ? k : 1));
}

#define CONVOLUTION_OPS(type)                                                                                          \
    {                                                                                                                  \
        .name = type, .plan = plan, .forward = forward, .vjp = vjp, .jvp = jvp, .jvp_vjp = jvp_vjp,                    \
        .init = cst_linear_init                                                                                        \
    }
static const cst_module_ops conv2d_ops = CONVOLUTION_OPS("conv2d");
static const cst_module_ops conv_transpose2d_ops = CONVOLUTION_OPS("conv_transpose2d");

/* ---- geometry ------------------------------------------------------------------------------------------------ */

/* Pixels along a side of conv2d's y, from those of x; 0 if the kernel does not fit. */
static size_t conv2d_side(const cst_lowering *l, size_t size)
{
    const size_t padded = cst_size_add(size, cst_size_mul(2, l->padding));
    const size_t reach = cst_size_add(cst_size_mul(l->dilation, l->kernel - 1), 1);
    return reach > padded ? 0 : (padded - reach) / l->stride + 1;
}

/* Pixels along a side of conv_transpose2d's y, from those of x; 0 if padding cuts all of them off. */
static size_t conv_transpose2d_side(const cst_lowering *l, size_t output_padding, size_t size)
{
    const size_t first = cst_size_mul(size - 1, l->stride), last = cst_size_mul(l->dilation, l->kernel - 1);
    const size_t padded = cst_size_add(cst_size_add(first, last), cst_size_add(output_padding, 1));
    const size_t padding = cst_size_mul(2, l->padding);
    return padded > padding ? padded - padding : 0;
}

/* What both layers check of x and the options before the geometry; *l has the options, and x as image or map. */
static cst_status check_options(const cst_shape *x, size_t out_channels, cst_lowering *l, bool transposed,
                                cst_error *error)
{
    CST_TRY(cst_module_expect_rank(x, 3, "(C, H, W)", error));
    if (!out_channels) return cst_fail(error, CST_EARG, "expected out_channels of at least 1, got 0");
    l->image_channels = transposed ? out_channels : x->dim[0];
    l->map_channels = transposed ? x->dim[0] : out_channels;
    *(transposed ? &l->oh : &l->h) = x->dim[1];
    *(transposed ? &l->ow : &l->w) = x->dim[2];
    return cst_lowering_check(l, error);
}

/* The module for a lowering whose image and map are known. */
static cst_status convolution_new(const cst_module_ops *ops, const cst_shape *x, cst_lowering *l, bool bias,
                                  cst_module **m, cst_error *error)
{
    CST_TRY(cst_lowering_init(l, error));
    CST_TRY(cst_module_new(sizeof(convolution), ops, x, m, error));
    convolution *v = (convolution *)*m;
    v->lowering = *l;
    v->transposed = ops == &conv_transpose2d_ops;
    v->base.y =
        v->transposed ? cst_shape_3d(l->image_channels, l->h, l->w) : cst_shape_3d(l->map_channels, l->oh, l->ow);
    v->base.cost = cst_lowering_cost(l);
    cst_module_add_tensor(*m, "weight", cst_lowering_weight(l));
    if (bias) cst_module_add_tensor(*m, "bias", cst_shape_1d(v->base.y.dim[0]));
    return CST_OK;
}

cst_status cst_conv2d_new(const cst_shape *x, const cst_conv2d_options *o, cst_module **m, cst_error *error)
{
    char text[CST_SHAPE_TEXT];
    cst_lowering l = {
        .kernel = o->kernel, .stride = o->stride, .padding = o->padding, .dilation = o->dilation, .groups = o->groups};
    *m = NULL;
    CST_TRY(check_options(x, o->out_channels, &l, false, error));
    l.oh = conv2d_side(&l, l.h);
    l.ow = conv2d_side(&l, l.w);
    if (!l.oh || !l.ow)
        return cst_fail(error, CST_ESHAPE,
                        "a kernel of %zu with dilation %zu does not fit into rows %s with padding %zu", o->kernel,
                        o->dilation, cst_shape_text(x, text), o->padding);
    return convolution_new(&conv2d_ops, x, &l, o->bias, m, error);
}

cst_status cst_conv_transpose2d_new(const cst_shape *x, const cst_conv_transpose2d_options *o, cst_module **m,
                                    cst_error *error)
{
    char text[CST_SHAPE_TEXT];
    cst_lowering l = {
        .kernel = o->kernel, .stride = o->stride, .padding = o->padding, .dilation = o->dilation, .groups = o->groups};
    *m = NULL;
    CST_TRY(check_options(x, o->out_channels, &l, true, error));
    if (o->output_padding >= o->stride && o->output_padding >= o->dilation)
        return cst_fail(error, CST_EARG, "output_padding: expected less than stride %zu or dilation %zu, got %zu",
                        o->stride, o->dilation, o->output_padding);
    l.h = conv_transpose2d_side(&l, o->output_padding, l.oh);
    l.w = conv_transpose2d_side(&l, o->output_padding, l.ow);
    if (!l.h || !l.w)
        return cst_fail(error, CST_ESHAPE, "a padding of %zu leaves nothing of rows %s with a kernel of %zu",
                        o->padding, cst_shape_text(x, text), o->kernel);
    return convolution_new(&conv_transpose2d_ops, x, &l, o->bias, m, error);
}
