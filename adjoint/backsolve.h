/* Gradients of an ODE's solution by solving the adjoint system backwards in time (Kidger, Chen, Lyons, eq. 2 and 3;
 * Pontryagin; Chen et al. 2018).
 *
 * With z' = f(t, z; theta) and a loss that reads z at times t_0 .. t_{T-1}, a_z = dL/dz(t) satisfies
 *     a_z' = -(df/dz)^T a_z,   a_theta' = -(df/dtheta)^T a_z,   a_t' = -(df/dt)^T a_z
 * from t_{T-1} back to t_0, with dL/dz(t_i) added to a_z at each t_i. Blocks of the state that the norm ignores and that
 * no right-hand side reads (a_theta, a_t) are quadratures and not part of the state: see ode/solve.h. With integrals q' = g(t, z)
 * (adjoint/field.h) that the loss reads, a_z' has -(dg/dz)^T a_q beside it and a_theta', a_t' likewise, a_q' = 0; q is solved
 * for again only where the norm has a weight for it.
 *
 * Profile torchdiffeq: a fresh solve per interval, z set to its stored value at each t_i, as torchdiffeq 0.2.5. Otherwise
 * one solve over all of them, which steps onto each t_i and keeps its step size.
 *
 * Interpolating: z is not solved for but read off the forward pass's dense output (adjoint/interpolant.h), and is no block of the state. */
#ifndef CST_ADJOINT_BACKSOLVE_H
#define CST_ADJOINT_BACKSOLVE_H

#include "adjoint/gradient.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_MAX_BLOCKS = 256 }; /* of an adjoint's state: parameter tensors under default_per_tensor, and a few more */

/* The members of cst_gradient_ops. check: CST_EUNSUPPORTED if the field has more parameter tensors than a norm of blocks can tell
 * apart; CST_EARG if no block of the state has a weight, for then nothing would be controlled. */
CST_MUST_CHECK cst_status cst_backsolve_check(const cst_gradient_problem *problem, cst_error *error);
size_t cst_backsolve_work(const cst_gradient_problem *problem);
CST_MUST_CHECK cst_status cst_backsolve_run(const cst_gradient_problem *problem, const cst_gradient_result *result,
                                            cst_solve_stats *stats);

/* The same with z from problem->trajectory, which keeps stages; check also fails as cst_replay_check. */
CST_MUST_CHECK cst_status cst_interpolating_check(const cst_gradient_problem *problem, cst_error *error);
size_t cst_interpolating_work(const cst_gradient_problem *problem);
CST_MUST_CHECK cst_status cst_interpolating_run(const cst_gradient_problem *problem, const cst_gradient_result *result,
                                                cst_solve_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
