#include "layers/concat_squash.h"

#include "layers/vmath.h"

#include <string.h>

/* Indices of the children. */
enum { LAYER, HYPER_BIAS, HYPER_GATE };

typedef struct concat_squash {
    cst_module base;
    size_t channels, plane; /* rows of y are (channels, plane); plane is 1 for the linear one */
} concat_squash;

static const concat_squash *squash_of(const cst_module *m)
{
    return (const concat_squash *)(const void *)m;
}

/* ---- layouts ----------------------------------------------------------------------------------------------------- */

/* cache = [t (1) | hyper_bias(t) (channels) | hyper_gate(t) (channels) | its sigmoid (channels) | layer(x) (N, out)
 * | cache of the layer]. The offsets of these parts; t is at 0. The two linear maps of t have no cache and need no
 * work. */
typedef struct cache_layout {
    size_t bias, gate, sigmoid, value, layer;
} cache_layout;

static cache_layout cache_layout_of(const cst_module *m, size_t n)
{
    const size_t line = cst_size_align(1), channels = cst_size_align(squash_of(m)->channels);
    cache_layout at = {.bias = line};
    at.gate = at.bias + channels;
    at.sigmoid = at.gate + channels;
    at.value = at.sigmoid + channels;
    at.layer = cst_size_add(at.value, cst_size_align(cst_size_mul(n, cst_shape_size(&m->y))));
    return at;
}

/* tangent cache = [tangents of layer(x) (K, N, out) | tangent cache of the layer]. The size of the first part. */
static size_t tangent_values(const cst_module *m, size_t n, size_t k)
{
    return cst_size_align(cst_size_mul(k, cst_size_mul(n, cst_shape_size(&m->y))));
}

/* work of reverse passes = [cotangent of t (1) | of hyper_bias(t) (channels) | of hyper_gate(t) (channels) | of
 * layer(x) (N, out) | of its tangents (K, N, out) | work of the layer] */
typedef struct work_layout {
    real *t, *bias, *gate, *value, *value_dot, *work;
} work_layout;

static work_layout cut_work(const cst_module *m, const cst_call *c, size_t k)
{
    const size_t line = cst_size_align(1), channels = cst_size_align(squash_of(m)->channels);
    work_layout to = {.t = c->work, .bias = c->work + line};
    to.gate = to.bias + channels;
    to.value = to.gate + channels;
    to.value_dot = to.value + tangent_values(m, c->n, 1);
    to.work = to.value_dot + tangent_values(m, c->n, k);
    return to;
}

static void concat_squash_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    cst_plan layer;
    cst_module_plan(m->children[LAYER].module, n, k, threads, &layer);
    const size_t small = cst_size_align(1) + 2 * cst_size_align(squash_of(m)->channels);
    const size_t large = cst_size_add(tangent_values(m, n, 1), tangent_values(m, n, k));
    plan->cache = cst_size_add(cache_layout_of(m, n).layer, layer.cache);
    plan->tangent = cst_size_add(tangent_values(m, n, k), layer.tangent);
    plan->work = cst_size_add(cst_size_add(small, large), layer.work);
}

/* ---- loops over (rows, channels, plane) ------------------------------------------------------------------------- */

/* out = v s + b, where s and b have one value per channel; b NULL: zero. */
static void squash(const cst_module *m, size_t rows, const real *v, const real *s, const real *b, real *out)
{
    const size_t channels = squash_of(m)->channels, plane = squash_of(m)->plane;
    /* Vectors: the innermost loop is over channels. */
    if (plane == 1) {
        for (size_t i = 0; i < rows; i++, v += channels, out += channels) {
#pragma omp simd
            for (size_t j = 0; j < channels; j++) out[j] = v[j] * s[j] + (b ? b[j] : 0);
        }
        return;
    }
    /* Images: the innermost loop is over the pixels of a channel. */
    for (size_t i = 0; i < rows * channels; i++, v += plane, out += plane) {
        const real s_i = s[i % channels], b_i = b ? b[i % channels] : 0;
#pragma omp simd
        for (size_t j = 0; j < plane; j++) out[j] = v[j] * s_i + b_i;
    }
}

