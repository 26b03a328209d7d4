#include "adjoint/checkpointed.h"

#include "adjoint/field.h"
#include "adjoint/replay.h"
#include "core/arena.h"
#include "ode/combine.h"

#include <string.h>

/* States between kept ones that are held at a time: halving so often goes from the largest stride that 65,536 steps and 64
 * slots can need down to one step. */
enum { SPARES = 10 };

typedef struct reversal {
    const cst_gradient_problem *p;
    const cst_gradient_result *r;
    const cst_trajectory *trajectory;
    const cst_tableau *tableau;
    cst_replay replay;
    size_t nz, nq;             /* N D, M N */
    size_t observation;        /* the observations before this number are still to come */
    double gt;                 /* of all evaluations together */
    real *a;                   /* cotangent of the state at the end of the step at hand, then at its start */
    real *start;               /* what observations within the step add to its start's */
    real *g, *next;            /* a stage's cotangent, the next a; or states on the way */
    real *a_q, *start_q, *g_q; /* a, start and g of the integrals */
    real *slope;               /* [z' | q'] (N, D + M) at an observation */
    real *v[CST_MAX_STAGES], *spare[SPARES];
} reversal;

cst_status cst_checkpointed_check(const cst_gradient_problem *problem, cst_error *error)
{
    return cst_replay_check(problem->trajectory->options, "checkpointed", error);
}

/* ---- memory -------------------------------------------------------------------------------------------------- */

/* Set the vectors behind `work`, NULL where only their size is asked for, which is returned. */
static size_t cut_work(reversal *s, const cst_gradient_problem *p, cst_solve_stats *stats, real *work)
{
    size_t size = 0;
    *s = (reversal){.p = p, .trajectory = p->trajectory, .tableau = p->options->method, .observation = p->n_times};
    s->replay = cst_replay_cut(p->trajectory, p->call, true, stats, work, &size);
    s->nz = p->trajectory->nz;
    s->nq = cst_size_mul(p->call->n, cst_field_integrals(p->field));
    s->a = cst_cut(work, &size, s->nz);
    s->start = cst_cut(work, &size, s->nz);
    s->g = cst_cut(work, &size, s->nz);
    s->next = cst_cut(work, &size, s->nz);
    for (size_t i = 0; i < s->tableau->stages; i++) s->v[i] = cst_cut(work, &size, s->nz);
    for (size_t i = 0; i < SPARES; i++) s->spare[i] = cst_cut(work, &size, s->nz);
    s->a_q = cst_cut(work, &size, s->nq);
    s->start_q = cst_cut(work, &size, s->nq);
    s->g_q = cst_cut(work, &size, s->nq);
    s->slope = cst_cut(work, &size, cst_size_add(s->nz, s->nq));
    return size;
}

size_t cst_checkpointed_work(const cst_gradient_problem *problem)
{
    reversal s;
    return cut_work(&s, problem, NULL, NULL);
}

/* ---- a step differentiated ----------------------------------------------------------------------------------- */

/* Weights of a stage in the observation at t, y_0 + h sum_i w_i k_i, and of its derivative, sum_i s_i k_i. Methods without a
 * dense output are interpolated by a line. */
static void observe_at(const reversal *s, const cst_step_record *record, double t, double *w, double *slope)
{
    const double x = (t - record->t) / record->h;
    for (size_t i = 0; !s->tableau->adaptive && i < s->tableau->stages; i++) {
        w[i] = x * s->tableau->b[i];
        slope[i] = s->tableau->b[i];
    }
    if (!s->tableau->adaptive) return;
    cst_tableau_dense(s->tableau, s->p->options->refine_dense, x, w);
    cst_tableau_dense_slope(s->tableau, s->p->options->refine_dense, x, slope);
}

/* Whether observation i lies in the step: behind its start, in its order. */
static bool lies_in(const reversal *s, size_t step, size_t i)
{
    const cst_step_record *record = &s->trajectory->records[step];
    return i > 0 && (s->p->times[i] - record->t) * record->h > 0;
}

/* How many stages of the step matter: its last, if that is the next step's first, only to observations within. */
static size_t stages_needed(const reversal *s, size_t step)
{
    const bool own_last = !(s->tableau->adaptive && s->tableau->fsal);
    const bool observed = s->observation > 0 && lies_in(s, step, s->observation - 1);
    const bool at_end = observed && s->p->times[s->observation - 1] == s->trajectory->records[step].t1 &&
                        !lies_in(s, step, s->observation > 1 ? s->observation - 2 : 0);
    if (own_last || (observed && (s->p->want_times || !at_end))) return s->tableau->stages;
    return s->tableau->stages - 1;
}

