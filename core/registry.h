/* Module types by name: what a config may build. A registry is a constant table, passed to whoever builds modules;
 * models/registry.c has the one of everything. */
#ifndef CST_CORE_REGISTRY_H
#define CST_CORE_REGISTRY_H

#include "core/config.h"
#include "core/module.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_registry cst_registry;

/* A configuration that the conformance suite tests: the section's JSON, the shape of a row of x, between what its entries have
 * to lie where not any number will do, and whether rows draw random numbers, by their index, in evaluation too. */
typedef struct cst_module_example {
    const char *json;
    cst_shape x;
    double low, high; /* both 0: anywhere */
    bool random;
} cst_module_example;

typedef struct cst_module_type {
    const char *name;    /* "conv2d" */
    const char *summary; /* one line for `costate list` */
    const cst_key *keys; /* of its section, "type" excepted */
    /* Build it for rows of shape x. Errors about shapes are CST_ESHAPE without a place: the registry adds it. */
    cst_status (*make)(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                       cst_error *error);
    size_t n_examples;
    const cst_module_example *examples;
} cst_module_type;

struct cst_registry {
    size_t n_types;
    const cst_module_type *const *types;
    const cst_registry *base; /* its types are known as well, after those here; NULL: no more */
};

/* Build the module that a section describes by its "type" and the type's keys. CST_EARG for a registry of more types than
 * 256, those of its bases included. */
CST_MUST_CHECK cst_status cst_module_from_config(const cst_registry *registry, cst_config section, const cst_shape *x,
                                                 cst_module **m, cst_error *error);
/* The same from the section's JSON text, called "model" in messages. */
CST_MUST_CHECK cst_status cst_module_from_json(const cst_registry *registry, const char *json, const cst_shape *x,
                                               cst_module **m, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
