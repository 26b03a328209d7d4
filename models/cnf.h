/* Continuous normalizing flows: rows x are integrated along a field f, together with the change of their density.
 *
 *   z' = f(t, z), z(t_0) = x,   log p(z(t_1)) - log p(x) = -int div f dt      (models/cnf_field.h)
 *
 * x (N, D...) -> y (N, D + M), rows [z(t_1) | log p(z) - log p(x) | int |f|^2 dt | int |df/dz|^2 dt], the last two if
 * their regularizer has a weight. theta is the network's: child "ode", whose child "field" has the child "network".
 *
 * Hutchinson's noise is drawn from the call's random stream, once per pass and by the row's index in the batch, so that
 * the VJP sees the same noise. If the call has a context, it is a cst_cnf_noise that is used instead. Evaluation mode
 * may have its own tolerances and its own divergence.
 *
 * The integrals are blocks in the norm of the forward solve, with the weights of the options, and in the norm of the
 * adjoint, with its own weights; norms call them and their adjoints logp, kinetic, jacobian, a_logp, a_kinetic,
 * a_jacobian. An integral whose weight in the forward norm is 0 is a quadrature (adjoint/ode_block.h). There are no
 * tangent passes. */
#ifndef CST_MODELS_CNF_H
#define CST_MODELS_CNF_H

#include "adjoint/ode_block.h"
#include "core/registry.h"
#include "models/cnf_field.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The distribution of the noise: signs +-1, or standard normal. */
typedef enum cst_noise { CST_NOISE_RADEMACHER, CST_NOISE_NORMAL } cst_noise;

typedef enum cst_cnf_integral { CST_CNF_LOGP, CST_CNF_KINETIC, CST_CNF_JACOBIAN, CST_N_CNF_INTEGRALS } cst_cnf_integral;

extern const cst_integral cst_cnf_integrals[CST_N_CNF_INTEGRALS]; /* their names in norms */

typedef struct cst_cnf_options {
    cst_divergence divergence;
    cst_noise noise;                      /* of Hutchinson's estimate */
    double kinetic, jacobian;             /* weights in a flow's penalty; 0: not integrated */
    double weights[CST_N_CNF_INTEGRALS];  /* of each integral in the norm of the forward solve */
    cst_ode_options ode;                  /* two times; its integrals, their weights and output_all are ignored */
    const cst_solve_options *evaluation;  /* for forward passes in evaluation mode; NULL: ode.forward */
    cst_divergence evaluation_divergence; /* in evaluation mode */
} cst_cnf_options;

/* Set the defaults: times 0 and 1, exact divergence, no regularizers, weights 1 in the norm. */
void cst_cnf_options_init(cst_cnf_options *options);

/* The integrals that the options ask for, in the order of their columns in y; returns how many. */
size_t cst_cnf_list_integrals(const cst_cnf_options *options, cst_cnf_integral list[CST_N_CNF_INTEGRALS]);

/* `network` and `twin` are two instances of the same network. The first has the parameters; the second evaluates with
 * the same parameters in evaluation mode, and may be NULL if that does not differ from training. The module takes
 * ownership of both: they are freed with it, or at once on failure. The options are copied. The caller frees *m, which
 * is NULL on failure. Errors: CST_ESHAPE and CST_EUNSUPPORTED as cst_cnf_field_new; CST_EARG unless there are two
 * times, which are not learned; those of cst_ode_new. */
CST_MUST_CHECK cst_status cst_cnf_new(cst_module *network, cst_module *twin, const cst_cnf_options *options,
                                      cst_module **m, cst_error *error);

/* Whether m is a cnf. The functions below require one. */
bool cst_is_cnf(const cst_module *m);

/* The same flow from z(t_1) back to z(t_0): rows [x | log p(x) - log p(z) | ...]. Sizes and errors are those of a
 * forward pass; there is no VJP. */
CST_MUST_CHECK cst_status cst_cnf_inverse(const cst_module *m, const cst_call *c, const real *z, real *y, real *cache);

/* A piece of the inverse, between the fractions `from` and `to` of its time: 0 is t_1 and 1 is t_0. Arguments and
 * errors are those of cst_cnf_inverse. */
CST_MUST_CHECK cst_status cst_cnf_inverse_piece(const cst_module *m, const cst_call *c, double from, double to,
                                                const real *z, real *y, real *cache);

/* Returns the number M of columns of y after z. weights is overwritten; its first M entries are the weights of these
 * columns in a flow's penalty, 0 for logp. */
size_t cst_cnf_penalties(const cst_module *m, double weights[CST_N_CNF_INTEGRALS]);

/* The type "cnf" of configs (docs/flows.md), and the keys of its sections `integrals` and `evaluation`. */
extern const cst_module_type cst_cnf_type;
extern const cst_key cst_cnf_integral_keys[], cst_cnf_evaluation_keys[];

#ifdef __cplusplus
}
#endif
#endif
