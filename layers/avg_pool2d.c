#include "layers/pool2d_internal.h"

#include <string.h>

/* ---- planes -------------------------------------------------------------------------------------------------- */

/* y = mean over the window. The textbook loop for one plane, with x = 0 in the padding:
 *
 *   for (i = 0; i < oh; i++)
 *       for (j = 0; j < ow; j++) {
 *           sum = 0;
 *           for (a = 0; a < kernel; a++)
 *               for (b = 0; b < kernel; b++) sum += x[i * stride + a - padding][j * stride + b - padding];
 *           y[i][j] = sum / (kernel * kernel);
 *       }
 *
 * Below, the loop over j is the innermost one, so that it can be vectorized. */
static void avg_plane(const cst_pool2d *m, const real *restrict x, real *restrict y)
{
    const real weight = (real)(1 / ((double)m->kernel * (double)m->kernel));
    for (size_t i = 0; i < m->oh; i++, y += m->ow) {
        /* The four entries of 2 x 2 windows, from two rows of x. */
        if (m->pairs) {
            const real *restrict upper = x + 2 * i * m->w, *restrict lower = upper + m->w;
#pragma omp simd
            for (size_t j = 0; j < m->ow; j++)
                y[j] = weight * ((upper[2 * j] + upper[2 * j + 1]) + (lower[2 * j] + lower[2 * j + 1]));
            continue;
        }
        /* Entry (a, b) of all windows of a row of y, then the next entry. */
        memset(y, 0, m->ow * sizeof *y);
        for (size_t a = 0; a < m->kernel; a++) {
            size_t row;
            if (!cst_pool2d_row(m, i, a, &row)) continue;
            for (size_t b = 0; b < m->kernel; b++) {
                const cst_pool2d_range r = cst_pool2d_inside(m, b);
                const real *restrict entry = x + row * m->w;
#pragma omp simd
                for (size_t j = r.first; j < r.end; j++) y[j] += entry[j * m->stride + b - m->padding];
            }
        }
#pragma omp simd
        for (size_t j = 0; j < m->ow; j++) y[j] *= weight;
    }
}

/* forward: y = weight sum of x over the window, so each x collects weight gy from every window it is in. */
static void avg_plane_vjp(const cst_pool2d *m, const real *restrict gy, real *restrict gx)
{
    const real weight = (real)(1 / ((double)m->kernel * (double)m->kernel));
    memset(gx, 0, m->h * m->w * sizeof *gx);
    for (size_t i = 0; i < m->oh; i++, gy += m->ow) {
        /* 2 x 2 windows do not overlap: every entry is written once. */
        if (m->pairs) {
            real *restrict upper = gx + 2 * i * m->w, *restrict lower = upper + m->w;
#pragma omp simd
            for (size_t j = 0; j < m->ow; j++)
                upper[2 * j] = upper[2 * j + 1] = lower[2 * j] = lower[2 * j + 1] = weight * gy[j];
            continue;
        }
        /* Windows may overlap, so what belongs to an entry is added. */
        for (size_t a = 0; a < m->kernel; a++) {
            size_t row;
            if (!cst_pool2d_row(m, i, a, &row)) continue;
            for (size_t b = 0; b < m->kernel; b++) {
                const cst_pool2d_range r = cst_pool2d_inside(m, b);
                real *restrict entry = gx + row * m->w;
#pragma omp simd
                for (size_t j = r.first; j < r.end; j++) entry[j * m->stride + b - m->padding] += weight * gy[j];
            }
        }
    }
}

/* y = mean over the whole plane */
static void mean_plane(const cst_pool2d *m, const real *restrict x, real *restrict y)
{
    const size_t size = m->h * m->w;
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < size; j++) sum += x[j];
    *y = sum * (real)(1 / (double)size);
}

/* forward: y = sum of x / size, so every gx = gy / size. */
static void mean_plane_vjp(const cst_pool2d *m, const real *restrict gy, real *restrict gx)
{
    const size_t size = m->h * m->w;
    const real g = *gy * (real)(1 / (double)size);
#pragma omp simd
    for (size_t j = 0; j < size; j++) gx[j] = g;
}

/* ---- passes -------------------------------------------------------------------------------------------------- */

/* y from x, and also ydot from xdot: a mean is linear, so tangents are more rows. */
static void push_means(const cst_module *module, size_t rows, const real *x, real *y)
{
    const cst_pool2d *m = cst_as_pool2d(module);
    void (*const push)(const cst_pool2d *, const real *, real *) = m->global ? mean_plane : avg_plane;
    for (size_t i = 0; i < cst_pool2d_planes(module, rows); i++) push(m, x + i * m->h * m->w, y + i * m->oh * m->ow);
}

/* gx from gy, and also gxdot from gydot. gy NULL: zero; gx NULL: not needed. */
static void pull_means(const cst_module *module, size_t rows, const real *gy, real *gx)
{
    const cst_pool2d *m = cst_as_pool2d(module);
    void (*const pull)(const cst_pool2d *, const real *, real *) = m->global ? mean_plane_vjp : avg_plane_vjp;
    const size_t n = cst_pool2d_planes(module, rows), in = m->h * m->w, out = m->oh * m->ow;
    if (!gx) return;
    if (!gy) {
        memset(gx, 0, n * in * sizeof *gx);
        return;
    }
    for (size_t i = 0; i < n; i++) pull(m, gy + i * out, gx + i * in);
}

static cst_status mean_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    (void)cache;
    push_means(m, c->n, x, y);
    return CST_OK;
}

static cst_status mean_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                           const cst_grads *g)
{
    (void)p;
    pull_means(m, c->n, gy, g->gx);
    return CST_OK;
}

static cst_status mean_jvp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangents *d)
{
    (void)p;
    push_means(m, d->count * c->n, d->xdot, d->ydot);
    return CST_OK;
}

static cst_status mean_jvp_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangent_point *d,
                               const real *gy, const real *gydot, const cst_grads *g)
{
    (void)p;
    pull_means(m, c->n, gy, g->gx);
    pull_means(m, d->count * c->n, gydot, g->gxdot);
    return CST_OK;
}

/* ---- constructors -------------------------------------------------------------------------------------------- */

static const cst_module_ops avg_ops = {
    .name = "avg_pool2d", .forward = mean_forward, .vjp = mean_vjp, .jvp = mean_jvp, .jvp_vjp = mean_jvp_vjp};
static const cst_module_ops global_ops = {
    .name = "global_avg_pool2d", .forward = mean_forward, .vjp = mean_vjp, .jvp = mean_jvp, .jvp_vjp = mean_jvp_vjp};

cst_status cst_avg_pool2d_new(const cst_shape *x, const cst_pool2d_options *options, cst_module **m, cst_error *error)
{
    return cst_pool2d_new(&avg_ops, x, options, m, error);
}

cst_status cst_global_avg_pool2d_new(const cst_shape *x, cst_module **m, cst_error *error)
{
    return cst_pool2d_new_global(&global_ops, x, m, error);
}
