/* A run: an experiment trained in a folder of its own.
 *
 *   config.json             the resolved config             log.txt              what was said, with times
 *   metrics.csv             a row an epoch                  summary.json         what it came to, once it has ended
 *   model.safetensors       the weights it results in       checkpoint.safetensors  where training stands
 *   trace.csv               solver steps (train/trace.h), where the config asks for them
 *
 * Every file but log and trace is replaced as a whole, so that a run that dies at any moment leaves files that can be read. */
#ifndef CST_TRAIN_RUN_H
#define CST_TRAIN_RUN_H

#include "train/summary.h"
#include "train/trainer.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whom a run reports to; any of the functions may be NULL. */
typedef struct cst_run_events {
    void *context;
    void (*line)(void *context, const char *text); /* what goes into the log */
    void (*iteration)(void *context, const cst_trainer *trainer);
    bool (*interrupted)(void *context); /* true: save a checkpoint and end with CST_EINTERRUPTED */
} cst_run_events;

typedef enum cst_run_mode {
    CST_RUN_NEW,    /* the folder must be absent or empty */
    CST_RUN_RESUME, /* go on from its checkpoint; from the beginning where there is none yet */
    CST_RUN_OPEN    /* nothing is written: load the resulting weights */
} cst_run_mode;

typedef struct cst_run {
    char *folder;
    cst_experiment experiment;
    cst_trainer trainer;
    cst_run_events events;
    FILE *log, *trace; /* trace NULL: none */
    int lock;          /* on the folder; -1: none */
} cst_run;

/* Check everything that `document` says (which must outlive the run), load the data, build and allocate: the folder is read,
 * and nothing is written. A run that is resumed must have been begun with the same config, but for the root's name, threads,
 * epochs and save_every; with `threads` 0 it takes as many as the checkpoint was made with. `events` may be NULL.
 * Errors: those of cst_experiment_new; CST_ECONFIG where the folder is in use or belongs to another config, CST_EFORMAT
 * for a checkpoint that does not fit, CST_EBUSY where another process trains in the folder, CST_EIO, CST_ENOMEM. On failure
 * nothing is kept. */
CST_MUST_CHECK cst_status cst_run_init(cst_run *run, cst_document *document, const char *folder, cst_run_mode mode,
                                       const cst_run_events *events, cst_error *error);
void cst_run_clear(cst_run *run);

/* Make the folder, train to the end, evaluate the resulting weights and write the summary; the run is then at these weights. A
 * run resumed after its end only reads its summary. What writers that died have left in the folder is removed. Once. CST_EBUSY
 * where another process has begun in the folder since cst_run_init. */
CST_MUST_CHECK cst_status cst_run_train(cst_run *run, cst_summary *summary, cst_error *error);

/* One more line for the log. */
void cst_run_say(cst_run *run, const char *format, ...) CST_PRINTF(2, 3);

#ifdef __cplusplus
}
#endif
#endif
