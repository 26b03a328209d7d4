/* What a finished run came to: summary.json in its folder. */
#ifndef CST_TRAIN_SUMMARY_H
#define CST_TRAIN_SUMMARY_H

#include "train/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of the weights that the run results in. Numbers are NaN where there is nothing to measure. */
typedef struct cst_summary {
    double epochs, best_epoch, iterations, skipped;
    double train_loss;                           /* of the last epoch */
    double test_loss, test_accuracy;             /* of the test part, */
    double test_bits_per_dim;                    /* of a log-likelihood */
    double validation_loss, validation_accuracy; /* and of the validation part */
    double nfe[CST_N_DIRECTIONS], accepted[CST_N_DIRECTIONS], rejected[CST_N_DIRECTIONS]; /* over all of training */
    double nfe_paper; /* backward, as the paper counts: see docs/results.md */
    double products;
    double seconds, forward_seconds, backward_seconds, eval_seconds;
    double peak_memory; /* MiB, of the process so far */
} cst_summary;

/* Evaluate the trainer's weights, already the resulting ones, and add up its metrics. */
CST_MUST_CHECK cst_status cst_summary_make(cst_trainer *trainer, cst_summary *summary, cst_error *error);

/* With name, version, precision, seed, threads, number of parameters, and the counts of every ODE block. */
CST_MUST_CHECK cst_status cst_summary_write(const char *path, const cst_trainer *trainer, const cst_summary *summary,
                                            cst_error *error);

/* CST_EFORMAT if the file is no summary. */
CST_MUST_CHECK cst_status cst_summary_read(const char *path, cst_summary *summary, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
