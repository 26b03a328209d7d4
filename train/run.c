#include "train/run.h"

#include "core/blas.h"
#include "core/file.h"
#include "core/text.h"
#include "core/version.h"
#include "train/checkpoint.h"
#include "train/progress.h"
#include "train/run_folder.h"
#include "train/trace.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- writing files ------------------------------------------------------------------------------------------- */

/* The weights that the trainer has now, under the names that PyTorch would give them. */
static cst_status write_model(const cst_run *run, cst_error *error)
{
    const cst_experiment *e = &run->experiment;
    const char *const metadata[] = {"format", "pt", "costate", CST_VERSION, "name", e->name, NULL};
    return cst_params_save(run->paths->model, e->model, run->trainer.learner.theta, metadata, error);
}

/* The resolved config: defaults are written out. */
static cst_status write_config(const cst_run *run, cst_error *error)
{
    char *text = cst_config_print_lines(run->experiment.config);
    const cst_status status = text ? cst_file_replace(run->paths->config, text, strlen(text), error)
                                   : cst_fail(error, CST_ENOMEM, "out of memory");
    free(text);
    return status;
}

/* ---- the log ------------------------------------------------------------------------------------------------- */

/* Append one line with the time in UTC. Without an open log this is a no-op. */
static void log_line(const cst_run *run, const char *text)
{
    char when[32];
    const time_t now = time(NULL);
    struct tm utc;
    if (!run->log || !gmtime_r(&now, &utc) || strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) return;
    /* The log is read on terminals: control characters are escaped. */
    cst_text visible = {0};
    cst_text_visible(&visible, text);
    fprintf(run->log, "%s  %s\n", when, visible.failed ? "out of memory" : visible.data);
    fflush(run->log);
    free(visible.data);
}

