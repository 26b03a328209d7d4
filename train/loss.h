/* Losses with their gradients, and the accuracy.
 *
 * All losses are means over their terms, as PyTorch's are. Scores x (N, D) have N >= 1 and D >= 1. Sums are computed in
 * double precision.
 *
 *   cross_entropy     labels (N) in 0 .. D-1: -log softmax(x)[label], mean over rows.
 *                     Correct: the first of the largest scores is the label's.
 *   mse, l1           values (N, D): (x - target)^2 and |x - target|, mean over entries. At the kink of l1 the gradient
 *                     is 0. No accuracy.
 *   bce_with_logits   values (N, D): -target log sigmoid(x) - (1 - target) log(1 - sigmoid(x)), mean over entries.
 *                     Correct: all logits of the row are positive exactly where the target is at least 1/2.
 *   nll               no targets: x_0 is the model's log-likelihood of a row in nats, and x_1 .. x_{D-1} are penalties,
 *                     if the model has any (models/flow.h): -x_0 + x_1 + ..., mean over rows. No accuracy.
 *
 * Missing targets: a label of -1 and a value of NaN mean "no target", as after the end of a series. The mean is over the
 * terms that have a target; the score of the others does not matter, and their gradient is 0. Without any target the
 * loss is 0. Any other label outside 0 .. D-1 makes the loss NaN; nothing is read out of bounds.
 *
 * A row with a NaN score is never correct, and neither is a row without any target. */
#ifndef CST_TRAIN_LOSS_H
#define CST_TRAIN_LOSS_H

#include "core/real.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Targets of N rows, not owned. The loss decides which of the two it reads. */
typedef struct cst_targets {
    const int32_t *labels;  /* (N); may be NULL if the loss wants values or nothing */
    const cst_real *values; /* (N, D); may be NULL if the loss wants labels or nothing */
} cst_targets;

typedef struct cst_target_count {
    size_t terms; /* terms of the loss that have a target */
    size_t rows;  /* rows with at least one such term: only these can be correct */
} cst_target_count;

typedef struct cst_loss {
    const char *name;
    bool labels; /* true: reads labels; false: reads values */
    /* *value = the mean loss; gx (N, D) = its gradient. gx may be NULL: not needed. */
    void (*evaluate)(size_t n, size_t d, const cst_real *x, cst_targets targets, double *value, cst_real *gx);
    /* The number of correct rows. NULL: the loss has no accuracy. */
    size_t (*count_correct)(size_t n, size_t d, const cst_real *x, cst_targets targets);
    const char *summary;   /* one line for `costate list` */
    bool needs_no_targets; /* true: reads neither labels nor values */
} cst_loss;

extern const cst_loss *const cst_losses[]; /* all losses, ended by NULL */

/* The loss of this name, or NULL. */
const cst_loss *cst_loss_find(const char *name);

/* Count the targets that are not missing among N rows of D scores. */
cst_target_count cst_loss_count_targets(const cst_loss *loss, size_t n, size_t d, cst_targets targets);

#ifdef __cplusplus
}
#endif
#endif
