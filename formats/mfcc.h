/* Mel-frequency cepstral coefficients (MFCC) of sound, in double precision: an array (frames, n_mfcc) from the
 * samples of a clip.
 *
 *  1. Frame f is the n_fft samples around sample f hop. At both ends the clip is continued by its mirror image, without
 *     repeating the last sample. Each frame is multiplied by a Hann window w_j = (1 - cos(2 pi j / n_fft)) / 2.
 *  2. Its power spectrum is P_k = |sum_j w_j x_j e^(-2 pi i j k / n_fft)|^2 for k = 0 .. n_fft / 2.
 *  3. Filter m is a triangle over frequencies that is 0 at c_m, 1 at c_{m+1} and 0 at c_{m+2}. The corners c_0 ..
 *     c_{n_mels + 1} are equidistant from 0 to rate / 2 on HTK's mel scale, mel(f) = 2595 log10(1 + f / 700). E_m is the
 *     sum of the P_k weighted by filter m, and L_m = log(E_m + log_offset).
 *  4. The coefficients are the first n_mfcc of an orthonormal DCT-II of the logarithms:
 *         y_c = s_c sum_m L_m cos(pi c (m + 1/2) / n_mels),   s_0 = sqrt(1 / n_mels), s_c = sqrt(2 / n_mels).
 *
 * Source: torchaudio's transforms.MFCC with log_mels, norm "ortho" and mel filters without normalization. Results agree
 * with torchaudio's reference cases up to rounding; its log_offset is 1e-6. As in torchaudio, half of an odd rate is
 * rounded down, and a filter that lies between two neighbouring frequencies of the spectrum has E_m = 0. The paper's
 * configuration has such filters; cst_mfcc_empty_filters counts them. */
#ifndef CST_FORMATS_MFCC_H
#define CST_FORMATS_MFCC_H

#include "core/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sizes and constants of the transform. */
typedef struct cst_mfcc_options {
    size_t n_fft;      /* samples per window: even, 2 to 2^20 */
    size_t hop;        /* samples from one frame to the next, at least 1 */
    size_t n_mels;     /* number of filters, 1 to 2^12 */
    size_t n_mfcc;     /* number of coefficients per frame, 1 to n_mels */
    double log_offset; /* added to the energies before the logarithm; positive and finite */
} cst_mfcc_options;

/* The values for Speech Commands in the paper: 200, 100, 64, 20, 1e-6. */
extern const cst_mfcc_options cst_mfcc_defaults;

/* A plan: window, filters and transforms for one set of options and one sample rate. It does not change after
 * cst_mfcc_new. */
typedef struct cst_mfcc cst_mfcc;

/* Make a plan for `rate` samples per second. The options are copied. *mfcc is NULL on failure. Errors: CST_EARG,
 * which names the option that is out of range; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_mfcc_new(const cst_mfcc_options *options, size_t rate, cst_mfcc **mfcc, cst_error *error);
/* Free a plan. NULL is fine. */
void cst_mfcc_free(cst_mfcc *mfcc);

/* Returns the number of filters that contain none of the frequencies k rate / n_fft. The energy of such a filter is
 * 0. */
size_t cst_mfcc_empty_filters(const cst_mfcc *mfcc);

/* Returns the number of frames of n samples: 1 + floor(n / hop), or 0 if the clip is too short to be mirrored (n <=
 * n_fft / 2). */
size_t cst_mfcc_frames(const cst_mfcc *mfcc, size_t n);

/* Compute y (frames, n_mfcc) from samples (n). Several threads may use one plan at once, and equal samples give
 * equal bits. Errors: CST_EARG if the clip is too short to be mirrored; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_mfcc_compute(const cst_mfcc *mfcc, const double *samples, size_t n, double *y,
                                           cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
