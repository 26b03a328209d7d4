/* Metrics: one row of numbers per epoch, and metrics.csv, which holds these rows. */
#ifndef CST_TRAIN_METRICS_H
#define CST_TRAIN_METRICS_H

#include "core/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The columns, in the order of the file. NaN means "not measured" and is an empty field in the file. Numbers of function
 * evaluations (nfe) and of rejected steps are summed over all ODE blocks and are means per iteration. Seconds are totals
 * of the epoch; `seconds` includes the evaluation, whose own time is eval_seconds. */
#define CST_METRICS_LIST(X)                                                                                            \
    X(epoch)                                                                                                           \
    X(iterations) /* of the epoch, without skipped ones */                                                             \
    X(lr)         /* of its last iteration */                                                                          \
    X(train_loss) /* mean over the epoch's rows, each at the weights of its iteration */                               \
    X(train_accuracy)                                                                                                  \
    X(validation_loss)                                                                                                 \
    X(validation_accuracy)                                                                                             \
    X(test_loss)                                                                                                       \
    X(test_accuracy)                                                                                                   \
    X(grad_norm) /* mean 2-norm before clipping */                                                                     \
    X(forward_nfe)                                                                                                     \
    X(backward_nfe)                                                                                                    \
    X(forward_rejected)                                                                                                \
    X(backward_rejected)                                                                                               \
    X(backward_quadrature_nfe) /* evaluations with quadratures */                                                      \
    X(eval_nfe)                /* forward, mean per batch of the evaluation */                                         \
    X(skipped)                 /* iterations that failed, with on_failure "skip" */                                    \
    X(seconds)                                                                                                         \
    X(forward_seconds)                                                                                                 \
    X(backward_seconds)                                                                                                \
    X(eval_seconds)

/* One row: a double per column. */
typedef struct cst_metrics {
#define X(name) double name;
    CST_METRICS_LIST(X)
#undef X
} cst_metrics;

enum { CST_N_METRICS = sizeof(cst_metrics) / sizeof(double) };

extern const char *const cst_metric_names[]; /* (CST_N_METRICS), ended by NULL */

/* Write a header line and n rows. The file is replaced as a whole. Errors: CST_EIO, CST_ENOMEM; the old file, if it
 * exists, is then unchanged. */
CST_MUST_CHECK cst_status cst_metrics_write(const char *path, const cst_metrics *rows, size_t n, cst_error *error);

/* Read such a file. *rows (n) is allocated: free it with free(). Columns may be in any order. Unknown columns are
 * ignored, and missing ones become NaN. Errors: CST_EIO; CST_ENOMEM; CST_EFORMAT naming the line, or a column that has
 * been renamed. On failure *rows is NULL. */
CST_MUST_CHECK cst_status cst_metrics_read(const char *path, cst_metrics **rows, size_t *n, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
