/* The summary of a finished run, and summary.json, which holds it. */
#ifndef CST_TRAIN_SUMMARY_H
#define CST_TRAIN_SUMMARY_H

#include "train/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Losses and accuracies are those of the weights that the run results in, except train_loss. Counts and times are totals
 * over all of training. A number that cannot be measured is NaN, such as test_loss without a test split. */
typedef struct cst_summary {
    double epochs;                   /* finished */
    double best_epoch;               /* the epoch of the resulting weights, from 1 */
    double iterations, skipped;      /* successful and skipped ones */
    double train_loss;               /* mean over the last epoch */
    double test_loss, test_accuracy; /* accuracy as a fraction */
    double test_bits_per_dim;        /* test_loss in bits per dimension, if it is a negative log-likelihood */
    double validation_loss, validation_accuracy;
    /* Per direction: function evaluations, accepted and rejected steps. */
    double nfe[CST_N_DIRECTIONS], accepted[CST_N_DIRECTIONS], rejected[CST_N_DIRECTIONS];
    double nfe_paper;      /* backward evaluations as the paper counts them: see docs/results.md */
    double quadrature_nfe; /* backward evaluations with quadratures */
    double seconds, forward_seconds, backward_seconds, eval_seconds;
    double peak_memory; /* largest memory of the process so far, in MiB */
} cst_summary;

/* Evaluate the trainer's current weights on the test and validation splits, and add up its metrics. Call
 * cst_trainer_use_best before. Errors: those of cst_trainer_evaluate. */
CST_MUST_CHECK cst_status cst_summary_make(cst_trainer *trainer, cst_summary *summary, cst_error *error);

/* Write the summary as JSON, together with name, version, precision, seed, threads, the number of parameters, and the
 * counts of every ODE block. The file is replaced as a whole. Errors: CST_EIO, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_summary_write(const char *path, const cst_trainer *trainer, const cst_summary *summary,
                                            cst_error *error);

/* Read the numbers back; missing ones and null become NaN. Errors: CST_EIO; CST_ENOMEM; CST_EFORMAT if the file is no
 * summary or uses a name that has been changed. */
CST_MUST_CHECK cst_status cst_summary_read(const char *path, cst_summary *summary, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
