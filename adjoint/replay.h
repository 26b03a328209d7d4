/* Steps of a trajectory made again, bit for bit as the solver made them (ode/solve_step.c). */
#ifndef CST_ADJOINT_REPLAY_H
#define CST_ADJOINT_REPLAY_H

#include "adjoint/trajectory.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_replay {
    const cst_trajectory *trajectory;
    cst_call call; /* the field's, with work of its own */
    cst_solve_stats *stats;
    real *x;                     /* a stage's input (N, D) */
    real *k[CST_MAX_STAGES];     /* stages (N, D) */
    real *cache[CST_MAX_STAGES]; /* of cst_field_plan, one per stage; all the same one where `caches` is false */
} cst_replay;

/* CST_EUNSUPPORTED, for the gradient method of this name, where a step is more than its record and its start: its first stage
 * is not f there (reuse_last_stage with a method that is not FSAL). */
CST_MUST_CHECK cst_status cst_replay_check(const cst_solve_options *options, const char *gradient, cst_error *error);

/* Cut from `work` at *size, as cst_cut; with work NULL it adds to *size alone. `caches`: a field's cache for every stage.
 * `stats` counts the evaluations; it may be NULL where nothing will be evaluated. */
cst_replay cst_replay_cut(const cst_trajectory *trajectory, const cst_call *call, bool caches, cst_solve_stats *stats,
                          real *work, size_t *size);

/* x = y + h sum_{j < i} a_ij k_j */
void cst_replay_input(const cst_replay *replay, size_t step, const real *y, size_t i, const real *const k[], real *x);

/* Stages 0 .. n-1 of the step that starts from y, into k, and if they are to be kept the field's caches at them. */
CST_MUST_CHECK cst_status cst_replay_stages(cst_replay *replay, size_t step, const real *y, size_t n, bool keep);

/* The state at the end of that step; k and caches are written over. y_end is not y. */
CST_MUST_CHECK cst_status cst_replay_advance(cst_replay *replay, size_t step, const real *y, real *y_end);

#ifdef __cplusplus
}
#endif
#endif
