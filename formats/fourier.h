/* The discrete Fourier transform of n real numbers, n even, in double precision:
 *     X_k = sum_j x_j e^(-2 pi i j k / n),   k = 0 .. n / 2.
 *
 * The caller provides the scratch memory. A transform therefore cannot fail, and several threads may use one plan at
 * once. The time is O(n log n) for any length; lengths whose prime factors are at most 13 are the fastest.
 *
 * Sources: W. M. Gentleman and G. Sande, "Fast Fourier Transforms: for Fun and Profit" (1966), in the self-sorting
 * order of Stockham; L. I. Bluestein, "A linear filtering approach to the computation of discrete Fourier transform"
 * (1970) for lengths with larger prime factors. */
#ifndef CST_FORMATS_FOURIER_H
#define CST_FORMATS_FOURIER_H

#include "core/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A plan: the roots of unity and the factors of one length. It does not change after cst_fourier_new. */
typedef struct cst_fourier cst_fourier;

/* Make a plan for length n, which is even and from 2 to 2^28. *fourier is NULL on failure. Errors: CST_EARG for
 * another n, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_fourier_new(size_t n, cst_fourier **fourier, cst_error *error);
/* Free a plan. NULL is fine. */
void cst_fourier_free(cst_fourier *fourier);

/* Returns the number of doubles of scratch memory that a transform needs. */
size_t cst_fourier_work(const cst_fourier *fourier);

/* Compute the power spectrum of x (n): power[k] = |X_k|^2 for k = 0 .. n / 2, so that power has n / 2 + 1 entries.
 * `work` is scratch memory that overlaps neither x nor power. */
void cst_fourier_power(const cst_fourier *fourier, const double *x, double *work, double *power);

#ifdef __cplusplus
}
#endif
#endif
