/* What group_norm and layer_norm share: a row is cut into groups of m entries, each is normalized and then scaled and
 * shifted by parameters:
 *
 *   y = w xhat + b,   xhat = (x - mean) rstd,   rstd = 1 / sqrt(mean((x - mean)^2) + eps)
 *
 * with mean() over the m entries of the group. A parameter serves `span` neighbouring entries of the row: H W for
 * group_norm, one for layer_norm.
 * theta = [weight | bias]. Cache (N, 2, groups): mean, rstd; tangent cache (K, N, 2, groups):
 * mean(xdot), mean(xhat xdot). Work: none.
 *
 * Only for the two layers; group_norm.h and layer_norm.h are what others include. */
#ifndef CST_LAYERS_NORMALIZE_H
#define CST_LAYERS_NORMALIZE_H

#include "core/module.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A module with the passes below for rows of shape x, with weight and bias of shape `affine`. `groups` divides the
 * row into equal parts that hold whole spans. Errors: CST_ESHAPE for empty rows, CST_EARG unless 0 < eps < inf,
 * CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_normalize_new(const cst_module_ops *ops, const cst_shape *x, const cst_shape *affine,
                                            size_t groups, double eps, cst_module **m, cst_error *error);

/* The ops of both types. */
void cst_normalize_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan);
void cst_normalize_init(const cst_module *m, cst_rng rng, real *theta);
CST_MUST_CHECK cst_status cst_normalize_forward(const cst_module *m, const cst_call *c, const real *x, real *y,
                                                real *cache);
CST_MUST_CHECK cst_status cst_normalize_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                                            const cst_grads *g);
CST_MUST_CHECK cst_status cst_normalize_jvp(const cst_module *m, const cst_call *c, const cst_point *p,
                                            const cst_tangents *d);
CST_MUST_CHECK cst_status cst_normalize_jvp_vjp(const cst_module *m, const cst_call *c, const cst_point *p,
                                                const cst_tangent_point *d, const real *gy, const real *gydot,
                                                const cst_grads *g);

#ifdef __cplusplus
}
#endif
#endif
