#include "layers/residual.h"

/* Elements of n rows; saturates. */
static size_t elements(const cst_module *m, size_t n)
{
    return cst_size_mul(n, cst_shape_size(&m->x));
}

/* cache = [body(x) | cache of the body]. The offset of the second part. */
static size_t body_cache(const cst_module *m, size_t n)
{
    return cst_size_align(elements(m, n));
}

/* The plan is the body's, with room for body(x). */
static void residual_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    cst_module_plan(m->children[0].module, n, k, threads, plan);
    plan->cache = cst_size_add(plan->cache, body_cache(m, n));
}

/* to += from. from NULL: zero; to NULL: not needed. */
static void add(size_t n, const real *restrict from, real *restrict to)
{
    if (!from || !to) return;
#pragma omp simd
    for (size_t i = 0; i < n; i++) to[i] += from[i];
}

static cst_status residual_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const size_t size = elements(m, c->n);
    const cst_call call = cst_call_child(m, c, 0, c->work);
    real *value = cache; /* body(x) */
    CST_TRY(cst_module_forward(m->children[0].module, &call, x, value, cache + body_cache(m, c->n)));
    /* y = x + body(x) */
#pragma omp simd
    for (size_t i = 0; i < size; i++) y[i] = x[i] + value[i];
    return CST_OK;
}

/* The point at which the body was evaluated. */
static cst_point body_point(const cst_module *m, const cst_call *c, const cst_point *p)
{
    return (cst_point){.x = p->x, .y = p->cache, .cache = p->cache + body_cache(m, c->n)};
}

/* forward: y = x + body(x), so gx = gy + (d body/dx)^T gy. */
static cst_status residual_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                               const cst_grads *g)
{
    const cst_call call = cst_call_child(m, c, 0, c->work);
    const cst_point point = body_point(m, c, p);
    /* The body overwrites gx and adds to the other gradients. */
    CST_TRY(cst_module_vjp(m->children[0].module, &call, &point, gy, g));
    add(elements(m, c->n), gy, g->gx);
    return CST_OK;
}

/* forward: y = x + body(x), so ydot = xdot + (d body/dx) xdot. */
static cst_status residual_jvp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangents *d)
{
    const cst_call call = cst_call_child(m, c, 0, c->work);
    const cst_point point = body_point(m, c, p);
    CST_TRY(cst_module_jvp(m->children[0].module, &call, &point, d));
    add(d->count * elements(m, c->n), d->xdot, d->ydot);
    return CST_OK;
}

/* jvp: ydot = xdot + (d body/dx) xdot, so gxdot = gydot + the body's share. */
static cst_status residual_jvp_vjp(const cst_module *m, const cst_call *c, const cst_point *p,
                                   const cst_tangent_point *d, const real *gy, const real *gydot, const cst_grads *g)
{
    const cst_call call = cst_call_child(m, c, 0, c->work);
    const cst_point point = body_point(m, c, p);
    CST_TRY(cst_module_jvp_vjp(m->children[0].module, &call, &point, d, gy, gydot, g));
    add(elements(m, c->n), gy, g->gx);
    add(d->count * elements(m, c->n), gydot, g->gxdot);
    return CST_OK;
}

static const cst_module_ops residual_ops = {
    .name = "residual",
    .plan = residual_plan,
    .forward = residual_forward,
    .vjp = residual_vjp,
    .jvp = residual_jvp,
    .jvp_vjp = residual_jvp_vjp,
};

cst_status cst_residual_new(cst_module *body, cst_module **m, cst_error *error)
{
    *m = NULL;
    /* The sum needs equal shapes. The body is owned from here on, so it is freed on every failure. */
    if (!cst_shape_equal(&body->x, &body->y)) {
        char x[CST_SHAPE_TEXT], y[CST_SHAPE_TEXT];
        cst_shape_text(&body->x, x);
        cst_shape_text(&body->y, y);
        cst_module_free(body);
        return cst_fail(error, CST_ESHAPE, "expected a body that keeps the shape of its rows, got one from %s to %s", x,
                        y);
    }
    cst_module *made = NULL;
    const cst_status status = cst_module_new(sizeof(cst_module), &residual_ops, &body->x, &made, error);
    if (status != CST_OK) {
        cst_module_free(body);
        return status;
    }
    const cst_status added = cst_module_add_child(made, "body", body, error);
    if (added == CST_OK)
        *m = made;
    else
        cst_module_free(made);
    return added;
}

typedef struct residual_options {
    cst_config body;
} residual_options;

static const cst_key residual_keys[] = {
    {.name = "body",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(residual_options, body),
     .help = "a module that keeps the shape",
     .holds = "module"},
    {.name = NULL},
};

/* Build the body from its section, then the module around it. */
static cst_status residual_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                                cst_error *error)
{
    residual_options options = {0};
    cst_module *body = NULL;
    *m = NULL;
    CST_TRY(cst_config_read(section, residual_keys, true, &options, error));
    CST_TRY(cst_module_from_config(registry, options.body, x, &body, error));
    return cst_residual_new(body, m, error);
}

static const cst_module_example residual_examples[] = {
    {CST_JSON({"type": "residual", "body": {"type": "tanh"}}), {1, {3}}},
    {CST_JSON({
         "type": "residual",
         "body": {
             "type": "sequential",
             "layers": [
                 {"type": "concat_time"}, {"type": "linear", "out_features": 4}, {"type": "softplus"},
                 {"type": "linear", "out_features": 3}
             ]
         }
     }),
     {1, {3}}},
    {CST_JSON({"type": "residual", "body": {"type": "residual", "body": {"type": "sigmoid"}}}), {3, {2, 2, 1}}},
};

const cst_module_type cst_residual_type = {
    .name = "residual",
    .summary = "y = x + body(x)",
    .keys = residual_keys,
    .make = residual_make,
    .n_examples = sizeof residual_examples / sizeof *residual_examples,
    .examples = residual_examples,
};
