/* Gradients of an ODE's solution by solving the adjoint system backwards in time (Kidger, Chen, Lyons, eq. 2 and 3;
 * Pontryagin; Chen et al. 2018).
 *
 * With z' = f(t, z; theta) and a loss that reads z at times t_0 .. t_{T-1}, a_z = dL/dz(t) satisfies
 *     a_z' = -(df/dz)^T a_z,   a_theta' = -(df/dtheta)^T a_z,   a_t' = -(df/dt)^T a_z
 * from t_{T-1} back to t_0, with dL/dz(t_i) added to a_z at each t_i. Blocks of the state that the norm ignores and that
 * no right-hand side reads (a_theta, a_t) are quadratures and not part of the state: see ode/solve.h.
 *
 * Profile torchdiffeq: a fresh solve an interval, z set to its stored value at each t_i, as torchdiffeq 0.2.5. Otherwise
 * one solve over all of them, which steps onto each t_i and keeps its step size. */
#ifndef CST_ADJOINT_BACKSOLVE_H
#define CST_ADJOINT_BACKSOLVE_H

#include "adjoint/adjoint_norm.h"
#include "core/module.h"
#include "ode/solve.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_MAX_BLOCKS = 256 }; /* of an adjoint's state: parameter tensors under default_per_tensor, and three */

typedef struct cst_backsolve {
    const cst_module *field;
    const cst_call *call; /* the field's: theta, n, threads ...; work for cst_backsolve_work reals */
    const cst_solve_options *options;
    const cst_adjoint_norm *norm;
    bool fresh_solves; /* one solve an interval: torchdiffeq's */
    const double *times;
    size_t n_times;
    const real *z; /* (T, N, D): the forward pass's states at those times */
    /* dL/dz(t_i) of row r is at gy + i * gy_time + r * gy_row (D entries); i from first_observed on, zero before. */
    const real *gy;
    size_t first_observed, gy_time, gy_row;
    bool want_theta, want_times;
} cst_backsolve;

/* Results: gz0 (N, D), NULL if not needed, overwritten. gtheta (P) added to with scale; gtimes (T) overwritten. */
typedef struct cst_backsolve_result {
    real scale;
    real *gz0, *gtheta;
    double *gtimes;
} cst_backsolve_result;

/* CST_EUNSUPPORTED if the field has more parameter tensors than a norm of blocks can tell apart. */
CST_MUST_CHECK cst_status cst_backsolve_check(const cst_module *field, const cst_adjoint_norm *norm, cst_error *error);

/* Reals of work, with room for every gradient. Saturates. */
size_t cst_backsolve_work(const cst_module *field, size_t n, int threads, const cst_solve_options *options,
                          const cst_adjoint_norm *norm);

CST_MUST_CHECK cst_status cst_backsolve_run(const cst_backsolve *b, const cst_backsolve_result *result,
                                            cst_solve_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
