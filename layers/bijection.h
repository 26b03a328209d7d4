/* What a layer of a normalizing flow knows beside its passes: how it changes a density, and the way back.
 *
 * For y = g(x) with g invertible on each row, log p(x) = log p(y) + log |det dg/dx|. */
#ifndef CST_LAYERS_BIJECTION_H
#define CST_LAYERS_BIJECTION_H

#include "core/module.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How far outside of [0, 1] a number may lie and count as 0 or 1: bytes are multiplied by a rounded 1 / 255. */
static const double cst_unit_slack = 4 * (double)CST_REAL_EPSILON;

typedef struct cst_bijection {
    const cst_module_ops *ops; /* of the modules it is about */
    /* logdet (N) += log |det dg/dx| at rows x; NULL: 0 */
    void (*logdet)(const cst_module *m, size_t n, const real *x, double *logdet);
    /* gx (N, in) += its gradient times g (N); NULL: it does not depend on x */
    void (*logdet_vjp)(const cst_module *m, size_t n, const real *x, const real *g, real *gx);
    /* x from y; what lies outside of g's image becomes the nearest that does not */
    void (*inverse)(const cst_module *m, size_t n, const real *y, real *x);
} cst_bijection;

#ifdef __cplusplus
}
#endif
#endif
