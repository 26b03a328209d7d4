#include "train/run.h"

#include "core/blas.h"
#include "core/file.h"
#include "core/text.h"
#include "core/version.h"
#include "train/checkpoint.h"
#include "train/difference.h"
#include "train/progress.h"
#include "train/trace.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char config_file[] = "config.json", metrics_file[] = "metrics.csv", log_file[] = "log.txt";
static const char summary_file[] = "summary.json", model_file[] = "model.safetensors";
static const char checkpoint_file[] = "checkpoint.safetensors", trace_file[] = "trace.csv";
static const char *const replaced_files[] = {config_file,     metrics_file, summary_file, model_file,
                                             checkpoint_file, trace_file,   NULL};

/* ---- files of the folder ------------------------------------------------------------------------------------- */

static cst_status path_of(const cst_run *run, const char *name, char **path, cst_error *error)
{
    *path = cst_path_join(run->folder, name);
    return *path ? CST_OK : cst_fail(error, CST_ENOMEM, "out of memory");
}

static cst_status look_for(const cst_run *run, const char *name, bool *there, cst_error *error)
{
    char *path;
    CST_TRY(path_of(run, name, &path, error));
    *there = cst_path_exists(path);
    free(path);
    return CST_OK;
}

static cst_status write_metrics(const cst_run *run, cst_error *error)
{
    const cst_training *training = &run->trainer.training;
    char *path;
    CST_TRY(path_of(run, metrics_file, &path, error));
    const cst_status status = cst_metrics_write(path, training->metrics, training->n_metrics, error);
    free(path);
    return status;
}

static cst_status write_checkpoint(const cst_run *run, cst_error *error)
{
    char *path;
    CST_TRY(path_of(run, checkpoint_file, &path, error));
    const cst_status status = cst_checkpoint_save(path, &run->trainer, error);
    free(path);
    return status;
}

static cst_status write_model(const cst_run *run, cst_error *error)
{
    const cst_experiment *e = &run->experiment;
    const char *const metadata[] = {"format", "pt", "costate", CST_VERSION, "name", e->name, NULL};
    char *path;
    CST_TRY(path_of(run, model_file, &path, error));
    const cst_status status = cst_params_save(path, e->model, run->trainer.learner.theta, metadata, error);
    free(path);
    return status;
}

static cst_status write_config(const cst_run *run, cst_error *error)
{
    char *path, *text = cst_config_print_lines(run->experiment.config);
    cst_status status = text ? path_of(run, config_file, &path, error) : cst_fail(error, CST_ENOMEM, "out of memory");
    if (status == CST_OK) {
        status = cst_file_replace(path, text, strlen(text), error);
        free(path);
    }
    free(text);
    return status;
}

/* ---- the log ------------------------------------------------------------------------------------------------- */

static void log_line(const cst_run *run, const char *text)
{
    char when[32];
    const time_t now = time(NULL);
    struct tm utc;
    if (!run->log || !gmtime_r(&now, &utc) || strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) return;
    cst_text visible = {0};
    cst_text_visible(&visible, text); /* who looks at the log does so on a terminal */
    fprintf(run->log, "%s  %s\n", when, visible.failed ? "out of memory" : visible.data);
    fflush(run->log);
    free(visible.data);
}

void cst_run_say(cst_run *run, const char *format, ...)
{
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
    char *path;
    CST_TRY(path_of(run, log_file, &path, error));
    cst_status status = cst_file_append(path, &run->log, error);
    free(path);
    if (status != CST_OK || run->experiment.trace_every == 0) return status;
    CST_TRY(path_of(run, trace_file, &path, error));
    status = cst_trace_open(path, run->trainer.training.iterations, &run->trace, error);
    free(path);
    return status;
}

/* ---- what the trainer reports -------------------------------------------------------------------------------- */

/* Whether the iteration to come is traced. */
static void aim_trace(cst_run *run)
{
    const size_t every = run->experiment.trace_every;
    run->trainer.learner.tally.trace = run->trace && run->trainer.training.iterations % every == 0;
}

