/* The controlled Hamiltonian field of SymODEN (Zhong, Dey, Chakraborty, "Symplectic ODE-Net", ICLR 2020), in the form
 * of Kidger, Chen and Lyons ("Hey, that's not an ODE", section 4.3 and appendix B), for n degrees of freedom.
 *
 * State x = (cos q, sin q, q', u), rows (4n); c = (cos q, sin q). Three networks of c:
 *
 *   mass       (2n) -> n (n + 1) / 2   the entries of L, lower triangular: its diagonal, then the rest row by row;
 *                                      M^-1 = L L^T + 0.1 I
 *   potential  (2n) -> 1               V
 *   input      (2n) -> n^2             g, row by row
 *
 * H(c, p) = p^T M^-1 p / 2 + V, p = M q'. The value is (c', q'', 0), and each network is evaluated once:
 *
 *   c'  = (-sin q * q', cos q * q')                        since dH/dp = M^-1 p = q'
 *   p'  = sin q * dH/dcos - cos q * dH/dsin + g u          partial derivatives at fixed p
 *   q'' = M^-1 p' + (M^-1)' p                              (M^-1)' is the derivative along c'
 *
 * docs/symoden.md derives the field and its VJP. theta = [mass | potential | input], with children of those names.
 * Networks that depend on time are evaluated at the call's time; (M^-1)' is the derivative along c' alone. There are no
 * tangent passes. */
#ifndef CST_MODELS_SYMODEN_H
#define CST_MODELS_SYMODEN_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_SYMODEN_MAX_DEGREES = 64 }; /* the largest n: matrices (n, n) of one row stand on the stack */

/* Takes ownership of the networks: they are freed with the field, or at once on failure. Their rows are (2n), with n
 * from 1 to CST_SYMODEN_MAX_DEGREES. The caller frees *m, which is NULL on failure. Errors: CST_ESHAPE for rows that do
 * not fit; CST_EUNSUPPORTED for a mass or potential network without jvp or jvp_vjp; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_symoden_new(cst_module *mass, cst_module *potential, cst_module *input, cst_module **m,
                                          cst_error *error);

/* The type "symoden" of configs, with keys mass, potential, input. */
extern const cst_module_type cst_symoden_type;

/* What a controller needs to know at N configurations c (N, 2n): slope (N, n) = dV/dq = cos q * dV/dsin - sin q *
 * dV/dcos, and gain (N, n, n) = g. Both are overwritten. `call` is the field's call with one thread, and its work holds
 * cst_symoden_control_work(m, N) reals. */
size_t cst_symoden_control_work(const cst_module *m, size_t n);
CST_MUST_CHECK cst_status cst_symoden_control(const cst_module *m, const cst_call *call, const real *c, real *slope,
                                              real *gain);

#ifdef __cplusplus
}
#endif
#endif
