/* The field of a continuous normalizing flow (Chen, Rubanova, Bettencourt, Duvenaud, "Neural ordinary differential
 * equations", NeurIPS 2018; Grathwohl et al., "FFJORD", ICLR 2019; the paper's section 4.2): a network f, and integrals
 * beside z' = f(t, z),
 *
 *   logp'     = -div f                 the change of the log-density along z
 *   kinetic'  = |f|^2                  a regularizer
 *   jacobian' = |df/dz|^2 (Frobenius)  a regularizer
 *
 * The regularizers are those of Finlay, Jacobsen, Nurbekyan, Oberman, "How to train your neural ODE" (ICML 2020).
 *
 * Rows (D...) -> [f | -div f | |f|^2 | |df/dz|^2], (D + M): a field with M integrals (adjoint/field.h), the last two of
 * which are optional. theta is the network's, child "network".
 *
 * Exact: div f = sum_k e_k . (df/dz) e_k over the D unit vectors. Their JVPs are computed K at a time: as many as fit
 * in 64 Ki reals of tangents per row, at least one.
 * Hutchinson: one random e with E e e^T = I for the whole solve replaces the unit vectors. Then e . (df/dz) e and
 * |(df/dz) e|^2 are unbiased. Finlay et al. have |e^T df/dz|^2, with the Jacobian's transpose; its mean is the same,
 * and |(df/dz) e|^2 is a by-product of the divergence.
 *
 * VJP with cotangents (a, c, c_kinetic, c_jacobian) of the row: the network's jvp_vjp, for K tangents at once, with
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
    bool kinetic, jacobian; /* whether the row has these integrals */
} cst_cnf_field_options;

/* The call's context; non-owning. Under Hutchinson a pass without it or without e is CST_EARG, unless no_derivatives is
 * set; the exact divergence reads no_derivatives alone, and the context may be NULL. */
typedef struct cst_cnf_noise {
    const real *e;       /* (N, D): the noise of the rows of the whole batch, from `row` on */
    size_t row;          /* the first row for which e has noise */
    bool no_derivatives; /* forward passes skip all JVPs: -div f and |df/dz|^2 are 0 */
} cst_cnf_noise;

/* Takes ownership of the network: it is freed with the field, or at once on failure. The caller frees *m, which is NULL
 * on failure. Errors: CST_ESHAPE unless the network keeps the shape of its rows; CST_EUNSUPPORTED unless all of its
 * layers have jvp and jvp_vjp; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_cnf_field_new(cst_module *network, const cst_cnf_field_options *options, cst_module **m,
                                            cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