/* sum (channels) += u v, summed over rows and planes; v NULL: ones. */
static void add_channel_sums(const cst_module *m, size_t rows, const real *u, const real *v, real *sum)
{
    const size_t channels = squash_of(m)->channels, plane = squash_of(m)->plane;
    if (plane == 1) {
        for (size_t i = 0; i < rows; i++) {
            const size_t at = i * channels;
#pragma omp simd
            for (size_t j = 0; j < channels; j++) sum[j] += u[at + j] * (v ? v[at + j] : 1);
        }
        return;
    }
    for (size_t i = 0; i < rows * channels; i++) {
        const size_t at = i * plane;
        real one = 0;
#pragma omp simd reduction(+ : one)
        for (size_t j = 0; j < plane; j++) one += u[at + j] * (v ? v[at + j] : 1);
        sum[i % channels] += one;
    }
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

/* The call for hyper_bias or hyper_gate: a batch of one row, t. */
static cst_call hyper_call(const cst_module *m, const cst_call *c, size_t i)
{
    cst_call call = cst_call_child(m, c, i, c->work);
    call.n = 1;
    call.row = 0;
    return call;
}

static cst_status concat_squash_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const cache_layout at = cache_layout_of(m, c->n);
    const cst_call layer = cst_call_child(m, c, LAYER, c->work), bias = hyper_call(m, c, HYPER_BIAS),
                   gate = hyper_call(m, c, HYPER_GATE);
    real *sigmoid = cache + at.sigmoid, *value = cache + at.value;
    /* The two functions of time, then the layer, all into the cache. */
    cache[0] = (real)c->t;
    CST_TRY(cst_module_forward(m->children[HYPER_BIAS].module, &bias, cache, cache + at.bias, NULL));
    CST_TRY(cst_module_forward(m->children[HYPER_GATE].module, &gate, cache, cache + at.gate, NULL));
    CST_TRY(cst_module_forward(m->children[LAYER].module, &layer, x, value, cache + at.layer));
    /* y = layer(x) sigmoid(hyper_gate(t)) + hyper_bias(t) */
    cst_vsigmoid(squash_of(m)->channels, cache + at.gate, sigmoid);
    squash(m, c->n, value, sigmoid, cache + at.bias, y);
    return CST_OK;
}

/* The point at which the layer was evaluated. */
static cst_point layer_point(const cst_point *p, const cache_layout *at)
{
    return (cst_point){.x = p->x, .y = p->cache + at->value, .cache = p->cache + at->layer};
}

/* Add to gtheta and gt what hyper_bias or hyper_gate (child i) contributes, from its point and the cotangent gy of its
 * value. gx (1) is overwritten. */
static cst_status hyper_vjp(const cst_module *m, const cst_call *c, size_t i, const cst_point *point, const real *gy,
                            const cst_grads *g, real *gx)
{
    const cst_call call = hyper_call(m, c, i);
    const cst_grads grads = {
        .scale = g->scale,
        .gx = g->gt ? gx : NULL,
        .gtheta = g->gtheta ? g->gtheta + m->children[i].offset : NULL,
    };
    CST_TRY(cst_module_vjp(m->children[i].module, &call, point, gy, &grads));
    if (g->gt) *g->gt += (double)(g->scale * gx[0]);
    return CST_OK;
}

/* forward: y = v s + b with v = layer(x), s = sigmoid(a), a = hyper_gate(t), b = hyper_bias(t). Summed over rows and
 * planes, gb = sum gy and gs = sum gy v, and then ga = s (1 - s) gs. jvp: ydot = vdot s adds sum gydot vdot to gs;
 * on entry to->gate holds that part of gs. gy NULL: zero. */
