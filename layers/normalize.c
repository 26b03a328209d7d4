#include "layers/normalize.h"

#include <string.h>
#include <tgmath.h>

typedef struct normalize {
    cst_module base;
    size_t groups, m; /* groups of a row, entries of a group */
    /* A group is `parts` parts of `part` entries. Either all entries of a part share one weight (a channel), or there
     * is one part and each entry has a weight of its own. Two kinds of inner loop follow from that, and no third. */
    size_t parts, part;
    bool shared;
    real eps, inverse_m;
} normalize;

/* Loops are eight entries wide, also where vectors are wider: groups are short (6 x 6 pixels in the last layers), and
 * what the last vector leaves over is done entry by entry. */

/* One group of one row, as the passes hand it to their parts. */
typedef struct group {
    const normalize *m;
    real mean, rstd;
    const real *x;     /* (m) */
    const real *w, *b; /* the group's weights and biases */
    real scale;        /* of what is added to gw and gb */
    real *gw, *gb;     /* NULL: not needed */
} group;

static const normalize *as_normalize(const cst_module *m)
{
    return (const normalize *)m;
}

/* Parameters of one group. */
static size_t weights(const normalize *m)
{
    return m->shared ? m->parts : m->m;
}

static group group_at(const normalize *m, const cst_call *c, const real *x, const real *cache, size_t row, size_t i)
{
    const size_t at = row * 2 * m->groups + i, first = i * weights(m);
    return (group){.m = m,
                   .mean = cache[at],
                   .rstd = cache[at + m->groups],
                   .x = x + (row * m->groups + i) * m->m,
                   .w = c->theta + first,
                   .b = c->theta + m->base.n_params / 2 + first};
}

static void group_gradients(group *q, const cst_grads *g, size_t i)
{
    if (!g->gtheta) return;
    q->scale = g->scale;
    q->gw = g->gtheta + i * weights(q->m);
    q->gb = q->gw + q->m->base.n_params / 2;
}

void cst_normalize_plan(const cst_module *module, size_t n, size_t k, int threads, cst_plan *plan)
{
    (void)threads;
    plan->cache = cst_size_mul(n, 2 * as_normalize(module)->groups);
    plan->tangent = cst_size_mul(k, plan->cache);
}

void cst_normalize_init(const cst_module *m, cst_rng rng, real *theta)
{
    (void)rng; /* weight 1, bias 0 */
    for (size_t i = 0; i < m->n_params; i++) theta[i] = i < m->n_params / 2 ? 1 : 0;
}

/* ---- forward ------------------------------------------------------------------------------------------------- */

/* Two passes over a row, one for all means and one for all variances, so that a group's sums need not wait for one
 * another and for the group before; the row is in the nearest cache the second time. The second corrects for the first
 * one's rounding of the mean (Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983);
 * sum x^2 - (sum x)^2 would lose all digits where the mean is large. */
static void means(const normalize *m, const real *restrict x, real *restrict mean)
{
    for (size_t g = 0; g < m->groups; g++, x += m->m) {
        real sum = 0;
#pragma omp simd simdlen(8) reduction(+ : sum)
        for (size_t i = 0; i < m->m; i++) sum += x[i];
        mean[g] = sum * m->inverse_m;
    }
}

static void reciprocal_deviations(const normalize *m, const real *restrict x, real *restrict mean, real *restrict rstd)
{
    for (size_t g = 0; g < m->groups; g++, x += m->m) {
        const real near = mean[g];
        real rest = 0, squares = 0;
#pragma omp simd simdlen(8) reduction(+ : rest, squares)
        for (size_t i = 0; i < m->m; i++) {
            const real e = x[i] - near;
            rest += e;
            squares += e * e;
        }
        const real shift = rest * m->inverse_m, variance = squares * m->inverse_m - shift * shift;
        mean[g] = near + shift;
        rstd[g] = variance < 0 ? 0 : variance; /* rounding can do that to a constant group; NaN stays */
    }
    /* All of a row's roots and divisions at once: several fit in a vector. */
#pragma omp simd simdlen(8)
    for (size_t g = 0; g < m->groups; g++) rstd[g] = 1 / sqrt(rstd[g] + m->eps);
}

