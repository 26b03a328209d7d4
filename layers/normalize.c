#include "layers/normalize_internal.h"

#include <tgmath.h>

/* Loops are eight entries wide, also where vectors are wider. Groups are short (6 x 6 pixels in the last layers),
 * and the entries that do not fill a whole vector are processed one by one. */

void cst_normalize_plan(const cst_module *module, size_t n, size_t k, int threads, cst_plan *plan)
{
    (void)threads;
    plan->cache = cst_size_mul(n, 2 * cst_as_normalize(module)->groups);
    plan->tangent = cst_size_mul(k, plan->cache);
}

void cst_normalize_init(const cst_module *m, cst_rng rng, real *theta)
{
    (void)rng; /* nothing is random: weight 1, bias 0 */
    for (size_t i = 0; i < m->n_params; i++) theta[i] = i < m->n_params / 2 ? 1 : 0;
}

/* ---- forward ------------------------------------------------------------------------------------------------- */

/* The textbook loop for one group of m entries, where each entry has its own weight:
 *
 *   mean = 0;
 *   for (i = 0; i < m; i++) mean += x[i] / m;
 *   variance = 0;
 *   for (i = 0; i < m; i++) variance += (x[i] - mean) * (x[i] - mean) / m;
 *   rstd = 1 / sqrt(variance + eps);
 *   for (i = 0; i < m; i++) y[i] = (x[i] - mean) * rstd * w[i] + b[i];
 *
 * The functions below compute the same in three passes over a whole row: all means, then all variances, then y. The
 * sums of one group then do not wait for those of the group before, and the row is in the first-level cache from the
 * second pass on. The second pass also corrects the rounding of the mean (Chan, Golub and LeVeque, "Algorithms for
 * computing the sample variance", 1983). The formula sum x^2 - (sum x)^2 would lose all digits where the mean is
 * large. */
static void means(const cst_normalize *m, const real *restrict x, real *restrict mean)
{
    for (size_t g = 0; g < m->groups; g++, x += m->m) {
        real sum = 0;
#pragma omp simd simdlen(8) reduction(+ : sum)
        for (size_t i = 0; i < m->m; i++) sum += x[i];
        mean[g] = sum * m->inverse_m;
    }
}

/* Correct the means and fill rstd. */
static void reciprocal_deviations(const cst_normalize *m, const real *restrict x, real *restrict mean,
                                  real *restrict rstd)
{
    for (size_t g = 0; g < m->groups; g++, x += m->m) {
        /* Sums of the distances from the rounded mean, and of their squares. */
        const real near = mean[g];
        real rest = 0, squares = 0;
#pragma omp simd simdlen(8) reduction(+ : rest, squares)
        for (size_t i = 0; i < m->m; i++) {
            const real e = x[i] - near;
            rest += e;
            squares += e * e;
        }
        /* The exact mean is near + shift; the variance about it is that about `near` less shift^2. */
        const real shift = rest * m->inverse_m, variance = squares * m->inverse_m - shift * shift;
        mean[g] = near + shift;
        rstd[g] = variance < 0 ? 0 : variance; /* rounding can make a constant group's negative; NaN stays NaN */
    }
    /* All roots and divisions of a row at once: several fit into a vector. */
#pragma omp simd simdlen(8)
    for (size_t g = 0; g < m->groups; g++) rstd[g] = 1 / sqrt(rstd[g] + m->eps);
}

/* y = (x - mean) rstd w + b */
static void scale_and_shift(const cst_normalize_group *q, real *restrict y)
{
    const cst_normalize *m = q->m;
    const real mean = q->mean, rstd = q->rstd;
    const real *restrict x = q->x, *restrict w = q->w, *restrict b = q->b;
    /* Each entry has its own weight. */
    if (!m->shared) {
#pragma omp simd simdlen(8)
        for (size_t i = 0; i < m->m; i++) y[i] = (x[i] - mean) * (rstd * w[i]) + b[i];
        return;
    }
    /* The entries of a channel share one weight. */
    for (size_t j = 0; j < m->parts; j++, x += m->part, y += m->part) {
        const real slope = rstd * w[j], shift = b[j];
#pragma omp simd simdlen(8)
        for (size_t i = 0; i < m->part; i++) y[i] = (x[i] - mean) * slope + shift;
    }
}

