/* Norms of a state made of blocks: what the error ratio of a step is.
 *
 * The ratio is N(err / (atol + rtol max(|y0|, |y1|))), with weights w_b and RMS_b = sqrt(mean of squares) of block b:
 *   CST_NORM_MAX_RMS   max over b of w_b RMS_b
 *   CST_NORM_RMS       sqrt(sum n_b w_b^2 RMS_b^2 / sum n_b), sums over blocks with w_b > 0
 *   CST_NORM_MAX       largest |component|, weighted
 *   CST_NORM_SLICES    the larger RMS of the first n and of the next n entries, blocks ignored
 *   CST_NORM_CALLBACK  anything */
#ifndef CST_ODE_NORM_H
#define CST_ODE_NORM_H

#include "core/real.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_block {
    const char *name; /* "z", "a_z", "a_theta": for messages */
    size_t size;      /* entries */
    double weight;    /* in the norm; 0 leaves it out */
} cst_block;

typedef enum cst_norm_kind {
    CST_NORM_MAX_RMS,
    CST_NORM_RMS,
    CST_NORM_MAX,
    CST_NORM_SLICES,
    CST_NORM_CALLBACK
} cst_norm_kind;

typedef struct cst_norm {
    cst_norm_kind kind;
    size_t slice; /* n of CST_NORM_SLICES */
    /* CST_NORM_CALLBACK: the norm of v (all blocks, one after the other), already divided by the tolerance. */
    double (*callback)(void *context, const real *v, const cst_block *blocks, size_t n_blocks);
    void *context;
} cst_norm;

#ifdef __cplusplus
}
#endif
#endif
