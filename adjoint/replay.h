/* Recompute steps of a trajectory from the state at their start. The results are bit for bit those of the solver
 * (ode/solve_step.c). */
#ifndef CST_ADJOINT_REPLAY_H
#define CST_ADJOINT_REPLAY_H

#include "adjoint/trajectory.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_replay {
    const cst_trajectory *trajectory;
    cst_call call; /* the field's, with its own work */
    cst_solve_stats *stats;
    real *x;                     /* (N, D): input of a stage */
    real *k[CST_MAX_STAGES];     /* (N, D): stages */
    real *cache[CST_MAX_STAGES]; /* the field's caches, one per stage; without `caches` all point to the same one */
} cst_replay;

/* Errors: CST_EUNSUPPORTED if steps cannot be recomputed from their start, because their first stage is not f at that
 * state (reuse_last_stage with a method that is not FSAL). `gradient` is the name of the gradient method, for the
 * message. */
CST_MUST_CHECK cst_status cst_replay_check(const cst_solve_options *options, const char *gradient, cst_error *error);

/* Cut the memory from `work` at *size, as cst_cut does (core/arena.h); `work` may be NULL to get the size. With
 * `caches` each stage has its own cache. `stats` counts evaluations; it may be NULL if nothing will be evaluated. The
 * trajectory, and all that `call` points to, must outlive the result. */
cst_replay cst_replay_cut(const cst_trajectory *trajectory, const cst_call *call, bool caches, cst_solve_stats *stats,
                          real *work, size_t *size);

/* x (N, D) = y + h sum_{j < i} a_ij k_j: the input of stage i of a step that starts from y (N, D) with stages k. */
void cst_replay_input(const cst_replay *replay, size_t step, const real *y, size_t i, const real *const k[], real *x);

/* Compute stages 0 .. n - 1 of the step that starts from y (N, D) into replay->k. With `keep` the field's caches are
 * kept in replay->cache for its VJP. Fails as the field does. */
CST_MUST_CHECK cst_status cst_replay_stages(cst_replay *replay, size_t step, const real *y, size_t n, bool keep);

/* y_end (N, D) = the state at the end of the step that starts from y (N, D). Overwrites replay->k and replay->cache.
 * y_end must not overlap y. Fails as the field does. */
CST_MUST_CHECK cst_status cst_replay_advance(cst_replay *replay, size_t step, const real *y, real *y_end);

#ifdef __cplusplus
}
#endif
#endif
