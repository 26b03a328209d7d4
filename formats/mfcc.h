/* Mel-frequency cepstral coefficients of sound: (frames, n_mfcc) numbers from a clip's samples, in double precision.
 *
 * Frame f is the n_fft samples around sample f hop, the clip continued at both ends by its mirror image without the end
 * itself. It is multiplied with a Hann window w_j = (1 - cos(2 pi j / n_fft)) / 2, and P_k = |sum_j w_j x_j
 * e^(-2 pi i j k / n_fft)|^2, k = 0 .. n_fft / 2, is its power spectrum. Filter m is a triangle over frequencies: 0 at c_m,
 * 1 at c_{m+1}, 0 at c_{m+2}, where c_0 .. c_{n_mels + 1} lie at equal distances from 0 to rate / 2 on the mel scale of HTK,
 * mel(f) = 2595 log10(1 + f / 700). With E_m the sum of P_k by filter m and L_m = log(E_m + log_offset),
 *     y_c = s_c sum_m L_m cos(pi c (m + 1/2) / n_mels),   s_0 = sqrt(1 / n_mels), s_c = sqrt(2 / n_mels):
 * an orthonormal DCT-II of the logarithms, of which the first n_mfcc are kept.
 *
 * Source: torchaudio's transforms.MFCC with log_mels, norm "ortho" and mel filters without normalization, whose reference
 * cases agree to rounding; its offset is 1e-6. As there, an odd rate's half is rounded down, and a filter so narrow that it
 * lies between two frequencies has E_m = 0. That is no mistake, some of the paper's are so; cst_mfcc_empty_filters counts
 * them. */
#ifndef CST_FORMATS_MFCC_H
#define CST_FORMATS_MFCC_H

#include "core/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_mfcc_options {
    size_t n_fft;      /* samples of a window, even, up to 2^20 */
    size_t hop;        /* samples from a frame to the next */
    size_t n_mels;     /* filters, up to 2^12 */
    size_t n_mfcc;     /* coefficients, at most n_mels */
    double log_offset; /* positive */
} cst_mfcc_options;

/* The paper's: 200, 100, 64, 20, 1e-6. */
extern const cst_mfcc_options cst_mfcc_defaults;

/* Window, filters and transforms for one set of options and one rate. It does not change. */
typedef struct cst_mfcc cst_mfcc;

/* For samples at `rate` a second. CST_EARG naming the option that is out of range, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_mfcc_new(const cst_mfcc_options *options, size_t rate, cst_mfcc **mfcc, cst_error *error);
void cst_mfcc_free(cst_mfcc *mfcc); /* NULL is fine */

/* Filters that catch none of the frequencies k rate / n_fft. */
size_t cst_mfcc_empty_filters(const cst_mfcc *mfcc);

/* Frames of n samples: 1 + floor(n / hop), or 0 if the clip is too short to be mirrored, n <= n_fft / 2. */
size_t cst_mfcc_frames(const cst_mfcc *mfcc, size_t n);

/* y (frames, n_mfcc) from samples (n). By any number of threads at once; the same samples give the same bits. CST_EARG for
 * a clip too short to be mirrored, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_mfcc_compute(const cst_mfcc *mfcc, const double *samples, size_t n, double *y,
                                           cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
