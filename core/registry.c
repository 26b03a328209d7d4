#include "core/registry.h"

#include <string.h>

enum { MAX_TYPES = 256 }; /* in a registry and its bases */

cst_status cst_module_from_config(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                                  cst_error *error)
{
    *m = NULL;
    /* List all types, those of the registry before those of its bases. */
    const cst_module_type *types[MAX_TYPES];
    const char *names[MAX_TYPES + 1];
    size_t n = 0, index = 0;
    for (const cst_registry *r = registry; r; r = r->base) {
        if (r->n_types > MAX_TYPES - n) return cst_fail(error, CST_EARG, "more than %d types of modules", MAX_TYPES);
        for (size_t i = 0; i < r->n_types; i++) types[n++] = r->types[i];
    }
    for (size_t i = 0; i < n; i++) names[i] = types[i]->name;
    names[n] = NULL;
    /* Find the type by name and let it build the module. */
    CST_TRY(cst_config_type(section, "module", names, &index, error));
    const cst_status status = types[index]->make(registry, section, x, m, error);
    /* Constructors do not know places in a config: add it. An error of a nested section has its place already
     * (CST_ECONFIG). */
    if (status == CST_ESHAPE || status == CST_EARG || status == CST_EUNSUPPORTED)
        return cst_config_place(section, error);
    return status;
}

cst_status cst_module_from_json(const cst_registry *registry, const char *json, const cst_shape *x, cst_module **m,
                                cst_error *error)
{
    *m = NULL;
    cst_document *document;
    CST_TRY(cst_document_parse("model", json, strlen(json), &document, error));
    const cst_status status = cst_module_from_config(registry, cst_document_root(document), x, m, error);
    cst_document_free(document);
    return status;
}
