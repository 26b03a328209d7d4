/* Functions that the ODE block's files (adjoint/ode_block.c, ode_options.c) share. This header is not installed. */
#ifndef CST_ADJOINT_ODE_INTERNAL_H
#define CST_ADJOINT_ODE_INTERNAL_H

#include "adjoint/ode_block.h"

/* Errors: CST_EARG unless times (n) are finite and strictly monotone. */
CST_MUST_CHECK cst_status cst_ode_check_times(const double *times, size_t n, cst_error *error);

/* Errors: CST_EARG, CST_ESHAPE or CST_EUNSUPPORTED if no block can have these options with this field. */
CST_MUST_CHECK cst_status cst_ode_options_check(const cst_module *field, const cst_ode_options *o, cst_error *error);

/* *to = *from with copies of all arrays of times, which the caller then frees, also after a failure. Errors:
 * CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_ode_options_copy(cst_ode_options *to, const cst_ode_options *from, cst_error *error);

/* Returns the trajectory of a call's forward pass, with what the gradient method keeps. `memory` may be NULL to get the
 * size. */
cst_trajectory cst_ode_trajectory(const cst_ode_options *o, const cst_module *field, const cst_call *c,
                                  const real *memory);

/* Returns the part of a gradient problem that is known before a forward pass. Its want_theta, want_times and n_context
 * ask for all gradients. */
cst_gradient_problem cst_ode_gradient_problem(const cst_ode_options *o, const cst_module *field, const cst_call *c,
                                              const cst_trajectory *trajectory);

#endif
