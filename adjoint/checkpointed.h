/* The gradient method "checkpointed": the exact gradient of the steps that a forward pass took (discretize, then
 * differentiate). Step sizes, the first one included, and all accept/reject decisions count as constants.
 *
 * A step is y_1 = y_0 + h sum_i b_i k_i with k_i = f(t + c_i h, x_i) and x_i = y_0 + h sum_{j < i} a_ij k_j. Let a be
 * the cotangent of y_1, and v_i = (df/dz)_i^T g_i. Going from the last stage to the first,
 *
 *     g_i = h b_i a + h sum_{j > i} a_ji v_j,   dL/dy_0 = a + sum_i v_i,   a_theta += (df/dtheta)_i^T g_i.
 *
 * An observation between two steps is y_0 + h sum_i w_i(x) k_i (ode/tableau.h). So its cotangent c adds h w_i(x) c to
 * g_i, and c to dL/dy_0. The gradient of its time is c times the interpolant's derivative. A FSAL method's last stage
 * counts as the next step's first stage and is differentiated in that step. Integrals q_1 = q_0 + h sum_i b_i g(x_i) of
 * the field have a constant cotangent a_q. The cotangent of g(x_i) is therefore h b_i a_q, which adds (dg/dz)_i^T h b_i
 * a_q to v_i. The same holds for their observations.
 *
 * Recomputation: a step whose start is kept (adjoint/trajectory.h) is recomputed once. The states between kept ones are
 * recomputed from the nearest kept one before them, with a few spare vectors, by repeated halving. (Griewank, Walther,
 * "Revolve", ACM TOMS 26, 2000, has the optimal schedule.) */
#ifndef CST_ADJOINT_CHECKPOINTED_H
#define CST_ADJOINT_CHECKPOINTED_H

#include "adjoint/gradient.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The members of cst_gradient_ops (adjoint/gradient.h). The trajectory must keep states or caches. check fails as
 * cst_replay_check; run fails as the field does. */
CST_MUST_CHECK cst_status cst_checkpointed_check(const cst_gradient_problem *problem, cst_error *error);
size_t cst_checkpointed_work(const cst_gradient_problem *problem);
CST_MUST_CHECK cst_status cst_checkpointed_run(const cst_gradient_problem *problem, const cst_gradient_result *result,
                                               cst_solve_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