static void heard_solve(void *context, const char *block, bool backward, const cst_solve_stats *stats)
{
    const cst_run *run = context;
    if (stats->trace) cst_trace_write(run->trace, run->trainer.training.iterations, block, backward, stats);
}

static void heard_iteration(void *context, const cst_trainer *trainer)
{
    cst_run *run = context;
    aim_trace(run);
    if (run->events.iteration) run->events.iteration(run->events.context, trainer);
}

static cst_status heard_epoch(void *context, const cst_trainer *trainer, const cst_metrics *metrics, cst_error *error)
{
    cst_run *run = context;
    char text[CST_PROGRESS_LINE];
    cst_run_say(run, "%s", cst_epoch_text(trainer, metrics, text));
    return write_metrics(run, error);
}

static void heard_skipped(void *context, const cst_trainer *trainer, const cst_error *error)
{
    (void)trainer;
    cst_run_say(context, "skipped a batch: %s", error->message);
}

static cst_status heard_checkpoint(void *context, const cst_trainer *trainer, cst_error *error)
{
    const cst_run *run = context;
    (void)trainer;
    if (run->trace && (fflush(run->trace) != 0 || ferror(run->trace)))
        return cst_fail(error, CST_EIO, "%s/%s: cannot write", run->folder, trace_file);
    return write_checkpoint(run, error);
}

static cst_status heard_best(void *context, const cst_trainer *trainer, cst_error *error)
{
    (void)trainer;
    return write_model(context, error);
}

static bool heard_interrupted(void *context)
{
    const cst_run *run = context;
    return run->events.interrupted && run->events.interrupted(run->events.context);
}

/* ---- the folder ---------------------------------------------------------------------------------------------- */

/* CST_ECONFIG unless the folder is absent or empty, but for what a run that died at once has left. */
static cst_status check_empty(const char *path, cst_run_mode mode, cst_error *error)
{
    DIR *folder = opendir(path);
    if (!folder) return errno == ENOENT ? CST_OK : cst_fail_io(error, path, "cannot open the folder", errno);
    bool empty = true;
    for (const struct dirent *entry; empty && (entry = readdir(folder));)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                cst_file_is_leftover(entry->d_name, replaced_files);
    closedir(folder);
    if (empty) return CST_OK;
    return cst_fail(error, CST_ECONFIG, "%s: there is something in this folder already; %s", path,
                    mode == CST_RUN_RESUME ? "and it is no run"
                                           : "resume the run in it with --resume, or use another with --out");
}

/* That the folder's run was begun with this config. */
static cst_status compare_configs(const cst_run *run, cst_error *error)
{
    static const char *const but[] = {"name", "threads", "epochs", "save_every", NULL};
    char *path, *difference = NULL;
    cst_document *before = NULL;
    CST_TRY(path_of(run, config_file, &path, error));
    cst_status status = cst_document_load(path, &before, error);
    if (status == CST_OK)
        status = cst_config_difference(cst_document_root(before), run->experiment.config, but, &difference, error);
    if (difference)
        status = cst_config_fail(run->experiment.config, error,
                                 "cannot go on with the run in %s: its config has another \"%s\"; use another folder",
                                 run->folder, difference);
    free(difference);
    cst_document_free(before);
    free(path);
    return status;
}

/* ---- before training ----------------------------------------------------------------------------------------------- */

/* Load the checkpoint, if there is one, into a trainer made for as many threads as it was. */
static cst_status resume(cst_run *run, const cst_trainer_events *events, cst_error *error)
{
    char *path;
    int threads;
    double asked = 0;
    cst_safetensors *file;
    bool there;
    CST_TRY(look_for(run, checkpoint_file, &there, error));
    if (!there) return cst_trainer_init(&run->trainer, &run->experiment, events, error);
    CST_TRY(path_of(run, checkpoint_file, &path, error));
    cst_status status = cst_checkpoint_open(path, &file, &threads, error);
    free(path);
    CST_TRY(status);
    (void)cst_config_number(cst_config_get(run->experiment.config, "threads"), &asked);
    if (asked == 0) run->experiment.threads = threads;
    status = cst_trainer_init(&run->trainer, &run->experiment, events, error);
    if (status == CST_OK) {
        status = cst_checkpoint_load(file, &run->trainer, error);
        if (status != CST_OK) cst_trainer_clear(&run->trainer);
    }
    cst_safetensors_close(file);
    return status;
}

