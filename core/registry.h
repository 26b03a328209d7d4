/* Registries: tables of module types by name, from which configs build modules. A registry is constant and is passed
 * to every function that builds modules. models/registry.c has the registry of all types; a program may extend it
 * with types of its own through `base`. */
#ifndef CST_CORE_REGISTRY_H
#define CST_CORE_REGISTRY_H

#include "core/config.h"
#include "core/module.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_registry cst_registry;

/* A configuration that the conformance suite (tests/test_conformance.c) builds and tests. */
typedef struct cst_module_example {
    const char *json; /* the module's section */
    cst_shape x;      /* shape of a row of the input */
    double low, high; /* the range of the input's entries; both 0: any number */
    bool random;      /* whether rows draw random numbers by their index in evaluation as well as in training */
} cst_module_example;

/* A type of module. All strings and tables are static. */
typedef struct cst_module_type {
    const char *name;    /* the value of "type" in its section: "conv2d" */
    const char *summary; /* one line for `costate list` */
    const cst_key *keys; /* the keys of its section except "type", ended by an entry with name NULL */
    /* Build a module for rows of shape x. Nested modules are built from `registry`. *m is NULL on failure. Errors
     * about shapes are CST_ESHAPE with a message that names no place: the registry adds the place in the config. */
    cst_status (*make)(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                       cst_error *error);
    size_t n_examples; /* at least 1 */
    const cst_module_example *examples;
} cst_module_type;

/* A type in `types` hides one of the same name in `base`. */
struct cst_registry {
    size_t n_types;
    const cst_module_type *const *types;
    const cst_registry *base; /* a registry whose types are known as well; may be NULL */
};

/* Build the module that a section describes by its "type" and the type's keys, for rows of shape x. The caller frees
 * it with cst_module_free. *m is NULL on failure. Errors: CST_ECONFIG with the place in the config; CST_ENOMEM;
 * CST_EARG if the registry and its bases have more than 256 types. */
CST_MUST_CHECK cst_status cst_module_from_config(const cst_registry *registry, cst_config section, const cst_shape *x,
                                                 cst_module **m, cst_error *error);
/* Build a module in the same way from the section's JSON text. Messages call the text "model". */
CST_MUST_CHECK cst_status cst_module_from_json(const cst_registry *registry, const char *json, const cst_shape *x,
                                               cst_module **m, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
