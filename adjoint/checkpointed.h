/* The exact gradient of the steps that a forward pass took (discretize, then differentiate): step sizes, the first included,
 * and all decisions are constants.
 *
 * A step is y_1 = y_0 + h sum_i b_i k_i with k_i = f(t + c_i h, x_i), x_i = y_0 + h sum_j a_ij k_j. With a the cotangent of y_1
 * and v_i = (df/dz)_i^T g_i, going from the last stage to the first,
 *     g_i = h b_i a + h sum_{j > i} a_ji v_j,   dL/dy_0 = a + sum_i v_i,   a_theta += (df/dtheta)_i^T g_i.
 * An observation between two steps is y_0 + h sum_i w_i(x) k_i (ode/tableau.h), so that its cotangent g adds h w_i(x) g to g_i
 * and g to dL/dy_0; its time's gradient is g times the interpolant's derivative. The last stage of a step counts as the next
 * step's first, and costs its share there. Integrals q_1 = q_0 + h sum_i b_i g_i of the field have a constant cotangent
 * a_q, which gives h b_i a_q to g_i and so (dg/dz)_i^T h b_i a_q to v_i; observations of them likewise.
 *
 * Steps whose start is kept are made again once; those between are first made again from the nearest start before them, with
 * what slots are free, by halves (Griewank, Walther, "Revolve", ACM TOMS 26, 2000, has the optimal schedule). */
#ifndef CST_ADJOINT_CHECKPOINTED_H
#define CST_ADJOINT_CHECKPOINTED_H

#include "adjoint/gradient.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The members of cst_gradient_ops. check fails as cst_replay_check. */
CST_MUST_CHECK cst_status cst_checkpointed_check(const cst_gradient_problem *problem, cst_error *error);
size_t cst_checkpointed_work(const cst_gradient_problem *problem);
CST_MUST_CHECK cst_status cst_checkpointed_run(const cst_gradient_problem *problem, const cst_gradient_result *result,
                                               cst_solve_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
