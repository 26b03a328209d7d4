/* Functions that the solver's files (ode/solve.c, solve_step.c, solve_setup.c) share. This header is not installed. */
#ifndef CST_ODE_SOLVER_INTERNAL_H
#define CST_ODE_SOLVER_INTERNAL_H

#include "ode/combine.h"
#include "ode/solve.h"

/* dy (n) = f(t, y) and, unless q is NULL, q += scale g(t, y), see cst_rhs. Counts the evaluation. */
CST_MUST_CHECK cst_status cst_solver_evaluate(cst_solver *s, double t, const real *y, real *dy, double scale, real *q);

/* dy (n) = f(t, s->y) as the first stage of a step, and q_first = g(t, s->y) if a quadrature will need it. */
CST_MUST_CHECK cst_status cst_solver_first_stage(cst_solver *s, double t, real *dy);

/* Returns the norm of sum / (atol + rtol max(|y0|, |y1|)) (paper, eq. 5). *block (may be NULL) is the block with the
 * largest share. Overwrites `stage` for norms that need values. */
double cst_solver_norm(const cst_solver *s, const cst_combination *sum, const real *y0, const real *y1, size_t *block);

/* *h = the unsigned size of the first step (Hairer, Norsett, Wanner, II.4). Evaluates f once. Overwrites y_new, stage
 * and k[1]. */
CST_MUST_CHECK cst_status cst_solver_first_step(cst_solver *s, double *h);

/* Record a failure in the statistics, at the current time and with step size h, without a worst component. The caller
 * has filled the message. Returns `status`. */
cst_status cst_solver_stop(cst_solver *s, cst_status status, double h);

/* Fail with time, step size and worst component: fills the statistics and the message. The status returned is `status`,
 * or CST_ENONFINITE or CST_EUNDERFLOW according to whether the state and the stages are finite. CST_EMAXSTEPS is never
 * replaced. */
cst_status cst_solver_fail(cst_solver *s, cst_status status, double h);

/* Drop the stop times that the solver has passed. */
void cst_solver_pass_stops(const cst_solver *s, cst_stops *stops);

/* Compute y_new from the stages of a step of signed size h from s->t to t1, and q_step with the given weights of the
 * stages. With `perturb`, stages with c = 1 are evaluated one ulp before t1. With `last`, no step follows, so that g at
 * the last stage is skipped if its weight is 0. */
CST_MUST_CHECK cst_status cst_solver_stages(cst_solver *s, double t1, double h, const double *weights, bool perturb,
                                            bool last);

/* Returns the next double after t in the direction of the solve (sign 1) or against it (sign -1). With cast_times it is
 * the next number of the state's precision. */
double cst_solver_next_time(const cst_solver *s, double t, int sign);

/* q += the quadratures of this attempt, which is accepted. h and weights are those of cst_solver_stages. */
void cst_solver_add_quadratures(cst_solver *s, double h, const double *weights);

#endif
