/* A config as a whole: what is trained, on what, and how. The keys of its root are cst_experiment_keys. */
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

extern const cst_key cst_experiment_keys[];     /* of the root, for `costate list` */
extern const cst_key cst_early_stopping_keys[]; /* of its section "early_stopping" */

/* What a failed solve, or a loss or gradient that is not finite, does to a run. */
typedef enum cst_on_failure { CST_ON_FAILURE_STOP, CST_ON_FAILURE_SKIP } cst_on_failure;

/* The value that the best weights, early stopping and a plateau go by; smaller is better, so of an accuracy it is the
 * error. AUTO: the validation part's error, or loss where the loss has no accuracy; without a validation part the training
 * loss, and then the last weights are the ones that are kept. */
typedef enum cst_monitor {
    CST_MONITOR_AUTO,
    CST_MONITOR_TRAIN_LOSS,
    CST_MONITOR_VALIDATION_LOSS,
    CST_MONITOR_VALIDATION_ACCURACY
} cst_monitor;

typedef struct cst_early_stopping {
    bool enabled;
    size_t patience; /* epochs without improvement */
    double min_delta;
} cst_early_stopping;

typedef struct cst_experiment {
    cst_config config;
    const char *name; /* the document's */
    uint64_t seed;
    int threads; /* 0 in a config: all that are available */
    size_t epochs, save_every;
    size_t trace_every;    /* iterations between two whose solves are traced; 0: none */
    double clip_grad_norm; /* 0: none */
    cst_on_failure on_failure;
    cst_monitor monitor; /* resolved: not AUTO */
    bool keep_best;      /* the weights of the best epoch, not of the last, are what a run results in */
    cst_early_stopping early_stopping;
    cst_dataset data;
    cst_module *model;
    const cst_loss *loss;
    cst_optimizer optimizer;
    cst_schedule schedule;
} cst_experiment;

/* Check everything that a document says, load the data and build the model; defaults are written into the document,
 * which must outlive the experiment. Errors: CST_ECONFIG with the place; CST_EIO and CST_EFORMAT for data. On failure
 * nothing is kept. */
CST_MUST_CHECK cst_status cst_experiment_new(cst_document *document, cst_experiment *e, cst_error *error);
/* The root's keys and the data alone; the model stays NULL and need not fit the data, or be one. */
CST_MUST_CHECK cst_status cst_experiment_load_data(cst_document *document, cst_experiment *e, cst_error *error);
void cst_experiment_clear(cst_experiment *e);

/* The batch sizes that training and evaluation come across: rows[CST_BATCH_SIZES], returns how many. */
enum { CST_BATCH_SIZES = 8 };
size_t cst_experiment_rows(const cst_experiment *e, size_t rows[CST_BATCH_SIZES]);

/* Options for the learner; `rows` as from cst_experiment_rows, and must live until it is made. */
cst_learner_options cst_experiment_learner(const cst_experiment *e, const size_t *rows, size_t n_rows);

/* Bits a dimension, where the loss is a negative log-likelihood in nats; otherwise NaN. */
double cst_experiment_bits(const cst_experiment *e, double loss);

size_t cst_experiment_iterations(const cst_experiment *e); /* in an epoch */

#ifdef __cplusplus
}
#endif
#endif
