/* What the files of the solver share; not installed. */
#ifndef CST_ODE_SOLVER_INTERNAL_H
#define CST_ODE_SOLVER_INTERNAL_H

#include "ode/combine.h"
#include "ode/solve.h"

/* Evaluate f at (t, y) into dy, q as in cst_rhs; counts. */
CST_MUST_CHECK cst_status cst_solver_evaluate(cst_solver *s, double t, const real *y, real *dy, double scale, real *q);

/* k[0] = f(t, y), and the first stage's unscaled product where the weight of the first stage wants one. */
CST_MUST_CHECK cst_status cst_solver_first_stage(cst_solver *s, double t, real *dy);

/* The norm of a sum of stages over the tolerance at y0 and y1. */
double cst_solver_norm(const cst_solver *s, const cst_combination *sum, const real *y0, const real *y1, size_t *block);

/* The first step's size, unsigned (Hairer, Norsett, Wanner, II.4): one more evaluation. Uses y_new, stage and k[1]. */
CST_MUST_CHECK cst_status cst_solver_first_step(cst_solver *s, double *h);

/* Fill the statistics of a failure that no component is to blame for, whose message is there already; returns `status`. */
cst_status cst_solver_stop(cst_solver *s, cst_status status, double h);

/* Fail with the time, the step and the worst component: fills the statistics and the message. */
cst_status cst_solver_fail(cst_solver *s, cst_status status, double h);

/* Times behind the solver are done with. */
void cst_solver_pass_stops(const cst_solver *s, cst_stops *stops);

/* y_new from the stages of a step of size h from s->t to t1; this attempt's quadratures with the given weights, those of the
 * next step's first stage not if this step is the last. */
CST_MUST_CHECK cst_status cst_solver_stages(cst_solver *s, double t1, double h, const double *weights, bool perturb,
                                            bool last);

/* The next double after t in the direction of the solve (sign 1), or before it (-1), in the precision of its times. */
double cst_solver_next_time(const cst_solver *s, double t, int sign);

/* Add this attempt's quadratures to q, weights as in cst_solver_stages. */
void cst_solver_add_quadratures(cst_solver *s, double h, const double *weights);

#endif
