#include "layers/squeeze.h"

#include <string.h>

/* From rows of x to rows of y; `back`: from rows of y to rows of x. */
static void permute(const cst_module *m, size_t rows, const real *from, real *to, bool back)
{
    const size_t channels = m->x.dim[0], height = m->x.dim[1], width = m->x.dim[2];
    const size_t image = height * width, half = width / 2;
    /* Channel c of x becomes channels 4 c .. 4 c + 3 of y, which fill the same part of memory: planes are permuted
     * one by one. */
    for (size_t plane = 0; plane < rows * channels; plane++, from += image, to += image) {
        for (size_t i = 0; i < height; i++) {
            for (size_t j = 0; j < width; j++) {
                const size_t x = i * width + j, y = (2 * (i % 2) + j % 2) * (image / 4) + i / 2 * half + j / 2;
                if (back)
                    to[x] = from[y];
                else
                    to[y] = from[x];
            }
        }
    }
}

static cst_status squeeze_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    (void)cache;
    permute(m, c->n, x, y, false);
    return CST_OK;
}

/* forward: y = P x with a permutation P, so gx = P^T gy, and P^T is the inverse of P. */
static cst_status squeeze_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                              const cst_grads *g)
{
    (void)p;
    if (g->gx) permute(m, c->n, gy, g->gx, true);
    return CST_OK;
}

/* forward: y = P x, so ydot = P xdot. */
static cst_status squeeze_jvp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangents *d)
{
    (void)p;
    permute(m, d->count * c->n, d->xdot, d->ydot, false);
    return CST_OK;
}

/* jvp: ydot = P xdot, so gxdot = P^T gydot, and gx = P^T gy. gy or gydot NULL: zero. */
static cst_status squeeze_jvp_vjp(const cst_module *m, const cst_call *c, const cst_point *p,
                                  const cst_tangent_point *d, const real *gy, const real *gydot, const cst_grads *g)
{
    const size_t size = c->n * cst_shape_size(&m->x);
    (void)p;
    if (g->gx && gy) permute(m, c->n, gy, g->gx, true);
    if (g->gx && !gy) memset(g->gx, 0, size * sizeof(real));
    if (g->gxdot && gydot) permute(m, d->count * c->n, gydot, g->gxdot, true);
    if (g->gxdot && !gydot) memset(g->gxdot, 0, d->count * size * sizeof(real));
    return CST_OK;
}

/* x = P^T y */
static void squeeze_inverse(const cst_module *m, size_t n, const real *y, real *x)
{
    permute(m, n, y, x, true);
}

static const cst_module_ops squeeze_ops = {
    .name = "squeeze", .forward = squeeze_forward, .vjp = squeeze_vjp, .jvp = squeeze_jvp, .jvp_vjp = squeeze_jvp_vjp};

const cst_bijection cst_squeeze_bijection = {.ops = &squeeze_ops, .inverse = squeeze_inverse};

cst_status cst_squeeze_new(const cst_shape *x, cst_module **m, cst_error *error)
{
    char got[CST_SHAPE_TEXT];
    *m = NULL;
    CST_TRY(cst_module_expect_rank(x, 3, "(C, H, W)", error));
    if (cst_shape_size(x) == 0 || x->dim[1] % 2 != 0 || x->dim[2] % 2 != 0)
        return cst_fail(error, CST_ESHAPE, "expected images (C, H, W) with H and W even to squeeze, got %s",
                        cst_shape_text(x, got));
    CST_TRY(cst_module_new(sizeof(cst_module), &squeeze_ops, x, m, error));
    (*m)->y = cst_shape_3d(4 * x->dim[0], x->dim[1] / 2, x->dim[2] / 2);
    (*m)->cost = (double)cst_shape_size(x);
    return CST_OK;
}

static const cst_key squeeze_keys[] = {{.name = NULL}};

static cst_status squeeze_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                               cst_error *error)
{
    (void)registry;
    CST_TRY(cst_config_read(section, squeeze_keys, true, m, error));
    return cst_squeeze_new(x, m, error);
}

static const cst_module_example squeeze_examples[] = {
    {CST_JSON({"type": "squeeze"}), {3, {1, 2, 4}}},
    {CST_JSON({"type": "squeeze"}), {3, {3, 4, 2}}},
};

const cst_module_type cst_squeeze_type = {
    .name = "squeeze",
    .summary = "each 2 x 2 patch of an image becomes four channels",
    .keys = squeeze_keys,
    .make = squeeze_make,
    .n_examples = sizeof squeeze_examples / sizeof *squeeze_examples,
    .examples = squeeze_examples,
};
