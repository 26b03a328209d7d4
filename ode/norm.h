/* Error norms: they turn the errors of a state's entries into one number, the error ratio of a step. A step is accepted if
 * its ratio is at most 1.
 *
 * A norm reads the scaled errors v_i = err_i / (atol + rtol max(|y0_i|, |y1_i|)), y0 and y1 being the states before and after
 * the step. The state consists of blocks. With n_b entries and the weight w_b of block b, RMS_b = sqrt(sum v_i^2 / n_b):
 *
 *   cst_norm_max_rms   max over b of w_b RMS_b
 *   cst_norm_rms       sqrt(sum w_b^2 n_b RMS_b^2 / sum n_b), both sums over the blocks with w_b > 0
 *   cst_norm_max       max over b of w_b |v_i|, i in b
 *   cst_norm_slices    the larger RMS of the first n entries and of the next n (Kidger, Chen, Lyons, the published code)
 *   cst_norm_callback  the user's function of v
 *
 * Each is one entry of the table in ode/norm.c; CONTRIBUTING.md says how to add one. */
#ifndef CST_ODE_NORM_H
#define CST_ODE_NORM_H

#include "core/real.h"
#include "ode/combine.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Consecutive entries of the state that count alike. */
typedef struct cst_block {
    const char *name; /* "z", "a_z", "a_theta": for messages and traces; must outlive the solve */
    size_t size;      /* number of entries */
    double weight;    /* in the norm; 0 leaves the block out */
} cst_block;

typedef struct cst_norm_ops cst_norm_ops;

/* A norm and its arguments. Zero-initialized it is cst_norm_max_rms. */
typedef struct cst_norm {
    const cst_norm_ops *ops; /* one of those below, or the caller's own; NULL for cst_norm_max_rms */
    size_t slice;            /* n of cst_norm_slices, at least 1 */
    /* For cst_norm_callback: returns the norm of the scaled errors v of all blocks, one block after the other. */
    double (*callback)(void *context, const cst_real *v, const cst_block *blocks, size_t n_blocks);
    void *context; /* the callback's */
} cst_norm;

/* What a norm is taken of: v = sum / (atol + rtol max(|y0|, |y1|)). All pointers are the caller's. */
typedef struct cst_scaled {
    const cst_norm *norm;
    const cst_block *blocks; /* (n_blocks), one after the other in the vectors */
    size_t n_blocks;
    double rtol, atol;
    const cst_combination *sum; /* the error */
    const cst_real *y0, *y1;
    cst_real *values; /* memory for v if the norm needs_values; as long as the state and none of the inputs */
    double *partial;  /* memory for cst_scaled_partials doubles */
    int threads;
} cst_scaled;

/* Number of doubles that cst_scaled_norm needs in `partial`. */
size_t cst_scaled_partials(const cst_block *blocks, size_t n_blocks);

/* Returns the norm. It is infinite or NaN if v or y1 has an entry that is not finite and that the norm looks at. *worst_block
 * (may be NULL) is the block with the largest share in it. */
double cst_scaled_norm(const cst_scaled *scaled, size_t *worst_block);

/* Find the entry with the largest weighted v_i^2, or the first that is not finite: its block, and its index there. Needs
 * neither `values` nor `partial`. */
void cst_scaled_worst(const cst_scaled *scaled, size_t *block, size_t *index);

/* ---- the table ----------------------------------------------------------------------------------------------- */

/* A span is what a norm sees at once: a whole block, or a part of one if the norm has a span_end. */
typedef struct cst_norm_span {
    size_t first, size; /* entries first .. first + size - 1 of the state */
    double weight;      /* of its block */
    double squares;     /* sum of v_i^2 over the span */
    double measure;     /* of the span, see cst_norm_ops.measure */
} cst_norm_span;

/* What a norm has gathered so far, zero at the beginning. Each norm uses the members that it needs. */
typedef struct cst_norm_sum {
    double largest;
    double squares[2], count[2]; /* sums of squares and numbers of entries, of up to two terms */
} cst_norm_sum;

/* One norm. The solver goes through the spans in the order of the state, on one thread; threads share a span's chunks. */
struct cst_norm_ops {
    const char *name; /* for messages */

    /* Required: add a span to *sum. Returns the span's share in the norm, by which the block that limits a step is found. */
    double (*add_span)(cst_norm_sum *sum, const cst_norm *norm, const cst_norm_span *span);
    /* Required: the norm after the last span. */
    double (*finish)(const cst_norm_sum *sum, const cst_scaled *scaled);

    /* Optional, both or none: a number computed from the n scaled errors of one chunk, such as their largest magnitude, and
     * how the numbers of two chunks are joined; join(0, x) is x. Not called for a chunk with errors that are not finite, whose
     * number is its sum of squares, infinite or NaN. NULL: cst_norm_span.measure is 0. */
    double (*measure)(const cst_real *v, size_t n);
    double (*join)(double a, double b);

    /* Optional: where the span ends that begins at `first`, above `first` and at most block_end. NULL: at block_end. */
    size_t (*span_end)(const cst_norm *norm, size_t first, size_t block_end);

    bool ignores_weights; /* spans of blocks with weight 0 are added too */
    bool needs_values;    /* finish reads v from scaled->values */
};

extern const cst_norm_ops cst_norm_max_rms, cst_norm_rms, cst_norm_max, cst_norm_slices, cst_norm_callback;
extern const cst_norm_ops *const cst_norms[]; /* all of them, ended by NULL */

#ifdef __cplusplus
}
#endif
#endif
