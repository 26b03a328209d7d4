/* Elementary functions over arrays: y[i] = f(x[i]) for i < n. y may be the same array as x, but must not overlap it in
 * any other way.
 *
 * Errors are below 3 units in the last place of the correctly rounded value, for every x of the type, subnormal numbers
 * included (tests/test_vmath.c). For infinite x the result is the limit of f. A NaN gives a NaN, on which step-size
 * control relies. The sign of a zero may get lost. A result does not depend on the index of the element. */
#ifndef CST_LAYERS_VMATH_H
#define CST_LAYERS_VMATH_H

#include "core/real.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void cst_vexp(size_t n, const real *x, real *y);      /* exp(x) */
void cst_vexpm1(size_t n, const real *x, real *y);    /* exp(x) - 1 */
void cst_vtanh(size_t n, const real *x, real *y);     /* tanh(x) */
void cst_vsigmoid(size_t n, const real *x, real *y);  /* 1 / (1 + exp(-x)) */
void cst_vsoftplus(size_t n, const real *x, real *y); /* log(1 + exp(x)) */
void cst_verf(size_t n, const real *x, real *y);      /* (2 / sqrt(pi)) times the integral of exp(-s^2) from 0 to x */

#ifdef __cplusplus
}
#endif
#endif
