/* One row of metrics an epoch, and metrics.csv made of them. */
#ifndef CST_TRAIN_METRICS_H
#define CST_TRAIN_METRICS_H

#include "core/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The columns. NaN stands for "not measured", an empty field in the file. Counts of evaluations and steps are means an
 * iteration, over all ODE blocks; seconds are the epoch's. */
#define CST_METRICS_LIST(X)                                                                                            \
    X(epoch)                                                                                                           \
    X(iterations) /* of the epoch in which something was learnt */                                                     \
    X(lr)         /* of its last iteration */                                                                          \
    X(train_loss) /* mean over the epoch's rows, as they were met */                                                   \
    X(train_accuracy)                                                                                                  \
    X(validation_loss)                                                                                                 \
    X(validation_accuracy)                                                                                             \
    X(test_loss)                                                                                                       \
    X(test_accuracy)                                                                                                   \
    X(grad_norm)                                                                                                       \
    X(forward_nfe)                                                                                                     \
    X(backward_nfe)                                                                                                    \
    X(forward_rejected)                                                                                                \
    X(backward_rejected)                                                                                               \
    X(backward_products)                                                                                               \
    X(eval_nfe) /* a batch of the evaluation */                                                                        \
    X(skipped)  /* batches that failed, under on_failure "skip" */                                                     \
    X(seconds)                                                                                                         \
    X(forward_seconds)                                                                                                 \
    X(backward_seconds)                                                                                                \
    X(eval_seconds)

typedef struct cst_metrics {
#define X(name) double name;
    CST_METRICS_LIST(X)
#undef X
} cst_metrics;

enum { CST_N_METRICS = sizeof(cst_metrics) / sizeof(double) };

extern const char *const cst_metric_names[]; /* CST_N_METRICS of them, then NULL */

/* Replace the file by a header line and a row for each. */
CST_MUST_CHECK cst_status cst_metrics_write(const char *path, const cst_metrics *rows, size_t n, cst_error *error);

/* Read such a file: rows allocated, to be freed with free(). Columns may be in any order; those that are unknown are
 * ignored and those not there NaN. CST_EIO, CST_ENOMEM; CST_EFORMAT naming the line, or a column that has another name now. */
CST_MUST_CHECK cst_status cst_metrics_read(const char *path, cst_metrics **rows, size_t *n, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
