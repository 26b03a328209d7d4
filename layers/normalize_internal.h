/* The loops of group_norm and layer_norm; only these two layers and the two files of loops include this header.
 *
 * A row is divided into groups of m entries. Each group is normalized, then scaled and shifted by parameters w and
 * b:
 *
 *   y = w xhat + b,   xhat = (x - mean) rstd,   rstd = 1 / sqrt(mean((x - mean)^2) + eps)
 *
 * where mean() is over the m entries of the group. "std" is the standard deviation, "rstd" its reciprocal. theta =
 * [weight | bias]. Cache (N, 2, groups): mean, rstd. Tangent cache (K, N, 2, groups): mean(xdot), mean(xhat xdot). No
 * pass needs work.
 *
 * normalize.c has forward, vjp and jvp; normalize_jvp_vjp.c has the second derivatives. */
#ifndef CST_LAYERS_NORMALIZE_INTERNAL_H
#define CST_LAYERS_NORMALIZE_INTERNAL_H

#include "core/module.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_normalize {
    cst_module base;
    size_t groups, m; /* groups per row, entries per group */
    /* A group consists of `parts` parts of `part` entries. Either all entries of a part share one weight (`shared`:
     * a part is a channel), or there is one part and each entry has its own weight. Every loop over a group exists
     * in these two forms. */
    size_t parts, part;
    bool shared;
    real eps, inverse_m; /* inverse_m = 1 / m */
} cst_normalize;

/* One group of one row, with all that the loops over its entries read. */
typedef struct cst_normalize_group {
    const cst_normalize *m;
    real mean, rstd;
    const real *x;     /* (m) */
    const real *w, *b; /* the group's weights and biases */
    real scale;        /* factor of what is added to gw and gb */
    real *gw, *gb;     /* gradients of w and b; NULL: not needed */
} cst_normalize_group;

/* The next four functions are inline because they run once per group and row, and groups may be short. */

static inline const cst_normalize *cst_as_normalize(const cst_module *m)
{
    return (const cst_normalize *)m;
}

/* Returns the number of weights of one group, which is also that of its biases. */
static inline size_t cst_normalize_weights(const cst_normalize *m)
{
    return m->shared ? m->parts : m->m;
}

/* Returns group i of row `row`, without gradients. `cache` was filled by forward. */
static inline cst_normalize_group cst_normalize_group_at(const cst_normalize *m, const cst_call *c, const real *x,
                                                         const real *cache, size_t row, size_t i)
{
    const size_t at = row * 2 * m->groups + i, first = i * cst_normalize_weights(m);
    cst_normalize_group q;
    q.m = m;
    q.mean = cache[at];
    q.rstd = cache[at + m->groups];
    q.x = x + (row * m->groups + i) * m->m;
    q.w = c->theta + first;
    q.b = c->theta + m->base.n_params / 2 + first;
    q.scale = 0;
    q.gw = q.gb = NULL;
    return q;
}

/* Set q's pointers so that the gradients of group i's parameters are added to g->gtheta. It is a no-op if g->gtheta is
 * NULL. */
static inline void cst_normalize_want_gradients(cst_normalize_group *q, const cst_grads *g, size_t i)
{
    if (!g->gtheta) return;
    q->scale = g->scale;
    q->gw = g->gtheta + i * cst_normalize_weights(q->m);
    q->gb = q->gw + q->m->base.n_params / 2;
}

/* gx = rstd P(w gy), with P(v) = v - mean(v) - xhat mean(xhat v), given eta = mean(w gy) and alpha = mean(xhat w gy).
 * gy and gx (m). This is the VJP of xhat; see normalize.c. */
void cst_normalize_project(const cst_normalize_group *q, const real *gy, real eta, real alpha, real *gx);

/* The passes of both layers; core/module.h says what each does. */
void cst_normalize_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan);
void cst_normalize_init(const cst_module *m, cst_rng rng, real *theta); /* weight 1, bias 0 */
CST_MUST_CHECK cst_status cst_normalize_forward(const cst_module *m, const cst_call *c, const real *x, real *y,
                                                real *cache);
CST_MUST_CHECK cst_status cst_normalize_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                                            const cst_grads *g);
CST_MUST_CHECK cst_status cst_normalize_jvp(const cst_module *m, const cst_call *c, const cst_point *p,
                                            const cst_tangents *d);
CST_MUST_CHECK cst_status cst_normalize_jvp_vjp(const cst_module *m, const cst_call *c, const cst_point *p,
                                                const cst_tangent_point *d, const real *gy, const real *gydot,
                                                const cst_grads *g);

#ifdef __cplusplus
}
#endif
#endif