/* y = (x - mean) rstd w + b */
static void scale_and_shift(const group *q, real *restrict y)
{
    const normalize *m = q->m;
    const real mean = q->mean, rstd = q->rstd;
    const real *restrict x = q->x, *restrict w = q->w, *restrict b = q->b;
    if (!m->shared) {
#pragma omp simd simdlen(8)
        for (size_t i = 0; i < m->m; i++) y[i] = (x[i] - mean) * (rstd * w[i]) + b[i];
        return;
    }
    for (size_t j = 0; j < m->parts; j++, x += m->part, y += m->part) {
        const real slope = rstd * w[j], shift = b[j];
#pragma omp simd simdlen(8)
        for (size_t i = 0; i < m->part; i++) y[i] = (x[i] - mean) * slope + shift;
    }
}

cst_status cst_normalize_forward(const cst_module *module, const cst_call *c, const real *x, real *y, real *cache)
{
    const normalize *m = as_normalize(module);
    const size_t size = m->groups * m->m;
    for (size_t row = 0; row < c->n; row++) {
        real *restrict mean = cache + row * 2 * m->groups, *restrict rstd = mean + m->groups;
        means(m, x + row * size, mean);
        reciprocal_deviations(m, x + row * size, mean, rstd);
        for (size_t i = 0; i < m->groups; i++) {
            const group q = group_at(m, c, x, cache, row, i);
            scale_and_shift(&q, y + row * size + i * m->m);
        }
    }
    return CST_OK;
}

/* ---- vjp ----------------------------------------------------------------------------------------------------- */

/* With h = w gy, *eta = mean(h) and *alpha = mean(xhat h), and the parameters' gradients
 *   gw += scale sum gy xhat,   gb += scale sum gy.
 * Where entries share a weight, one pair of sums gives all four. */
static void cotangent_means(const group *q, const real *restrict gy, real *restrict eta, real *restrict alpha)
{
    const normalize *m = q->m;
    const real mean = q->mean;
    const real *restrict x = q->x, *restrict w = q->w;
    real h = 0, hx = 0;
    if (m->shared) {
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
    } else {
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
    }
    *eta = h * m->inverse_m;
    *alpha = hx * m->inverse_m * q->rstd;
}

/* gx = rstd P(w gy), with the means of cotangent_means and
 *   P(v) = v - mean(v) - xhat mean(xhat v),
 * the derivative of xhat: from mean and rstd as functions of x,
 *   d rstd = -rstd^3 mean((x - mean) dx) = -rstd^2 mean(xhat dx),
 *   d xhat = rstd (dx - mean(dx)) + (x - mean) d rstd = rstd P(dx),
 * and P is symmetric: <v, P(u)> = <P(v), u>. */
