/* The passes of core/module.h. Where it is worth it, a pass cuts the batch into shards of rows, runs each shard with
 * single-threaded kernels and memory of its own, and sums the gradients in a fixed order. A module whose rows depend
 * on each other gets the whole batch; its children may be cut when it calls their passes. */
#include "core/module.h"
#include "core/parallel.h"

#include <string.h>

/* A smaller shard costs less than waking a thread for it (measured: 2 to 5 us to wake it, 10 GFLOP/s in small
 * layers). */
static const double min_shard_flops = 1e5;

/* The result of one shard: its status, its part of the time gradient, and its error. */
typedef struct outcome {
    cst_status status;
    double gt;
    cst_error error;
} outcome;

/* A pass that is cut into shards: forward, vjp, or both in turn. */
typedef struct pass {
    const cst_module *m;
    const cst_call *c;
    size_t n_shards;
    cst_plan stride; /* memory per shard, in multiples of a cache line */
    const real *x;
    real *y, *cache; /* written by forward; y NULL: no forward */
    cst_point point; /* read by vjp */
    const real *gy;
    const cst_grads *g; /* NULL: no vjp */
    size_t block_rows;  /* rows of a shard that run at a time and share its cache; 0: all */
    real *gtheta;       /* parameter gradients of all shards but the first, which adds to the caller's */
    outcome *outcomes;  /* one per shard, filled by that shard */
} pass;

/* The number of shards: at most one per thread and per row, each with at least min_shard_flops. */
static size_t count_shards(const cst_module *m, size_t n, int threads)
{
    if (threads <= 1 || n < 2 || !m->rows_independent) return 1;
    const double worthwhile = (double)n * m->cost / min_shard_flops;
    size_t shards = (size_t)(threads < CST_MAX_THREADS ? threads : CST_MAX_THREADS);
    if (shards > n) shards = n;
    if (worthwhile < (double)shards) shards = worthwhile < 1 ? 1 : (size_t)worthwhile;
    return shards;
}

/* The plan of an uncut batch. */
static void plan_whole(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    *plan = (cst_plan){0};
    if (m->ops->plan) m->ops->plan(m, n, k, threads, plan);
}

/* The plan of the largest shard, rounded up to cache lines so that shards do not share one. */
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
    /* Each shard has its own memory; all but the first also have a gtheta, which is in the work. */
    const cst_plan stride = plan_shard(m, n, k, shards);
    plan->cache = cst_size_mul(shards, stride.cache);
    plan->tangent = stride.tangent; /* passes with tangents are not cut */
    plan->work = cst_size_add(cst_size_mul(shards, stride.work), cst_size_mul(shards - 1, cst_size_align(m->n_params)));
}

/* Where a shard adds its gradient of theta; NULL if it is not needed. */
static real *gtheta_of(const pass *p, size_t shard)
{
    if (!p->g->gtheta || shard == 0) return p->g->gtheta;
    return p->gtheta + (shard - 1) * cst_size_align(p->m->n_params);
}

/* Run the pass on rows first .. first + call->n - 1 of the batch, with the cache of a shard. */
static cst_status run_rows(pass *p, const cst_call *call, size_t first, size_t shard)
{
    const size_t in = cst_shape_size(&p->m->x), out = cst_shape_size(&p->m->y), cache_at = shard * p->stride.cache;
    const real *x = p->x + first * in;
    if (p->y) CST_TRY(p->m->ops->forward(p->m, call, x, p->y + first * out, p->cache + cache_at));
    if (!p->g) return CST_OK;
    /* The vjp, with the rows' part of each argument. */
    const cst_point point = {x, p->point.y + first * out, p->point.cache + cache_at};
    cst_grads grads = *p->g;
    if (grads.gx) grads.gx += first * in;
    if (grads.gt) grads.gt = &p->outcomes[shard].gt;
    grads.gtheta = gtheta_of(p, shard);
    return p->m->ops->vjp(p->m, call, &point, p->gy + first * out, &grads);
}

