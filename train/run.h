/* A run: one experiment trained in a folder of its own.
 *
 *   config.json             the config with all defaults written out
 *   log.txt                 the log, one line per epoch and event, with times in UTC
 *   metrics.csv             one row per epoch (train/metrics.h)
 *   checkpoint.safetensors  the state of training, to resume from (train/checkpoint.h)
 *   model.safetensors       the weights that the run results in
 *   summary.json            the final result, once training has ended (train/summary.h)
 *   trace.csv               solver steps (train/trace.h), only if the config sets trace_every
 *
 * Every file except log and trace is replaced as a whole. A run that crashes at any moment therefore leaves files that
 * can be read. */
#ifndef CST_TRAIN_RUN_H
#define CST_TRAIN_RUN_H

#include "train/summary.h"
#include "train/trainer.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Callbacks of a run; each may be NULL. `context` is passed to all of them. */
typedef struct cst_run_events {
    void *context;
    /* Called with each line that is added to the log, without its time and newline. */
    void (*line)(void *context, const char *text);
    /* Called after each training iteration. */
    void (*iteration)(void *context, const cst_trainer *trainer);
    /* Polled after each iteration and each batch of an evaluation. If it returns true, the run saves a checkpoint and
     * ends with CST_EINTERRUPTED. */
    bool (*interrupted)(void *context);
} cst_run_events;

typedef enum cst_run_mode {
    CST_RUN_NEW,    /* the folder must be missing or empty */
    CST_RUN_RESUME, /* continue from the folder's checkpoint; start from the beginning if it has none */
    CST_RUN_OPEN    /* load the weights of a finished run; nothing is written */
} cst_run_mode;

typedef struct cst_run_paths cst_run_paths; /* of the folder's files: train/run_folder.h */

typedef struct cst_run {
    char *folder; /* part of `paths` */
    cst_run_paths *paths;
    cst_experiment experiment;
    cst_trainer trainer;
    cst_run_events events;
    FILE *log;   /* NULL until training begins */
    FILE *trace; /* NULL if nothing is traced */
    int lock;    /* on the folder; -1 if it is not locked */
} cst_run;

/* Check the whole config, load the data, build the model and allocate the trainer. The folder is read; nothing is
 * written. `document` and `folder` name the config and the run's folder; `document` must outlive the run. `events` may
 * be NULL and is copied.
 *
 * A run that is resumed must have the config that it began with, except for the root's keys name, threads, epochs and
 * save_every. With `threads` 0 it uses as many threads as its checkpoint was saved with.
 *
 * Errors: those of cst_experiment_new; CST_ECONFIG if the folder is not empty or its run has another config;
 * CST_EFORMAT if the checkpoint does not fit; CST_EBUSY if another process trains in the folder; CST_EIO; CST_ENOMEM.
 * On failure the run is cleared. */
CST_MUST_CHECK cst_status cst_run_init(cst_run *run, cst_document *document, const char *folder, cst_run_mode mode,
                                       const cst_run_events *events, cst_error *error);
/* Free everything, close the files and release the lock. A run that is all zeros is a no-op. */
void cst_run_clear(cst_run *run);

/* Create the folder, train to the end, evaluate the resulting weights and write the summary. The run then holds these
 * weights. Temporary files that crashed writers left in the folder are removed. A resumed run that had already ended
 * only reads its summary. Call it at most once per cst_run_init, and not in mode CST_RUN_OPEN.
 *
 * Errors: those of cst_trainer_run; CST_EBUSY if another process has begun a run in the folder since cst_run_init;
 * CST_EIO; CST_EFORMAT for a trace or summary that cannot be read; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_run_train(cst_run *run, cst_summary *summary, cst_error *error);

/* Add one line to the log, formatted as by printf, and pass it to events.line. */
void cst_run_log(cst_run *run, const char *format, ...) CST_PRINTF(2, 3);

#ifdef __cplusplus
}
#endif
#endif