static void project(const group *q, const real *restrict gy, real eta, real alpha, real *restrict gx)
{
    const normalize *m = q->m;
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

cst_status cst_normalize_vjp(const cst_module *module, const cst_call *c, const cst_point *p, const real *gy,
                             const cst_grads *g)
{
    const normalize *m = as_normalize(module);
    if (!g->gx && !g->gtheta) return CST_OK;
    for (size_t row = 0; row < c->n; row++) {
        for (size_t i = 0; i < m->groups; i++) {
            const size_t at = (row * m->groups + i) * m->m;
            group q = group_at(m, c, p->x, p->cache, row, i);
            group_gradients(&q, g, i);
            real eta, alpha;
            cotangent_means(&q, gy + at, &eta, &alpha);
            if (g->gx) project(&q, gy + at, eta, alpha, g->gx + at);
        }
    }
    return CST_OK;
}

/* ---- jvp ----------------------------------------------------------------------------------------------------- */

/* ydot = w rstd P(xdot), with u = mean(xdot) and v = mean(xhat xdot). */
static void push(const group *q, const real *restrict xdot, real u, real v, real *restrict ydot)
{
    const normalize *m = q->m;
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

static void tangent_means(const group *q, const real *restrict xdot, real *restrict u, real *restrict v)
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

cst_status cst_normalize_jvp(const cst_module *module, const cst_call *c, const cst_point *p, const cst_tangents *d)
{
    const normalize *m = as_normalize(module);
    for (size_t k = 0; k < d->count; k++) {
        for (size_t row = 0; row < c->n; row++) {
            const size_t tangent = k * c->n + row;
            real *u = d->cache + (d->first * c->n + tangent) * 2 * m->groups, *v = u + m->groups;
            for (size_t i = 0; i < m->groups; i++) {
                const size_t at = (tangent * m->groups + i) * m->m;
                const group q = group_at(m, c, p->x, p->cache, row, i);
                tangent_means(&q, d->xdot + at, u + i, v + i);
                push(&q, d->xdot + at, u[i], v[i], d->ydot + at);
            }
        }
    }
    return CST_OK;
}

/* ---- jvp_vjp ------------------------------------------------------------------------------------------------- */

/* With h = w gydot, r = rstd, u = mean(xdot), v = mean(xhat xdot) and
 *   eta = mean(h),   alpha = mean(xhat h),   beta = mean(h xdot),   S = beta - eta u - alpha v
 * a tangent's share of <gydot, ydot> is
 *   L = <h, r P(xdot)> = m r S.
 * It depends on xdot, and on x through xhat and r:
 *   dL/dxdot        = r P(h)
 *   dL/dxhat  (r fixed)  = -r (v h + alpha xdot),     through xhat = r (x - mean): r P of it
 *   dL/dr (xhat fixed)   = m S,                       through dr/dx = -r^2 xhat / m
 * and since mean(xhat (v h + alpha xdot)) = 2 alpha v,
 *   dL/dx = -r^2 (v (h - eta) + alpha (xdot - u) + xhat (S - 2 alpha v)).
 * L is linear in w, which multiplies xhatdot = r (xdot - u - v xhat):
 *   dL/dw = sum gydot xhatdot,   dL/db = 0. */
typedef struct second {
    real u, v;             /* from the tangent cache */
    real eta, alpha, beta; /* of h */
} second;

/* Fill eta, alpha and beta, and add to gw. */
static void tangent_cotangent_means(const group *q, const real *restrict xdot, const real *restrict gydot, second *s)
{
    const normalize *m = q->m;
    const real mean = q->mean, rstd = q->rstd;
    const real *restrict x = q->x, *restrict w = q->w;
    real h = 0, hx = 0, hdot = 0;
    if (m->shared) {
        for (size_t j = 0; j < m->parts; j++, x += m->part, xdot += m->part, gydot += m->part) {
            real g = 0, gx = 0, gdot = 0;
#pragma omp simd simdlen(8) reduction(+ : g, gx, gdot)
            for (size_t i = 0; i < m->part; i++) {
                g += gydot[i];
                gx += gydot[i] * (x[i] - mean);
                gdot += gydot[i] * xdot[i];
            }
            h += w[j] * g;
            hx += w[j] * gx;
            hdot += w[j] * gdot;
            if (q->gw) q->gw[j] += q->scale * rstd * (gdot - s->u * g - s->v * rstd * gx);
        }
    } else {
#pragma omp simd simdlen(8) reduction(+ : h, hx, hdot)
        for (size_t i = 0; i < m->m; i++) {
            h += w[i] * gydot[i];
            hx += w[i] * gydot[i] * (x[i] - mean);
            hdot += w[i] * gydot[i] * xdot[i];
        }
        if (q->gw) {
            const real u = s->u, slope = s->v * rstd, factor = q->scale * rstd;
            real *restrict gw = q->gw;
#pragma omp simd simdlen(8)
            for (size_t i = 0; i < m->m; i++) gw[i] += factor * gydot[i] * (xdot[i] - u - slope * (x[i] - mean));
        }
    }
    s->eta = h * m->inverse_m;
    s->alpha = hx * m->inverse_m * rstd;
    s->beta = hdot * m->inverse_m;
}

/* gx += dL/dx */
static void add_second_order(const group *q, const real *restrict xdot, const real *restrict gydot, const second *s,
                             real *restrict gx)
{
    const normalize *m = q->m;
    const real mean = q->mean, r2 = q->rstd * q->rstd, along_h = r2 * s->v, along_xdot = r2 * s->alpha;
    const real constant = r2 * (s->v * s->eta + s->alpha * s->u);
    const real slope = r2 * q->rstd * (s->beta - s->eta * s->u - 3 * s->alpha * s->v);
    const real *restrict x = q->x, *restrict w = q->w;
    if (!m->shared) {
#pragma omp simd simdlen(8)
        for (size_t i = 0; i < m->m; i++)
            gx[i] += constant - along_h * w[i] * gydot[i] - along_xdot * xdot[i] - slope * (x[i] - mean);
        return;
    }
    for (size_t j = 0; j < m->parts; j++, x += m->part, xdot += m->part, gydot += m->part, gx += m->part) {
        const real factor = along_h * w[j];
#pragma omp simd simdlen(8)
        for (size_t i = 0; i < m->part; i++)
            gx[i] += constant - factor * gydot[i] - along_xdot * xdot[i] - slope * (x[i] - mean);
    }
}

/* What a group of a row gets from a tangent; `at` is where both begin in arrays like x and xdot. */
static void tangent_gradients(const group *q, const cst_tangent_point *d, second s, size_t at, size_t at_tangent,
                              const real *gydot, const cst_grads *g)
{
    const real *xdot = d->xdot + at_tangent;
    gydot += at_tangent;
    tangent_cotangent_means(q, xdot, gydot, &s);
    if (g->gxdot) project(q, gydot, s.eta, s.alpha, g->gxdot + at_tangent);
    if (g->gx) add_second_order(q, xdot, gydot, &s, g->gx + at);
}

cst_status cst_normalize_jvp_vjp(const cst_module *module, const cst_call *c, const cst_point *p,
                                 const cst_tangent_point *d, const real *gy, const real *gydot, const cst_grads *g)
{
    const normalize *m = as_normalize(module);
    const size_t size = c->n * m->groups * m->m;
    if (gy) {
        CST_TRY(cst_normalize_vjp(module, c, p, gy, g));
    } else if (g->gx) {
        memset(g->gx, 0, size * sizeof *g->gx);
    }
    if (!gydot) {
        if (g->gxdot) memset(g->gxdot, 0, d->count * size * sizeof *g->gxdot);
        return CST_OK;
    }
    if (!g->gx && !g->gxdot && !g->gtheta) return CST_OK;
    for (size_t row = 0; row < c->n; row++) {
        for (size_t i = 0; i < m->groups; i++) {
            group q = group_at(m, c, p->x, p->cache, row, i);
            group_gradients(&q, g, i);
            const size_t at = (row * m->groups + i) * m->m;
            for (size_t k = 0; k < d->count; k++) {
                const real *means_of_xdot = d->cache + (k * c->n + row) * 2 * m->groups + i;
                const second s = {.u = means_of_xdot[0], .v = means_of_xdot[m->groups]};
                tangent_gradients(&q, d, s, at, k * size + at, gydot, g);
            }
        }
    }
    return CST_OK;
}

/* ---- constructor --------------------------------------------------------------------------------------------- */

cst_status cst_normalize_new(const cst_module_ops *ops, const cst_shape *x, const cst_shape *affine, size_t groups,
                             double eps, cst_module **module, cst_error *error)
{
    *module = NULL;
    char text[CST_SHAPE_TEXT];
    const size_t size = cst_shape_size(x), n_weights = cst_shape_size(affine);
    if (!x->rank || !size)
        return cst_fail(error, CST_ESHAPE, "expected rows with entries, got %s", cst_shape_text(x, text));
    /* In the precision of the states, too: an eps that vanishes there divides by zero in a constant group. */
    if (!((real)eps > 0) || !isfinite(eps))
        return cst_fail(error, CST_EARG, "eps: expected a positive number, got %g", eps);
    CST_TRY(cst_module_new(sizeof(normalize), ops, x, module, error));
    normalize *m = (normalize *)*module;
    m->groups = groups;
    m->m = size / groups;
    m->shared = n_weights < size;
    m->part = m->shared ? size / n_weights : m->m;
    m->parts = m->m / m->part;
    m->eps = (real)eps;
    m->inverse_m = (real)(1 / (double)m->m);
    cst_module_add_tensor(*module, "weight", *affine);
    cst_module_add_tensor(*module, "bias", *affine);
    m->base.cost = 8 * (double)size;
    return CST_OK;
}
