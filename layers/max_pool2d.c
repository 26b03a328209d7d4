#include "layers/pool2d_internal.h"

#include <math.h>
#include <string.h>

/* ---- planes -------------------------------------------------------------------------------------------------- */

/* The larger of both, or v if v is NaN. The test is not v <= largest, because a number must not win against a NaN. Two
 * selections become two vector masks; one selection by two conditions would become a branch. */
static inline real larger(real v, real largest)
{
    const real chosen = v > largest ? v : largest;
    return v == v ? chosen : v;
}

/* y = largest entry of the window. The textbook loop for one plane, with x = -infinity in the padding:
 *
 *   for (i = 0; i < oh; i++)
 *       for (j = 0; j < ow; j++) {
 *           y[i][j] = -INFINITY;
 *           for (a = 0; a < kernel; a++)
 *               for (b = 0; b < kernel; b++) {
 *                   v = x[i * stride + a - padding][j * stride + b - padding];
 *                   if (v > y[i][j] || isnan(v)) y[i][j] = v;
 *               }
 *       }
 *
 * Below, the loop over j is the innermost one, so that it can be vectorized. */
static void max_plane(const cst_pool2d *m, const real *restrict x, real *restrict y)
{
    for (size_t i = 0; i < m->oh; i++, y += m->ow) {
        /* The four entries of 2 x 2 windows, from two rows of x. */
        if (m->pairs) {
            const real *restrict upper = x + 2 * i * m->w, *restrict lower = upper + m->w;
#pragma omp simd
            for (size_t j = 0; j < m->ow; j++) {
                const real a = upper[2 * j], b = upper[2 * j + 1], c = lower[2 * j], d = lower[2 * j + 1];
                y[j] = larger(larger(d, c), larger(b, a));
            }
            continue;
        }
        /* Entry (a, b) of all windows of a row of y, then the next entry. */
        for (size_t j = 0; j < m->ow; j++) y[j] = (real)-INFINITY;
        for (size_t a = 0; a < m->kernel; a++) {
            size_t row;
            if (!cst_pool2d_row(m, i, a, &row)) continue;
            for (size_t b = 0; b < m->kernel; b++) {
                const cst_pool2d_range r = cst_pool2d_inside(m, b);
                const real *restrict entry = x + row * m->w;
#pragma omp simd
                for (size_t j = r.first; j < r.end; j++) {
                    const real v = entry[j * m->stride + b - m->padding];
                    y[j] = larger(v, y[j]);
                }
            }
        }
    }
}

/* 1 if v is larger than the largest so far, or NaN; otherwise 0. The searches below compute offsets with this number. A
 * branch would be mispredicted every other time, because the place of a window's largest entry is as good as random. */
static inline size_t beats(real v, real largest)
{
    return (size_t)(v > largest) | (size_t)(v != v);
}

/* The offset in x of the largest entry of 2 x 2 window (i, j). */
static inline size_t largest_of_four(const cst_pool2d *m, const real *restrict x, size_t i, size_t j)
{
    const size_t upper = 2 * i * m->w + 2 * j, lower = upper + m->w;
    const size_t above = upper + beats(x[upper + 1], x[upper]), below = lower + beats(x[lower + 1], x[lower]);
    return above + beats(x[below], x[above]) * (below - above);
}

/* The offset in x of the first largest entry of window (i, j). Passes search it anew, which costs less than a cache. */
static size_t largest_entry(const cst_pool2d *m, const real *restrict x, size_t i, size_t j)
{
    if (m->pairs) return largest_of_four(m, x, i, j);
    const size_t s = m->stride, p = m->padding;
    const size_t top = i * s > p ? i * s - p : 0, left = j * s > p ? j * s - p : 0;
    const size_t bottom = i * s + m->kernel < m->h + p ? i * s + m->kernel - p : m->h;
    const size_t right = j * s + m->kernel < m->w + p ? j * s + m->kernel - p : m->w;
    /* The window's rows top .. bottom - 1 and columns left .. right - 1 that lie inside of x. */
    size_t found = top * m->w + left;
    for (size_t row = top; row < bottom; row++)
        for (size_t at = row * m->w + left; at < row * m->w + right; at++)
            found += beats(x[at], x[found]) * (at - found);
    return found;
}

