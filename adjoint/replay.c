/* The arithmetic of ode/solve_step.c, with times from the record. */
#include "adjoint/replay.h"

#include "adjoint/field.h"
#include "core/arena.h"
#include "ode/combine.h"

cst_status cst_replay_check(const cst_solve_options *o, const char *gradient, cst_error *error)
{
    /* A reused last stage is f(t, y) only if the method is FSAL. Otherwise the first stage depends on the step
     * before. */
    if (!o->method->adaptive || o->method->fsal || !o->reuse_last_stage) return CST_OK;
    return cst_fail(
        error, CST_EUNSUPPORTED,
        "gradient method %s cannot recompute steps of %s with reuse_last_stage: set reuse_last_stage to false",
        gradient, o->method->name);
}

cst_replay cst_replay_cut(const cst_trajectory *t, const cst_call *call, bool caches, cst_solve_stats *stats,
                          real *work, size_t *size)
{
    /* Memory for the field's passes, for the input of a stage, and for all stages. */
    cst_plan plan;
    cst_field_plan(t->field, call->n, call->threads, &plan);
    cst_replay r = {.trajectory = t, .call = *call, .stats = stats};
    r.call.work = cst_cut(work, size, plan.work);
    r.x = cst_cut(work, size, t->nz);

    /* Without `caches` all stages share the cache of the first one. */
    for (size_t i = 0; i < t->options->method->stages; i++) {
        r.k[i] = cst_cut(work, size, t->nz);
        r.cache[i] = caches || i == 0 ? cst_cut(work, size, plan.cache) : r.cache[0];
    }
    return r;
}

void cst_replay_input(const cst_replay *r, size_t step, const real *y, size_t i, const real *const k[], real *x)
{
    /* The same sum in the same order as in the solver, so that x has the same bits. */
    const cst_trajectory *t = r->trajectory;
    cst_combination sum = {0};
    for (size_t j = 0; j < i; j++) cst_combination_add(&sum, t->records[step].h * t->options->method->a[i][j], k[j]);
    cst_combine(r->call.threads, t->nz, y, &sum, x);
}

cst_status cst_replay_stages(cst_replay *r, size_t step, const real *y, size_t n, bool keep)
{
    /* A forward pass keeps the cache for a VJP; an evaluation is faster. */
    cst_status (*const evaluate)(const cst_module *, const cst_call *, const real *, real *, real *, real *) =
        keep ? cst_field_forward : cst_field_evaluate;
    for (size_t i = 0; i < n; i++) {
        /* k_i = f(t + c_i h, x_i); the first stage's input is y itself. */
        if (i > 0) cst_replay_input(r, step, y, i, (const real *const *)r->k, r->x);
        r->call.t = cst_trajectory_stage_time(r->trajectory, step, i);
        r->stats->nfe++;
        CST_TRY(evaluate(r->trajectory->field, &r->call, i > 0 ? r->x : y, r->k[i], NULL, r->cache[i]));
    }
    return CST_OK;
}

cst_status cst_replay_advance(cst_replay *r, size_t step, const real *y, real *y_end)
{
    const cst_trajectory *t = r->trajectory;
    const cst_tableau *tableau = t->options->method;
    const size_t last = tableau->stages - 1, n = tableau->fsal ? last : tableau->stages;
    /* A FSAL method's last stage is not needed for the end of the step. */
    CST_TRY(cst_replay_stages(r, step, y, n, false));

    /* y_end: the input of a FSAL method's last stage, otherwise y + h sum_j b_j k_j. */
    if (tableau->fsal) {
        cst_replay_input(r, step, y, last, (const real *const *)r->k, y_end);
        return CST_OK;
    }
    cst_combination sum = {0};
    for (size_t j = 0; j < n; j++) cst_combination_add(&sum, t->records[step].h * tableau->b[j], r->k[j]);
    cst_combine(r->call.threads, t->nz, y, &sum, y_end);
    return CST_OK;
}
