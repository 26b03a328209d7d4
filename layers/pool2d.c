#include "layers/pool2d.h"

#include <math.h>
#include <string.h>

/* x (H, W) -> y (OH, OW) on every plane of every row. */
typedef struct pool2d {
    cst_module base;
    size_t h, w, oh, ow;
    size_t kernel, stride, padding;
    bool pairs;  /* 2 x 2 windows side by side: loops of their own, without a branch */
    bool global; /* one window, the whole plane */
} pool2d;

static const pool2d *as_pool2d(const cst_module *m)
{
    return (const pool2d *)m;
}

static size_t planes(const cst_module *m, size_t rows)
{
    return rows * m->x.dim[0];
}

/* ---- windows ------------------------------------------------------------------------------------------------- */

/* Outputs first .. end - 1 of `count` have their window's entry number `offset` inside 0 .. size - 1, output o at
 * stride o + offset - padding. */
typedef struct range {
    size_t first, end;
} range;

static range inside(const pool2d *m, size_t offset, size_t count, size_t size)
{
    const size_t before = offset < m->padding ? (m->padding - offset + m->stride - 1) / m->stride : 0;
    const size_t limit = size + m->padding; /* of stride o + offset */
    const size_t end = limit > offset ? (limit - offset - 1) / m->stride + 1 : 0;
    return (range){before, end < count ? end : count};
}

static bool row_inside(const pool2d *m, size_t i, size_t offset, size_t *row)
{
    *row = i * m->stride + offset - m->padding; /* wraps to something large above the image */
    return *row < m->h;
}

/* ---- avg_pool2d, global_avg_pool2d --------------------------------------------------------------------------- */

static void avg_plane(const pool2d *m, const real *restrict x, real *restrict y)
{
    const real weight = (real)(1 / ((double)m->kernel * (double)m->kernel));
    for (size_t i = 0; i < m->oh; i++, y += m->ow) {
        if (m->pairs) {
            const real *restrict upper = x + 2 * i * m->w, *restrict lower = upper + m->w;
#pragma omp simd
            for (size_t j = 0; j < m->ow; j++)
                y[j] = weight * ((upper[2 * j] + upper[2 * j + 1]) + (lower[2 * j] + lower[2 * j + 1]));
            continue;
        }
        /* One entry of all windows of a row of y at a time. */
        memset(y, 0, m->ow * sizeof *y);
        for (size_t a = 0; a < m->kernel; a++) {
            size_t row;
            if (!row_inside(m, i, a, &row)) continue;
            for (size_t b = 0; b < m->kernel; b++) {
                const range r = inside(m, b, m->ow, m->w);
                const real *restrict entry = x + row * m->w;
#pragma omp simd
                for (size_t j = r.first; j < r.end; j++) y[j] += entry[j * m->stride + b - m->padding];
            }
        }
#pragma omp simd
        for (size_t j = 0; j < m->ow; j++) y[j] *= weight;
    }
}

/* y = weight sum of x over the window: each x gets weight gy from every window it is in. */
static void avg_plane_vjp(const pool2d *m, const real *restrict gy, real *restrict gx)
{
    const real weight = (real)(1 / ((double)m->kernel * (double)m->kernel));
    memset(gx, 0, m->h * m->w * sizeof *gx);
    for (size_t i = 0; i < m->oh; i++, gy += m->ow) {
        if (m->pairs) {
            real *restrict upper = gx + 2 * i * m->w, *restrict lower = upper + m->w;
#pragma omp simd
            for (size_t j = 0; j < m->ow; j++)
                upper[2 * j] = upper[2 * j + 1] = lower[2 * j] = lower[2 * j + 1] = weight * gy[j];
            continue;
        }
        for (size_t a = 0; a < m->kernel; a++) {
            size_t row;
            if (!row_inside(m, i, a, &row)) continue;
            for (size_t b = 0; b < m->kernel; b++) {
                const range r = inside(m, b, m->ow, m->w);
                real *restrict entry = gx + row * m->w;
#pragma omp simd
                for (size_t j = r.first; j < r.end; j++) entry[j * m->stride + b - m->padding] += weight * gy[j];
            }
        }
    }
}

static void mean_plane(const pool2d *m, const real *restrict x, real *restrict y)
{
    const size_t size = m->h * m->w;
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < size; j++) sum += x[j];
    *y = sum * (real)(1 / (double)size);
}

static void mean_plane_vjp(const pool2d *m, const real *restrict gy, real *restrict gx)
{
    const size_t size = m->h * m->w;
    const real g = *gy * (real)(1 / (double)size);
#pragma omp simd
    for (size_t j = 0; j < size; j++) gx[j] = g;
}

