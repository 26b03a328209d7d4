#include "layers/concat_time.h"

#include <string.h>

/* Each row of y = [value in all of channel 0 | row of x]. */
static void widen(const cst_module *m, size_t rows, real value, const real *x, real *y)
{
    const size_t in = cst_shape_size(&m->x), out = cst_shape_size(&m->y), plane = out - in;
    /* `plane` entries of channel 0, then the row of x. */
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < plane; j++) y[i * out + j] = value;
        memcpy(y + i * out + plane, x + i * in, in * sizeof *y);
    }
}

/* forward: y = [t | x], so each row of gx is that of gy without channel 0. gy NULL: zero; gx NULL: not needed. */
static void narrow(const cst_module *m, size_t rows, const real *gy, real *gx)
{
    const size_t in = cst_shape_size(&m->x), out = cst_shape_size(&m->y), plane = out - in;
    if (!gx) return;
    if (!gy) memset(gx, 0, rows * in * sizeof *gx);
    for (size_t i = 0; gy && i < rows; i++) memcpy(gx + i * in, gy + i * out + plane, in * sizeof *gx);
}

/* forward: y_0 = t at every pixel, so gt += scale times the sum of gy_0. gy NULL: zero; gt NULL: not needed. */
static void add_time_gradient(const cst_module *m, size_t rows, real scale, const real *gy, double *gt)
{
    const size_t out = cst_shape_size(&m->y), plane = out - cst_shape_size(&m->x);
    if (!gt || !gy) return;
    double sum = 0; /* time is always double */
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < plane; j++) sum += (double)gy[i * out + j];
    *gt += (double)scale * sum;
}

static cst_status concat_time_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    (void)cache;
    widen(m, c->n, (real)c->t, x, y);
    return CST_OK;
}

/* forward: y = [t | x], so gx and gt are the two parts of gy. */
static cst_status concat_time_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                                  const cst_grads *g)
{
    (void)p;
    narrow(m, c->n, gy, g->gx);
    add_time_gradient(m, c->n, g->scale, gy, g->gt);
    return CST_OK;
}

/* forward: y = [t | x], and time has no tangent, so ydot = [0 | xdot]. */
static cst_status concat_time_jvp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangents *d)
{
    (void)p;
    widen(m, d->count * c->n, 0, d->xdot, d->ydot);
    return CST_OK;
}

/* jvp: ydot = [0 | xdot], so gxdot is gydot without channel 0, and gt gets nothing from it. */
static cst_status concat_time_jvp_vjp(const cst_module *m, const cst_call *c, const cst_point *p,
                                      const cst_tangent_point *d, const real *gy, const real *gydot, const cst_grads *g)
{
    (void)p;
    narrow(m, c->n, gy, g->gx);
    narrow(m, d->count * c->n, gydot, g->gxdot);
    add_time_gradient(m, c->n, g->scale, gy, g->gt);
    return CST_OK;
}

static const cst_module_ops concat_time_ops = {
    .name = "concat_time",
    .forward = concat_time_forward,
    .vjp = concat_time_vjp,
    .jvp = concat_time_jvp,
    .jvp_vjp = concat_time_jvp_vjp,
};

cst_status cst_concat_time_new(const cst_shape *x, cst_module **m, cst_error *error)
{
    *m = NULL;
    char text[CST_SHAPE_TEXT];
    if (x->rank != 1 && x->rank != 3)
        return cst_fail(error, CST_ESHAPE, "expected rows (D) or (C, H, W), got %s", cst_shape_text(x, text));
    CST_TRY(cst_module_new(sizeof(cst_module), &concat_time_ops, x, m, error));
    (*m)->y.dim[0]++; /* one more feature or channel */
    (*m)->cost = (double)cst_shape_size(&(*m)->y);
    return CST_OK;
}

static const cst_key concat_time_keys[] = {{.name = NULL}};

static cst_status concat_time_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                                   cst_error *error)
{
    (void)registry;
    CST_TRY(cst_config_read(section, concat_time_keys, true, NULL, error));
    return cst_concat_time_new(x, m, error);
}

static const cst_module_example concat_time_examples[] = {
    {CST_JSON({"type": "concat_time"}), {1, {3}}},
    {CST_JSON({"type": "concat_time"}), {3, {2, 3, 2}}},
};

const cst_module_type cst_concat_time_type = {
    .name = "concat_time",
    .summary = "put the time first, as feature or channel 0",
    .keys = concat_time_keys,
    .make = concat_time_make,
    .n_examples = sizeof concat_time_examples / sizeof *concat_time_examples,
    .examples = concat_time_examples,
};
