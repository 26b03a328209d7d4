/* The registry of every module type in the library: layers, the ODE block and the models. */
#ifndef CST_MODELS_REGISTRY_H
#define CST_MODELS_REGISTRY_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The types by name, in the order in which `costate list` shows them. Pass it to cst_module_from_config. */
extern const cst_registry cst_all_modules;

#ifdef __cplusplus
}
#endif
#endif