void cst_run_log(cst_run *run, const char *format, ...)
{
    /* Long lines are cut. */
    char text[CST_PROGRESS_LINE + 200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_line(run, text);
    if (run->events.line) run->events.line(run->events.context, text);
}

static cst_status open_log_and_trace(cst_run *run, cst_error *error)
{
    CST_TRY(cst_file_append(run->paths->log, &run->log, error));
    if (run->experiment.trace_every == 0) return CST_OK;
    /* Rows after the checkpoint, which a run that crashed may have written, are cut off. */
    return cst_trace_open(run->paths->trace, run->trainer.training.iterations, &run->trace, error);
}

/* ---- the trainer's callbacks --------------------------------------------------------------------------------- */

/* Switch tracing on if the next iteration is one of every trace_every, and off otherwise. */
static void set_trace(cst_run *run)
{
    const size_t every = run->experiment.trace_every;
    run->trainer.learner.tally.trace = run->trace && run->trainer.training.iterations % every == 0;
}

/* Write the attempted steps of a traced solve. */
static void on_solve(void *context, const char *block, bool backward, const cst_solve_stats *stats)
{
    const cst_run *run = context;
    if (stats->trace) cst_trace_write(run->trace, run->trainer.training.iterations, block, backward, stats);
}

static void on_iteration(void *context, const cst_trainer *trainer)
{
    cst_run *run = context;
    set_trace(run);
    if (run->events.iteration) run->events.iteration(run->events.context, trainer);
}

/* Log the epoch and rewrite metrics.csv. */
static cst_status on_epoch(void *context, const cst_trainer *trainer, const cst_metrics *metrics, cst_error *error)
{
    cst_run *run = context;
    char text[CST_PROGRESS_LINE];
    cst_run_log(run, "%s", cst_epoch_text(trainer, metrics, text));
    const cst_training *training = &run->trainer.training;
    return cst_metrics_write(run->paths->metrics, training->metrics, training->n_metrics, error);
}

static void on_skipped(void *context, const cst_trainer *trainer, const cst_error *error)
{
    (void)trainer;
    cst_run_log(context, "skipped a batch: %s", error->message);
}

/* Write out the trace before the checkpoint: a resumed run expects the rows of all iterations before it. */
static cst_status on_checkpoint(void *context, const cst_trainer *trainer, cst_error *error)
{
    const cst_run *run = context;
    (void)trainer;
    if (run->trace && (fflush(run->trace) != 0 || ferror(run->trace)))
        return cst_fail(error, CST_EIO, "%s: cannot write", run->paths->trace);
    return cst_checkpoint_save(run->paths->checkpoint, &run->trainer, error);
}

/* Keep the best weights on disk, so that an interrupted run has a result too. */
static cst_status on_best(void *context, const cst_trainer *trainer, cst_error *error)
{
    (void)trainer;
    return write_model(context, error);
}

static bool on_interrupted(void *context)
{
    const cst_run *run = context;
    return run->events.interrupted && run->events.interrupted(run->events.context);
}

/* ---- before training ----------------------------------------------------------------------------------------- */

/* Make the trainer, and load the checkpoint into it if one exists. */
static cst_status resume(cst_run *run, const cst_trainer_events *events, cst_error *error)
{
    int threads;
    double asked = 0;
    cst_safetensors *file;
    if (!cst_path_exists(run->paths->checkpoint))
        return cst_trainer_init(&run->trainer, &run->experiment, events, error);
    CST_TRY(cst_checkpoint_open(run->paths->checkpoint, &file, &threads, error));
    /* "threads": 0 takes the checkpoint's number of threads, since another number would round sums differently. */
    (void)cst_config_number(cst_config_get(run->experiment.config, "threads"), &asked);
    if (asked == 0) run->experiment.threads = threads;
    cst_status status = cst_trainer_init(&run->trainer, &run->experiment, events, error);
    if (status == CST_OK) {
        status = cst_checkpoint_load(file, &run->trainer, error);
        if (status != CST_OK) cst_trainer_clear(&run->trainer);
    }
    cst_safetensors_close(file);
    return status;
}

/* Load the weights of a finished run. A run with a checkpoint but no weights has not finished. */
static cst_status load_model(cst_run *run, cst_error *error)
{
    const cst_run_paths *paths = run->paths;
    cst_safetensors *file = NULL;
    CST_TRY(cst_trainer_init(&run->trainer, &run->experiment, NULL, error));
    if (!cst_path_exists(paths->model) && cst_path_exists(paths->checkpoint))
        return cst_fail(error, CST_EIO,
                        "%s: the run has not ended; to resume it, add --resume --out %s to its train command",
                        run->folder, run->folder);
    cst_status status = cst_safetensors_open(paths->model, &file, error);
    if (status == CST_OK)
        status = cst_params_load(file, run->experiment.model, "", true, run->trainer.learner.theta, error);
    cst_safetensors_close(file);
    return status;
}

/* Check the config and the folder, and make the trainer. Nothing is written yet. */
static cst_status prepare(cst_run *run, cst_document *document, cst_run_mode mode, cst_error *error)
{
    const cst_trainer_events events = {.context = run,
                                       .iteration = on_iteration,
                                       .epoch = on_epoch,
                                       .skipped = on_skipped,
                                       .checkpoint = on_checkpoint,
                                       .best = on_best,
                                       .interrupted = on_interrupted};
    /* A folder that is missing now counts as new; cst_run_folder_claim notices if another process creates it later. */
    const bool exists = cst_path_exists(run->folder), resume_wanted = mode == CST_RUN_RESUME;
    if (resume_wanted && exists) CST_TRY(cst_folder_lock(run->folder, &run->lock, error));
    CST_TRY(cst_experiment_new(document, &run->experiment, error));
    if (mode == CST_RUN_OPEN) return load_model(run, error);
    /* A config.json makes a folder a run; log and trace alone do not. */
    const bool resuming = resume_wanted && exists && cst_path_exists(run->paths->config);
    if (resuming) CST_TRY(cst_run_folder_check_config(run->paths, run->experiment.config, error));
    if (!resuming && exists) CST_TRY(cst_run_folder_check_empty(run->paths, resume_wanted, error));
    return resuming ? resume(run, &events, error) : cst_trainer_init(&run->trainer, &run->experiment, &events, error);
}

cst_status cst_run_init(cst_run *run, cst_document *document, const char *folder, cst_run_mode mode,
                        const cst_run_events *events, cst_error *error)
{
    *run = (cst_run){.lock = -1};
    if (!*folder) return cst_fail(error, CST_ECONFIG, "expected the name of a folder for the run, got \"\"");
    run->paths = cst_run_paths_new(folder);
    if (!run->paths) return cst_fail(error, CST_ENOMEM, "out of memory");
    run->folder = run->paths->folder;
    if (events) run->events = *events;
    /* Any later error clears the run. */
    const cst_status status = prepare(run, document, mode, error);
    if (status != CST_OK) cst_run_clear(run);
    return status;
}

void cst_run_clear(cst_run *run)
{
    /* The files are closed before the lock is released, so that the next process finds them complete. */
    if (run->log) fclose(run->log);
    if (run->trace) fclose(run->trace);
    if (run->trainer.experiment) cst_trainer_clear(&run->trainer);
    cst_experiment_clear(&run->experiment);
    if (run->folder) cst_folder_unlock(&run->lock);
    cst_run_paths_free(run->paths);
    *run = (cst_run){0};
}

/* ---- training ------------------------------------------------------------------------------------------------ */

/* The first lines of a session: program, experiment, and where a resumed run continues. */
static void log_header(cst_run *run)
{
    const cst_experiment *e = &run->experiment;
    const cst_dataset *d = &e->data;
    cst_run_log(run, "costate %s (%s, %s)", CST_VERSION, CST_REAL_NAME, cst_blas_name());
    cst_run_log(run, "%s: %zu parameters, %zu + %zu + %zu rows to train, validate and test, seed %llu, %d thread%s",
                e->name, e->model->n_params, d->train.n, d->validation.n, d->test.n, (unsigned long long)e->seed,
                e->threads, e->threads == 1 ? "" : "s");
    if (run->trainer.training.iterations > 0)
        cst_run_log(run, "resuming after %llu epochs and %llu iterations",
                    (unsigned long long)run->trainer.training.epoch,
                    (unsigned long long)run->trainer.training.iteration);
}

/* Take the folder and open the files. From here on the run writes. */
static cst_status begin(cst_run *run, cst_error *error)
{
    const bool resuming = run->trainer.training.iterations > 0;
    CST_TRY(cst_run_folder_claim(run->paths, &run->lock, error));
    /* Resuming: a log or trace that cannot be continued fails before config.json and summary.json are touched.
     * New run: config.json comes first, since a folder with a log but without it would not count as a run. */
    if (resuming) CST_TRY(open_log_and_trace(run, error));
    CST_TRY(write_config(run, error));
    CST_TRY(cst_run_folder_remove_summary(run->paths, error));
    if (!resuming) CST_TRY(open_log_and_trace(run, error));
    run->trainer.learner.tally.listener = (cst_solve_listener){.context = run, .solved = on_solve};
    set_trace(run);
    log_header(run);
    return CST_OK;
}

/* The last line of the log: which weights the run results in, how good they are, and what they cost. */
static void log_result(cst_run *run, const cst_summary *summary)
{
    /* Whatever was measured: loss, accuracy or bits per dimension on the test split. */
    char duration[32], loss[48] = "", measure[48] = "";
    if (run->experiment.data.test.n > 0) snprintf(loss, sizeof loss, ": test loss %.4g", summary->test_loss);
    if (summary->test_accuracy >= 0)
        snprintf(measure, sizeof measure, ", accuracy %.2f %%", 100 * summary->test_accuracy);
    if (isfinite(summary->test_bits_per_dim))
        snprintf(measure, sizeof measure, ", %.4f bits/dim", summary->test_bits_per_dim);
    cst_run_log(run, "weights of epoch %.0f%s%s; %.0f + %.0f evaluations, %s, %.0f MiB at the peak",
                summary->best_epoch, loss, measure, summary->nfe[CST_FORWARD], summary->nfe[CST_BACKWARD],
                cst_duration_text(summary->seconds, duration), summary->peak_memory);
}

/* Write the resulting weights and what they score. */
static cst_status finish(cst_run *run, cst_summary *summary, cst_error *error)
{
    /* The summary comes last: it marks the end of the run. */
    cst_trainer_use_best(&run->trainer);
    CST_TRY(write_model(run, error));
    CST_TRY(cst_summary_make(&run->trainer, summary, error));
    CST_TRY(cst_summary_write(run->paths->summary, &run->trainer, summary, error));
    if (run->trainer.training.stopped)
        cst_run_log(run, "stopped early: no improvement since epoch %.0f", summary->best_epoch);
    log_result(run, summary);
    return CST_OK;
}

cst_status cst_run_train(cst_run *run, cst_summary *summary, cst_error *error)
{
    /* A run that ended earlier is not trained or evaluated again. */
    if (cst_trainer_finished(&run->trainer) && cst_path_exists(run->paths->summary)) {
        cst_trainer_use_best(&run->trainer);
        return cst_summary_read(run->paths->summary, summary, error);
    }
    /* Train. An error ends up in the log too. */
    cst_status status = begin(run, error);
    if (status == CST_OK) status = cst_trainer_run(&run->trainer, error);
    if (status == CST_OK) status = finish(run, summary, error);
    if (status != CST_OK && error) log_line(run, error->message); /* not to events.line: the caller gets the error */
    return status;
}
