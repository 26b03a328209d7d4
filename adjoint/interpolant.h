/* z(t) between the steps of a forward pass, from its dense output (ode/tableau.h): y + h sum_i w_i(x) k_i on the step that begins
 * with y at t_0, x = (t - t_0) / h. Methods without a dense output are interpolated by a line, w_i = x b_i.
 *
 * One step is at hand at a time. Where its stages were not kept, they are made again from the nearest kept state before it
 * (adjoint/replay.h), which counts as evaluations. */
#ifndef CST_ADJOINT_INTERPOLANT_H
#define CST_ADJOINT_INTERPOLANT_H

#include "adjoint/replay.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_interpolant {
    cst_replay replay;             /* of the trajectory that is interpolated, which keeps stages */
    size_t step;                   /* the one at hand; SIZE_MAX: none yet */
    const real *y;                 /* its start (N, D), */
    const real *k[CST_MAX_STAGES]; /* and stages (N, D) */
    real *between[2];              /* states between kept ones, in turns */
} cst_interpolant;

/* Cut from `work` at *size, as cst_replay_cut. The trajectory, and what `call` points to, must outlive it. */
cst_interpolant cst_interpolant_cut(const cst_trajectory *trajectory, const cst_call *call, cst_solve_stats *stats,
                                    real *work, size_t *size);

/* z (N, D) = z(t), t within the forward pass. Fails where the field fails. */
CST_MUST_CHECK cst_status cst_interpolant_at(cst_interpolant *interpolant, double t, real *z);

#ifdef __cplusplus
}
#endif
#endif
