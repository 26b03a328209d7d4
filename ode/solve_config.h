/* The section "solver" of a config: the options of ode/solve.h by their names there. */
#ifndef CST_ODE_SOLVE_CONFIG_H
#define CST_ODE_SOLVE_CONFIG_H

#include "core/config.h"
#include "ode/solve.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const cst_key cst_solver_keys[]; /* for `costate list` */

/* Read a section into options; an absent one gives the defaults: dopri5, profile costate, rtol = atol = 1e-3 (single
 * precision cannot serve torchdiffeq's 1e-7 and 1e-9). step_t and jump_t are allocated, see _clear. */
CST_MUST_CHECK cst_status cst_solve_options_read(cst_config section, cst_solve_options *options, cst_error *error);

/* The same, over options that are there already: what the section does not name stays. Whether the whole then goes together
 * (cst_solve_options_check) is the caller's to see: what else it changes may come after. */
CST_MUST_CHECK cst_status cst_solve_options_override(cst_config section, cst_solve_options *options, cst_error *error);

/* Copy with step_t and jump_t of its own; free them. */
CST_MUST_CHECK cst_status cst_solve_options_copy(cst_solve_options *to, const cst_solve_options *from,
                                                 cst_error *error);
void cst_solve_options_clear(cst_solve_options *options);

#ifdef __cplusplus
}
#endif
#endif
