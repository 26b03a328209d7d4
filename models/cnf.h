/* Continuous normalizing flows: rows x integrated along a field, with what that does to their density.
 *
 *   z' = f(t, z), z(t_0) = x,   log p(z(t_1)) - log p(x) = -int div f dt      (models/cnf_field.h)
 *
 * x (N, D...) -> y (N, D + M), rows [z(t_1) | log p(z) - log p(x) | int |f|^2 dt | int |df/dz|^2 dt], the last two where a
 * regularizer is asked for. theta is the network's: child "ode", whose child "field" has "network".
 *
 * Under Hutchinson the noise is drawn once a pass from the call's stream, a row's numbers by its index in the batch, the same
 * forward and backward; a call's context, if there is one, is a cst_cnf_noise to be used instead. Evaluation mode may have
 * tolerances and a divergence of its own.
 *
 * All integrals are blocks of the forward solve's norm with the weights given, as of the adjoint's with those of its norm, where
 * they and their adjoints are called logp, kinetic, jacobian and a_logp, ...; with weight 0 they are not part of an ODE
 * (adjoint/ode_block.h). */
#ifndef CST_MODELS_CNF_H
#define CST_MODELS_CNF_H

#include "adjoint/ode_block.h"
#include "core/registry.h"
#include "models/cnf_field.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cst_noise { CST_NOISE_RADEMACHER, CST_NOISE_NORMAL } cst_noise;

typedef enum cst_cnf_integral { CST_CNF_LOGP, CST_CNF_KINETIC, CST_CNF_JACOBIAN, CST_N_CNF_INTEGRALS } cst_cnf_integral;

extern const cst_integral cst_cnf_integrals[CST_N_CNF_INTEGRALS]; /* their names in norms */

typedef struct cst_cnf_options {
    cst_divergence divergence;
    cst_noise noise;
    double kinetic, jacobian;             /* weights in a flow's penalty; 0: not integrated */
    double weights[CST_N_CNF_INTEGRALS];  /* in the forward solve's norm */
    cst_ode_options ode;                  /* two times; its integrals, outputs and weights are set here */
    const cst_solve_options *evaluation;  /* of forward passes in evaluation mode; NULL: ode.forward */
    cst_divergence evaluation_divergence; /* in evaluation mode */
} cst_cnf_options;

/* Times 0 and 1, exact divergence, no regularizers, weights 1. */
void cst_cnf_options_init(cst_cnf_options *options);

/* The integrals that the options ask for, in the order of their columns; returns how many. */
size_t cst_cnf_list_integrals(const cst_cnf_options *options, cst_cnf_integral list[CST_N_CNF_INTEGRALS]);

/* Two instances of one network, of which only the first is initialized and has parameters; the second evaluates with those, and
 * may be NULL where evaluation is as training. Both are taken over: freed with the module, and at once where this fails.
 * CST_ESHAPE, CST_EUNSUPPORTED as cst_cnf_field_new; CST_EARG unless there are two times and none is learnt. */
CST_MUST_CHECK cst_status cst_cnf_new(cst_module *network, cst_module *twin, const cst_cnf_options *options,
                                      cst_module **m, cst_error *error);

bool cst_is_cnf(const cst_module *m);

/* The same flow from z(t_1) back to z(t_0): rows [x | log p(x) - log p(z) | ...]. Sizes and errors are forward's; there is no
 * VJP. */
CST_MUST_CHECK cst_status cst_cnf_inverse(const cst_module *m, const cst_call *c, const real *z, real *y, real *cache);

/* A piece of that way: from the fraction `from` of it to the fraction `to`, 0 being t_1 and 1 t_0. */
CST_MUST_CHECK cst_status cst_cnf_inverse_piece(const cst_module *m, const cst_call *c, double from, double to,
                                                const real *z, real *y, real *cache);

/* Columns of y behind z, and the weight of each in a penalty, 0 for the first; M. */
size_t cst_cnf_penalties(const cst_module *m, double weights[CST_N_CNF_INTEGRALS]);

extern const cst_module_type cst_cnf_type;
extern const cst_key cst_cnf_integral_keys[], cst_cnf_evaluation_keys[]; /* of its sections */

#ifdef __cplusplus
}
#endif
#endif
