#include "layers/flatten.h"

#include <string.h>

/* forward: y = x, so every pass copies. from NULL: zero; to NULL: not needed. */
static void copy(const cst_module *m, size_t rows, const real *from, real *to)
{
    const size_t bytes = rows * m->y.dim[0] * sizeof *to;
    if (!to) return;
    if (from)
        memcpy(to, from, bytes);
    else
        memset(to, 0, bytes);
}

static cst_status flatten_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    (void)cache;
    copy(m, c->n, x, y);
    return CST_OK;
}

/* forward: y = x, so gx = gy. */
static cst_status flatten_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                              const cst_grads *g)
{
    (void)p;
    copy(m, c->n, gy, g->gx);
    return CST_OK;
}

/* forward: y = x, so ydot = xdot. */
static cst_status flatten_jvp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangents *d)
{
    (void)p;
    copy(m, d->count * c->n, d->xdot, d->ydot);
    return CST_OK;
}

/* jvp: ydot = xdot, so gxdot = gydot; gx comes from gy alone. */
static cst_status flatten_jvp_vjp(const cst_module *m, const cst_call *c, const cst_point *p,
                                  const cst_tangent_point *d, const real *gy, const real *gydot, const cst_grads *g)
{
    (void)p;
    copy(m, c->n, gy, g->gx);
    copy(m, d->count * c->n, gydot, g->gxdot);
    return CST_OK;
}

static const cst_module_ops flatten_ops = {
    .name = "flatten",
    .forward = flatten_forward,
    .vjp = flatten_vjp,
    .jvp = flatten_jvp,
    .jvp_vjp = flatten_jvp_vjp,
};

cst_status cst_flatten_new(const cst_shape *x, cst_module **m, cst_error *error)
{
    *m = NULL;
    const size_t size = cst_shape_size(x);
    char text[CST_SHAPE_TEXT];
    if (size == 0)
        return cst_fail(error, CST_ESHAPE, "expected rows that are not empty, got %s", cst_shape_text(x, text));
    CST_TRY(cst_module_new(sizeof(cst_module), &flatten_ops, x, m, error));
    (*m)->y = cst_shape_1d(size);
    (*m)->cost = (double)size;
    return CST_OK;
}

static const cst_key flatten_keys[] = {{.name = NULL}};

static cst_status flatten_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                               cst_error *error)
{
    (void)registry;
    CST_TRY(cst_config_read(section, flatten_keys, true, NULL, error));
    return cst_flatten_new(x, m, error);
}

static const cst_module_example flatten_examples[] = {
    {CST_JSON({"type": "flatten"}), {3, {2, 3, 2}}},
    {CST_JSON({"type": "flatten"}), {1, {5}}},
};

const cst_module_type cst_flatten_type = {
    .name = "flatten",
    .summary = "rows of any shape as vectors",
    .keys = flatten_keys,
    .make = flatten_make,
    .n_examples = sizeof flatten_examples / sizeof *flatten_examples,
    .examples = flatten_examples,
};
