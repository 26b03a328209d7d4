/* Training: epochs over the training split, evaluation after each, and all that has to be known to go on later.
 *
 * Everything random is a function of the seed and of where training stands: the order of rows depends on the epoch, the
 * dropout masks on the iteration. A cst_training with the parameters and what the optimizer remembers is therefore all that
 * a checkpoint needs, and training resumed from one, at any iteration, does what it would have done. */
#ifndef CST_TRAIN_TRAINER_H
#define CST_TRAIN_TRAINER_H

#include "train/experiment.h"
#include "train/learner.h"
#include "train/metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sums over the iterations of the epoch so far. */
typedef struct cst_epoch_sums {
    double loss, weight; /* of its batches (cst_step), and the loss times that */
    double grad_norm;
    double seconds, forward_seconds, backward_seconds;
    uint64_t targeted, correct, steps, skipped;
    cst_counts counts[CST_N_DIRECTIONS];
} cst_epoch_sums;

typedef struct cst_training {
    uint64_t epoch;                      /* finished; the one being done */
    uint64_t iteration;                  /* done of it */
    uint64_t iterations;                 /* done in all */
    uint64_t best_epoch;                 /* from 1; 0: none yet */
    uint64_t epochs_without_improvement; /* epochs since the monitored value got better by min_delta */
    uint64_t stopped;                    /* 1: by early stopping */
    double best;                         /* lowest monitored value */
    double best_for_stopping;            /* what early stopping compares with */
    cst_schedule_state schedule;
    cst_epoch_sums sums;
    cst_metrics *metrics; /* of the epochs finished */
    size_t n_metrics, metrics_capacity;
} cst_training;

/* What a part was evaluated to. */
typedef struct cst_evaluation {
    double loss, accuracy;                     /* NaN where there is none */
    double nfe;                                /* forward, a batch */
    uint64_t rows, targeted, correct, skipped; /* rows; steps of them where each has a target; correct ones; rows */
    double seconds;
} cst_evaluation;

typedef struct cst_trainer cst_trainer;

/* Whom a trainer reports to; any of the functions may be NULL. */
typedef struct cst_trainer_events {
    void *context;
    void (*iteration)(void *context, const cst_trainer *trainer); /* after each */
    /* An epoch has ended; a failure ends training with it, as one of the next two does. */
    cst_status (*epoch)(void *context, const cst_trainer *trainer, const cst_metrics *metrics, cst_error *error);
    void (*skipped)(void *context, const cst_trainer *trainer, const cst_error *error);
    /* A moment to save everything. */
    cst_status (*checkpoint)(void *context, const cst_trainer *trainer, cst_error *error);
    /* The weights are the best so far. Called before the checkpoint of that epoch. */
    cst_status (*best)(void *context, const cst_trainer *trainer, cst_error *error);
    bool (*interrupted)(
        void
            *context); /* asked after each iteration and each batch of an evaluation: true ends with CST_EINTERRUPTED */
} cst_trainer_events;

struct cst_trainer {
    const cst_experiment *experiment;
    cst_trainer_events events;
    cst_learner learner;
    cst_training training;
    cst_real *best; /* parameters of the best epoch, if the experiment keeps them */
    double session_start;
    uint64_t session_iterations; /* done since then */
    /* Buffers for a batch. */
    size_t *order;
    cst_real *x, *targets;
    int32_t *labels;
};

/* Everything for the experiment, allocated at once; parameters from their initial distribution. `events` may be NULL.
 * The experiment must outlive the trainer. */
CST_MUST_CHECK cst_status cst_trainer_init(cst_trainer *trainer, const cst_experiment *experiment,
                                           const cst_trainer_events *events, cst_error *error);
void cst_trainer_clear(cst_trainer *trainer);

/* Train from where it stands to the last epoch, or until early stopping. CST_EINTERRUPTED after a checkpoint at that
 * iteration; failures of solves with epoch and iteration before their message. */
CST_MUST_CHECK cst_status cst_trainer_run(cst_trainer *trainer, cst_error *error);
bool cst_trainer_finished(const cst_trainer *trainer);

/* Make the weights that the experiment results in current: those of the best epoch, if it keeps them. */
void cst_trainer_use_best(cst_trainer *trainer);

/* Evaluate all rows of a part with the current weights. Under on_failure "skip" a batch whose solve fails is left out of
 * the loss and counts as wrong; a part all of whose batches fail is a failure. */
CST_MUST_CHECK cst_status cst_trainer_evaluate(cst_trainer *trainer, const cst_split *split, cst_evaluation *result,
                                               cst_error *error);

/* Room for n rows of metrics in all. */
CST_MUST_CHECK cst_status cst_training_reserve(cst_training *training, size_t n, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
