/* The gradient of a scalar network H(x) as a function of x, and the VJP of that gradient: what Hamiltonian fields
 * consist of.
 *
 * x (N, in), one number H per row. The gradient dH/dx is the network's VJP with cotangent 1. Its own VJP needs second
 * derivatives but no second tape: for a direction d (N, in), d . dH/dx is the network's JVP along d, so the VJP of
 * dH/dx with cotangent d is the network's jvp_vjp along d with cotangent 0 of H and 1 of the JVP. With respect to x it
 * is the Hessian times d. */
#ifndef CST_MODELS_ENERGY_H
#define CST_MODELS_ENERGY_H

#include "core/module.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether h can be an energy. CST_ESHAPE unless it has one output per row, CST_EUNSUPPORTED unless it has jvp and
 * jvp_vjp. `name` is for messages; `error` may be NULL. */
CST_MUST_CHECK cst_status cst_energy_check(const cst_module *h, const char *name, cst_error *error);

/* plan->cache and plan->work for N rows in one thread: the cache lasts from the gradient to its VJP, work is scratch of
 * one pass. */
void cst_energy_plan(const cst_module *h, size_t n, cst_plan *plan);

/* grad (N, in) = dH/dx, overwritten; the cache is filled. `call` is h's own call (cst_call_child_alone), with work as
 * planned. */
CST_MUST_CHECK cst_status cst_energy_gradient(const cst_module *h, const cst_call *call, const real *x, real *grad,
                                              real *cache);

/* The gradient's VJP with cotangent d (N, in), from the cache of cst_energy_gradient at the same x: g->gx (N, in) is
 * overwritten, g->gtheta and g->gt are added to with g->scale. Each of the three may be NULL. */
CST_MUST_CHECK cst_status cst_energy_gradient_vjp(const cst_module *h, const cst_call *call, const real *x,
                                                  const real *cache, const real *d, const cst_grads *g);

#ifdef __cplusplus
}
#endif
#endif
