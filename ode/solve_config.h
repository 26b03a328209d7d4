/* The section "solver" of a config, and copies of solver options that own their arrays. The keys are the members of
 * cst_solve_options (ode/solve_options.h), and "profile". */
#ifndef CST_ODE_SOLVE_CONFIG_H
#define CST_ODE_SOLVE_CONFIG_H

#include "core/config.h"
#include "ode/solve_options.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const cst_key cst_solver_keys[]; /* the section's keys, for `costate list`; the last name is NULL */

/* Set *options from a section. An absent section gives the defaults: dopri5, profile costate, rtol = atol = 1e-3.
 * (Single precision cannot meet torchdiffeq's 1e-7 and 1e-9.) step_t and jump_t are allocated; the caller frees them
 * with cst_solve_options_clear, also after a failure. Errors: CST_ECONFIG or CST_EARG with the place in the config;
 * CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_solve_options_read(cst_config section, cst_solve_options *options, cst_error *error);

/* Change options that are initialized and own their arrays. Keys that the section does not name keep their values. The
 * caller still frees the arrays after a failure. The result is not checked, because the caller may change more options.
 * The caller then calls cst_solve_options_check. */
CST_MUST_CHECK cst_status cst_solve_options_override(cst_config section, cst_solve_options *options, cst_error *error);

/* *to = *from with copies of step_t and jump_t. Errors: CST_ENOMEM; *to then owns nothing. */
CST_MUST_CHECK cst_status cst_solve_options_copy(cst_solve_options *to, const cst_solve_options *from,
                                                 cst_error *error);

/* Free step_t and jump_t of options that own them, and set them to NULL. */
void cst_solve_options_clear(cst_solve_options *options);

#ifdef __cplusplus
}
#endif
#endif