/* The step's stages and caches: those that are kept, or made again. `kept` is the step's slot, or SIZE_MAX. */
static cst_status get_stages(reversal *s, size_t step, const real *y, size_t kept, size_t n, const real *k[],
                             const real *cache[])
{
    const bool stored = kept < SIZE_MAX && cst_trajectory_cache_at(s->trajectory, kept, 0);
    if (!stored) CST_TRY(cst_replay_stages(&s->replay, step, y, n, true));
    for (size_t i = 0; i < n; i++) {
        k[i] = stored ? cst_trajectory_stage_at(s->trajectory, kept, i) : s->replay.k[i];
        cache[i] = stored ? cst_trajectory_cache_at(s->trajectory, kept, i) : s->replay.cache[i];
    }
    if (!stored) return CST_OK;
    s->replay.stats->nfe += n; /* a VJP without f is an evaluation too */

    /* the last stage's cache, where that stage is the next step's first */
    const size_t last = s->tableau->stages - 1;
    if (n <= last || cache[last]) return CST_OK;
    cache[last] = s->replay.cache[last];
    cst_replay_input(&s->replay, step, y, last, k, s->replay.x);
    s->replay.call.t = cst_trajectory_stage_time(s->trajectory, step, last);
    return cst_field_forward(s->p->field, &s->replay.call, s->replay.x, s->replay.k[last], NULL, s->replay.cache[last]);
}

/* The cotangents that observations within the step give to its start and its end, and the gradients of their times. */
static void add_observations(reversal *s, size_t step, size_t n, const real *const k[], const real *const cache[])
{
    const cst_step_record *record = &s->trajectory->records[step];
    memset(s->start, 0, s->nz * sizeof(real));
    memset(s->start_q, 0, s->nq * sizeof(real));
    for (; s->observation > 0 && lies_in(s, step, s->observation - 1); s->observation--) {
        const size_t i = s->observation - 1;
        const bool at_end = s->p->times[i] == record->t1;
        cst_gradient_add_observed(s->p, i, 1, at_end ? s->a : s->start, at_end ? s->a_q : s->start_q);
        if (!s->p->want_times) continue;
        double w[CST_MAX_STAGES], slope[CST_MAX_STAGES];
        cst_combination sum = {0};
        observe_at(s, record, s->p->times[i], w, slope);
        for (size_t j = 0; j < n; j++)
            cst_combination_add(&sum, slope[j], cst_field_value(s->p->field, k[j], cache[j]));
        cst_combine(s->replay.call.threads, s->nz + s->nq, NULL, &sum, s->slope);
        s->r->gtimes[i] = cst_gradient_along(s->p, i, s->slope);
    }
}

/* g_i, of which observations s->observation .. end - 1 of the step have a part unless they are at its end; false if it is
 * zero. */
static bool stage_cotangent(const reversal *s, size_t step, size_t i, size_t n, size_t end)
{
    /* g_i = h b_i a + h sum_{j > i} a_ji v_j, and of the integrals h b_i a_q */
    const cst_step_record *record = &s->trajectory->records[step];
    const double h = record->h;
    cst_combination sum = {0};
    bool any = s->tableau->b[i] != 0 || s->observation < end;
    cst_combination_add(&sum, h * s->tableau->b[i], s->a);
    for (size_t j = i + 1; j < n; j++) {
        cst_combination_add(&sum, h * s->tableau->a[j][i], s->v[j]);
        any = any || s->tableau->a[j][i] != 0;
    }
    cst_combine(s->replay.call.threads, s->nz, NULL, &sum, s->g);
    for (size_t j = 0; j < s->nq; j++) s->g_q[j] = (real)(h * s->tableau->b[i]) * s->a_q[j];

    /* g_i += h w_i g, g the cotangent of an observation */
    for (size_t o = s->observation; o < end; o++) {
        double w[CST_MAX_STAGES], slope[CST_MAX_STAGES];
        if (s->p->times[o] == record->t1) continue;
        observe_at(s, record, s->p->times[o], w, slope);
        cst_gradient_add_observed(s->p, o, (real)(h * w[i]), s->g, s->g_q);
    }
    return any;
}

/* v_i = (df/dz)_i^T g_i, and what stage i adds to the gradients of theta, the context and the time. */
static cst_status stage_vjp(reversal *s, size_t step, size_t i, const real *y, const real *const k[], const real *cache)
{
    cst_grads grads = {.scale = s->r->scale, .gx = s->v[i]};
    double gt = 0;
    if (s->p->want_theta) grads.gtheta = s->r->gtheta;
    if (s->p->n_context > 0) grads.gcontext = s->r->gcontext, grads.context_scale = s->r->context_scale;
    if (s->p->want_times) grads.gt = &gt;
    if (i > 0) cst_replay_input(&s->replay, step, y, i, k, s->replay.x);
    s->replay.call.t = cst_trajectory_stage_time(s->trajectory, step, i);
    s->replay.stats->products += s->p->want_theta;
    CST_TRY(cst_field_vjp(s->p->field, &s->replay.call, i > 0 ? s->replay.x : y, k[i], cache, s->g, s->g_q, &grads));
    s->gt += s->r->scale == 0 ? 0 : gt / (double)s->r->scale;
    return CST_OK;
}

