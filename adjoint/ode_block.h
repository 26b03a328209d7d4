/* The ODE block (Kidger, Chen, Lyons, eq. 1): z' = f(t, z; theta) with z(t_0) = x, solved over given times. It is a
 * module like any other. Its backward pass computes gradients by one of the methods of adjoint/gradient.h; the default
 * solves the adjoint system (eq. 2 and 3) under a norm of the user's choice.
 *
 * x (N, D...); y (N, D...) = z(t_{T-1}), or with `output_all` y (N, T, D...) = z at all times, t_0 included. theta = [t
 * (T) if learn_t | the field's]. Child: "field", a module that keeps the shape of x. The time t of the call is not
 * used. If the call has a span, its times replace the block's. A span has T times, and learn_t must then be false. The
 * context of the call is passed to the field. Cache: [z | q] at all times, and what the gradient method keeps of the
 * steps. The rows of a batch share step sizes, so the batch is not sharded here; the field's passes are sharded.
 *
 * Integrals. For a field with M integrals q' = g(t, z) (adjoint/field.h) with q(t_0) = 0, rows of y are [z | q], of
 * shape (D + M) or (T, D + M). An integral with a weight is a block of the forward solve's state and norm. One of
 * weight 0 is a quadrature, whose value is known only at the last time, so that there must be two times. The adjoint's
 * norm has weights of its own.
 *
 * Errors of a pass: CST_EARG for bad times; CST_ENONFINITE, CST_EUNDERFLOW and CST_EMAXSTEPS with time, step size,
 * block, component and row of the batch; otherwise those of the field. */
#ifndef CST_ADJOINT_ODE_BLOCK_H
#define CST_ADJOINT_ODE_BLOCK_H

#include "adjoint/gradient.h"
#include "core/module.h"
#include "ode/solve.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Set all members with cst_ode_options_init, then change some. cst_ode_new copies the struct and the arrays of
 * times. */
typedef struct cst_ode_options {
    const double *times; /* (n_times), strictly monotone */
    size_t n_times;      /* T, at least 2 */
    bool output_all;     /* y has the state at all times instead of the last one */
    bool learn_t;        /* the times are a parameter "t" */
    cst_solve_options forward, backward;
    /* One of cst_gradient_methods, or the caller's own, which must outlive the block. */
    const cst_gradient_ops *gradient;
    cst_store store;       /* what the forward pass keeps of a step (adjoint/gradient.h) */
    size_t kept_steps;     /* number of steps that are kept (adjoint/trajectory.h), at least 2 */
    cst_adjoint_norm norm; /* error norm of the adjoint system; only methods that solve it read this */
    bool fresh_solves;     /* the backward pass has one solve per interval (profile torchdiffeq) */
    size_t context_row;    /* reals per row of the gradient of the call's context; 0 if never wanted */
    cst_integral integrals[CST_MAX_INTEGRALS];  /* names of the field's integrals; the strings must outlive the block */
    double integral_weights[CST_MAX_INTEGRALS]; /* in the forward norm, the largest w_b RMS_b, where z has weight 1 */
    size_t n_integrals;                         /* M */
} cst_ode_options;

/* Set the defaults: times 0 and 1, dopri5 under profile costate, gradients by backsolve under the seminorm, 64 kept
 * steps. */
void cst_ode_options_init(cst_ode_options *options);

/* *m = a new block, which takes ownership of `field`. The field is freed with the block, or at once if this function
 * fails; *m is then NULL. Errors: CST_EARG, CST_ESHAPE or CST_EUNSUPPORTED for options that do not fit; CST_ENOMEM. The
 * caller frees *m with cst_module_free. */
CST_MUST_CHECK cst_status cst_ode_new(cst_module *field, const cst_ode_options *options, cst_module **m,
                                      cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
