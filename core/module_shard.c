/* The passes of core/module.h as callers see them: cut the batch into shards of rows where that pays, run each shard
 * with single-threaded kernels and memory of its own, add up the gradients in fixed order. A module whose rows are
 * not independent gets the whole batch, and its children come back here. */
#include "core/module.h"
#include "core/parallel.h"

#include <string.h>

/* Below this a shard costs less than waking a thread for it (measured: 2 to 5 us, 10 GFLOP/s in small layers). */
static const double min_shard_flops = 1e5;

/* What one shard leaves: its own time gradient, and why it failed. */
typedef struct outcome {
    cst_status status;
    double gt;
    cst_error error;
} outcome;

typedef struct pass {
    const cst_module *m;
    const cst_call *c;
    size_t n_shards;
    cst_plan stride; /* of one shard, each a multiple of a cache line */
    const real *x;
    real *y, *cache; /* written by forward; y is NULL where forward does not run */
    cst_point point; /* read by vjp */
    const real *gy;
    const cst_grads *g; /* NULL: no vjp */
    size_t block_rows;  /* of a shard at a time, one behind the other in its cache; 0: all */
    real *gtheta;       /* buffers of all shards but the first */
    outcome *outcomes;  /* one per shard, filled by that shard */
} pass;

static size_t count_shards(const cst_module *m, size_t n, int threads)
{
    if (threads <= 1 || n < 2 || !m->rows_independent) return 1;
    const double pay = (double)n * m->cost / min_shard_flops;
    size_t shards = (size_t)(threads < CST_MAX_THREADS ? threads : CST_MAX_THREADS);
    if (shards > n) shards = n;
    if (pay < (double)shards) shards = pay < 1 ? 1 : (size_t)pay;
    return shards;
}

static void plan_whole(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    *plan = (cst_plan){0};
    if (m->ops->plan) m->ops->plan(m, n, k, threads, plan);
}

static cst_plan plan_shard(const cst_module *m, size_t n, size_t k, size_t shards)
{
    cst_plan plan;
    plan_whole(m, (n + shards - 1) / shards, k, 1, &plan);
    return (cst_plan){cst_size_align(plan.cache), cst_size_align(plan.tangent), cst_size_align(plan.work)};
}

void cst_module_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    const size_t shards = count_shards(m, n, threads);
    if (shards == 1) {
        plan_whole(m, n, k, threads, plan);
        return;
    }
    const cst_plan stride = plan_shard(m, n, k, shards);
    plan->cache = cst_size_mul(shards, stride.cache);
    plan->tangent = stride.tangent; /* tangent passes are not cut */
    plan->work = cst_size_add(cst_size_mul(shards, stride.work), cst_size_mul(shards - 1, cst_size_align(m->n_params)));
}

static real *gtheta_of(const pass *p, size_t shard)
{
    if (!p->g->gtheta || shard == 0) return p->g->gtheta;
    return p->gtheta + (shard - 1) * cst_size_align(p->m->n_params);
}

/* The pass on rows first .. first + call->n - 1 of a shard, with its cache. */
static cst_status run_rows(pass *p, const cst_call *call, size_t first, size_t shard)
{
    const size_t in = cst_shape_size(&p->m->x), out = cst_shape_size(&p->m->y), cache_at = shard * p->stride.cache;
    const real *x = p->x + first * in;
    if (p->y) CST_TRY(p->m->ops->forward(p->m, call, x, p->y + first * out, p->cache + cache_at));
    if (!p->g) return CST_OK;
    const cst_point point = {x, p->point.y + first * out, p->point.cache + cache_at};
    cst_grads grads = *p->g;
    if (grads.gx) grads.gx += first * in;
    if (grads.gt) grads.gt = &p->outcomes[shard].gt;
    grads.gtheta = gtheta_of(p, shard);
    return p->m->ops->vjp(p->m, call, &point, p->gy + first * out, &grads);
}

static void run_shard(void *context, size_t shard)
{
    pass *p = context;
    outcome *o = &p->outcomes[shard];
    const size_t begin = p->c->n * shard / p->n_shards, end = p->c->n * (shard + 1) / p->n_shards;
    const size_t block = p->block_rows > 0 ? p->block_rows : end - begin;
    cst_call call = *p->c;
    call.threads = 1;
    call.work = p->c->work + shard * p->stride.work;
    call.error = &o->error;
    o->error.message[0] = '\0';
    o->status = CST_OK;
    o->gt = 0;
    if (p->g && p->g->gtheta && shard > 0) memset(gtheta_of(p, shard), 0, p->m->n_params * sizeof(real));
    for (size_t first = begin; first < end && o->status == CST_OK; first += block) {
        call.n = end - first < block ? end - first : block;
        call.row = p->c->row + first;
        o->status = run_rows(p, &call, first, shard);
    }
}

