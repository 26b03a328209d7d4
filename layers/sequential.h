/* Layers one after the other: y = f_L(... f_2(f_1(x))), each child's y the next one's x. Children are named by their
 * index, "0", "1", ...
 *
 * The cache holds each child's own and the values between them, the tangent cache the same of tangents; work has room
 * for the cotangents on either side of a child, and what the hungriest child needs. */
#ifndef CST_LAYERS_SEQUENTIAL_H
#define CST_LAYERS_SEQUENTIAL_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One without layers, to be filled by cst_sequential_add, at least once. Errors: CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_sequential_new(const cst_shape *x, cst_module **m, cst_error *error);

/* Append a layer made for rows of m->y, and own it: it is freed with m, and at once where this fails.
 * Errors: CST_ESHAPE if it was made for other rows, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_sequential_add(cst_module *m, cst_module *layer, cst_error *error);

/* Take the last layer away and free it, if it is one of type `type` behind one of type `before`: for a module that does its
 * work itself, together with its own. To be asked before the module is used. */
bool cst_sequential_drop_last(cst_module *m, const char *before, const char *type);

/* "sequential": layers (a list of modules, at least one). */
extern const cst_module_type cst_sequential_type;

#ifdef __cplusplus
}
#endif
#endif