cst_status cst_normalize_forward(const cst_module *module, const cst_call *c, const real *x, real *y, real *cache)
{
    const cst_normalize *m = cst_as_normalize(module);
    const size_t size = m->groups * m->m;
    for (size_t row = 0; row < c->n; row++) {
        real *restrict mean = cache + row * 2 * m->groups, *restrict rstd = mean + m->groups;
        means(m, x + row * size, mean);
        reciprocal_deviations(m, x + row * size, mean, rstd);
        for (size_t i = 0; i < m->groups; i++) {
            const cst_normalize_group q = cst_normalize_group_at(m, c, x, cache, row, i);
            scale_and_shift(&q, y + row * size + i * m->m);
        }
    }
    return CST_OK;
}

/* ---- vjp ----------------------------------------------------------------------------------------------------- */

/* forward: y = w xhat + b, so the cotangent of xhat is h = w gy, and
 *
 *   gw += scale sum gy xhat,   gb += scale sum gy.
 *
 * forward: xhat = (x - mean) rstd, where mean and rstd are functions of x too:
 *
 *   d rstd = -rstd^3 mean((x - mean) dx) = -rstd^2 mean(xhat dx)
 *   d xhat = rstd (dx - mean(dx)) + (x - mean) d rstd = rstd P(dx),   P(v) = v - mean(v) - xhat mean(xhat v).
 *
 * P is symmetric (<v, P(u)> = <P(v), u>), so gx = rstd P(h). With eta = mean(h) and alpha = mean(xhat h), the
 * textbook loop for one group is:
 *
 *   for (i = 0; i < m; i++) xhat[i] = (x[i] - mean) * rstd, h[i] = w[i] * gy[i];
 *   for (i = 0; i < m; i++) gw[i] += scale * gy[i] * xhat[i], gb[i] += scale * gy[i];
 *   for (i = 0; i < m; i++) eta += h[i] / m, alpha += xhat[i] * h[i] / m;
 *   for (i = 0; i < m; i++) gx[i] = rstd * (h[i] - eta - xhat[i] * alpha);
 *
 * The functions below store neither xhat nor h. Where entries share a weight, the two sums over a channel serve gw,
 * gb, eta and alpha. */

/* eta, alpha, and the gradients of the parameters, for groups whose channels share a weight. */
static void shared_cotangent_means(const cst_normalize_group *q, const real *restrict gy, real *restrict eta,
                                   real *restrict alpha)
{
    const cst_normalize *m = q->m;
    const real mean = q->mean;
    const real *restrict x = q->x, *restrict w = q->w;
    real h = 0, hx = 0;
    for (size_t j = 0; j < m->parts; j++, x += m->part, gy += m->part) {
        real g = 0, gx = 0;
#pragma omp simd simdlen(8) reduction(+ : g, gx)
        for (size_t i = 0; i < m->part; i++) {
            g += gy[i];
            gx += gy[i] * (x[i] - mean);
        }
        h += w[j] * g;
        hx += w[j] * gx;
        if (!q->gw) continue;
        q->gw[j] += q->scale * q->rstd * gx;
        q->gb[j] += q->scale * g;
    }
    *eta = h * m->inverse_m;
    *alpha = hx * m->inverse_m * q->rstd;
}

/* The same for groups in which each entry has its own weight. */
static void own_cotangent_means(const cst_normalize_group *q, const real *restrict gy, real *restrict eta,
                                real *restrict alpha)
{
    const cst_normalize *m = q->m;
    const real mean = q->mean;
    const real *restrict x = q->x, *restrict w = q->w;
    real h = 0, hx = 0;
#pragma omp simd simdlen(8) reduction(+ : h, hx)
    for (size_t i = 0; i < m->m; i++) {
        h += w[i] * gy[i];
        hx += w[i] * gy[i] * (x[i] - mean);
    }
    if (q->gw) {
        const real scale = q->scale, slope = q->scale * q->rstd;
        real *restrict gw = q->gw, *restrict gb = q->gb;
#pragma omp simd simdlen(8)
        for (size_t i = 0; i < m->m; i++) {
            gw[i] += slope * gy[i] * (x[i] - mean);
            gb[i] += scale * gy[i];
        }
    }
    *eta = h * m->inverse_m;
    *alpha = hx * m->inverse_m * q->rstd;
}