/* gtheta += the other shards' buffers, in order, so that the sum does not depend on who was first. */
static void add_gradients(const pass *p)
{
    for (size_t shard = 1; p->g->gtheta && shard < p->n_shards; shard++) {
        const real *restrict from = gtheta_of(p, shard);
        real *restrict to = p->g->gtheta;
#pragma omp simd
        for (size_t i = 0; i < p->m->n_params; i++) to[i] += from[i];
    }
    for (size_t shard = 0; p->g->gt && shard < p->n_shards; shard++) *p->g->gt += p->outcomes[shard].gt;
}

static cst_status run_sharded(pass *p)
{
    outcome outcomes[CST_MAX_THREADS]; /* 34 KB, of which a pass touches what its shards fill */
    p->outcomes = outcomes;
    p->stride = plan_shard(p->m, p->c->n, 0, p->n_shards);
    p->gtheta = p->c->work + p->n_shards * p->stride.work;
    cst_parallel(p->c->threads, p->n_shards, run_shard, p);
    for (size_t i = 0; i < p->n_shards; i++) {
        if (outcomes[i].status == CST_OK) continue;
        if (p->c->error) *p->c->error = outcomes[i].error;
        return outcomes[i].status;
    }
    if (p->g) add_gradients(p);
    return CST_OK;
}

static bool wanted(const cst_grads *g)
{
    return g->gx || g->gtheta || g->gt || g->gcontext;
}

cst_status cst_module_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const size_t shards = count_shards(m, c->n, c->threads);
    if (shards == 1) return m->ops->forward(m, c, x, y, cache);
    pass p = {.m = m, .c = c, .n_shards = shards, .x = x, .y = y, .cache = cache};
    return run_sharded(&p);
}

cst_status cst_module_vjp(const cst_module *m, const cst_call *c, const cst_point *point, const real *gy,
                          const cst_grads *g)
{
    if (!wanted(g)) return CST_OK;
    const size_t shards = count_shards(m, c->n, c->threads);
    if (shards == 1) return m->ops->vjp(m, c, point, gy, g);
    pass p = {.m = m, .c = c, .n_shards = shards, .x = point->x, .point = *point, .gy = gy, .g = g};
    return run_sharded(&p);
}

cst_status cst_module_forward_vjp(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache,
                                  const real *gy, const cst_grads *g)
{
    const size_t shards = count_shards(m, c->n, c->threads);
    const size_t block_rows = m->rows_independent && m->block_rows < c->n ? m->block_rows : 0;
    if (shards == 1 && block_rows == 0) {
        CST_TRY(m->ops->forward(m, c, x, y, cache));
        return wanted(g) ? m->ops->vjp(m, c, &(cst_point){x, y, cache}, gy, g) : CST_OK;
    }
    pass p = {.m = m, .c = c, .n_shards = shards, .x = x, .y = y, .cache = cache, .gy = gy};
    p.point = (cst_point){x, y, cache};
    p.block_rows = block_rows;
    if (wanted(g)) p.g = g;
    return run_sharded(&p);
}

cst_status cst_module_evaluate(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    return cst_module_forward_vjp(m, c, x, y, cache, NULL, &(cst_grads){0});
}

static cst_status require_one_thread(const cst_module *m, const cst_call *c)
{
    if (c->threads <= 1) return CST_OK;
    return cst_fail(c->error, CST_EARG, "tangent passes of %s run on one thread, got threads = %d", m->ops->name,
                    c->threads);
}

cst_status cst_module_jvp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangents *d)
{
    if (!m->ops->jvp) return cst_fail(c->error, CST_EUNSUPPORTED, "%s has no jvp", m->ops->name);
    CST_TRY(require_one_thread(m, c));
    return m->ops->jvp(m, c, p, d);
}

cst_status cst_module_jvp_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangent_point *d,
                              const real *gy, const real *gydot, const cst_grads *g)
{
    if (!m->ops->jvp_vjp) return cst_fail(c->error, CST_EUNSUPPORTED, "%s has no jvp_vjp", m->ops->name);
    CST_TRY(require_one_thread(m, c));
    return wanted(g) || g->gxdot ? m->ops->jvp_vjp(m, c, p, d, gy, gydot, g) : CST_OK;
}