static cst_status pull_back_to_time(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                                    const cst_grads *g, const work_layout *to)
{
    const cache_layout at = cache_layout_of(m, c->n);
    const size_t channels = squash_of(m)->channels;
    const real *s = p->cache + at.sigmoid;
    memset(to->bias, 0, channels * sizeof *to->bias);
    if (gy) add_channel_sums(m, c->n, gy, NULL, to->bias);
    if (gy) add_channel_sums(m, c->n, gy, p->cache + at.value, to->gate);
    for (size_t j = 0; j < channels; j++) to->gate[j] *= s[j] * (1 - s[j]);
    /* Both are linear maps of t, which is the first number of the cache. */
    const cst_point bias = {.x = p->cache, .y = p->cache + at.bias}, gate = {.x = p->cache, .y = p->cache + at.gate};
    CST_TRY(hyper_vjp(m, c, HYPER_BIAS, &bias, to->bias, g, to->t));
    return hyper_vjp(m, c, HYPER_GATE, &gate, to->gate, g, to->t);
}

/* The gradients that the layer computes: it does not depend on time. */
static cst_grads layer_grads(const cst_grads *g)
{
    cst_grads grads = *g;
    grads.gt = NULL;
    return grads;
}

/* forward: y = v s + b with v = layer(x), so gv = s gy, from which the layer makes gx and its gtheta. */
static cst_status concat_squash_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                                    const cst_grads *g)
{
    const cache_layout at = cache_layout_of(m, c->n);
    const work_layout to = cut_work(m, c, 0);
    /* The functions of time. */
    if (g->gtheta || g->gt) {
        memset(to.gate, 0, squash_of(m)->channels * sizeof *to.gate);
        CST_TRY(pull_back_to_time(m, c, p, gy, g, &to));
    }
    /* The layer. */
    if (!g->gx && !g->gtheta) return CST_OK;
    const cst_call call = cst_call_child(m, c, LAYER, to.work);
    const cst_point point = layer_point(p, &at);
    const cst_grads grads = layer_grads(g);
    squash(m, c->n, gy, p->cache + at.sigmoid, NULL, to.value);
    return cst_module_vjp(m->children[LAYER].module, &call, &point, to.value, &grads);
}

/* forward: y = v s + b, so ydot = s vdot: time has no tangent. */
static cst_status concat_squash_jvp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangents *d)
{
    const cache_layout at = cache_layout_of(m, c->n);
    const cst_call call = cst_call_child(m, c, LAYER, c->work);
    const cst_point point = layer_point(p, &at);
    /* The layer's ydot goes to the tangent cache, before the layer's own part. */
    cst_tangents tangents = *d;
    tangents.ydot = d->cache + d->first * c->n * cst_shape_size(&m->y);
    tangents.cache = d->cache + tangent_values(m, c->n, d->capacity);
    CST_TRY(cst_module_jvp(m->children[LAYER].module, &call, &point, &tangents));
    squash(m, d->count * c->n, tangents.ydot, p->cache + at.sigmoid, NULL, d->ydot);
    return CST_OK;
}

/* forward: y = v s + b and ydot = s vdot, so gv = s gy and gvdot = s gydot, from which the layer makes gx, gxdot,
 * gtheta. */
