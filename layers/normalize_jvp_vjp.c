#include "layers/normalize_internal.h"

#include <string.h>

/* jvp: ydot = w r P(xdot) with r = rstd, P(v) = v - mean(v) - xhat mean(xhat v), u = mean(xdot), v = mean(xhat xdot).
 *
 * With h = w gydot and
 *   eta = mean(h),   alpha = mean(xhat h),   beta = mean(h xdot),   S = beta - eta u - alpha v,
 * the share of one tangent in <gydot, ydot> is
 *   L = <h, r P(xdot)> = m r S.
 * L depends on xdot directly, and on x through xhat and r:
 *   dL/dxdot             = r P(h)
 *   dL/dxhat  (r fixed)  = -r (v h + alpha xdot);   by xhat = r (x - mean) its share in dL/dx is r P of it
 *   dL/dr  (xhat fixed)  = m S;                     by dr/dx = -r^2 xhat / m its share in dL/dx is -r^2 xhat S
 * Since mean(xhat (v h + alpha xdot)) = 2 alpha v, the sum of both shares is
 *   dL/dx = -r^2 (v (h - eta) + alpha (xdot - u) + xhat (S - 2 alpha v)).
 * L is linear in w, which multiplies xhatdot = r (xdot - u - v xhat):
 *   dL/dw = sum gydot xhatdot,   dL/db = 0.
 *
 * The textbook loop for one group and one tangent, where each entry has its own weight:
 *
 *   for (i = 0; i < m; i++) {
 *       xhat[i] = (x[i] - mean) * r;
 *       h[i] = w[i] * gydot[i];
 *       eta += h[i] / m, alpha += xhat[i] * h[i] / m, beta += h[i] * xdot[i] / m;
 *       gw[i] += scale * gydot[i] * r * (xdot[i] - u - v * xhat[i]);
 *   }
 *   S = beta - eta * u - alpha * v;
 *   for (i = 0; i < m; i++) {
 *       gxdot[i] = r * (h[i] - eta - xhat[i] * alpha);
 *       gx[i] -= r * r * (v * (h[i] - eta) + alpha * (xdot[i] - u) + xhat[i] * (S - 2 * alpha * v));
 *   } */
typedef struct second {
    real u, v;             /* from the tangent cache */
    real eta, alpha, beta; /* means of h, xhat h, h xdot */
} second;

/* Sums over a group: of h, h (x - mean) and h xdot. */
typedef struct sums {
    real h, hx, hdot;
} sums;

/* The sums, and what is added to gw, for groups whose channels share a weight. */
static sums shared_sums(const cst_normalize_group *q, const real *restrict xdot, const real *restrict gydot,
                        const second *s)
{
    const cst_normalize *m = q->m;
    const real mean = q->mean, rstd = q->rstd;
    const real *restrict x = q->x, *restrict w = q->w;
    real h = 0, hx = 0, hdot = 0;
    for (size_t j = 0; j < m->parts; j++, x += m->part, xdot += m->part, gydot += m->part) {
        /* Sums over a channel, without its weight. */
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
    return (sums){h, hx, hdot};
}

/* The same for groups in which each entry has its own weight. */
static sums own_sums(const cst_normalize_group *q, const real *restrict xdot, const real *restrict gydot,
                     const second *s)
{
    const cst_normalize *m = q->m;
    const real mean = q->mean, rstd = q->rstd;
    const real *restrict x = q->x, *restrict w = q->w;
    real h = 0, hx = 0, hdot = 0;
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
    return (sums){h, hx, hdot};
}

/* gx += dL/dx. In the factor of (x - mean), S - 2 alpha v = beta - eta u - 3 alpha v. */
static void add_second_order(const cst_normalize_group *q, const real *restrict xdot, const real *restrict gydot,
                             const second *s, real *restrict gx)
{
    const cst_normalize *m = q->m;
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

/* One tangent's share in the gradients of one group. xdot, gydot, gxdot and gx begin at the group; the last two may
 * be NULL. */
static void tangent_gradients(const cst_normalize_group *q, const real *xdot, const real *gydot, second s, real *gxdot,
                              real *gx)
{
    const sums t = q->m->shared ? shared_sums(q, xdot, gydot, &s) : own_sums(q, xdot, gydot, &s);
    s.eta = t.h * q->m->inverse_m;
    s.alpha = t.hx * q->m->inverse_m * q->rstd;
    s.beta = t.hdot * q->m->inverse_m;
    if (gxdot) cst_normalize_project(q, gydot, s.eta, s.alpha, gxdot);
    if (gx) add_second_order(q, xdot, gydot, &s, gx);
}

/* The shares of all tangents, added to what vjp has made of gy. */
static void add_tangents(const cst_normalize *m, const cst_call *c, const cst_point *p, const cst_tangent_point *d,
                         const real *gydot, const cst_grads *g)
{
    const size_t size = c->n * m->groups * m->m;
    for (size_t row = 0; row < c->n; row++) {
        for (size_t i = 0; i < m->groups; i++) {
            cst_normalize_group q = cst_normalize_group_at(m, c, p->x, p->cache, row, i);
            cst_normalize_want_gradients(&q, g, i);
            const size_t at = (row * m->groups + i) * m->m;
            for (size_t k = 0; k < d->count; k++) {
                const real *means_of_xdot = d->cache + (k * c->n + row) * 2 * m->groups + i;
                const second s = {.u = means_of_xdot[0], .v = means_of_xdot[m->groups]};
                const size_t at_tangent = k * size + at;
                tangent_gradients(&q, d->xdot + at_tangent, gydot + at_tangent, s,
                                  g->gxdot ? g->gxdot + at_tangent : NULL, g->gx ? g->gx + at : NULL);
            }
        }
    }
}

cst_status cst_normalize_jvp_vjp(const cst_module *module, const cst_call *c, const cst_point *p,
                                 const cst_tangent_point *d, const real *gy, const real *gydot, const cst_grads *g)
{
    const cst_normalize *m = cst_as_normalize(module);
    const size_t size = c->n * m->groups * m->m;
    /* The share of y. */
    if (gy) {
        CST_TRY(cst_normalize_vjp(module, c, p, gy, g));
    } else if (g->gx) {
        memset(g->gx, 0, size * sizeof *g->gx);
    }
    /* The share of ydot. */
    if (!gydot) {
        if (g->gxdot) memset(g->gxdot, 0, d->count * size * sizeof *g->gxdot);
        return CST_OK;
    }
    if (g->gx || g->gxdot || g->gtheta) add_tangents(m, c, p, d, gydot, g);
    return CST_OK;
}
