/* The ODE block: z' = f(t, z; theta) with z(t_0) = x, integrated over given times; a module like any other, whose
 * backward pass solves the adjoint system under a norm of the user's choice.
 *
 * x (N, D...); y (N, D...) = z(t_{T-1}), or with `output_all` y (N, T, D...) = z at every time, t_0 included.
 * theta = [t (T) if learn_t | field]. Child: "field". The field must keep x's shape; t of the call is not used. The call's
 * span, if it has one, says other times, as many, unless they are learnt; its context is the field's.
 * Cache: z at all times, and what the gradient method keeps of the steps. Rows share step sizes, so the batch is not cut
 * here: the field's passes cut it.
 *
 * A field with M integrals q' = g(t, z) beside its state (adjoint/field.h), q(t_0) = 0: rows of y are [z | q], (D + M) or (T, D +
 * M). An integral is a block of the forward solve's state and its norm, with its weight; one of weight 0 is a quadrature,
 * summed over accepted steps, of which the value at the last time alone is known: then there are two times. Backwards the
 * adjoint's norm has weights of its own.
 * Errors of the solves: CST_ENONFINITE, CST_EUNDERFLOW, CST_EMAXSTEPS, with time, step, block and component. */
#ifndef CST_ADJOINT_ODE_BLOCK_H
#define CST_ADJOINT_ODE_BLOCK_H

#include "adjoint/gradient.h"
#include "core/module.h"
#include "ode/solve.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_ode_options {
    const double *times; /* (T), strictly monotone, T >= 2; copied */
    size_t n_times;
    bool output_all;                     /* y has every time, not the last alone */
    bool learn_t;                        /* the times are a parameter "t" */
    cst_solve_options forward, backward; /* copied */
    const cst_gradient_ops *gradient;    /* one of cst_gradient_methods, or of your own */
    cst_store store;
    size_t checkpoints;    /* steps that are kept (adjoint/trajectory.h), at least 2 */
    cst_adjoint_norm norm; /* of a method that solves */
    bool fresh_solves;     /* backwards, a solve of its own each interval (profile torchdiffeq) */
    size_t context_row;    /* reals a row of the gradient of the call's context: room for what grads.gcontext asks */
    cst_integral integrals[CST_MAX_INTEGRALS];  /* of the field */
    double integral_weights[CST_MAX_INTEGRALS]; /* in the forward solve's norm: the largest of w_b RMS_b, 1 for z */
    size_t n_integrals;
} cst_ode_options;

/* Times 0 and 1, dopri5 under profile costate, backsolve under the seminorm, 64 checkpoints. */
void cst_ode_options_init(cst_ode_options *options);

/* Takes `field` over: it is freed with the block, and at once where this fails. */
CST_MUST_CHECK cst_status cst_ode_new(cst_module *field, const cst_ode_options *options, cst_module **m,
                                      cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
