/* The floating-point type of states, parameters and activations: float, or double with `make PRECISION=double`.
 * Times, step sizes and error ratios are always double. */
#ifndef CST_CORE_REAL_H
#define CST_CORE_REAL_H

#include <float.h>

#ifdef CST_DOUBLE
typedef double real;
#define CST_REAL_EPSILON DBL_EPSILON
#define CST_REAL_MAX DBL_MAX
#define CST_REAL_NAME "double"
#else
typedef float real;
#define CST_REAL_EPSILON FLT_EPSILON
#define CST_REAL_MAX FLT_MAX
#define CST_REAL_NAME "float"
#endif

#endif
