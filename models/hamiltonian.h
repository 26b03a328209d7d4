/* Hamiltonian fields whose energy is a network (Greydanus, Dzamba, Yosinski, "Hamiltonian neural networks", NeurIPS 2019): on
 * rows (q, p) of n coordinates and n momenta each,
 *
 *   q' = dH/dp,    p' = -dH/dq - d * dH/dp
 *
 * with H a network of (q, p), or separable, H = V(q) + T(p), of two networks of half a row. Without damping H is conserved.
 * With it there is a parameter "damping" (n), d = log(1 + exp(damping)) > 0, and H' = -sum_i d_i (dH/dp_i)^2: no energy comes
 * in. A separable field's q' depends on p alone and p', without damping, on q alone.
 *
 * theta = [damping (n) if damped | energy], or [... | potential | kinetic]; children of those names. */
#ifndef CST_MODELS_HAMILTONIAN_H
#define CST_MODELS_HAMILTONIAN_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Take the networks over: they are freed with the field, and at once where this fails. Errors: CST_ESHAPE for rows that do
 * not fit and networks with more than one output; CST_EUNSUPPORTED for one without jvp or jvp_vjp; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_hamiltonian_new(cst_module *energy, bool damped, cst_module **m, cst_error *error);
CST_MUST_CHECK cst_status cst_separable_hamiltonian_new(cst_module *potential, cst_module *kinetic, bool damped,
                                                        cst_module **m, cst_error *error);

extern const cst_module_type cst_hamiltonian_type;

#ifdef __cplusplus
}
#endif
#endif
