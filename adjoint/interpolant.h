/* z(t) between the steps of a forward pass, from its dense output (ode/tableau.h). In the step from y at t_0 with size
 * h,
 *
 *     z(t) = y + h sum_i w_i(x) k_i,   x = (t - t_0) / h.
 *
 * Methods without dense output are interpolated linearly, w_i = x b_i. One step is loaded at a time. If its stages were
 * not kept, they are recomputed from the nearest kept state before it (adjoint/replay.h), which counts as
 * evaluations. */
#ifndef CST_ADJOINT_INTERPOLANT_H
#define CST_ADJOINT_INTERPOLANT_H

#include "adjoint/replay.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_interpolant {
    cst_replay replay;             /* recomputes steps of the trajectory */
    size_t step;                   /* the loaded step; SIZE_MAX: none */
    const real *y;                 /* (N, D): the state at the start of the loaded step */
    const real *k[CST_MAX_STAGES]; /* (N, D): its stages */
    real *between[2];              /* (N, D): states between kept ones, used alternately */
} cst_interpolant;

/* Cut the memory from `work` at *size, as cst_replay_cut; `work` may be NULL to get the size. The trajectory must keep
 * stages. It and all that `call` points to must outlive the interpolant. `stats` counts evaluations. */
cst_interpolant cst_interpolant_cut(const cst_trajectory *trajectory, const cst_call *call, cst_solve_stats *stats,
                                    real *work, size_t *size);

/* z (N, D) = z(t) for a time t within the forward pass. Fails as the field does. */
CST_MUST_CHECK cst_status cst_interpolant_at(cst_interpolant *interpolant, double t, real *z);

#ifdef __cplusplus
}
#endif
#endif
