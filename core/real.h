/* The floating-point type of states, parameters and activations: float, or double with CST_DOUBLE (`make PRECISION=double`; the
 * flags of costate-double.pc). Times, step sizes and error ratios are always double. */
#ifndef CST_CORE_REAL_H
#define CST_CORE_REAL_H

#include <float.h>

#ifdef CST_DOUBLE
typedef double cst_real;
#define CST_REAL_EPSILON DBL_EPSILON
#define CST_REAL_MAX DBL_MAX
#define CST_REAL_NAME "double"
#define CST_PRECISION cst_precision_is_double
#else
typedef float cst_real;
#define CST_REAL_EPSILON FLT_EPSILON
#define CST_REAL_MAX FLT_MAX
#define CST_REAL_NAME "float"
#define CST_PRECISION cst_precision_is_float
#endif

#ifdef CST_INTERNAL
typedef cst_real real; /* the project's own short name */
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Each precision's library has a symbol of its own. Every object of a program refers to the one that it was compiled for, and so
 * does not link with the other library. */
extern const char CST_PRECISION;
#ifndef CST_INTERNAL
#if __has_attribute(retain) /* not even a linker that drops unused sections drops it */
__attribute__((retain))
#endif
__attribute__((used)) static const char *const cst_precision_needed = &CST_PRECISION;
#endif

#ifdef __cplusplus
}
#endif
#endif
