/* Elementary functions over arrays: y[i] = f(x[i]) for i < n; y may be x.
 *
 * Within 3 units in the last place of the correctly rounded value for every x of the type, subnormal numbers included
 * (tests/test_vmath.c). Infinities have their limits, and a NaN gives a NaN: step control relies on it. The sign of a
 * zero may get lost. A value does not depend on where in an array it stands. */
#ifndef CST_LAYERS_VMATH_H
#define CST_LAYERS_VMATH_H

#include "core/real.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void cst_vexp(size_t n, const real *x, real *y);
void cst_vexpm1(size_t n, const real *x, real *y); /* exp(x) - 1 */
void cst_vtanh(size_t n, const real *x, real *y);
void cst_vsigmoid(size_t n, const real *x, real *y);  /* 1 / (1 + exp(-x)) */
void cst_vsoftplus(size_t n, const real *x, real *y); /* log(1 + exp(x)) */
void cst_verf(size_t n, const real *x, real *y);

#ifdef __cplusplus
}
#endif
#endif
