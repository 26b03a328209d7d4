/* The equations are in adjoint/checkpointed.h; the code has their letters. */
#include "adjoint/checkpointed.h"

#include "adjoint/field.h"
#include "adjoint/replay.h"
#include "core/arena.h"
#include "ode/combine.h"

#include <string.h>

/* Number of spare vectors for states between kept ones. Ten halvings go from the largest stride that 65,536 steps in 64
 * slots need, 1024, down to one step. */
enum { SPARES = 10 };

/* One backward pass over the steps. */
typedef struct reversal {
    const cst_gradient_problem *p;
    const cst_gradient_result *r;
    const cst_trajectory *trajectory;
    const cst_tableau *tableau;
    cst_replay replay;
    size_t nz, nq;             /* N D, M N */
    size_t observation;        /* observations 0 .. observation - 1 are still to come */
    double gt;                 /* sum of the time gradients of all evaluations */
    real *a;                   /* cotangent of the state at the end of the current step, then at its start */
    real *start;               /* what observations within the step add to the cotangent of its start */
    real *g, *next;            /* cotangent of a stage; the next a, or a state during recomputation */
    real *a_q, *start_q, *g_q; /* (M, N): a, start and g of the integrals */
    real *slope;               /* (N, D + M): [z' | q'] at an observation */
    real *v[CST_MAX_STAGES], *spare[SPARES];
} reversal;

cst_status cst_checkpointed_check(const cst_gradient_problem *problem, cst_error *error)
{
    return cst_replay_check(problem->trajectory->options, "checkpointed", error);
}

/* ---- memory -------------------------------------------------------------------------------------------------- */

/* Set all vectors to consecutive parts of `work`, and return the size of all. `work` may be NULL to get the size. */
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

/* Weights of the stages in the observation at t, y_0 + h sum_i w_i k_i, and in its derivative in time, sum_i slope_i
 * k_i. Methods without dense output are interpolated linearly. */
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

/* Whether observation i is in the step: after its start, in the direction of the solve. */
static bool lies_in(const reversal *s, size_t step, size_t i)
{
    const cst_step_record *record = &s->trajectory->records[step];
    return i > 0 && (s->p->times[i] - record->t) * record->h > 0;
}

/* Number of stages that must be differentiated. The last stage of a FSAL method is not needed, since it counts as the
 * next step's first, unless an observation inside the step uses it, or a time gradient. */
static size_t stages_needed(const reversal *s, size_t step)
{
    const bool own_last = !(s->tableau->adaptive && s->tableau->fsal);
    const bool observed = s->observation > 0 && lies_in(s, step, s->observation - 1);
    /* at_end: the only observation in this step is its end, which is y_1 and not interpolated. */
    const bool at_end = observed && s->p->times[s->observation - 1] == s->trajectory->records[step].t1 &&
                        !lies_in(s, step, s->observation > 1 ? s->observation - 2 : 0);
    if (own_last || (observed && (s->p->want_times || !at_end))) return s->tableau->stages;
    return s->tableau->stages - 1;
}

/* Set k and cache to the first n stages of the step and the field's caches there: kept ones, or recomputed ones. `kept`
 * is the number of the step among the kept ones, or SIZE_MAX. */
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
    s->replay.stats->nfe += n; /* a VJP with a stored f counts as an evaluation, too */

    /* The cache of a FSAL method's last stage is not stored with this step: recompute it. */
    const size_t last = s->tableau->stages - 1;
    if (n <= last || cache[last]) return CST_OK;
    cache[last] = s->replay.cache[last];
    cst_replay_input(&s->replay, step, y, last, k, s->replay.x);
    s->replay.call.t = cst_trajectory_stage_time(s->trajectory, step, last);
    return cst_field_forward(s->p->field, &s->replay.call, s->replay.x, s->replay.k[last], NULL, s->replay.cache[last]);
}

/* Add the cotangents of the observations in the step: at its end to `a`, inside to `start` (the part g of dL/dy_0).
 * Compute the gradients of their times. */
static void add_observations(reversal *s, size_t step, size_t n, const real *const k[], const real *const cache[])
{
    const cst_step_record *record = &s->trajectory->records[step];
    memset(s->start, 0, s->nz * sizeof(real));
    memset(s->start_q, 0, s->nq * sizeof(real));

    /* From the last observation in the step to the first. */
    for (; s->observation > 0 && lies_in(s, step, s->observation - 1); s->observation--) {
        const size_t i = s->observation - 1;
        const bool at_end = s->p->times[i] == record->t1;
        cst_gradient_add_observed(s->p, i, 1, at_end ? s->a : s->start, at_end ? s->a_q : s->start_q);
        if (!s->p->want_times) continue;

        /* dL/dt_i = g . (the interpolant's derivative at t_i) */
        double w[CST_MAX_STAGES], slope[CST_MAX_STAGES];
        cst_combination sum = {0};
        observe_at(s, record, s->p->times[i], w, slope);
        for (size_t j = 0; j < n; j++)
            cst_combination_add(&sum, slope[j], cst_field_value(s->p->field, k[j], cache[j]));
        cst_combine(s->replay.call.threads, s->nz + s->nq, NULL, &sum, s->slope);
        s->r->gtimes[i] = cst_gradient_along(s->p, i, s->slope);
    }
}

