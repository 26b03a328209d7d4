/* Hamiltonian fields whose energy is a network (Greydanus, Dzamba, Yosinski, "Hamiltonian neural networks", NeurIPS
 * 2019). On rows (q, p) of n coordinates and n momenta,
 *
 *   q' = dH/dp,    p' = -dH/dq - d * dH/dp
 *
 * H is one network of (q, p), or separable, H = V(q) + T(p), from two networks of half a row. Without damping (d = 0) H
 * is conserved. With damping there is a parameter "damping" (n), d = log(1 + exp(damping)) > 0, and H' = -sum_i d_i
 * (dH/dp_i)^2: energy never increases. In a separable field q' depends on p alone and, without damping, p' on q alone.
 *
 * x, y (N, 2n). theta = [damping (n) if damped | energy], or [damping (n) if damped | potential | kinetic], with
 * children of those names. There are no tangent passes. */
#ifndef CST_MODELS_HAMILTONIAN_H
#define CST_MODELS_HAMILTONIAN_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A field of one energy, (2n) -> one number, or of a potential and a kinetic energy, (n) -> one number each. They take
 * ownership of the networks, which are freed with the field, or at once on failure. The caller frees *m, which is NULL
 * on failure. Errors: CST_ESHAPE for rows that do not fit and networks with more than one output; CST_EUNSUPPORTED for
 * networks without jvp or jvp_vjp; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_hamiltonian_new(cst_module *energy, bool damped, cst_module **m, cst_error *error);
CST_MUST_CHECK cst_status cst_separable_hamiltonian_new(cst_module *potential, cst_module *kinetic, bool damped,
                                                        cst_module **m, cst_error *error);

/* The type "hamiltonian" of configs, with keys energy, or potential and kinetic, and damping. */
extern const cst_module_type cst_hamiltonian_type;

#ifdef __cplusplus
}
#endif
#endif
