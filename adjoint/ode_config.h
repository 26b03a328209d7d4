/* The ODE block from a config, type "ode": the options of adjoint/ode_block.h by their names there. */
#ifndef CST_ADJOINT_ODE_CONFIG_H
#define CST_ADJOINT_ODE_CONFIG_H

#include "adjoint/ode_block.h"
#include "core/config.h"
#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const cst_module_type cst_ode_type;
extern const cst_key cst_gradient_keys[]; /* of its section "gradient", for `costate list` */

/* Of examples for the conformance suite: tight tolerances, for rows share their steps, and the gradient of a method that solves
 * is that of the ODE and not of the steps taken. */
#ifdef CST_DOUBLE
#define CST_TIGHT_SOLVER "\"solver\": {\"rtol\": 1e-10, \"atol\": 1e-10}"
#else
#define CST_TIGHT_SOLVER "\"solver\": {\"rtol\": 1e-5, \"atol\": 1e-5}"
#endif

/* The sections "solver" and "gradient" of a module that makes an ODE block: options with one time interval, [0, 1], of
 * which arrays are allocated, for cst_ode_options_clear. On failure there is nothing to clear. */
CST_MUST_CHECK cst_status cst_ode_options_read(cst_config solver, cst_config gradient, cst_ode_options *options,
                                               cst_error *error);
/* The same for a field with integrals, whose blocks a norm may then name. */
CST_MUST_CHECK cst_status cst_ode_options_read_integrals(cst_config solver, cst_config gradient,
                                                         const cst_integral *integrals, size_t n_integrals,
                                                         cst_ode_options *options, cst_error *error);
void cst_ode_options_clear(cst_ode_options *options);

#ifdef __cplusplus
}
#endif
#endif
