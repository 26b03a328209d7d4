/* Bijections: what a normalizing flow needs of a layer besides its passes, namely how the layer changes a density, and
 * its inverse.
 *
 * For y = g(x), with g invertible on each row, log p(x) = log p(y) + log |det dg/dx|. The last term is the layer's
 * log-determinant, here called logdet. It is a function of the row x, in nats. */
#ifndef CST_LAYERS_BIJECTION_H
#define CST_LAYERS_BIJECTION_H

#include "core/module.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers outside of [0, 1] by at most this much count as 0 or 1, because data sets multiply bytes by a rounded 1 /
 * 255. */
static const double cst_unit_slack = 4 * (double)CST_REAL_EPSILON;

/* One constant table per layer type. x (n, in) and y (n, out) are rows of the batch, and m is a module with these
 * ops. */
typedef struct cst_bijection {
    const cst_module_ops *ops; /* identifies the type */
    /* logdet (n) += log |det dg/dx| at the rows x. NULL: it is 0. */
    void (*logdet)(const cst_module *m, size_t n, const real *x, double *logdet);
    /* gx (n, in) += g (n) times the gradient of logdet at each row. NULL: logdet does not depend on x. */
    void (*logdet_vjp)(const cst_module *m, size_t n, const real *x, const real *g, real *gx);
    /* Compute x (n, in) from y (n, out). If y lies outside of the image of g, x belongs to the nearest point of the
     * image. Required. */
    void (*inverse)(const cst_module *m, size_t n, const real *y, real *x);
} cst_bijection;

#ifdef __cplusplus
}
#endif
#endif
