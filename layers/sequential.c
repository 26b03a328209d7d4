#include "layers/sequential.h"

#include <stdio.h>
#include <string.h>

/* ---- layouts ----------------------------------------------------------------------------------------------------- */

/* What child i takes of the cache, the tangent cache and the work, each rounded up to whole cache lines:
 *
 *   cache = [cache of child 0 | its y | cache of child 1 | its y | ...]
 *   tangent cache = [tangent cache of child 0 | its ydot | tangent cache of child 1 | its ydot | ...]
 *
 * so that the x of a child stands right before its cache. The y and ydot of the last child are the caller's arrays. */
typedef struct extent {
    size_t cache, y, tangent, ydot, work;
} extent;

static extent extent_of(const cst_module *m, size_t i, size_t n, size_t k, int threads)
{
    const cst_module *child = m->children[i].module;
    const bool last = i + 1 == m->n_children;
    const size_t y = last ? 0 : cst_size_mul(n, cst_shape_size(&child->y));
    cst_plan plan;
    cst_module_plan(child, n, k, threads, &plan);
    return (extent){
        .cache = cst_size_align(plan.cache),
        .y = cst_size_align(y),
        .tangent = cst_size_align(plan.tangent),
        .ydot = cst_size_align(cst_size_mul(k, y)),
        .work = cst_size_align(plan.work),
    };
}

/* Over all children: the sums of cache and tangent cache, and the largest y, ydot and work. */
typedef struct layout {
    size_t cache, tangent, y, ydot, work;
} layout;

static layout layout_of(const cst_module *m, size_t n, size_t k, int threads)
{
    layout all = {0};
    /* Arrays that live through the pass add up; those of one child are shared by all. */
    for (size_t i = 0; i < m->n_children; i++) {
        const extent e = extent_of(m, i, n, k, threads);
        all.cache = cst_size_add(all.cache, cst_size_add(e.cache, e.y));
        all.tangent = cst_size_add(all.tangent, cst_size_add(e.tangent, e.ydot));
        all.y = cst_size_max(all.y, e.y);
        all.ydot = cst_size_max(all.ydot, e.ydot);
        all.work = cst_size_max(all.work, e.work);
    }
    return all;
}

/* work = [two buffers for gy and gx | two for gydot and gxdot | work of the child]. In reverse passes a child reads
 * its cotangents from one buffer of a pair and writes to the other, and the next child visited does so the other way
 * round. */
static void sequential_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    const layout all = layout_of(m, n, k, threads);
    const size_t buffers = cst_size_mul(2, cst_size_add(all.y, all.ydot));
    *plan = (cst_plan){.cache = all.cache, .tangent = all.tangent, .work = cst_size_add(buffers, all.work)};
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

static cst_status sequential_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    for (size_t i = 0; i < m->n_children; i++) {
        const extent e = extent_of(m, i, c->n, 0, c->threads);
        const cst_call call = cst_call_child(m, c, i, c->work);
        /* The last child writes the caller's y, the others into the cache. */
        real *child_y = i + 1 == m->n_children ? y : cache + e.cache;
        CST_TRY(cst_module_forward(m->children[i].module, &call, x, child_y, cache));
        x = child_y;
        cache += e.cache + e.y;
    }
    return CST_OK;
}

/* forward: x_{i+1} = f_i(x_i), so each child takes the ydot of the one before it as its xdot. */
static cst_status sequential_jvp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangents *d)
{
    const real *x = p->x, *xdot = d->xdot, *cache = p->cache;
    real *tangent = d->cache;
    for (size_t i = 0; i < m->n_children; i++) {
        const bool last = i + 1 == m->n_children;
        const cst_module *child = m->children[i].module;
        const extent e = extent_of(m, i, c->n, d->capacity, c->threads);
        const cst_call call = cst_call_child(m, c, i, c->work);
        const cst_point point = {.x = x, .y = last ? p->y : cache + e.cache, .cache = cache};
        cst_tangents tangents = *d;
        tangents.xdot = xdot;
        tangents.cache = tangent;
        if (!last) tangents.ydot = tangent + e.tangent + d->first * c->n * cst_shape_size(&child->y);
        CST_TRY(cst_module_jvp(child, &call, &point, &tangents));
        /* On to the next child, whose x and xdot these are. */
        x = point.y;
        xdot = tangents.ydot;
        cache += e.cache + e.y;
        tangent += e.tangent + e.ydot;
    }
    return CST_OK;
}

