/* The field of a continuous normalizing flow (Chen, Rubanova, Bettencourt, Duvenaud, "Neural ordinary differential equations",
 * NeurIPS 2018; Grathwohl et al., "FFJORD", ICLR 2019; the paper's section 4.2): a network f and integrals beside z' = f(t, z),
 *
 *   logp'     = -div f                 the change of the log-density along z
 *   kinetic'  = |f|^2                  } regularizers of Finlay, Jacobsen, Nurbekyan, Oberman, "How to train your neural ODE"
 *   jacobian' = |df/dz|^2 (Frobenius)  } (ICML 2020)
 *
 * Rows (D...) -> [f | -div f | |f|^2 | |df/dz|^2] (D + M), the last two where they are wanted: a field with integrals
 * (adjoint/field.h). theta is the network's, child "network".
 *
 * Exact: div f = sum_k e_k . (df/dz) e_k over the D unit vectors, whose JVPs are made K at a time, as many as memory for 64 Ki
 * reals of tangents a row holds, but one at least. Hutchinson: with one e for the whole solve, E e e^T = I, in place of all
 * unit vectors. Then e . (df/dz) e and |(df/dz) e|^2 are unbiased; the last is |e^T df/dz|^2 of the paper by Finlay et al. with
 * the Jacobian's transpose, of the same mean, and what the JVP for the divergence gives anyway.
 *
 * VJP with cotangents (a, c, c_kinetic, c_jacobian): the network's jvp_vjp, at once for all of K tangents,
 *   gy = a + 2 c_kinetic f,   gydot_k = -c e_k + 2 c_jacobian (df/dz) e_k. */
#ifndef CST_MODELS_CNF_FIELD_H
#define CST_MODELS_CNF_FIELD_H

#include "core/module.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cst_divergence { CST_DIVERGENCE_EXACT, CST_DIVERGENCE_HUTCHINSON } cst_divergence;

typedef struct cst_cnf_field_options {
    cst_divergence divergence;
    bool kinetic, jacobian;
} cst_cnf_field_options;

/* The call's context: under Hutchinson e (N, D) of the rows of the whole batch from `row` on, without which a pass is CST_EARG.
 * In forward passes of any divergence where nobody wants derivatives, the integrals made of them are 0. */
typedef struct cst_cnf_noise {
    const real *e;
    size_t row;
    bool no_derivatives;
} cst_cnf_noise;

/* Takes the network over: it is freed with the field, and at once where this fails. CST_ESHAPE unless it keeps the shape of
 * its rows, CST_EUNSUPPORTED unless all in it have jvp and jvp_vjp; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_cnf_field_new(cst_module *network, const cst_cnf_field_options *options, cst_module **m,
                                            cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
