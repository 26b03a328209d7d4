/* Losses, mean over all their terms as PyTorch's, with their gradients; and the accuracy.
 *
 * scores x (N, D), N and D at least 1. Targets: cross_entropy labels (N) in 0 .. D-1; mse, l1, bce_with_logits values
 * (N, D). A label of -1 and a value of NaN stand for one that is not there, as behind the end of a series: the mean is over
 * those that are, whatever the score of the others, whose gradient is 0; without any the loss is 0. Sums are made in double.
 * Another label out of range is not followed: it makes the loss NaN.
 *
 *   cross_entropy     -log softmax(x)[label], mean over rows; correct: the first of the largest scores is the label's
 *   mse, l1           (x - target)^2, |x - target|, mean over entries; at the kink the gradient is 0
 *   bce_with_logits   -target log sigmoid(x) - (1 - target) log(1 - sigmoid(x)), mean over entries; correct: rows all
 *                     of whose logits are positive where the target is at least 1/2, and not elsewhere
 *
 *   nll               no targets: x is the model's log-likelihood of a row, in nats, and penalties behind it if it has any
 *                     (models/flow.h): -x_0 + x_1 + ..., mean over rows
 *
 * A row with a NaN score is never correct, and neither is one of whose targets none is there. */
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

typedef struct cst_targets {
    const int32_t *labels;  /* (N), or NULL */
    const cst_real *values; /* (N, D), or NULL */
} cst_targets;

/* What is there of them: terms of the loss, and rows that have one at least, which are those that can be correct. */
typedef struct cst_target_count {
    size_t terms, rows;
} cst_target_count;

typedef struct cst_loss {
    const char *name;
    bool labels; /* wants labels; values otherwise */
    /* *value = the mean loss; gx (N, D), unless NULL, its gradient. */
    void (*evaluate)(size_t n, size_t d, const cst_real *x, cst_targets targets, double *value, cst_real *gx);
    /* Rows that the scores get right (largest score is the label's; sign of the logit); NULL: no accuracy. */
    size_t (*count_correct)(size_t n, size_t d, const cst_real *x, cst_targets targets);
    const char *summary;   /* one line for `costate list` */
    bool needs_no_targets; /* wants no targets at all */
} cst_loss;

extern const cst_loss *const cst_losses[];       /* ended by NULL */
const cst_loss *cst_loss_find(const char *name); /* NULL if unknown */

cst_target_count cst_loss_count_targets(const cst_loss *loss, size_t n, size_t d, cst_targets targets);

#ifdef __cplusplus
}
#endif
#endif