/* The first child that a reverse pass has to visit. The children before it contribute nothing that is wanted: they
 * have no parameters, and nobody asks for gx, gxdot, gt or gcontext. */
static size_t first_needed(const cst_module *m, const cst_grads *g)
{
    if (g->gx || g->gxdot || g->gt || g->gcontext) return 0;
    size_t i = 0;
    while (i < m->n_children && m->children[i].module->n_params == 0) i++;
    return g->gtheta ? i : m->n_children;
}

/* A reverse walk over the children, for both reverse passes. */
typedef struct walk {
    const cst_module *m;
    const cst_call *c;
    const cst_point *p;
    const cst_tangent_point *d; /* NULL in vjp */
    const cst_grads *g;
    size_t stop;            /* the child that is visited last */
    size_t cache, tangent;  /* offsets of the parts of the child visited before */
    const real *gy, *gydot; /* gx and gxdot of that child, which are gy and gydot of the next one */
    real *gx[2], *gxdot[2]; /* buffers for them: child i writes number i % 2 */
    real *work;
} walk;

/* forward: x_{i+1} = f_i(x_i), so the gx of child i is the gy of child i - 1. One step of the walk. */
static cst_status visit_back(walk *w, size_t i)
{
    const cst_module *m = w->m, *child = m->children[i].module;
    const bool last = i + 1 == m->n_children;
    const size_t in = w->c->n * cst_shape_size(&child->x), k = w->d ? w->d->capacity : 0;
    const extent e = extent_of(m, i, w->c->n, k, w->c->threads);
    /* The point at which the child was evaluated; its x stands right before its cache. */
    w->cache -= e.cache + e.y;
    w->tangent -= e.tangent + e.ydot;
    const real *cache = w->p->cache + w->cache;
    const cst_point point = {
        .x = i == 0 ? w->p->x : cache - cst_size_align(in),
        .y = last ? w->p->y : cache + e.cache,
        .cache = cache,
    };
    /* Its gradients: its part of gtheta, and a buffer for gx and gxdot unless it is the last to be visited. */
    cst_grads grads = *w->g;
    if (grads.gtheta) grads.gtheta = child->n_params ? grads.gtheta + m->children[i].offset : NULL;
    if (i > 0) grads.gx = i > w->stop ? w->gx[i % 2] : NULL;
    if (i > 0) grads.gxdot = i > w->stop ? w->gxdot[i % 2] : NULL;
    const cst_call call = cst_call_child(m, w->c, i, w->work);
    if (w->d) {
        cst_tangent_point tangents = *w->d;
        tangents.cache += w->tangent;
        if (i > 0) tangents.xdot = tangents.cache - cst_size_align(in * k);
        CST_TRY(cst_module_jvp_vjp(child, &call, &point, &tangents, w->gy, w->gydot, &grads));
    } else {
        CST_TRY(cst_module_vjp(child, &call, &point, w->gy, &grads));
    }
    /* Its gx is the gy of the next child visited. */
    w->gy = grads.gx;
    w->gydot = grads.gxdot;
    return CST_OK;
}

/* Visit the children from the last to the first needed. */
static cst_status walk_back(walk *w)
{
    const layout all = layout_of(w->m, w->c->n, w->d ? w->d->capacity : 0, w->c->threads);
    /* Offsets start behind the last child; the work is cut as sequential_plan says. */
    w->stop = first_needed(w->m, w->g);
    w->cache = all.cache;
    w->tangent = all.tangent;
    w->gx[0] = w->c->work;
    w->gx[1] = w->gx[0] + all.y;
    w->gxdot[0] = w->gx[1] + all.y;
    w->gxdot[1] = w->gxdot[0] + all.ydot;
    w->work = w->gxdot[1] + all.ydot;
    if (!w->d) w->gxdot[0] = w->gxdot[1] = NULL;
    for (size_t i = w->m->n_children; i-- > w->stop;) CST_TRY(visit_back(w, i));
    return CST_OK;
}

static cst_status sequential_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                                 const cst_grads *g)
{
    walk w = {.m = m, .c = c, .p = p, .g = g, .gy = gy};
    return walk_back(&w);
}

static cst_status sequential_jvp_vjp(const cst_module *m, const cst_call *c, const cst_point *p,
                                     const cst_tangent_point *d, const real *gy, const real *gydot, const cst_grads *g)
{
    walk w = {.m = m, .c = c, .p = p, .d = d, .g = g, .gy = gy, .gydot = gydot};
    return walk_back(&w);
}

