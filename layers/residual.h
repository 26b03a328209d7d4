/* y = x + body(x), for a body that keeps the shape. The body is child "body".
 *
 * The cache holds the body's own and its value (N, in), which its reverse passes may read; the tangent cache and work
 * are the body's. */
#ifndef CST_LAYERS_RESIDUAL_H
#define CST_LAYERS_RESIDUAL_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Takes `body`: it is freed with the module, and at once where this fails.
 * Errors: CST_ESHAPE unless body->y is body->x; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_residual_new(cst_module *body, cst_module **m, cst_error *error);

/* "residual": body (a module). */
extern const cst_module_type cst_residual_type;

#ifdef __cplusplus
}
#endif
#endif
