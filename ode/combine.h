/* The solver's arithmetic on long vectors: sums of stages, and errors divided by their tolerances. Each input is read once.
 * Vectors are split into chunks of fixed size, which threads share, so no result depends on the number of threads. */
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
    CST_CHUNK = 2048,        /* entries per chunk */
    CST_MIN_PARALLEL = 32768 /* shorter vectors are not worth waking a thread for */
};

/* sum_j coefficient[j] v[j] */
typedef struct cst_combination {
    size_t n;
    double coefficient[CST_MAX_STAGES];
    const cst_real *v[CST_MAX_STAGES];
} cst_combination;

/* Append a term; what has coefficient 0 is not read. */
void cst_combination_add(cst_combination *sum, double coefficient, const cst_real *v);

/* to += scale from; what has scale 0 is not read. */
void cst_add_scaled(size_t n, double scale, const cst_real *from, cst_real *to);

/* out = y + sum, all of length n; y NULL for 0. out is none of the inputs. */
void cst_combine(int threads, size_t n, const cst_real *y, const cst_combination *sum, cst_real *out);

/* The tolerance of entry i is atol + rtol max(|y0_i|, |y1_i|): y0 is the state before a step, y1 the state after it. */
typedef struct cst_tolerance {
    double rtol, atol;
    const cst_real *y0, *y1;
} cst_tolerance;

/* v (n) = sum / tolerance for the entries first .. first + n - 1 of the whole vectors. v is none of the inputs. Returns the
 * sum of v_i^2; it is infinite if one of these entries of y1 is not finite. Takes n <= CST_CHUNK. */
double cst_scale_chunk(const cst_combination *sum, const cst_tolerance *tolerance, size_t first, size_t n, cst_real *v);

/* The largest |v_i| of v (n), or 0 for n = 0. Entries that are NaN are skipped. */
double cst_largest_magnitude(const cst_real *v, size_t n);

/* The index of the first entry that is infinite or NaN, or n if there is none. */
size_t cst_first_nonfinite(const cst_real *v, size_t n);

#ifdef __cplusplus
}
#endif
#endif
