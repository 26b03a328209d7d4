/* The solver's arithmetic on long vectors: weighted sums of stages, and errors divided by their tolerances.
 *
 *     out = y + sum_j c_j v_j                                     (a stage's input, a step's end, dense output)
 *     v_i = err_i / (atol + rtol max(|y0_i|, |y1_i|))            (Kidger, Chen, Lyons, eq. 4 and the argument of eq. 5)
 *
 * Each input is read from memory once. Vectors are split into chunks of a fixed size, which threads share, so no result
 * depends on the number of threads. All vectors belong to the caller. */
#ifndef CST_ODE_COMBINE_H
#define CST_ODE_COMBINE_H

#include "core/real.h"
#include "ode/tableau.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CST_CHUNK = 2048,        /* entries per chunk: 8 or 16 KiB, which fit into the first-level cache */
    CST_MIN_PARALLEL = 32768 /* vectors with fewer entries are processed by the calling thread */
};

/* The sum over j < n of coefficient[j] v[j]. A zero-initialized struct is the empty sum. */
typedef struct cst_combination {
    size_t n; /* number of terms, at most CST_MAX_STAGES */
    double coefficient[CST_MAX_STAGES];
    const cst_real *v[CST_MAX_STAGES];
} cst_combination;

/* Append the term coefficient * v to the sum. A vector with coefficient 0 is never read and may be uninitialized. */
void cst_combination_add(cst_combination *sum, double coefficient, const cst_real *v);

/* to (n) += scale * from (n). If scale is 0, `from` is not read. */
void cst_add_scaled(size_t n, double scale, const cst_real *from, cst_real *to);

/* out (n) = y (n) + sum. `y` may be NULL, which stands for zeros. `out` must not overlap an input. */
void cst_combine(int threads, size_t n, const cst_real *y, const cst_combination *sum, cst_real *out);

/* The scale of a step's errors (eq. 4): SCALE_i = atol + rtol max(|y0_i|, |y1_i|). */
typedef struct cst_tolerance {
    double rtol, atol;
    const cst_real *y0, *y1; /* the states before and after the step */
} cst_tolerance;

/* v (n) = sum / SCALE for the entries first .. first + n - 1 of the whole vectors. Returns the sum of v_i^2, or
 * infinity if one of these entries of y1 is not finite. n is at most CST_CHUNK. `v` must not overlap an input. */
double cst_scale_chunk(const cst_combination *sum, const cst_tolerance *tolerance, size_t first, size_t n, cst_real *v);

/* Returns the largest |v_i| of v (n), or 0 for n = 0. Entries that are NaN are skipped. */
double cst_largest_magnitude(const cst_real *v, size_t n);

/* Returns the index of the first entry that is infinite or NaN, or n if all are finite. */
size_t cst_first_nonfinite(const cst_real *v, size_t n);

#ifdef __cplusplus
}
#endif
#endif