/* Compute g_i into s->g and s->g_q. The observations s->observation .. end - 1 are in this step; those that are not at
 * its end add to g_i. Returns false if g_i is zero. */
static bool stage_cotangent(const reversal *s, size_t step, size_t i, size_t n, size_t end)
{
    /* g_i = h b_i a + h sum_{j > i} a_ji v_j; for the integrals h b_i a_q. */
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

    /* g_i += h w_i(x) g, where g is the cotangent of an observation inside the step. */
    for (size_t o = s->observation; o < end; o++) {
        double w[CST_MAX_STAGES], slope[CST_MAX_STAGES];
        if (s->p->times[o] == record->t1) continue;
        observe_at(s, record, s->p->times[o], w, slope);
        cst_gradient_add_observed(s->p, o, (real)(h * w[i]), s->g, s->g_q);
    }
    return any;
}

/* v_i = (df/dz)_i^T g_i, and a_theta += (df/dtheta)_i^T g_i; the same for the context and the time. */
static cst_status stage_vjp(reversal *s, size_t step, size_t i, const real *y, const real *const k[], const real *cache)
{
    cst_grads grads = {.scale = s->r->scale, .gx = s->v[i]};
    double gt = 0;
    if (s->p->want_theta) grads.gtheta = s->r->gtheta;
    if (s->p->n_context > 0) grads.gcontext = s->r->gcontext, grads.context_scale = s->r->context_scale;
    if (s->p->want_times) grads.gt = &gt;

    /* At the stage's input x_i and time. */
    if (i > 0) cst_replay_input(&s->replay, step, y, i, k, s->replay.x);
    s->replay.call.t = cst_trajectory_stage_time(s->trajectory, step, i);
    s->replay.stats->quadrature_nfe += s->p->want_theta;
    const cst_point point = {.x = i > 0 ? s->replay.x : y, .y = k[i], .cache = cache};
    CST_TRY(cst_field_vjp(s->p->field, &s->replay.call, &point, s->g, s->g_q, &grads));
    s->gt += s->r->scale == 0 ? 0 : gt / (double)s->r->scale;
    return CST_OK;
}

/* Differentiate one step: s->a, the cotangent of its end, becomes that of its start y. `kept` is the number of the step
 * among the kept ones, or SIZE_MAX. */
static cst_status reverse_step(reversal *s, size_t step, const real *y, size_t kept)
{
    const size_t n = stages_needed(s, step), end = s->observation;
    const real *k[CST_MAX_STAGES], *cache[CST_MAX_STAGES];
    CST_TRY(get_stages(s, step, y, kept, n, k, cache));
    add_observations(s, step, n, k, cache);

    /* The stages, from the last to the first. */
    cst_combination sum = {0};
    for (size_t i = n; i-- > 0;) {
        if (!stage_cotangent(s, step, i, n, end)) {
            memset(s->v[i], 0, s->nz * sizeof(real));
            continue;
        }
        CST_TRY(stage_vjp(s, step, i, y, k, cache[i]));
        cst_combination_add(&sum, 1, s->v[i]);
    }

    /* dL/dy_0 = a + sum_i v_i, plus what observations inside the step add: that is added to v_0, a term of the sum. */
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

/* Differentiate the steps first .. end - 1, of which the first starts from y. Spare vectors from number `spare` on are
 * free. If they are enough for all states between, each step is split off; if not, the steps are halved. Without a
 * spare vector every step is recomputed from y. */
static cst_status reverse_steps(reversal *s, size_t first, size_t end, const real *y, size_t spare)
{
    const size_t n = end - first;
    if (n == 1) return reverse_step(s, first, y, SIZE_MAX);

    /* Recompute the state at the start of step `middle`. */
    const bool has_spare = spare < SPARES;
    const size_t middle = spare + n - 1 <= SPARES ? first + 1 : has_spare ? first + n / 2 : end - 1;
    real *to = has_spare ? s->spare[spare] : s->start;
    for (size_t step = first; step < middle; step++) {
        CST_TRY(cst_replay_advance(&s->replay, step, step == first ? y : to, s->next));
        memcpy(to, s->next, s->nz * sizeof(real));
    }

    /* The steps after it, then those before. Without a spare vector the state is in s->next, because reverse_step
     * overwrites s->start at once and s->next only at its end. */
    if (has_spare)
        CST_TRY(reverse_steps(s, middle, end, to, spare + 1));
    else
        CST_TRY(reverse_step(s, middle, s->next, SIZE_MAX));
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

    /* From the last kept step to the first, each with the steps up to the next kept one. */
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

    /* The loss may also read z(t_0) itself. */
    cst_gradient_add_observed(p, 0, 1, s.a, s.a_q);
    if (r->gz0) memcpy(r->gz0, s.a, s.nz * sizeof(real));
    /* dL/dt_0: all evaluation times move with t_0, and so away from the fixed times of the observations. */
    for (size_t i = 1; p->want_times && i < p->n_times; i++) r->gtimes[0] -= r->gtimes[i];
    if (p->want_times) r->gtimes[0] += s.gt;
    return CST_OK;
}
