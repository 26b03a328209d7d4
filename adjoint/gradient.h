/* Gradients of an ODE's solution: what the methods have in common.
 *
 *   backsolve      the adjoint system is solved backwards in time, z with it           (adjoint/backsolve.h)
 *   interpolating  the same without z, which comes from the forward pass's dense output
 *   checkpointed   the exact gradient of the steps that were taken                      (adjoint/checkpointed.h)
 *
 * With z' = f(t, z; theta) and a loss L that reads z at times t_0 .. t_{T-1} (observations), each gives dL/dz(t_0),
 * dL/dtheta and dL/dt_i. Of a field with integrals q' = g(t, z) (adjoint/field.h) the loss reads these too; as nothing else
 * does, a_q = dL/dq is constant between observations. */
#ifndef CST_ADJOINT_GRADIENT_H
#define CST_ADJOINT_GRADIENT_H

#include "adjoint/adjoint_norm.h"
#include "adjoint/trajectory.h"
#include "core/module.h"
#include "ode/solve.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_gradient_problem {
    const cst_module *field;
    const cst_call *call; /* the field's: theta, n, threads ...; its work is all the method has */
    const cst_solve_options *options;
    const cst_adjoint_norm *norm; /* of a method that solves */
    bool fresh_solves;            /* one solve an interval: torchdiffeq's */
    const double *times;
    size_t n_times;
    const real *z;                    /* the forward pass's states at those times, each [z (N, D) | q (M, N)] */
    const cst_integral *integrals;    /* (M): their names */
    const cst_trajectory *trajectory; /* the forward pass's steps; NULL for backsolve from scratch */
    double first_step;                /* for the first solve, where options have none; 0: chosen by the solver */
    /* dL/d[z | q](t_i) of row r is at gy + i * gy_time + r * gy_row (D + M); i from first_observed on, zero before. */
    const real *gy;
    size_t first_observed, gy_time, gy_row;
    bool want_theta, want_times;
    size_t n_context; /* reals of the context's gradient; 0: not wanted */
} cst_gradient_problem;

/* Results: gz0 (N, D), NULL if not needed, overwritten. gtheta (P) and gcontext added to with a scale each; gtimes
 * (T) overwritten. */
typedef struct cst_gradient_result {
    real scale, context_scale;
    real *gz0, *gtheta, *gcontext;
    double *gtimes;
} cst_gradient_result;

/* The state at time i: z, and where its integrals begin. */
const real *cst_gradient_state(const cst_gradient_problem *p, size_t i);
const real *cst_gradient_integrals(const cst_gradient_problem *p, size_t i);

/* a_z (N, D) += scale dL/dz(t_i), a_q (M, N) += scale dL/dq(t_i) */
void cst_gradient_add_observed(const cst_gradient_problem *p, size_t i, real scale, real *a_z, real *a_q);

/* sum over rows of dL/d[z | q](t_i) . f, f (N, D + M): the gradient of t_i where f = [z' | q'](t_i). */
double cst_gradient_along(const cst_gradient_problem *p, size_t i, const real *f);

#ifdef __cplusplus
}
#endif
#endif