/* The cotangent of the step's end becomes that of its start y. `kept` is the step's slot, or SIZE_MAX. */
static cst_status reverse_step(reversal *s, size_t step, const real *y, size_t kept)
{
    const size_t n = stages_needed(s, step), end = s->observation;
    const real *k[CST_MAX_STAGES], *cache[CST_MAX_STAGES];
    CST_TRY(get_stages(s, step, y, kept, n, k, cache));
    add_observations(s, step, n, k, cache);

    /* the stages, from the last to the first */
    cst_combination sum = {0};
    for (size_t i = n; i-- > 0;) {
        if (!stage_cotangent(s, step, i, n, end)) {
            memset(s->v[i], 0, s->nz * sizeof(real));
            continue;
        }
        CST_TRY(stage_vjp(s, step, i, y, k, cache[i]));
        cst_combination_add(&sum, 1, s->v[i]);
    }

    /* dL/dy_0 = a + sum_i v_i, with what observations within the step add to it */
    const bool observed = s->observation < end;
    for (size_t j = 0; observed && j < s->nz; j++) s->v[0][j] += s->start[j];
    for (size_t j = 0; observed && j < s->nq; j++) s->a_q[j] += s->start_q[j];
    cst_combine(s->replay.call.threads, s->nz, s->a, &sum, s->next);
    real *a = s->a;
    s->a = s->next;
    s->next = a;
    s->replay.stats->accepted++;
    return CST_OK;
}

/* ---- all steps ----------------------------------------------------------------------------------------------- */

/* Steps first .. end-1, the first of them from y, with room for states from number `spare` on: one by one if there is room
 * for all, otherwise by halves, and without room each from y anew. */
static cst_status reverse_steps(reversal *s, size_t first, size_t end, const real *y, size_t spare)
{
    const size_t n = end - first;
    if (n == 1) return reverse_step(s, first, y, SIZE_MAX);
    const bool room = spare < SPARES;
    const size_t middle = spare + n - 1 <= SPARES ? first + 1 : room ? first + n / 2 : end - 1;
    real *to = room ? s->spare[spare] : s->start;
    for (size_t step = first; step < middle; step++) {
        CST_TRY(cst_replay_advance(&s->replay, step, step == first ? y : to, s->next));
        memcpy(to, s->next, s->nz * sizeof(real));
    }
    if (room)
        CST_TRY(reverse_steps(s, middle, end, to, spare + 1));
    else
        CST_TRY(reverse_step(s, middle, s->next, SIZE_MAX)); /* `start` is used there, `next` last of all */
    return reverse_steps(s, first, middle, y, spare);
}

cst_status cst_checkpointed_run(const cst_gradient_problem *p, const cst_gradient_result *r, cst_solve_stats *stats)
{
    reversal s;
    cut_work(&s, p, stats, p->call->work);
    s.r = r;
    const size_t steps = cst_trajectory_steps(p->trajectory), stride = cst_trajectory_stride(p->trajectory);
    memset(s.a, 0, s.nz * sizeof(real));
    memset(s.a_q, 0, s.nq * sizeof(real));
    for (size_t i = 0; p->want_times && i < p->n_times; i++) r->gtimes[i] = 0;
    for (size_t kept = (steps + stride - 1) / stride; kept-- > 0;) {
        const size_t first = kept * stride, end = first + stride < steps ? first + stride : steps;
        const real *y = cst_trajectory_state_at(p->trajectory, kept);
        if (end - first == 1)
            CST_TRY(reverse_step(&s, first, y, kept));
        else
            CST_TRY(reverse_steps(&s, first, end, y, 0));
    }
    stats->solves++;
    stats->method = p->options->method->name;
    cst_gradient_add_observed(p, 0, 1, s.a, s.a_q); /* a loss may read z(t_0) too */
    if (r->gz0) memcpy(r->gz0, s.a, s.nz * sizeof(real));
    /* All evaluation times move with t_0, and away from the times of the observations. */
    for (size_t i = 1; p->want_times && i < p->n_times; i++) r->gtimes[0] -= r->gtimes[i];
    if (p->want_times) r->gtimes[0] += s.gt;
    return CST_OK;
}
