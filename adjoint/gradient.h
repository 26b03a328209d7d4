/* Gradients of an ODE's solution: the table of gradient methods, and what they share.
 *
 * Let z' = f(t, z; theta), and let the loss L read z at the times t_0 .. t_{T-1}, its observations. A method computes
 * dL/dz(t_0), dL/dtheta and dL/dt_i (Kidger, Chen, Lyons, section 1.3). If the field has integrals q' = g(t, z)
 * (adjoint/field.h), L may read them too. Nothing else reads them, so a_q = dL/dq is constant between observations.
 *
 * Shapes: N rows, D entries of z and M integrals per row, P parameters, T times. CONTRIBUTING.md says how to add a
 * method. */
#ifndef CST_ADJOINT_GRADIENT_H
#define CST_ADJOINT_GRADIENT_H

#include "adjoint/adjoint_norm.h"
#include "adjoint/trajectory.h"
#include "core/module.h"
#include "ode/solve.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The arguments of a method. All pointers belong to the caller. */
typedef struct cst_gradient_problem {
    const cst_module *field;
    /* The field's: theta, n, threads, error; its work has the reals that cst_gradient_ops.work reports. */
    const cst_call *call;
    /* Those of the backward solve, or of the forward pass for a method that does not solve. */
    const cst_solve_options *options;
    const cst_adjoint_norm *norm; /* error norm of the backward solve; not read by a method that does not solve */
    bool fresh_solves;            /* one solve per interval between times, as in torchdiffeq */
    const double *times;          /* (T), strictly monotone */
    size_t n_times;
    const cst_real *z;                /* (T): the forward pass's states at these times, each [z (N, D) | q (M, N)] */
    const cst_integral *integrals;    /* (M): their names */
    const cst_trajectory *trajectory; /* the forward pass's steps, kept as cst_gradient_ops.keep says */
    double first_step; /* first step size of the first solve, if the options give none; 0: the solver chooses */
    /* dL/d[z | q](t_i) of row r, D + M numbers, is at gy + i * gy_time + r * gy_row. It is zero for i <
     * first_observed. */
    const cst_real *gy;
    size_t first_observed, gy_time, gy_row;
    bool want_theta, want_times;
    size_t n_context; /* length of the gradient of the call's context; 0: not wanted */
} cst_gradient_problem;

/* The results. The pointer of a result that the problem does not want may be NULL. */
typedef struct cst_gradient_result {
    cst_real scale, context_scale;
    cst_real *gz0;      /* (N, D) = dL/dz(t_0), overwritten; may be NULL */
    cst_real *gtheta;   /* (P) += scale dL/dtheta */
    cst_real *gcontext; /* (n_context) += context_scale dL/dcontext */
    double *gtimes;     /* (T) = dL/dt_i, overwritten */
} cst_gradient_result;

/* The option `store`: what the forward pass keeps of a step for methods that recompute steps. */
typedef enum cst_store { CST_STORE_STATES, CST_STORE_STAGES, CST_N_STORES } cst_store;

/* One gradient method. All members are required. `check` and `work` are called before a forward pass. They may read of
 * the problem: field, options, norm, integrals, want_theta, want_times, n_context, the call's n and threads, and the
 * trajectory's options and sizes (it has no memory yet). */
typedef struct cst_gradient_ops {
    const char *name;            /* in configs: gradient.method */
    const char *summary;         /* one line, for `costate list` and docs/config.md */
    cst_keep keep[CST_N_STORES]; /* what the trajectory must keep, for each value of `store` */
    bool solves;                 /* it solves an ODE backwards; if false, problem->options are the forward pass's */
    bool solves_for_z;           /* whether that ODE's state begins with z */
    /* Errors: CST_EARG or CST_EUNSUPPORTED if the method cannot do this problem. Called with n = 1. */
    cst_status (*check)(const cst_gradient_problem *problem, cst_error *error);
    /* Returns the reals of work that `run` needs for this problem, or for one that wants less; SIZE_MAX: too many. */
    size_t (*work)(const cst_gradient_problem *problem);
    /* Compute the gradients. `stats` is added to. Fails as the solver and the field do. */
    cst_status (*run)(const cst_gradient_problem *problem, const cst_gradient_result *result, cst_solve_stats *stats);
} cst_gradient_ops;

/* The methods that configs know by name. The first one is the default. */
#define CST_GRADIENT_METHODS(X) X(backsolve) X(interpolating) X(checkpointed)

/* Pointers to the methods in the same order. The last element is NULL. */
extern const cst_gradient_ops *const cst_gradient_methods[];

/* Returns the method of this name, or NULL if no method has it. */
const cst_gradient_ops *cst_gradient_find(const char *name);

/* ---- for methods --------------------------------------------------------------------------------------------- */

/* Return the forward pass's z (N, D) and q (M, N) at time t_i. */
const cst_real *cst_gradient_state(const cst_gradient_problem *p, size_t i);
const cst_real *cst_gradient_integrals(const cst_gradient_problem *p, size_t i);

/* a_z (N, D) += scale dL/dz(t_i) and a_q (M, N) += scale dL/dq(t_i). a_q is not used for M = 0. */
void cst_gradient_add_observed(const cst_gradient_problem *p, size_t i, cst_real scale, cst_real *a_z, cst_real *a_q);

/* Returns the sum over rows of dL/d[z | q](t_i) . f. With f (N, D + M) = [z' | q'](t_i) that is the gradient of t_i. */
double cst_gradient_along(const cst_gradient_problem *p, size_t i, const cst_real *f);

#ifdef __cplusplus
}
#endif
#endif
