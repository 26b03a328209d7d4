/* The discrete Fourier transform of n real numbers, n even, in double precision:
 *     X_k = sum_j x_j e^(-2 pi i j k / n),   k = 0 .. n / 2.
 *
 * Memory is the caller's, so that a transform cannot fail and one plan serves any number of threads at once. The time is
 * O(n log n) at any length; lengths whose prime factors are at most 13 are the fast ones.
 *
 * Sources: W. M. Gentleman and G. Sande, "Fast Fourier Transforms: for Fun and Profit" (1966), in the self-sorting order of
 * Stockham; L. I. Bluestein, "A linear filtering approach to the computation of discrete Fourier transform" (1970) for
 * lengths with larger prime factors. */
#ifndef CST_FORMATS_FOURIER_H
#define CST_FORMATS_FOURIER_H

#include "core/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Roots of unity and factors for one length. It does not change. */
typedef struct cst_fourier cst_fourier;

/* n: even, from 2 to 2^28. CST_EARG, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_fourier_new(size_t n, cst_fourier **fourier, cst_error *error);
void cst_fourier_free(cst_fourier *fourier); /* NULL is fine */

/* How many doubles of work a transform needs. */
size_t cst_fourier_work(const cst_fourier *fourier);

/* power (n / 2 + 1) = |X_k|^2 of x (n). The work may not overlap x or power; what it holds before does not matter. */
void cst_fourier_power(const cst_fourier *fourier, const double *x, double *work, double *power);

#ifdef __cplusplus
}
#endif
#endif