static cst_status load_model(cst_run *run, cst_error *error)
{
    char *path;
    cst_safetensors *file = NULL;
    CST_TRY(cst_trainer_init(&run->trainer, &run->experiment, NULL, error));
    bool finished, begun;
    CST_TRY(look_for(run, model_file, &finished, error));
    CST_TRY(look_for(run, checkpoint_file, &begun, error));
    if (!finished && begun)
        return cst_fail(error, CST_EIO, "%s: the run has not ended: go on with train --resume", run->folder);
    CST_TRY(path_of(run, model_file, &path, error));
    cst_status status = cst_safetensors_open(path, &file, error);
    if (status == CST_OK)
        status = cst_params_load(file, run->experiment.model, "", true, run->trainer.learner.theta, error);
    cst_safetensors_close(file);
    free(path);
    return status;
}

static cst_status prepare(cst_run *run, cst_document *document, cst_run_mode mode, cst_error *error)
{
    const cst_trainer_events events = {.context = run,
                                       .iteration = heard_iteration,
                                       .epoch = heard_epoch,
                                       .skipped = heard_skipped,
                                       .checkpoint = heard_checkpoint,
                                       .best = heard_best,
                                       .interrupted = heard_interrupted};
    /* A folder that is not there now is new, whatever another process makes of it until this one begins. */
    const bool there = cst_path_exists(run->folder);
    bool going_on = false;
    if (mode == CST_RUN_RESUME && there) CST_TRY(cst_folder_lock(run->folder, &run->lock, error));
    CST_TRY(cst_experiment_new(document, &run->experiment, error));
    if (mode == CST_RUN_OPEN) return load_model(run, error);
    if (mode == CST_RUN_RESUME && there) CST_TRY(look_for(run, config_file, &going_on, error));
    if (going_on) CST_TRY(compare_configs(run, error));
    if (!going_on && there) CST_TRY(check_empty(run->folder, mode, error));
    return going_on ? resume(run, &events, error) : cst_trainer_init(&run->trainer, &run->experiment, &events, error);
}

cst_status cst_run_init(cst_run *run, cst_document *document, const char *folder, cst_run_mode mode,
                        const cst_run_events *events, cst_error *error)
{
    *run = (cst_run){.lock = -1};
    if (!*folder) return cst_fail(error, CST_ECONFIG, "expected the name of a folder for the run, got \"\"");
    run->folder = strdup(folder);
    if (!run->folder) return cst_fail(error, CST_ENOMEM, "out of memory");
    if (events) run->events = *events;
    const cst_status status = prepare(run, document, mode, error);
    if (status != CST_OK) cst_run_clear(run);
    return status;
}

void cst_run_clear(cst_run *run)
{
    if (run->log) fclose(run->log);
    if (run->trace) fclose(run->trace);
    if (run->trainer.experiment) cst_trainer_clear(&run->trainer);
    cst_experiment_clear(&run->experiment);
    if (run->folder) cst_folder_unlock(&run->lock);
    free(run->folder);
    *run = (cst_run){0};
}

/* ---- training ------------------------------------------------------------------------------------------------ */

static void say_hello(cst_run *run)
{
    const cst_experiment *e = &run->experiment;
    const cst_dataset *d = &e->data;
    cst_run_say(run, "costate %s (%s, %s)", CST_VERSION, CST_REAL_NAME, cst_blas_name());
    cst_run_say(run, "%s: %zu parameters, %zu + %zu + %zu rows to train, validate and test, seed %llu, %d thread%s",
                e->name, e->model->n_params, d->train.n, d->validation.n, d->test.n, (unsigned long long)e->seed,
                e->threads, e->threads == 1 ? "" : "s");
    if (run->trainer.training.iterations > 0)
        cst_run_say(run, "going on after %llu epochs and %llu iterations",
                    (unsigned long long)run->trainer.training.epoch,
                    (unsigned long long)run->trainer.training.iteration);
}

