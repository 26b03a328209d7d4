/* Error norms, the paper's subject (Kidger, Chen, Lyons, section 2). A norm turns the errors of all entries of the
 * state into one number, the error ratio r of a step. The step is accepted if r <= 1. The paper's equations, and their
 * names here:
 *
 *   (4)  SCALE = ATOL + RTOL max(y, y_candidate)   atol + rtol max(|y0_i|, |y1_i|); y0, y1: before and after the step
 *   (5)  r = || y_err / SCALE ||                   the norm of v, v_i = err_i / SCALE_i
 *
 * The state consists of blocks. RMS_b = sqrt(sum v_i^2 / n_b) for block b with n_b entries (paper, appendix A), and w_b
 * is its weight. A weight of 0 makes the norm a seminorm:
 *
 *   cst_norm_max_rms   max over b of w_b RMS_b
 *   cst_norm_rms       sqrt(sum w_b^2 n_b RMS_b^2 / sum n_b), both sums over the blocks with w_b > 0
 *   cst_norm_max       max over b of w_b |v_i|, i in b
 *   cst_norm_slices    the larger RMS of the first n entries and of the next n (the code that the paper published)
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

/* Consecutive entries of the state with one weight in the norm. */
typedef struct cst_block {
    const char *name; /* "z", "a_z", "a_theta": for messages and traces; must outlive the solve */
    size_t size;      /* number of entries */
    double weight;    /* in the norm; 0 leaves the block out */
} cst_block;

typedef struct cst_norm_ops cst_norm_ops;

/* A norm and its arguments. A zero-initialized struct is cst_norm_max_rms. */
typedef struct cst_norm {
    const cst_norm_ops *ops; /* one of those below, or the caller's own; NULL for cst_norm_max_rms */
    size_t slice;            /* n of cst_norm_slices, at least 1 */
    /* For cst_norm_callback: returns the norm of the scaled errors v of all blocks, one block after the other. */
    double (*callback)(void *context, const cst_real *v, const cst_block *blocks, size_t n_blocks);
    void *context; /* first argument of callback; may be NULL */
} cst_norm;

/* The arguments of a norm: v = sum / (atol + rtol max(|y0|, |y1|)). All pointers belong to the caller. */
typedef struct cst_scaled {
    const cst_norm *norm;
    const cst_block *blocks; /* (n_blocks), one after the other in the vectors */
    size_t n_blocks;
    double rtol, atol;
    const cst_combination *sum; /* the error */
    const cst_real *y0, *y1;
    /* Memory for v (the size of the state); used only by a norm that needs_values; must not overlap an input. */
    cst_real *values;
    double *partial; /* memory for cst_scaled_partials doubles, as scratch */
    int threads;
} cst_scaled;

/* Returns the number of doubles that cst_scaled_norm needs in `partial`. */
size_t cst_scaled_partials(const cst_block *blocks, size_t n_blocks);

/* Returns the norm (eq. 5). It is infinite or NaN if v or y1 has a non-finite entry in a block that the norm reads.
 * *worst_block (may be NULL) is the index of the block with the largest share in it. */
double cst_scaled_norm(const cst_scaled *scaled, size_t *worst_block);

/* Find the entry with the largest w_b v_i^2, or the first whose v_i or y1_i is not finite. *block is its block, and
 * *index its index in that block. The members `values` and `partial` are not used and may be NULL. */
void cst_scaled_worst(const cst_scaled *scaled, size_t *block, size_t *index);

/* ---- the table, for those who add a norm ------------------------------------------------------------------------- */

/* The part of the state that a norm gets in one call: a whole block, or a part of one if the norm has a span_end. */
typedef struct cst_norm_span {
    size_t first, size; /* entries first .. first + size - 1 of the state */
    double weight;      /* of its block */
    double squares;     /* sum of v_i^2 over the span */
    double measure;     /* number computed by cst_norm_ops.measure from the whole span */
} cst_norm_span;

/* The sums of a norm over the spans so far. They start at zero. Each norm uses the members that it needs. */
typedef struct cst_norm_sum {
    double largest;
    double squares[2], count[2]; /* sums of squares and numbers of entries, of up to two terms */
} cst_norm_sum;

/* One norm. The solver goes through the spans in the order of the state, on one thread; threads share a span's
 * chunks. */
struct cst_norm_ops {
    const char *name; /* for messages */

    /* Required: add a span to *sum. Returns the span's share in the norm, by which the block that limits a step is
     * found. */
    double (*add_span)(cst_norm_sum *sum, const cst_norm *norm, const cst_norm_span *span);
    /* Required: the norm after the last span. */
    double (*finish)(const cst_norm_sum *sum, const cst_scaled *scaled);

    /* Optional; a norm has both or neither. `measure` computes a number from the n scaled errors of one chunk, such as
     * their largest magnitude. `join` combines the numbers of two chunks; join(0, x) must be x. A chunk with a
     * non-finite error is not measured; its number is its sum of squares, infinite or NaN. NULL: cst_norm_span.measure
     * is 0. */
    double (*measure)(const cst_real *v, size_t n);
    double (*join)(double a, double b);

    /* Optional: returns the end of the span that begins at `first`. The end is larger than `first` and at most
     * block_end. If the member is NULL, spans are whole blocks. */
    size_t (*span_end)(const cst_norm *norm, size_t first, size_t block_end);

    bool ignores_weights; /* spans of blocks with weight 0 are added too */
    bool needs_values;    /* finish reads v from scaled->values */
};

extern const cst_norm_ops cst_norm_max_rms, cst_norm_rms, cst_norm_max, cst_norm_slices, cst_norm_callback;
extern const cst_norm_ops *const cst_norms[]; /* all norms; the last element is NULL */

#ifdef __cplusplus
}
#endif
#endif