/* Means are linear: a tangent is one more row, and so is its cotangent. */
static void push_means(const cst_module *module, size_t rows, const real *x, real *y)
{
    const pool2d *m = as_pool2d(module);
    void (*const push)(const pool2d *, const real *, real *) = m->global ? mean_plane : avg_plane;
    for (size_t i = 0; i < planes(module, rows); i++) push(m, x + i * m->h * m->w, y + i * m->oh * m->ow);
}

/* gy NULL: zero; gx NULL: not needed. */
static void pull_means(const cst_module *module, size_t rows, const real *gy, real *gx)
{
    const pool2d *m = as_pool2d(module);
    void (*const pull)(const pool2d *, const real *, real *) = m->global ? mean_plane_vjp : avg_plane_vjp;
    const size_t n = planes(module, rows), in = m->h * m->w, out = m->oh * m->ow;
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

/* ---- max_pool2d ---------------------------------------------------------------------------------------------- */

/* The larger of both, or v where it is NaN. Not by v <= largest, which would let a number win against a NaN; and in
 * two steps, which become two masks where one of both conditions becomes a branch. */
static inline real larger(real v, real largest)
{
    const real chosen = v > largest ? v : largest;
    return v == v ? chosen : v;
}

static void max_plane(const pool2d *m, const real *restrict x, real *restrict y)
{
    for (size_t i = 0; i < m->oh; i++, y += m->ow) {
        if (m->pairs) {
            const real *restrict upper = x + 2 * i * m->w, *restrict lower = upper + m->w;
#pragma omp simd
            for (size_t j = 0; j < m->ow; j++) {
                const real a = upper[2 * j], b = upper[2 * j + 1], c = lower[2 * j], d = lower[2 * j + 1];
                y[j] = larger(larger(d, c), larger(b, a));
            }
            continue;
        }
        for (size_t j = 0; j < m->ow; j++) y[j] = (real)-INFINITY;
        for (size_t a = 0; a < m->kernel; a++) {
            size_t row;
            if (!row_inside(m, i, a, &row)) continue;
            for (size_t b = 0; b < m->kernel; b++) {
                const range r = inside(m, b, m->ow, m->w);
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

/* 1 where v beats the largest so far, as a number: the search is arithmetic on it, since which entry of a window wins
 * is as good as random and a branch on it would be mispredicted every other time. */
static inline size_t beats(real v, real largest)
{
    return (size_t)(v > largest) | (size_t)(v != v);
}

static inline size_t largest_of_four(const pool2d *m, const real *restrict x, size_t i, size_t j)
{
    const size_t upper = 2 * i * m->w + 2 * j, lower = upper + m->w;
    const size_t above = upper + beats(x[upper + 1], x[upper]), below = lower + beats(x[lower + 1], x[lower]);
    return above + beats(x[below], x[above]) * (below - above);
}

/* The offset in x of output (i, j)'s largest entry, found again where it is needed. */
static size_t largest_entry(const pool2d *m, const real *restrict x, size_t i, size_t j)
{
    if (m->pairs) return largest_of_four(m, x, i, j);
    const size_t s = m->stride, p = m->padding;
    const size_t top = i * s > p ? i * s - p : 0, left = j * s > p ? j * s - p : 0;
    const size_t bottom = i * s + m->kernel < m->h + p ? i * s + m->kernel - p : m->h;
    const size_t right = j * s + m->kernel < m->w + p ? j * s + m->kernel - p : m->w;
    size_t found = top * m->w + left;
    for (size_t row = top; row < bottom; row++)
        for (size_t at = row * m->w + left; at < row * m->w + right; at++)
            found += beats(x[at], x[found]) * (at - found);
    return found;
}

/* y = x[largest], a selection: gx collects what was selected. */
static void max_plane_vjp(const pool2d *m, const real *restrict x, const real *restrict gy, real *restrict gx)
{
    memset(gx, 0, m->h * m->w * sizeof *gx);
    for (size_t i = 0; i < m->oh; i++)
        for (size_t j = 0; j < m->ow; j++) gx[largest_entry(m, x, i, j)] += gy[i * m->ow + j];
}

/* ydot = xdot[largest] */
static void max_plane_jvp(const pool2d *m, const real *restrict x, const real *restrict xdot, real *restrict ydot)
{
    for (size_t i = 0; i < m->oh; i++)
        for (size_t j = 0; j < m->ow; j++) ydot[i * m->ow + j] = xdot[largest_entry(m, x, i, j)];
}

static cst_status max_forward(const cst_module *module, const cst_call *c, const real *x, real *y, real *cache)
{
    (void)cache;
    const pool2d *m = as_pool2d(module);
    for (size_t i = 0; i < planes(module, c->n); i++) max_plane(m, x + i * m->h * m->w, y + i * m->oh * m->ow);
    return CST_OK;
}

/* For `count` batches of cotangents at the same x. */
static void max_pull(const cst_module *module, const cst_call *c, const real *x, size_t count, const real *gy, real *gx)
{
    const pool2d *m = as_pool2d(module);
    const size_t n = planes(module, c->n), in = m->h * m->w, out = m->oh * m->ow;
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
    const pool2d *m = as_pool2d(module);
    const size_t n = planes(module, c->n), in = m->h * m->w, out = m->oh * m->ow;
    for (size_t i = 0; i < d->count * n; i++) max_plane_jvp(m, p->x + i % n * in, d->xdot + i * in, d->ydot + i * out);
    return CST_OK;
}

static cst_status max_jvp_vjp(const cst_module *module, const cst_call *c, const cst_point *p,
                              const cst_tangent_point *d, const real *gy, const real *gydot, const cst_grads *g)
{
    max_pull(module, c, p->x, 1, gy, g->gx);
    max_pull(module, c, p->x, d->count, gydot, g->gxdot);
    return CST_OK;
}

/* ---- constructors -------------------------------------------------------------------------------------------- */

static const cst_module_ops avg_ops = {
    .name = "avg_pool2d", .forward = mean_forward, .vjp = mean_vjp, .jvp = mean_jvp, .jvp_vjp = mean_jvp_vjp};
static const cst_module_ops global_ops = {
    .name = "global_avg_pool2d", .forward = mean_forward, .vjp = mean_vjp, .jvp = mean_jvp, .jvp_vjp = mean_jvp_vjp};
static const cst_module_ops max_ops = {
    .name = "max_pool2d", .forward = max_forward, .vjp = max_vjp, .jvp = max_jvp, .jvp_vjp = max_jvp_vjp};

/* A module with h and w filled. */
static cst_status pool_new(const cst_module_ops *ops, const cst_shape *x, cst_module **m, cst_error *error)
{
    char text[CST_SHAPE_TEXT];
    *m = NULL;
    CST_TRY(cst_module_expect_rank(x, 3, "(C, H, W)", error));
    if (!cst_shape_size(x))
        return cst_fail(error, CST_ESHAPE, "expected rows with entries, got %s", cst_shape_text(x, text));
    CST_TRY(cst_module_new(sizeof(pool2d), ops, x, m, error));
    ((pool2d *)*m)->h = x->dim[1];
    ((pool2d *)*m)->w = x->dim[2];
    return CST_OK;
}

static cst_status check_windows(const cst_shape *x, const cst_pool2d_options *options, cst_error *error)
{
    char text[CST_SHAPE_TEXT];
    const size_t kernel = options->kernel, padding = options->padding;
    CST_TRY(cst_module_expect_rank(x, 3, "(C, H, W)", error));
    if (!kernel) return cst_fail(error, CST_EARG, "kernel: expected a positive number, got 0");
    if (padding > kernel / 2)
        return cst_fail(error, CST_EARG, "padding: expected at most half the kernel of %zu, got %zu", kernel, padding);
    if (kernel > cst_size_add(x->dim[1], 2 * padding) || kernel > cst_size_add(x->dim[2], 2 * padding))
        return cst_fail(error, CST_ESHAPE, "a kernel of %zu does not fit into rows %s with a padding of %zu", kernel,
                        cst_shape_text(x, text), padding);
    return CST_OK;
}

static cst_status windows_new(const cst_module_ops *ops, const cst_shape *x, const cst_pool2d_options *options,
                              cst_module **module, cst_error *error)
{
    *module = NULL;
    CST_TRY(check_windows(x, options, error));
    CST_TRY(pool_new(ops, x, module, error));
    pool2d *m = (pool2d *)*module;
    m->kernel = options->kernel;
    m->stride = options->stride ? options->stride : options->kernel;
    m->padding = options->padding;
    m->oh = (cst_size_add(m->h, 2 * m->padding) - m->kernel) / m->stride + 1;
    m->ow = (cst_size_add(m->w, 2 * m->padding) - m->kernel) / m->stride + 1;
    m->pairs = m->kernel == 2 && m->stride == 2 && m->padding == 0;
    m->base.y = cst_shape_3d(x->dim[0], m->oh, m->ow);
    m->base.cost = (double)cst_shape_size(&m->base.y) * (double)m->kernel * (double)m->kernel;
    return CST_OK;
}

cst_status cst_avg_pool2d_new(const cst_shape *x, const cst_pool2d_options *options, cst_module **m, cst_error *error)
{
    return windows_new(&avg_ops, x, options, m, error);
}

cst_status cst_max_pool2d_new(const cst_shape *x, const cst_pool2d_options *options, cst_module **m, cst_error *error)
{
    return windows_new(&max_ops, x, options, m, error);
}

cst_status cst_global_avg_pool2d_new(const cst_shape *x, cst_module **module, cst_error *error)
{
    CST_TRY(pool_new(&global_ops, x, module, error));
    pool2d *m = (pool2d *)*module;
    m->global = true;
    m->oh = m->ow = 1;
    m->base.y = cst_shape_1d(x->dim[0]);
    m->base.cost = (double)cst_shape_size(x);
    return CST_OK;
}
