/* A trainer: epochs over the training split, an evaluation after each epoch, and the state that a checkpoint saves.
 *
 * Random numbers are a function of the seed and of the position in training: the order of rows depends on the epoch, and
 * dropout masks depend on the iteration. A checkpoint therefore needs no generator state. It consists of a cst_training,
 * the parameters and the optimizer's vectors, and training can be resumed from it at any iteration with the same
 * results. */
#ifndef CST_TRAIN_TRAINER_H
#define CST_TRAIN_TRAINER_H

#include "train/experiment.h"
#include "train/learner.h"
#include "train/metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sums over the iterations of the current epoch so far. */
typedef struct cst_epoch_sums {
    double loss, weight; /* sums of loss * weight and of weight over batches (cst_step) */
    double grad_norm;    /* sum of the 2-norms before clipping */
    double seconds, forward_seconds, backward_seconds;
    uint64_t targeted, correct; /* rows, as in cst_step */
    uint64_t steps, skipped;    /* successful and skipped iterations */
    cst_counts counts[CST_N_DIRECTIONS];
} cst_epoch_sums;

/* The position in training and its results so far. */
typedef struct cst_training {
    uint64_t epoch;                      /* epochs finished; also the index of the current epoch */
    uint64_t iteration;                  /* iterations done in the current epoch */
    uint64_t iterations;                 /* iterations done in all of training */
    uint64_t best_epoch;                 /* counted from 1; 0: none yet */
    uint64_t epochs_without_improvement; /* epochs since the value fell min_delta below best_for_stopping */
    uint64_t stopped;                    /* 1: early stopping has ended training; 0 otherwise */
    double best;                         /* lowest monitored value so far */
    double best_for_stopping;            /* the monitored value at the last improvement by min_delta */
    cst_schedule_state schedule;
    cst_epoch_sums sums;
    cst_metrics *metrics; /* (n_metrics): one row per finished epoch; owned */
    size_t n_metrics, metrics_capacity;
} cst_training;

/* The result of evaluating a split. */
typedef struct cst_evaluation {
    double loss, accuracy; /* NaN if the split is empty, or if the loss has no accuracy */
    double nfe;            /* forward evaluations, mean per batch */
    uint64_t rows;
    uint64_t targeted; /* rows with a target, or steps of rows if each step has one */
    uint64_t correct;  /* of these */
    uint64_t skipped;  /* rows of batches that failed */
    double seconds;
} cst_evaluation;

typedef struct cst_trainer cst_trainer;

/* Callbacks of a trainer; each may be NULL. `context` is passed to all of them. A callback that returns an error ends
 * training with it. */
typedef struct cst_trainer_events {
    void *context;
    /* Called after each iteration. */
    void (*iteration)(void *context, const cst_trainer *trainer);
    /* Called after each epoch, with its metrics. */
    cst_status (*epoch)(void *context, const cst_trainer *trainer, const cst_metrics *metrics, cst_error *error);
    /* Called when a batch has failed and is skipped; `error` says why. */
    void (*skipped)(void *context, const cst_trainer *trainer, const cst_error *error);
    /* Called when a checkpoint should be saved. */
    cst_status (*checkpoint)(void *context, const cst_trainer *trainer, cst_error *error);
    /* Called when the weights are the best so far, before the checkpoint of that epoch. */
    cst_status (*best)(void *context, const cst_trainer *trainer, cst_error *error);
    /* Polled after each iteration and each batch of an evaluation; true ends training with CST_EINTERRUPTED. */
    bool (*interrupted)(void *context);
} cst_trainer_events;

struct cst_trainer {
    const cst_experiment *experiment; /* not owned */
    cst_trainer_events events;
    cst_learner learner;
    cst_training training;
    cst_real *best;              /* (P): parameters of the best epoch; NULL unless experiment->keep_best */
    double session_start;        /* when cst_trainer_run was called */
    uint64_t session_iterations; /* done since then */
    size_t *order;               /* permutation of the rows of a split */
    /* Buffers for one batch. */
    cst_real *x, *targets;
    int32_t *labels;
};

/* Allocate everything that the experiment needs, and draw the parameters from their initial distribution. `events` may be
 * NULL and is copied. The experiment must outlive the trainer. Errors: those of cst_learner_init. On failure the trainer
 * is cleared. */
CST_MUST_CHECK cst_status cst_trainer_init(cst_trainer *trainer, const cst_experiment *experiment,
                                           const cst_trainer_events *events, cst_error *error);
/* Free all memory. A trainer that is all zeros is a no-op. */
void cst_trainer_clear(cst_trainer *trainer);

/* Train from the current position to the last epoch, or until early stopping. Errors: CST_EINTERRUPTED, after the
 * checkpoint callback; those of a failed solve, with epoch, iteration and block in the message; CST_ENONFINITE for a loss
 * or gradient that is not finite, or if every batch of an epoch was skipped; those of the callbacks; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_trainer_run(cst_trainer *trainer, cst_error *error);
/* True after the last epoch, or once early stopping has ended training. */
bool cst_trainer_finished(const cst_trainer *trainer);

/* Copy the best epoch's weights to the learner, if the experiment keeps them. A no-op before the first epoch has ended. */
void cst_trainer_use_best(cst_trainer *trainer);

/* Evaluate all rows of a split with the current weights. With on_failure "skip" a batch that fails is left out of the
 * loss, and its rows count as wrong. Errors: those of cst_learner_evaluate; CST_ENONFINITE if every batch failed;
 * CST_EINTERRUPTED. */
CST_MUST_CHECK cst_status cst_trainer_evaluate(cst_trainer *trainer, const cst_split *split, cst_evaluation *result,
                                               cst_error *error);

/* Grow training->metrics to a capacity of at least n rows. Errors: CST_ENOMEM; the rows are then unchanged. */
CST_MUST_CHECK cst_status cst_training_reserve(cst_training *training, size_t n, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