/* ---- construction ------------------------------------------------------------------------------------------------ */

static const cst_module_ops sequential_ops = {
    .name = "sequential",
    .plan = sequential_plan,
    .forward = sequential_forward,
    .vjp = sequential_vjp,
    .jvp = sequential_jvp,
    .jvp_vjp = sequential_jvp_vjp,
};

cst_status cst_sequential_new(const cst_shape *x, cst_module **m, cst_error *error)
{
    return cst_module_new(sizeof(cst_module), &sequential_ops, x, m, error);
}

cst_status cst_sequential_add(cst_module *m, cst_module *layer, cst_error *error)
{
    if (!cst_shape_equal(&layer->x, &m->y)) {
        char made[CST_SHAPE_TEXT], got[CST_SHAPE_TEXT];
        cst_shape_text(&layer->x, made);
        cst_module_free(layer);
        return cst_fail(error, CST_ESHAPE, "layer %zu of a sequential: expected one for rows %s, got one for %s",
                        m->n_children, cst_shape_text(&m->y, got), made);
    }
    /* The child's name is its index, and y is from now on this layer's. */
    char name[CST_CHILD_NAME];
    snprintf(name, sizeof name, "%zu", m->n_children);
    CST_TRY(cst_module_add_child(m, name, layer, error));
    m->y = layer->y;
    return CST_OK;
}

bool cst_sequential_drop_last(cst_module *m, const char *before, const char *type)
{
    if (m->ops != &sequential_ops || m->n_children < 2) return false;
    cst_module *last = m->children[m->n_children - 1].module, *other = m->children[m->n_children - 2].module;
    if (strcmp(last->ops->name, type) != 0 || strcmp(other->ops->name, before) != 0) return false;
    /* Take back what adding it has changed. */
    m->cost -= last->cost;
    m->n_params -= last->n_params;
    m->n_children--;
    m->y = other->y;
    cst_module_free(last);
    return true;
}

typedef struct sequential_options {
    cst_config layers;
} sequential_options;

static const cst_key sequential_keys[] = {
    {.name = "layers",
     .kind = CST_KEY_LIST,
     .offset = offsetof(sequential_options, layers),
     .help = "modules, each for the rows that the one before it makes",
     .holds = "modules"},
    {.name = NULL},
};

/* Make each layer of the list for the rows that the one before it makes, and append it. */
static cst_status add_layers(const cst_registry *registry, cst_config layers, cst_module *m, cst_error *error)
{
    for (size_t i = 0; i < cst_config_length(layers); i++) {
        cst_module *layer = NULL;
        CST_TRY(cst_module_from_config(registry, cst_config_item(layers, i), &m->y, &layer, error));
        CST_TRY(cst_sequential_add(m, layer, error));
    }
    return CST_OK;
}

static cst_status sequential_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                                  cst_error *error)
{
    sequential_options options = {0};
    *m = NULL;
    CST_TRY(cst_config_read(section, sequential_keys, true, &options, error));
    if (cst_config_length(options.layers) == 0)
        return cst_config_fail(options.layers, error, "expected at least one layer, got none");
    cst_module *made = NULL;
    CST_TRY(cst_sequential_new(x, &made, error));
    const cst_status status = add_layers(registry, options.layers, made, error);
    if (status == CST_OK)
        *m = made;
    else
        cst_module_free(made);
    return status;
}

static const cst_module_example sequential_examples[] = {
    {CST_JSON({"type": "sequential", "layers": [{"type": "tanh"}]}), {1, {3}}},
    {CST_JSON({
         "type": "sequential",
         "layers": [
             {"type": "concat_time"}, {"type": "linear", "out_features": 5}, {"type": "softplus"},
             {"type": "concat_time"}, {"type": "linear", "out_features": 2}
         ]
     }),
     {1, {3}}},
    {CST_JSON({
         "type": "sequential",
         "layers": [
             {"type": "flatten"},
             {"type": "sequential", "layers": [{"type": "linear", "out_features": 3}, {"type": "silu"}]},
             {"type": "sigmoid"}
         ]
     }),
     {3, {2, 1, 2}}},
};

const cst_module_type cst_sequential_type = {
    .name = "sequential",
    .summary = "layers one after the other",
    .keys = sequential_keys,
    .make = sequential_make,
    .n_examples = sizeof sequential_examples / sizeof *sequential_examples,
    .examples = sequential_examples,
};
