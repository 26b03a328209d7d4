/* An experiment: a whole config, read and checked. It says what is trained, on which data, and how. */
#ifndef CST_TRAIN_EXPERIMENT_H
#define CST_TRAIN_EXPERIMENT_H

#include "core/config.h"
#include "core/module.h"
#include "datasets/dataset.h"
#include "train/learner.h"
#include "train/loss.h"
#include "train/optimizer.h"
#include "train/schedule.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const cst_key cst_experiment_keys[];     /* keys of a config's root, ended by a NULL name */
extern const cst_key cst_early_stopping_keys[]; /* keys of its section "early_stopping", ended in the same way */

/* What happens after a failed solve, or a loss or gradient that is not finite: the run ends, or the batch is skipped. */
typedef enum cst_on_failure { CST_ON_FAILURE_STOP, CST_ON_FAILURE_SKIP } cst_on_failure;

/* The value that decides about best weights, early stopping and the plateau schedule. Smaller is better; for an accuracy
 * the value is 1 - accuracy. AUTO takes the validation accuracy; the validation loss if the loss has no accuracy; and
 * the training loss if the validation split is empty. In the last case the run results in its last weights. */
typedef enum cst_monitor {
    CST_MONITOR_AUTO,
    CST_MONITOR_TRAIN_LOSS,
    CST_MONITOR_VALIDATION_LOSS,
    CST_MONITOR_VALIDATION_ACCURACY
} cst_monitor;

/* Stop once the monitored value has not improved by more than min_delta for `patience` epochs. */
typedef struct cst_early_stopping {
    bool enabled;
    size_t patience; /* epochs */
    double min_delta;
} cst_early_stopping;

typedef struct cst_experiment {
    cst_config config; /* root of the document */
    const char *name;  /* owned by the document */
    uint64_t seed;
    int threads; /* resolved: at least 1. A config's 0 means one per processor. */
    size_t epochs;
    size_t save_every;     /* epochs between checkpoints; 0: only one at the end */
    size_t trace_every;    /* solves are traced in iterations 0, trace_every, 2 trace_every, ...; 0: never */
    double clip_grad_norm; /* largest 2-norm of the gradient; 0: no clipping */
    cst_on_failure on_failure;
    cst_monitor monitor; /* resolved: never AUTO */
    bool keep_best;      /* true: the run results in the weights of the best epoch; false: in those of the last */
    cst_early_stopping early_stopping;
    cst_dataset data;
    cst_module *model;    /* owned */
    const cst_loss *loss; /* one of cst_losses */
    cst_optimizer optimizer;
    cst_schedule schedule;
} cst_experiment;

/* Check everything that the document says, load the data and build the model. Defaults are written into the document,
 * which must outlive the experiment. Errors: CST_ECONFIG with the place in the config; CST_EIO and CST_EFORMAT for the
 * data; CST_ENOMEM. On failure the experiment is cleared. */
CST_MUST_CHECK cst_status cst_experiment_new(cst_document *document, cst_experiment *e, cst_error *error);

/* Read the root's keys and load the data, but build no model: `model` stays NULL, and its section is not checked.
 * Errors are those of cst_experiment_new. On failure the experiment is cleared. */
CST_MUST_CHECK cst_status cst_experiment_load_data(cst_document *document, cst_experiment *e, cst_error *error);

/* Free the model and the data. An experiment that is all zeros is a no-op. */
void cst_experiment_clear(cst_experiment *e);

/* Set `rows` to all batch sizes that occur in training and evaluation, the smaller last batches included. Returns how
 * many there are. Sizes may repeat. */
enum { CST_BATCH_SIZES = 8 };
size_t cst_experiment_rows(const cst_experiment *e, size_t rows[CST_BATCH_SIZES]);

/* Options for a learner of this experiment. `rows` (n_rows) comes from cst_experiment_rows. It is not copied: it and
 * the experiment must live until cst_learner_init has returned. */
cst_learner_options cst_experiment_learner(const cst_experiment *e, const size_t *rows, size_t n_rows);

/* A loss in nats as bits per dimension: loss / (d log 2), where d is the size of a row of x. NaN unless the loss is a
 * negative log-likelihood (nll). */
double cst_experiment_bits(const cst_experiment *e, double loss);

/* Iterations per epoch: the number of training rows divided by the batch size, rounded up. */
size_t cst_experiment_iterations(const cst_experiment *e);

#ifdef __cplusplus
}
#endif
#endif
