/* The registry of every module type in the library. */
#ifndef CST_MODELS_REGISTRY_H
#define CST_MODELS_REGISTRY_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const cst_registry cst_all_modules;

#ifdef __cplusplus
}
#endif
#endif
