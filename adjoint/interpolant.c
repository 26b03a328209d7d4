/* Loading of steps, and their dense output. */
#include "adjoint/interpolant.h"

#include "core/arena.h"
#include "ode/combine.h"

#include <stdint.h>

cst_interpolant cst_interpolant_cut(const cst_trajectory *t, const cst_call *call, cst_solve_stats *stats, real *work,
                                    size_t *size)
{
    /* No step is loaded yet. The replay comes first, then two vectors for states between kept ones. */
    cst_interpolant from = {.step = SIZE_MAX};
    from.replay = cst_replay_cut(t, call, false, stats, work, size);
    for (size_t i = 0; i < 2; i++) from.between[i] = cst_cut(work, size, t->nz);
    return from;
}

/* Load a step: the state at its start, and its stages. */
static cst_status go_to_step(cst_interpolant *from, size_t step)
{
    const cst_trajectory *t = from->replay.trajectory;
    const size_t stride = cst_trajectory_stride(t), kept = step / stride, stages = t->options->method->stages;
    if (step == from->step) return CST_OK;
    from->step = SIZE_MAX; /* nothing is loaded if the field fails below */

    /* Its start, recomputed from the nearest kept state before it. Two vectors take turns. */
    from->y = cst_trajectory_state_at(t, kept);
    for (size_t before = kept * stride; before < step; before++) {
        real *to = from->between[before % 2];
        CST_TRY(cst_replay_advance(&from->replay, before, from->y, to));
        from->y = to;
    }

    /* Its stages, which are kept or recomputed. */
    const bool is_kept = step % stride == 0;
    if (!is_kept) CST_TRY(cst_replay_stages(&from->replay, step, from->y, stages, false));
    for (size_t i = 0; i < stages; i++) from->k[i] = is_kept ? cst_trajectory_stage_at(t, kept, i) : from->replay.k[i];
    from->step = step;
    return CST_OK;
}

cst_status cst_interpolant_at(cst_interpolant *from, double t, real *z)
{
    const cst_trajectory *trajectory = from->replay.trajectory;
    const cst_tableau *tableau = trajectory->options->method;
    /* Load the step that contains t. */
    CST_TRY(go_to_step(from, cst_trajectory_find(trajectory, t)));
    const cst_step_record *r = &trajectory->records[from->step];

    /* z = y + h sum_i w_i(x) k_i */
    const double x = (t - r->t) / r->h;
    double w[CST_MAX_STAGES];
    cst_combination sum = {0};
    /* The weights w_i(x) of dense output, or x b_i for a method without it. */
    if (tableau->adaptive) cst_tableau_dense(tableau, trajectory->options->refine_dense, x, w);
    for (size_t i = 0; i < tableau->stages; i++)
        cst_combination_add(&sum, r->h * (tableau->adaptive ? w[i] : x * tableau->b[i]), from->k[i]);
    cst_combine(from->replay.call.threads, trajectory->nz, from->y, &sum, z);
    return CST_OK;
}
