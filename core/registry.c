#include "core/registry.h"

#include <string.h>

enum { CST_MAX_TYPES = 96 };

cst_status cst_module_from_config(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                                  cst_error *error)
{
    *m = NULL;
    const char *names[CST_MAX_TYPES + 1] = {NULL};
    for (size_t i = 0; i < registry->n_types && i < CST_MAX_TYPES; i++) names[i] = registry->types[i]->name;
    size_t index = 0;
    CST_TRY(cst_config_type(section, "module", names, &index, error));
    const cst_status status = registry->types[index]->make(registry, section, x, m, error);
    /* Constructors know shapes, not places; what came from a nested section has its place already (CST_ECONFIG). */
    if (status == CST_ESHAPE || status == CST_EARG || status == CST_EUNSUPPORTED)
        return cst_config_place(section, error);
    return status;
}
