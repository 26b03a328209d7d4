/* What a normalizing flow needs of a layer besides its passes: how the layer changes a density, and its inverse.
 *
 * For y = g(x), with g invertible on each row, log p(x) = log p(y) + log |det dg/dx|. The last term is the layer's
 * log-determinant; logdet, a function of the row x, is in nats. */
#ifndef CST_LAYERS_BIJECTION_H
#define CST_LAYERS_BIJECTION_H

#include "core/module.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers this far outside of [0, 1] count as 0 or 1: data sets multiply bytes by a rounded 1 / 255. */
static const double cst_unit_slack = 4 * (double)CST_REAL_EPSILON;

/* One constant table per layer type. x (n, in) and y (n, out) are rows of the batch, and m is a module with these
 * ops. */
typedef struct cst_bijection {
    const cst_module_ops *ops; /* identifies the type */
    /* logdet (n) += log |det dg/dx| at the rows x. NULL: it is 0. */
    void (*logdet)(const cst_module *m, size_t n, const real *x, double *logdet);
    /* gx (n, in) += the gradient of logdet at each row, times g (n). NULL: logdet does not depend on x. */
    void (*logdet_vjp)(const cst_module *m, size_t n, const real *x, const real *g, real *gx);
    /* x from y. Where y lies outside of the image of g, x is taken from the nearest point of the image. Required. */
    void (*inverse)(const cst_module *m, size_t n, const real *y, real *x);
} cst_bijection;

#ifdef __cplusplus
}
#endif
#endif
