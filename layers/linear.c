#include "layers/linear.h"

#include "core/blas.h"

#include <math.h>
#include <string.h>

static size_t in_of(const cst_module *m)
{
    return m->x.dim[m->x.rank - 1];
}

static size_t out_of(const cst_module *m)
{
    return m->y.dim[m->y.rank - 1];
}

/* n rows of the batch are this many rows of the matrix product. */
static size_t rows_of(const cst_module *m, size_t n)
{
    return n * (cst_shape_size(&m->x) / in_of(m));
}

static bool has_bias(const cst_module *m)
{
    return m->n_tensors > 1;
}

/* ---- passes -------------------------------------------------------------------------------------------------- */

static cst_status linear_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const size_t in = in_of(m), out = out_of(m), rows = rows_of(m, c->n);
    const real *b = has_bias(m) ? c->theta + m->tensors[1].offset : NULL;
    /* Each row of y starts as b; without b the product overwrites y. */
    for (size_t i = 0; b && i < rows; i++) memcpy(y + i * out, b, out * sizeof *y);
    /* y <- x W^T + (b ? y : 0) */
    cst_gemm(false, true, rows, out, in, 1, x, in, c->theta, in, b ? 1 : 0, y, out);
    (void)cache;
    return CST_OK;
}

/* forward: y = x W^T + b, so gx = gy W. gy NULL: zero; gx NULL: not needed. */
static void pull_back(const cst_module *m, const real *weight, size_t rows, const real *gy, real *gx)
{
    const size_t in = in_of(m), out = out_of(m);
    if (!gx) return;
    if (gy) /* gx <- gy W */
        cst_gemm(false, false, rows, in, out, 1, gy, out, weight, in, 0, gx, in);
    else
        memset(gx, 0, rows * in * sizeof *gx);
}

/* forward: y = x W^T + b, so gW += scale gy^T x. gy or gtheta NULL: nothing to add. */
static void add_weight_gradient(const cst_module *m, size_t rows, real scale, const real *gy, const real *x,
                                real *gtheta)
{
    const size_t in = in_of(m), out = out_of(m);
    /* gW <- gW + scale gy^T x */
    if (gy && gtheta) cst_gemm(true, false, out, in, rows, scale, gy, out, x, in, 1, gtheta, in);
}

void cst_add_rows(size_t rows, size_t width, real scale, const real *gy, real *gb)
{
    /* Sums of so many columns at a time stay in the first-level cache while gy is read row by row. */
    enum { WIDTH = 128 };
    for (size_t first = 0; first < width; first += WIDTH) {
        const size_t n = width - first < WIDTH ? width - first : WIDTH;
        real sum[WIDTH] = {0};
        for (size_t i = 0; i < rows; i++) {
            const real *row = gy + i * width + first;
#pragma omp simd
            for (size_t j = 0; j < n; j++) sum[j] += row[j];
        }
        for (size_t j = 0; j < n; j++) gb[first + j] += scale * sum[j];
    }
}

/* forward: y = x W^T + b, so gb += scale times the sum of gy's rows. */
static void add_bias_gradient(const cst_module *m, size_t rows, real scale, const real *gy, real *gtheta)
{
    if (gy && gtheta && has_bias(m)) cst_add_rows(rows, out_of(m), scale, gy, gtheta + m->tensors[1].offset);
}

static cst_status linear_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                             const cst_grads *g)
{
    const size_t rows = rows_of(m, c->n);
    pull_back(m, c->theta, rows, gy, g->gx);
    add_weight_gradient(m, rows, g->scale, gy, p->x, g->gtheta);
    add_bias_gradient(m, rows, g->scale, gy, g->gtheta);
    return CST_OK;
}

static cst_status linear_jvp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangents *d)
{
    const size_t in = in_of(m), out = out_of(m);
    (void)p;
    /* ydot <- xdot W^T, all tangents in one product */
    cst_gemm(false, true, rows_of(m, d->count * c->n), out, in, 1, d->xdot, in, c->theta, in, 0, d->ydot, out);
    return CST_OK;
}

/* jvp: ydot_k = xdot_k W^T, which is forward for K N more rows without b. So gxdot_k = gydot_k W and
 * gW += scale sum_k gydot_k^T xdot_k; b gets nothing from the tangents. */
static cst_status linear_jvp_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangent_point *d,
                                 const real *gy, const real *gydot, const cst_grads *g)
{
    const size_t rows = rows_of(m, c->n), tangents = rows_of(m, d->count * c->n);
    pull_back(m, c->theta, rows, gy, g->gx);
    pull_back(m, c->theta, tangents, gydot, g->gxdot);
    add_weight_gradient(m, rows, g->scale, gy, p->x, g->gtheta);
    add_weight_gradient(m, tangents, g->scale, gydot, d->xdot, g->gtheta);
    add_bias_gradient(m, rows, g->scale, gy, g->gtheta);
    return CST_OK;
}

void cst_linear_init(const cst_module *m, cst_rng rng, real *theta)
{
    const cst_shape *weight = &m->tensors[0].shape;
    const double bound = 1 / sqrt((double)(cst_shape_size(weight) / weight->dim[0]));
    /* A stream of its own for each tensor. */
    for (size_t i = 0; i < m->n_tensors; i++)
        cst_rng_fill_uniform(cst_rng_split(rng, i), theta + m->tensors[i].offset, cst_shape_size(&m->tensors[i].shape),
                             -bound, bound);
}

static const cst_module_ops linear_ops = {
    .name = "linear",
    .forward = linear_forward,
    .vjp = linear_vjp,
    .jvp = linear_jvp,
    .jvp_vjp = linear_jvp_vjp,
    .init = cst_linear_init,
};

/* ---- constructor --------------------------------------------------------------------------------------------- */

cst_status cst_linear_new(const cst_shape *x, const cst_linear_options *options, cst_module **m, cst_error *error)
{
    *m = NULL;
    char text[CST_SHAPE_TEXT];
    if (x->rank == 0 || cst_shape_size(x) == 0)
        return cst_fail(error, CST_ESHAPE, "expected rows (..., in_features) of at least one number, got %s",
                        cst_shape_text(x, text));
    const size_t in = x->dim[x->rank - 1], out = options->out_features; /* y is x with another last dimension */
    if (out == 0) return cst_fail(error, CST_EARG, "expected out_features of at least 1, got 0");
    CST_TRY(cst_module_new(sizeof(cst_module), &linear_ops, x, m, error));
    (*m)->y.dim[x->rank - 1] = out;
    (*m)->cost = 2.0 * (double)cst_shape_size(x) * (double)out;
    cst_module_add_tensor(*m, "weight", (cst_shape){.rank = 2, .dim = {out, in}});
    if (options->bias) cst_module_add_tensor(*m, "bias", cst_shape_1d(out));
    return CST_OK;
}
