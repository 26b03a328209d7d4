/* The gradient methods "backsolve" and "interpolating": solve the adjoint system backwards in time. This is the paper's
 * subject (Kidger, Chen, Lyons, eq. 2 and 3; Pontryagin; Chen et al. 2018).
 *
 * Let z' = f(t, z; theta), and let the loss L read z at times t_0 .. t_{T-1} (the paper's tau .. T). The adjoint
 * system:
 *
 *     z'       = f(t, z; theta)                                                             (eq. 3)
 *     a_z'     = -(df/dz)^T a_z,       a_z = dL/dz(t)                                       (eq. 2)
 *     a_theta' = -(df/dtheta)^T a_z,   a_theta = 0 at t_{T-1}, dL/dtheta at t_0
 *     a_t'     = -(df/dt)^T a_z,       a_t -= dL/dt_i at each t_i except t_0, dL/dt_0 at t_0
 *
 * It is solved from t_{T-1} back to t_0, and dL/dz(t_i) is added to a_z at each t_i. (The minus sign of dL/dt_i is
 * missing in the paper's eq. 2: for f = 1, dL/dT = -dL/dtau.) No right-hand side reads a_theta or a_t (paper, section
 * 2.2). If the norm ignores them too, they are quadratures instead of blocks of the state; see ode/solve.h.
 *
 * Integrals q' = g(t, z; theta) of the field (adjoint/field.h), if the loss reads them, add -(dg/dz)^T a_q to a_z', and
 * the same with theta and t to a_theta' and a_t'. a_q' = 0. q itself is solved for only if it has a weight in the norm.
 *
 * Profile torchdiffeq (`fresh_solves`): one solve per interval, and z is set to its stored value at each t_i, as in
 * torchdiffeq 0.2.5. Otherwise one solve covers all intervals: it steps onto each t_i, where z is set too, and keeps
 * its step size.
 *
 * "interpolating" does not solve for z. It reads z from dense output of the forward pass (adjoint/interpolant.h), so z
 * is not a block of the state. */
#ifndef CST_ADJOINT_BACKSOLVE_H
#define CST_ADJOINT_BACKSOLVE_H

#include "adjoint/gradient.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The members of cst_gradient_ops (adjoint/gradient.h) for "backsolve". check: CST_EUNSUPPORTED if the state would have
 * more than CST_MAX_BLOCKS blocks (adjoint/adjoint_blocks.h); CST_EARG if no block that changes has a weight, because
 * then nothing would control the error. run fails as the solver and the field do. */
CST_MUST_CHECK cst_status cst_backsolve_check(const cst_gradient_problem *problem, cst_error *error);
size_t cst_backsolve_work(const cst_gradient_problem *problem);
CST_MUST_CHECK cst_status cst_backsolve_run(const cst_gradient_problem *problem, const cst_gradient_result *result,
                                            cst_solve_stats *stats);

/* The members of cst_gradient_ops for "interpolating". problem->trajectory must keep stages (CST_KEEP_STAGES). check
 * fails as cst_backsolve_check and as cst_replay_check. */
CST_MUST_CHECK cst_status cst_interpolating_check(const cst_gradient_problem *problem, cst_error *error);
size_t cst_interpolating_work(const cst_gradient_problem *problem);
CST_MUST_CHECK cst_status cst_interpolating_run(const cst_gradient_problem *problem, const cst_gradient_result *result,
                                                cst_solve_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
