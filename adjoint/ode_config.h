/* The ODE block from a config, type "ode": the options of adjoint/ode_block.h by their names there. */
#ifndef CST_ADJOINT_ODE_CONFIG_H
#define CST_ADJOINT_ODE_CONFIG_H

#include "core/config.h"
#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const cst_module_type cst_ode_type;
extern const cst_key cst_gradient_keys[]; /* of its section "gradient", for `costate list` */

#ifdef __cplusplus
}
#endif
#endif
