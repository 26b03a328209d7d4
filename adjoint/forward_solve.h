/* The forward pass of an ODE block (Kidger, Chen, Lyons, eq. 1): z' = f(t, z) from z(t_0), and integrals q' = g(t, z)
 * from q(t_0) = 0 (adjoint/field.h), at given times.
 *
 * The solver's state is [z | integrals with a weight]. Its norm is the largest w_b RMS_b, with weight 1 for z. An
 * integral of weight 0 is a quadrature: it has neither stages nor an error estimate, and its value is known only at the
 * last time. */
#ifndef CST_ADJOINT_FORWARD_SOLVE_H
#define CST_ADJOINT_FORWARD_SOLVE_H

#include "adjoint/adjoint_norm.h"
#include "adjoint/trajectory.h"
#include "core/module.h"
#include "ode/solve.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All pointers belong to the caller and must outlive the pass. */
typedef struct cst_forward_problem {
    const cst_module *field;
    const cst_call *call; /* the field's: n rows, theta, threads, error; its work has cst_forward_work reals */
    const cst_solve_options *options;
    const cst_integral *integrals;  /* (M): names of the integrals; may be NULL for M = 0 */
    const double *weights;          /* (M): weights of the integrals in the norm, at least 0; may be NULL for M = 0 */
    const double *times;            /* (n_times), strictly monotone */
    size_t n_times;                 /* T, at least 2 */
    const cst_recording *recording; /* the steps are recorded in it; from cst_recording_begin */
} cst_forward_problem;

/* Returns the number of reals of work. Reads only field, call->n, call->threads, options, integrals and weights.
 * SIZE_MAX if it is too large. */
size_t cst_forward_work(const cst_forward_problem *problem);

/* Solve from z(t_0) = x (N, D), and write [z (N, D) | q (M, N)] at each time to states (T, N (D + M)). `stats` is added
 * to. Fails as the solver, the field and cst_recording_accept do. */
CST_MUST_CHECK cst_status cst_forward_run(const cst_forward_problem *problem, const real *x, real *states,
                                          cst_solve_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
