/* Derivatives of a scalar network H(x): its gradient, which a Hamiltonian field is made of, and the VJP of that.
 *
 * For rows x (N, in) and one output each, the gradient is the VJP of 1. Of a direction d (N, in), the sum over rows of
 * d . grad H is the network's JVP along d; the VJP of the gradient with cotangent d is therefore jvp_vjp along d with
 * cotangents (0, 1): with respect to x the Hessian times d. */
#ifndef CST_MODELS_ENERGY_H
#define CST_MODELS_ENERGY_H

#include "core/module.h"

#ifdef __cplusplus
extern "C" {
#endif

/* CST_ESHAPE unless h has one output a row, CST_EUNSUPPORTED unless it has jvp and jvp_vjp. `name` is for messages. */
CST_MUST_CHECK cst_status cst_energy_check(const cst_module *h, const char *name, cst_error *error);

/* Sizes for N rows in one thread: the cache from gradient to its VJP, and scratch of either. */
void cst_energy_plan(const cst_module *h, size_t n, cst_plan *plan);

/* grad (N, in) = dH/dx, overwritten. `call` is h's own, with one thread. */
CST_MUST_CHECK cst_status cst_energy_gradient(const cst_module *h, const cst_call *call, const real *x, real *grad,
                                              real *cache);

/* The gradient's VJP with cotangent d (N, in): g->gx (N, in) overwritten, gtheta and gt added to with scale. */
CST_MUST_CHECK cst_status cst_energy_gradient_vjp(const cst_module *h, const cst_call *call, const real *x,
                                                  const real *cache, const real *d, const cst_grads *g);

#ifdef __cplusplus
}
#endif
#endif