/* A summary there is of an end that is not the end any more. */
static cst_status remove_summary(const cst_run *run, cst_error *error)
{
    char *path;
    CST_TRY(path_of(run, summary_file, &path, error));
    const int number = unlink(path) == 0 || errno == ENOENT ? 0 : errno;
    const cst_status status = number == 0 ? CST_OK : cst_fail_io(error, path, "cannot remove", number);
    free(path);
    return status;
}

/* A folder that was not there when the run was prepared: somebody may have been faster since. */
static cst_status take_folder(cst_run *run, cst_error *error)
{
    bool taken;
    if (run->lock >= 0) return CST_OK;
    CST_TRY(cst_folder_lock(run->folder, &run->lock, error));
    CST_TRY(look_for(run, config_file, &taken, error));
    if (!taken) return CST_OK;
    return cst_fail(error, CST_EBUSY, "%s: another process has begun a run in this folder", run->folder);
}

/* From here on the folder is this run's. */
static cst_status begin(cst_run *run, cst_error *error)
{
    /* A log or a trace that cannot be gone on with leaves the run as it was; new ones make no run of a folder, its config does. */
    const bool going_on = run->trainer.training.iterations > 0;
    CST_TRY(cst_folder_create(run->folder, error));
    CST_TRY(take_folder(run, error));
    cst_folder_tidy(run->folder, replaced_files);
    if (going_on) CST_TRY(open_log_and_trace(run, error));
    CST_TRY(write_config(run, error));
    CST_TRY(remove_summary(run, error));
    if (!going_on) CST_TRY(open_log_and_trace(run, error));
    run->trainer.learner.tally.listener = (cst_solve_listener){.context = run, .solved = heard_solve};
    aim_trace(run);
    say_hello(run);
    return CST_OK;
}

static cst_status finish(cst_run *run, cst_summary *summary, cst_error *error)
{
    char *path, duration[32];
    cst_trainer_use_best(&run->trainer);
    CST_TRY(write_model(run, error));
    CST_TRY(cst_summary_make(&run->trainer, summary, error));
    CST_TRY(path_of(run, summary_file, &path, error));
    const cst_status status = cst_summary_write(path, &run->trainer, summary, error);
    free(path);
    CST_TRY(status);
    if (run->trainer.training.stopped)
        cst_run_say(run, "stopped early: no improvement since epoch %.0f", summary->best_epoch);
    char loss[48] = "", measure[48] = "";
    if (run->experiment.data.test.n > 0) snprintf(loss, sizeof loss, ": test loss %.4g", summary->test_loss);
    if (summary->test_accuracy >= 0)
        snprintf(measure, sizeof measure, ", accuracy %.2f %%", 100 * summary->test_accuracy);
    if (isfinite(summary->test_bits_per_dim))
        snprintf(measure, sizeof measure, ", %.4f bits/dim", summary->test_bits_per_dim);
    cst_run_say(run, "weights of epoch %.0f%s%s; %.0f + %.0f evaluations, %s, %.0f MiB at the peak",
                summary->best_epoch, loss, measure, summary->nfe[CST_FORWARD], summary->nfe[CST_BACKWARD],
                cst_duration_text(summary->seconds, duration), summary->peak_memory);
    return CST_OK;
}

cst_status cst_run_train(cst_run *run, cst_summary *summary, cst_error *error)
{
    bool done = cst_trainer_finished(&run->trainer);
    if (done) CST_TRY(look_for(run, summary_file, &done, error));
    if (done) {
        char *path;
        cst_trainer_use_best(&run->trainer);
        CST_TRY(path_of(run, summary_file, &path, error));
        const cst_status status = cst_summary_read(path, summary, error);
        free(path);
        return status;
    }
    cst_status status = begin(run, error);
    if (status == CST_OK) status = cst_trainer_run(&run->trainer, error);
    if (status == CST_OK) status = finish(run, summary, error);
    if (status != CST_OK && error) log_line(run, error->message); /* the caller hears of it anyway */
    return status;
}