/* forward: y = x[largest], so gx[largest] collects gy from each window. */
static void max_plane_vjp(const cst_pool2d *m, const real *restrict x, const real *restrict gy, real *restrict gx)
{
    memset(gx, 0, m->h * m->w * sizeof *gx);
    for (size_t i = 0; i < m->oh; i++)
        for (size_t j = 0; j < m->ow; j++) gx[largest_entry(m, x, i, j)] += gy[i * m->ow + j];
}

/* forward: y = x[largest], so ydot = xdot[largest]. */
static void max_plane_jvp(const cst_pool2d *m, const real *restrict x, const real *restrict xdot, real *restrict ydot)
{
    for (size_t i = 0; i < m->oh; i++)
        for (size_t j = 0; j < m->ow; j++) ydot[i * m->ow + j] = xdot[largest_entry(m, x, i, j)];
}

/* ---- passes -------------------------------------------------------------------------------------------------- */

static cst_status max_forward(const cst_module *module, const cst_call *c, const real *x, real *y, real *cache)
{
    (void)cache;
    const cst_pool2d *m = cst_as_pool2d(module);
    for (size_t i = 0; i < cst_pool2d_planes(module, c->n); i++)
        max_plane(m, x + i * m->h * m->w, y + i * m->oh * m->ow);
    return CST_OK;
}

/* gx from gy for `count` batches of cotangents at the same x. gy NULL: zero; gx NULL: not needed. */
static void max_pull(const cst_module *module, const cst_call *c, const real *x, size_t count, const real *gy, real *gx)
{
    const cst_pool2d *m = cst_as_pool2d(module);
    const size_t n = cst_pool2d_planes(module, c->n), in = m->h * m->w, out = m->oh * m->ow;
    if (!gx) return;
    if (!gy) {
        memset(gx, 0, count * n * in * sizeof *gx);
        return;
    }
    for (size_t i = 0; i < count * n; i++) max_plane_vjp(m, x + i % n * in, gy + i * out, gx + i * in);
}

static cst_status max_vjp(const cst_module *module, const cst_call *c, const cst_point *p, const real *gy,
                          const cst_grads *g)
{
    max_pull(module, c, p->x, 1, gy, g->gx);
    return CST_OK;
}

static cst_status max_jvp(const cst_module *module, const cst_call *c, const cst_point *p, const cst_tangents *d)
{
    const cst_pool2d *m = cst_as_pool2d(module);
    const size_t n = cst_pool2d_planes(module, c->n), in = m->h * m->w, out = m->oh * m->ow;
    for (size_t i = 0; i < d->count * n; i++) max_plane_jvp(m, p->x + i % n * in, d->xdot + i * in, d->ydot + i * out);
    return CST_OK;
}

/* jvp: ydot_k = xdot_k[largest], so gxdot_k collects gydot_k as gx collects gy; nothing depends on x smoothly. */
static cst_status max_jvp_vjp(const cst_module *module, const cst_call *c, const cst_point *p,
                              const cst_tangent_point *d, const real *gy, const real *gydot, const cst_grads *g)
{
    max_pull(module, c, p->x, 1, gy, g->gx);
    max_pull(module, c, p->x, d->count, gydot, g->gxdot);
    return CST_OK;
}

/* ---- constructor --------------------------------------------------------------------------------------------- */

static const cst_module_ops max_ops = {
    .name = "max_pool2d", .forward = max_forward, .vjp = max_vjp, .jvp = max_jvp, .jvp_vjp = max_jvp_vjp};

cst_status cst_max_pool2d_new(const cst_shape *x, const cst_pool2d_options *options, cst_module **m, cst_error *error)
{
    return cst_pool2d_new(&max_ops, x, options, m, error);
}
