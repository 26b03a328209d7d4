/* y = x + body(x), where the module `body` keeps the shape of its rows.
 *
 * x and y (N, ...) have the body's shape. The body is the child "body". theta is the body's. Cache: body(x) (N, in),
 * which the body's reverse passes may read, and the body's cache. Tangent cache and work: the body's. It has the passes
 * that the body has. */
#ifndef CST_LAYERS_RESIDUAL_H
#define CST_LAYERS_RESIDUAL_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Make a residual layer that owns `body`: the body is freed with the layer, or at once if this function fails. The
 * caller frees *m with cst_module_free; it is NULL on failure. `error` may be NULL. Errors: CST_ESHAPE unless body->y
 * equals body->x; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_residual_new(cst_module *body, cst_module **m, cst_error *error);

/* "residual": body (a module). */
extern const cst_module_type cst_residual_type;

#ifdef __cplusplus
}
#endif
#endif
