/* The floating-point type of states, parameters and activations: float, or double if CST_DOUBLE is defined (`make
 * PRECISION=double`, or the flags of costate-double.pc). Times, step sizes and error ratios are always double. */
#ifndef CST_CORE_REAL_H
#define CST_CORE_REAL_H

#include <float.h>

/* CST_REAL_EPSILON is the distance from 1 to the next larger number. CST_REAL_MAX is the largest finite number.
 * CST_REAL_NAME is the name of the type in messages. CST_PRECISION is the symbol that only the library of this
 * precision defines, see below. */
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
typedef cst_real real; /* the short name is for the project's own sources only */
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A program compiled for one precision must not link with the library of the other one. The library of each
 * precision defines a symbol of its own, and every object that includes this header refers to the symbol of its
 * precision. */
extern const char CST_PRECISION;
#ifndef CST_INTERNAL
#if __has_attribute(retain) /* keeps the reference even if the linker drops unused sections */
__attribute__((retain))
#endif
__attribute__((used)) static const char *const cst_precision_needed = &CST_PRECISION;
#endif

#ifdef __cplusplus
}
#endif
#endif
