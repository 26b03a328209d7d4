/* The controlled Hamiltonian field of SymODEN (Zhong, Dey, Chakraborty, "Symplectic ODE-Net", ICLR 2020), as Kidger, Chen
 * and Lyons use it ("Hey, that's not an ODE", section 4.3 and appendix B), for n degrees of freedom.
 *
 * State x = (cos q, sin q, q', u), rows (4n); c = (cos q, sin q). Networks of c:
 *
 *   mass       (2n) -> n (n + 1) / 2   the entries of L, lower triangular: its diagonal, then the rest row by row;
 *                                      M^-1 = L L^T + 0.1 I
 *   potential  (2n) -> 1               V
 *   input      (2n) -> n^2             g, row by row
 *
 * H(c, p) = p^T M^-1 p / 2 + V, p = M q'. Value (c', q'', 0), each network evaluated once:
 *
 *   c'  = (-sin q * q', cos q * q')                        since dH/dp = M^-1 p = q'
 *   p'  = sin q * dH/dcos - cos q * dH/dsin + g u          partial derivatives at fixed p
 *   q'' = M^-1 p' + (M^-1)' p                              (M^-1)' the derivative along c'
 *
 * docs/symoden.md derives the field and its VJP. theta = [mass | potential | input], children of those names. Networks
 * that depend on time are taken at the time of evaluation: (M^-1)' is along c' alone. */
#ifndef CST_MODELS_SYMODEN_H
#define CST_MODELS_SYMODEN_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_SYMODEN_MAX_DEGREES = 64 };

/* Takes the networks over: they are freed with the field, and at once where this fails. Their rows are (2n), n from 1 to
 * CST_SYMODEN_MAX_DEGREES. Errors: CST_ESHAPE for rows that do not fit; CST_EUNSUPPORTED for a mass or potential without
 * jvp or jvp_vjp; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_symoden_new(cst_module *mass, cst_module *potential, cst_module *input, cst_module **m,
                                          cst_error *error);

extern const cst_module_type cst_symoden_type;

/* What a controller needs, at configurations c (N, 2n): slope (N, n) = dV/dq = cos q * dV/dsin - sin q * dV/dcos, and
 * gain (N, n, n) = g. `call` is the field's, with one thread and this much scratch. */
size_t cst_symoden_control_work(const cst_module *m, size_t n);
CST_MUST_CHECK cst_status cst_symoden_control(const cst_module *m, const cst_call *call, const real *c, real *slope,
                                              real *gain);

#ifdef __cplusplus
}
#endif
#endif
