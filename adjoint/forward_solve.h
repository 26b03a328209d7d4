/* The forward pass of an ODE block: z' = f(t, z) from z(t_0), and integrals q' = g(t, z) from 0 (adjoint/field.h), at given times.
 *
 * The solver's state is [z | integrals with a weight], its norm the largest of w_b RMS_b with weight 1 for z. An integral of
 * weight 0 is a quadrature: it has no stages and no error estimate, and only its value at the last time is known. */
#ifndef CST_ADJOINT_FORWARD_SOLVE_H
#define CST_ADJOINT_FORWARD_SOLVE_H

#include "adjoint/adjoint_norm.h"
#include "adjoint/trajectory.h"
#include "core/module.h"
#include "ode/solve.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_forward_problem {
    const cst_module *field;
    const cst_call *call; /* the field's; its work is all there is */
    const cst_solve_options *options;
    const cst_integral *integrals; /* (M) */
    const double *weights;         /* (M) */
    const double *times;
    size_t n_times;
    const cst_recording *recording; /* of the steps; empty, and not needed for the size of work */
} cst_forward_problem;

/* Reals of work. Reads the field, the call's n and threads, options, integrals and weights. Saturates. */
size_t cst_forward_work(const cst_forward_problem *problem);

/* states (T, N (D + M)): [z (N, D) | q (M, N)] at each time, from z(t_0) = x (N, D). */
CST_MUST_CHECK cst_status cst_forward_run(const cst_forward_problem *problem, const real *x, real *states,
                                          cst_solve_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
