/* Gradients of an ODE's solution: the table of methods, and what they have in common.
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
    const cst_solve_options
        *options;                 /* of the backward solve, or the forward pass's for a method that solves nothing */
    const cst_adjoint_norm *norm; /* of a method that solves */
    bool fresh_solves;            /* one solve per interval: torchdiffeq's */
    const double *times;
    size_t n_times;
    const cst_real *z;                /* the forward pass's states at those times, each [z (N, D) | q (M, N)] */
    const cst_integral *integrals;    /* (M): their names */
    const cst_trajectory *trajectory; /* the forward pass's steps, kept as the method's table says */
    double first_step;                /* for the first solve, where options have none; 0: chosen by the solver */
    /* dL/d[z | q](t_i) of row r is at gy + i * gy_time + r * gy_row (D + M); i from first_observed on, zero before. */
    const cst_real *gy;
    size_t first_observed, gy_time, gy_row;
    bool want_theta, want_times;
    size_t n_context; /* reals of the context's gradient; 0: not wanted */
} cst_gradient_problem;

/* Results: gz0 (N, D), NULL if not needed, overwritten. gtheta (P) and gcontext added to with a scale each; gtimes
 * (T) overwritten. */
typedef struct cst_gradient_result {
    cst_real scale, context_scale;
    cst_real *gz0, *gtheta, *gcontext;
    double *gtimes;
} cst_gradient_result;

/* What the forward pass keeps of a step for methods that go back over its steps. */
typedef enum cst_store { CST_STORE_STATES, CST_STORE_STAGES, CST_N_STORES } cst_store;

/* One table per method, all members required. `check` and `work` are called before there is anything to differentiate: they read
 * the problem's field, options, norm, integrals and trajectory (the options and the sizes, for it has no memory yet), the
 * call's n and threads, want_theta, want_times and n_context. */
typedef struct cst_gradient_ops {
    const char *name;            /* in configs: gradient.method */
    const char *summary;         /* for `costate list` and the reference */
    cst_keep keep[CST_N_STORES]; /* what the trajectory keeps, by the option `store` */
    bool solves;                 /* it solves an ODE backwards; false: the problem has the forward pass's options */
    bool solves_for_z;           /* and z is the first block of that ODE's state */
    /* Whether the method can do this problem, with n = 1; CST_EARG or CST_EUNSUPPORTED. */
    cst_status (*check)(const cst_gradient_problem *problem, cst_error *error);
    /* Reals of work that `run` needs for this problem, or one that wants less. Saturates. */
    size_t (*work)(const cst_gradient_problem *problem);
    /* `stats` is added to. Fails as the solver and the field do. */
    cst_status (*run)(const cst_gradient_problem *problem, const cst_gradient_result *result, cst_solve_stats *stats);
} cst_gradient_ops;

/* All of them, the default first. */
#define CST_GRADIENT_METHODS(X) X(backsolve) X(interpolating) X(checkpointed)
extern const cst_gradient_ops *const cst_gradient_methods[]; /* in this order, ended by NULL */
const cst_gradient_ops *cst_gradient_find(const char *name); /* NULL if unknown */

/* ---- for methods --------------------------------------------------------------------------------------------- */

/* The state at time i: z, and where its integrals begin. */
const cst_real *cst_gradient_state(const cst_gradient_problem *p, size_t i);
const cst_real *cst_gradient_integrals(const cst_gradient_problem *p, size_t i);

/* a_z (N, D) += scale dL/dz(t_i), a_q (M, N) += scale dL/dq(t_i) */
void cst_gradient_add_observed(const cst_gradient_problem *p, size_t i, cst_real scale, cst_real *a_z, cst_real *a_q);

/* sum over rows of dL/d[z | q](t_i) . f, f (N, D + M): the gradient of t_i where f = [z' | q'](t_i). */
double cst_gradient_along(const cst_gradient_problem *p, size_t i, const cst_real *f);

#ifdef __cplusplus
}
#endif
#endif
