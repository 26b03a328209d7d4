/* The ODE block in configs: the module type "ode" and its sections "solver" and "gradient". The keys are members of
 * cst_ode_options (adjoint/ode_block.h). */
#ifndef CST_ADJOINT_ODE_CONFIG_H
#define CST_ADJOINT_ODE_CONFIG_H

#include "adjoint/ode_block.h"
#include "core/config.h"
#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const cst_module_type cst_ode_type;
extern const cst_key cst_gradient_keys[]; /* of the section "gradient", for `costate list`; the last name is NULL */

/* Tight tolerances, for the examples of the conformance suite. Two things are exact only up to the tolerance. Rows
 * share their steps, so a row's result depends on the other rows. And a method that solves the adjoint system gives the
 * gradient of the ODE, not of the steps that were taken. */
#ifdef CST_DOUBLE
#define CST_TIGHT_SOLVER "\"solver\": {\"rtol\": 1e-10, \"atol\": 1e-10}"
#else
#define CST_TIGHT_SOLVER "\"solver\": {\"rtol\": 1e-5, \"atol\": 1e-5}"
#endif

/* Set *options from the sections "solver" and "gradient" of a module that builds an ODE block; both may be absent. The
 * times are those of cst_ode_options_init, 0 and 1. The caller frees the arrays with cst_ode_options_clear. After a
 * failure nothing has to be freed. Errors: CST_ECONFIG or CST_EARG with the place in the config; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_ode_options_read(cst_config solver, cst_config gradient, cst_ode_options *options,
                                               cst_error *error);

/* Read options in the same way for a field with integrals (n_integrals). The norm may then name their blocks. */
CST_MUST_CHECK cst_status cst_ode_options_read_integrals(cst_config solver, cst_config gradient,
                                                         const cst_integral *integrals, size_t n_integrals,
                                                         cst_ode_options *options, cst_error *error);

/* Free the step times and jump times of options that were read. `times` is not freed. */
void cst_ode_options_clear(cst_ode_options *options);

#ifdef __cplusplus
}
#endif
#endif