static cst_status concat_squash_jvp_vjp(const cst_module *m, const cst_call *c, const cst_point *p,
                                        const cst_tangent_point *d, const real *gy, const real *gydot,
                                        const cst_grads *g)
{
    const cache_layout at = cache_layout_of(m, c->n);
    const work_layout to = cut_work(m, c, d->capacity);
    cst_tangent_point tangents = *d;
    tangents.cache = d->cache + tangent_values(m, c->n, d->capacity);
    const size_t rows = d->count * c->n;
    /* The functions of time: gs gets a share of the tangents. */
    if (g->gtheta || g->gt) {
        memset(to.gate, 0, squash_of(m)->channels * sizeof *to.gate);
        if (gydot) add_channel_sums(m, rows, gydot, d->cache, to.gate);
        CST_TRY(pull_back_to_time(m, c, p, gy, g, &to));
    }
    const cst_call call = cst_call_child(m, c, LAYER, to.work);
    const cst_point point = layer_point(p, &at);
    const cst_grads grads = layer_grads(g);
    /* The layer. A cotangent that is NULL stays NULL: zero. */
    if (gy) squash(m, c->n, gy, p->cache + at.sigmoid, NULL, to.value);
    if (gydot) squash(m, rows, gydot, p->cache + at.sigmoid, NULL, to.value_dot);
    return cst_module_jvp_vjp(m->children[LAYER].module, &call, &point, &tangents, gy ? to.value : NULL,
                              gydot ? to.value_dot : NULL, &grads);
}

/* ---- construction ------------------------------------------------------------------------------------------------ */

#define CONCAT_SQUASH_OPS(type)                                                                                        \
    {                                                                                                                  \
        .name = type, .plan = concat_squash_plan, .forward = concat_squash_forward, .vjp = concat_squash_vjp,          \
        .jvp = concat_squash_jvp, .jvp_vjp = concat_squash_jvp_vjp                                                     \
    }
static const cst_module_ops linear_ops = CONCAT_SQUASH_OPS("concat_squash_linear");
static const cst_module_ops conv2d_ops = CONCAT_SQUASH_OPS("concat_squash_conv2d");

/* Add a linear map of t with one value per channel as a child. */
static cst_status add_hyper(cst_module *m, const char *name, bool bias, cst_error *error)
{
    const cst_shape time = cst_shape_1d(1);
    const cst_linear_options options = {.out_features = m->y.dim[0], .bias = bias};
    cst_module *hyper = NULL;
    CST_TRY(cst_linear_new(&time, &options, &hyper, error));
    return cst_module_add_child(m, name, hyper, error);
}

static cst_status add_children(cst_module *m, cst_module *layer, cst_error *error)
{
    CST_TRY(cst_module_add_child(m, "layer", layer, error));
    CST_TRY(add_hyper(m, "hyper_bias", false, error));
    return add_hyper(m, "hyper_gate", true, error);
}

/* Make the module around `layer`, which it owns; on failure the layer is freed. */
static cst_status squash_new(const cst_module_ops *ops, cst_module *layer, cst_module **m, cst_error *error)
{
    cst_module *made = NULL;
    const cst_status status = cst_module_new(sizeof(concat_squash), ops, &layer->x, &made, error);
    if (status != CST_OK) {
        cst_module_free(layer);
        return status;
    }
    concat_squash *s = (concat_squash *)(void *)made;
    made->y = layer->y;
    s->channels = layer->y.dim[0];
    s->plane = cst_shape_size(&layer->y) / s->channels;
    const cst_status added = add_children(made, layer, error);
    if (added == CST_OK)
        *m = made;
    else
        cst_module_free(made);
    return added;
}

cst_status cst_concat_squash_linear_new(const cst_shape *x, const cst_linear_options *options, cst_module **m,
                                        cst_error *error)
{
    cst_module *layer = NULL;
    *m = NULL;
    CST_TRY(cst_module_expect_rank(x, 1, "(in_features)", error)); /* with more dimensions there would be no channels */
    CST_TRY(cst_linear_new(x, options, &layer, error));
    return squash_new(&linear_ops, layer, m, error);
}

cst_status cst_concat_squash_conv2d_new(const cst_shape *x, const cst_conv2d_options *options, cst_module **m,
                                        cst_error *error)
{
    cst_module *layer = NULL;
    *m = NULL;
    CST_TRY(cst_conv2d_new(x, options, &layer, error));
    return squash_new(&conv2d_ops, layer, m, error);
}