/* The task of core/parallel.h: run one shard, block by block. */
static void run_shard(void *context, size_t shard)
{
    pass *p = context;
    outcome *o = &p->outcomes[shard];
    const size_t begin = p->c->n * shard / p->n_shards, end = p->c->n * (shard + 1) / p->n_shards;
    const size_t block = p->block_rows > 0 ? p->block_rows : end - begin;
    /* The shard's call has one thread, and its own work and error. */
    cst_call call = *p->c;
    call.threads = 1;
    call.work = p->c->work + shard * p->stride.work;
    call.error = &o->error;
    o->error.message[0] = '\0';
    o->status = CST_OK;
    o->gt = 0;
    if (p->g && p->g->gtheta && shard > 0) memset(gtheta_of(p, shard), 0, p->m->n_params * sizeof(real));
    /* Run the blocks until one fails. */
    for (size_t first = begin; first < end && o->status == CST_OK; first += block) {
        call.n = end - first < block ? end - first : block;
        call.row = p->c->row + first;
        o->status = run_rows(p, &call, first, shard);
    }
}

/* Add the other shards' gradients in the order of the shards, so that the sum does not depend on which one finished
 * first. */
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

/* Run the pass on all shards, then sum their gradients. */
static cst_status run_sharded(pass *p)
{
    outcome outcomes[CST_MAX_THREADS]; /* 34 KB of stack, of which only the entries of the shards are touched */
    p->outcomes = outcomes;
    p->stride = plan_shard(p->m, p->c->n, 0, p->n_shards);
    p->gtheta = p->c->work + p->n_shards * p->stride.work;
    /* Run all shards, and report the error of the first one that failed. */
    cst_parallel(p->c->threads, p->n_shards, run_shard, p);
    for (size_t i = 0; i < p->n_shards; i++) {
        if (outcomes[i].status == CST_OK) continue;
        if (p->c->error) *p->c->error = outcomes[i].error;
        return outcomes[i].status;
    }
    if (p->g) add_gradients(p);
    return CST_OK;
}

/* Whether any gradient is needed. */
static bool wants_any(const cst_grads *g)
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
    if (!wants_any(g)) return CST_OK;
    const size_t shards = count_shards(m, c->n, c->threads);
    if (shards == 1) return m->ops->vjp(m, c, point, gy, g);
    pass p = {.m = m, .c = c, .n_shards = shards, .x = point->x, .point = *point, .gy = gy, .g = g};
    return run_sharded(&p);
}

cst_status cst_module_forward_vjp(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache,
                                  const real *gy, const cst_grads *g)
{
    const size_t shards = count_shards(m, c->n, c->threads);
    /* Blocks of rows share a small cache, which stays in the processor's. */
    const size_t block_rows = m->rows_independent && m->block_rows < c->n ? m->block_rows : 0;
    if (shards == 1 && block_rows == 0) {
        CST_TRY(m->ops->forward(m, c, x, y, cache));
        return wants_any(g) ? m->ops->vjp(m, c, &(cst_point){x, y, cache}, gy, g) : CST_OK;
    }
    /* Shards, blocks, or both. */
    pass p = {.m = m, .c = c, .n_shards = shards, .x = x, .y = y, .cache = cache, .gy = gy};
    p.point = (cst_point){x, y, cache};
    p.block_rows = block_rows;
    if (wants_any(g)) p.g = g;
    return run_sharded(&p);
}

cst_status cst_module_evaluate(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    return cst_module_forward_vjp(m, c, x, y, cache, NULL, &(cst_grads){0});
}

/* Passes with tangents are not cut into shards: refuse calls with more than one thread. */
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
    return wants_any(g) || g->gxdot ? m->ops->jvp_vjp(m, c, p, d, gy, gydot, g) : CST_OK;
}
