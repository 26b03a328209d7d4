/* Layers one after the other: y = f_L(... f_2(f_1(x))), where the y of each child is the x of the next one.
 *
 * x (N, ...) has the first child's input shape, y (N, ...) the last child's output shape. Children are named by their
 * index, "0", "1", ..., and theta holds their parameters in this order. Cache: each child's cache and the values
 * between children. Tangent cache: the same for tangents. Work: the cotangents of a child's input and output, and the
 * largest work size of any child. It has the passes that all children have. */
#ifndef CST_LAYERS_SEQUENTIAL_H
#define CST_LAYERS_SEQUENTIAL_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Make a sequential without layers for rows of shape x; cst_sequential_add must then be called at least once. The
 * caller frees *m with cst_module_free; it is NULL on failure. `error` may be NULL. Errors: CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_sequential_new(const cst_shape *x, cst_module **m, cst_error *error);

/* Append a layer that was made for rows of shape m->y. m owns it: it is freed with m, or at once if this function
 * fails. `error` may be NULL. Errors: CST_ESHAPE if the layer was made for rows of another shape; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_sequential_add(cst_module *m, cst_module *layer, cst_error *error);

/* Remove and free the last layer if its type is named `type` and the type of the layer before it is named `before`.
 * Returns whether it did. A parent calls it if it does the work of the last layer itself. m may be any module, and the
 * result is false if it is not a sequential. m must not have been used yet. */
bool cst_sequential_drop_last(cst_module *m, const char *before, const char *type);

/* "sequential": layers (a list of modules, at least one). */
extern const cst_module_type cst_sequential_type;

#ifdef __cplusplus
}
#endif
#endif