static void project(const cst_normalize_group *q, const real *restrict gy, real eta, real alpha, real *restrict gx)
{
    const cst_normalize *m = q->m;
    /* gx = rstd w gy - rstd eta - rstd^2 alpha (x - mean) */
    const real mean = q->mean, rstd = q->rstd, constant = rstd * eta, slope = rstd * rstd * alpha;
    const real *restrict x = q->x, *restrict w = q->w;
    if (!m->shared) {
#pragma omp simd simdlen(8)
        for (size_t i = 0; i < m->m; i++) gx[i] = rstd * w[i] * gy[i] - constant - slope * (x[i] - mean);
        return;
    }
    for (size_t j = 0; j < m->parts; j++, x += m->part, gy += m->part, gx += m->part) {
        const real factor = rstd * w[j];
#pragma omp simd simdlen(8)
        for (size_t i = 0; i < m->part; i++) gx[i] = factor * gy[i] - constant - slope * (x[i] - mean);
    }
}

void cst_normalize_project(const cst_normalize_group *q, const real *gy, real eta, real alpha, real *gx)
{
    project(q, gy, eta, alpha, gx);
}

cst_status cst_normalize_vjp(const cst_module *module, const cst_call *c, const cst_point *p, const real *gy,
                             const cst_grads *g)
{
    const cst_normalize *m = cst_as_normalize(module);
    if (!g->gx && !g->gtheta) return CST_OK;
    for (size_t row = 0; row < c->n; row++) {
        for (size_t i = 0; i < m->groups; i++) {
            const size_t at = (row * m->groups + i) * m->m;
            cst_normalize_group q = cst_normalize_group_at(m, c, p->x, p->cache, row, i);
            cst_normalize_want_gradients(&q, g, i);
            /* gw, gb and the two means of the cotangent first, then gx from the means. */
            real eta, alpha;
            if (m->shared)
                shared_cotangent_means(&q, gy + at, &eta, &alpha);
            else
                own_cotangent_means(&q, gy + at, &eta, &alpha);
            if (g->gx) project(&q, gy + at, eta, alpha, g->gx + at);
        }
    }
    return CST_OK;
}

/* ---- jvp ----------------------------------------------------------------------------------------------------- */

/* u = mean(xdot), v = mean(xhat xdot) */
static void tangent_means(const cst_normalize_group *q, const real *restrict xdot, real *restrict u, real *restrict v)
{
    const real mean = q->mean, *restrict x = q->x;
    real s = 0, r = 0;
#pragma omp simd simdlen(8) reduction(+ : s, r)
    for (size_t i = 0; i < q->m->m; i++) {
        s += xdot[i];
        r += xdot[i] * (x[i] - mean);
    }
    *u = s * q->m->inverse_m;
    *v = r * q->m->inverse_m * q->rstd;
}

/* forward: y = w xhat + b with d xhat = rstd P(dx), so ydot = w rstd P(xdot) = w (rstd xdot - rstd u - rstd^2 v (x -
 * mean)). */
static void push(const cst_normalize_group *q, const real *restrict xdot, real u, real v, real *restrict ydot)
{
    const cst_normalize *m = q->m;
    const real mean = q->mean, rstd = q->rstd, constant = rstd * u, slope = rstd * rstd * v;
    const real *restrict x = q->x, *restrict w = q->w;
    if (!m->shared) {
#pragma omp simd simdlen(8)
        for (size_t i = 0; i < m->m; i++) ydot[i] = w[i] * (rstd * xdot[i] - constant - slope * (x[i] - mean));
        return;
    }
    for (size_t j = 0; j < m->parts; j++, x += m->part, xdot += m->part, ydot += m->part) {
        const real weight = w[j];
#pragma omp simd simdlen(8)
        for (size_t i = 0; i < m->part; i++) ydot[i] = weight * (rstd * xdot[i] - constant - slope * (x[i] - mean));
    }
}

cst_status cst_normalize_jvp(const cst_module *module, const cst_call *c, const cst_point *p, const cst_tangents *d)
{
    const cst_normalize *m = cst_as_normalize(module);
    for (size_t k = 0; k < d->count; k++) {
        for (size_t row = 0; row < c->n; row++) {
            /* This tangent's u and v stay in the tangent cache for jvp_vjp. */
            const size_t tangent = k * c->n + row;
            real *u = d->cache + (d->first * c->n + tangent) * 2 * m->groups, *v = u + m->groups;
            for (size_t i = 0; i < m->groups; i++) {
                const size_t at = (tangent * m->groups + i) * m->m;
                const cst_normalize_group q = cst_normalize_group_at(m, c, p->x, p->cache, row, i);
                tangent_means(&q, d->xdot + at, u + i, v + i);
                push(&q, d->xdot + at, u[i], v[i], d->ydot + at);
            }
        }
    }
    return CST_OK;
}
