#include "train/trainer.h"

#include "core/clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- batches ------------------------------------------------------------------------------------------------- */

/* Copy n rows of a split to the trainer's buffers. The batch has no random stream yet. */
static cst_batch gather(cst_trainer *t, const cst_split *split, const size_t *rows, size_t n)
{
    int32_t *labels = split->labels ? t->labels : NULL;
    real *targets = split->targets ? t->targets : NULL;
    cst_dataset_gather(&t->experiment->data, split, rows, n, t->x, labels, targets);
    return (cst_batch){
        .n = n, .steps = t->experiment->data.steps, .x = t->x, .targets = {.labels = labels, .values = targets}};
}

/* True if the experiment skips this failure: a failed solve, or numbers that are not finite. */
static bool can_skip(const cst_experiment *e, cst_status status)
{
    return e->on_failure == CST_ON_FAILURE_SKIP && (status == CST_ENONFINITE || status == CST_EUNDERFLOW ||
                                                    status == CST_EMAXSTEPS || status == CST_ERECOVERABLE);
}

/* Poll the callback. */
static bool interrupted(const cst_trainer *t)
{
    return t->events.interrupted && t->events.interrupted(t->events.context);
}

/* Fail with the message of `cause`, and "WHERE: " before it. */
static cst_status fail_at(const cst_error *cause, cst_status status, const char *where, cst_error *error)
{
    return cst_fail(error, status, "%s: %s", where, cause->message);
}

/* ---- evaluation ---------------------------------------------------------------------------------------------- */

/* The loss of a split, as sums over its batches of loss * weight and of weight. */
typedef struct mean {
    double sum, weight;
} mean;

/* Evaluate n rows from `first` on, and add them to *loss and *r. A failure that may be skipped is no error. */
static cst_status evaluate_batch(cst_trainer *t, const cst_split *split, size_t first, size_t n, mean *loss,
                                 cst_evaluation *r, cst_error *error)
{
    /* The same noise in every evaluation, so that epochs can be compared. */
    cst_step step;
    cst_error cause = {0};
    cst_batch batch = gather(t, split, t->order + first, n);
    batch.rng = cst_rng_split(cst_rng_new(t->experiment->seed, CST_RNG_NOISE), first);
    const cst_status status = cst_learner_evaluate(&t->learner, &batch, &step, &cause);
    /* Evaluations count even if the batch has failed. */
    r->nfe += (double)step.counts[CST_FORWARD].nfe;
    r->rows += n;
    r->targeted += step.targeted;
    if (status == CST_OK) {
        loss->sum += step.loss * step.weight;
        loss->weight += step.weight;
        r->correct += step.correct;
        return CST_OK;
    }
    /* A failure ends the evaluation, or the batch is skipped. */
    if (!can_skip(t->experiment, status)) {
        char where[64];
        snprintf(where, sizeof where, "evaluation after %llu epochs", (unsigned long long)t->training.epoch);
        return fail_at(&cause, status, where, error);
    }
    r->skipped += n; /* without an entry in `correct`: these rows count as wrong */
    return CST_OK;
}

cst_status cst_trainer_evaluate(cst_trainer *t, const cst_split *split, cst_evaluation *r, cst_error *error)
{
    const size_t size = t->experiment->data.eval_batch_size;
    const double start = cst_clock();
    /* All rows in their own order, batch by batch. */
    mean loss = {0};
    size_t batches = 0;
    *r = (cst_evaluation){.loss = (double)NAN, .accuracy = (double)NAN};
    for (size_t i = 0; i < split->n; i++) t->order[i] = i;
    for (size_t first = 0; first < split->n; first += size, batches++) {
        const size_t n = split->n - first < size ? split->n - first : size;
        CST_TRY(evaluate_batch(t, split, first, n, &loss, r, error));
        if (interrupted(t)) return cst_fail(error, CST_EINTERRUPTED, "interrupted");
    }
    /* Sums become means. An empty split keeps its NaN. */
    if (r->rows == 0) return CST_OK;
    if (r->skipped == r->rows) return cst_fail(error, CST_ENONFINITE, "every batch of the evaluation failed");
    r->loss = loss.sum / loss.weight;
    if (t->learner.loss->count_correct) r->accuracy = (double)r->correct / (double)r->targeted;
    r->nfe /= (double)batches;
    r->seconds = cst_clock() - start;
    return CST_OK;
}

/* ---- an iteration -------------------------------------------------------------------------------------------- */

/* The learning rate of an iteration of the current epoch. `iteration` counts over all of training. */
static double lr_of(const cst_trainer *t, uint64_t iteration)
{
    const cst_experiment *e = t->experiment;
    return cst_schedule_lr(&e->schedule, &t->training.schedule, iteration, cst_experiment_iterations(e));
}

/* Add a step's evaluations and solver steps to the epoch's sums. */
static void add_counts(cst_epoch_sums *sums, const cst_step *step)
{
    const cst_counts none = {0};
    for (int i = 0; i < CST_N_DIRECTIONS; i++) cst_counts_add_difference(&sums->counts[i], &step->counts[i], &none);
}

/* Do one training step and add its result to the epoch's sums. A failure that may be skipped is no error. */
static cst_status train_batch(cst_trainer *t, const cst_batch *batch, cst_error *error)
{
    cst_training *training = &t->training;
    cst_epoch_sums *sums = &training->sums;
    cst_step step;
    cst_error cause = {0};
    /* Step. Its counts are valid even if it fails. */
    t->learner.tally.failed = NULL;
    const cst_status status = cst_learner_step(&t->learner, batch, lr_of(t, training->iterations), &step, &cause);
    add_counts(sums, &step);
    /* Success: the sums of the epoch. */
    if (status == CST_OK) {
        sums->loss += step.loss * step.weight;
        sums->weight += step.weight;
        sums->grad_norm += step.grad_norm;
        sums->targeted += step.targeted;
        sums->correct += step.correct;
        sums->steps++;
        return CST_OK;
    }
    /* Say where it failed: epoch, iteration and, if a solve failed, its ODE block. */
    const char *block = t->learner.tally.failed;
    char where[80 + CST_TENSOR_NAME];
    snprintf(where, sizeof where, "epoch %llu, iteration %llu%s%s%s", (unsigned long long)training->epoch + 1,
             (unsigned long long)training->iteration + 1, block ? ", ode block \"" : "", block ? block : "",
             block ? "\"" : "");
    cst_error placed;
    fail_at(&cause, status, where, &placed);
    /* Fail, or skip the batch. */
    if (!can_skip(t->experiment, status)) {
        if (error) *error = placed;
        return status;
    }
    sums->skipped++;
    if (t->events.skipped) t->events.skipped(t->events.context, t, &placed);
    return CST_OK;
}

/* Do one iteration: gather its batch, train on it, and move the position forward. */
static cst_status iterate(cst_trainer *t, cst_error *error)
{
    const cst_experiment *e = t->experiment;
    cst_training *training = &t->training;
    const double start = cst_clock();
    const double before[CST_N_DIRECTIONS] = {t->learner.seconds[CST_FORWARD], t->learner.seconds[CST_BACKWARD]};
    /* The batch: the next rows of the epoch's permutation, and the iteration's random stream. */
    const size_t first = (size_t)training->iteration * e->data.batch_size;
    const size_t left = e->data.train.n - first, n = left < e->data.batch_size ? left : e->data.batch_size;
    cst_batch batch = gather(t, &e->data.train, t->order + first, n);
    batch.rng = cst_rng_split(cst_rng_new(e->seed, CST_RNG_DROPOUT), training->iterations);
    CST_TRY(train_batch(t, &batch, error));
    /* Times and position. */
    training->sums.forward_seconds += t->learner.seconds[CST_FORWARD] - before[CST_FORWARD];
    training->sums.backward_seconds += t->learner.seconds[CST_BACKWARD] - before[CST_BACKWARD];
    training->sums.seconds += cst_clock() - start;
    training->iteration++;
    training->iterations++;
    t->session_iterations++;
    if (t->events.iteration) t->events.iteration(t->events.context, t);
    return CST_OK;
}

/* ---- an epoch ------------------------------------------------------------------------------------------------ */

/* The epoch's row of metrics, without the evaluation: sums divided by the number of iterations or rows. */
static cst_metrics summarize(const cst_trainer *t)
{
    const cst_epoch_sums *sums = &t->training.sums;
    const double none = (double)NAN, steps = (double)sums->steps;
    /* Failed iterations have cost evaluations too. */
    const double tries = (double)(sums->steps + sums->skipped);
    const cst_counts *forward = &sums->counts[CST_FORWARD], *backward = &sums->counts[CST_BACKWARD];
    return (cst_metrics){
        .epoch = (double)(t->training.epoch + 1),
        .iterations = steps,
        .lr = lr_of(t, t->training.iterations - 1),
        .train_loss = sums->loss / sums->weight,
        .train_accuracy = t->learner.loss->count_correct ? (double)sums->correct / (double)sums->targeted : none,
        .validation_loss = none,
        .validation_accuracy = none,
        .test_loss = none,
        .test_accuracy = none,
        .grad_norm = sums->grad_norm / steps,
        .forward_nfe = (double)forward->nfe / tries,
        .backward_nfe = (double)backward->nfe / tries,
        .forward_rejected = (double)forward->rejected / tries,
        .backward_rejected = (double)backward->rejected / tries,
        .backward_quadrature_nfe = (double)backward->quadrature_nfe / tries,
        .eval_nfe = none,
        .skipped = (double)sums->skipped,
        .seconds = sums->seconds,
        .forward_seconds = sums->forward_seconds,
        .backward_seconds = sums->backward_seconds,
        .eval_seconds = 0,
    };
}

/* Evaluate the validation split; if it is empty, the test split, so that there is a curve to look at. The test result is
 * never used for decisions. */
static cst_status evaluate_epoch(cst_trainer *t, cst_metrics *m, cst_error *error)
{
    const cst_dataset *data = &t->experiment->data;
    const bool validation = data->validation.n > 0;
    cst_evaluation r;
    CST_TRY(cst_trainer_evaluate(t, validation ? &data->validation : &data->test, &r, error));
    *(validation ? &m->validation_loss : &m->test_loss) = r.loss;
    *(validation ? &m->validation_accuracy : &m->test_accuracy) = r.accuracy;
    m->eval_nfe = r.rows > 0 ? r.nfe : (double)NAN;
    m->eval_seconds = r.seconds;
    m->seconds += r.seconds;
    return CST_OK;
}

/* The monitored value of an epoch; smaller is better. */
static double monitored(const cst_experiment *e, const cst_metrics *m)
{
    if (e->monitor == CST_MONITOR_TRAIN_LOSS) return m->train_loss;
    return e->monitor == CST_MONITOR_VALIDATION_LOSS ? m->validation_loss : 1 - m->validation_accuracy;
}

/* Decide whether to stop early, and keep the weights if they are the best so far. */
static cst_status judge(cst_trainer *t, double value, cst_error *error)
{
    const cst_experiment *e = t->experiment;
    cst_training *training = &t->training;
    /* Early stopping counts the epochs since an improvement by min_delta. */
    training->epochs_without_improvement++;
    if (value < training->best_for_stopping - (e->early_stopping.enabled ? e->early_stopping.min_delta : 0)) {
        training->best_for_stopping = value;
        training->epochs_without_improvement = 0;
    }
    training->stopped = e->early_stopping.enabled && training->epochs_without_improvement >= e->early_stopping.patience;
    /* Any improvement makes the best epoch. A NaN value never does. */
    if (!(value < training->best)) return CST_OK;
    training->best = value;
    training->best_epoch = training->epoch + 1;
    if (!e->keep_best) return CST_OK;
    memcpy(t->best, t->learner.theta, e->model->n_params * sizeof *t->best);
    return t->events.best ? t->events.best(t->events.context, t, error) : CST_OK;
}

/* Evaluate, record the metrics, update the schedule, and move to the next epoch. */
static cst_status finish_epoch(cst_trainer *t, cst_error *error)
{
    const cst_experiment *e = t->experiment;
    cst_training *training = &t->training;
    if (training->sums.steps == 0)
        return cst_fail(error, CST_ENONFINITE, "every batch of epoch %llu failed",
                        (unsigned long long)training->epoch + 1);
    /* The row becomes valid only at the end: an interrupted evaluation leaves the state of the last iteration. */
    CST_TRY(cst_training_reserve(training, training->n_metrics + 1, error));
    cst_metrics *m = &training->metrics[training->n_metrics];
    *m = summarize(t);
    CST_TRY(evaluate_epoch(t, m, error));
    const double value = monitored(e, m);
    CST_TRY(judge(t, value, error));
    cst_schedule_epoch(&e->schedule, e->optimizer.lr, value, &training->schedule);
    /* Next epoch. */
    training->n_metrics++;
    training->epoch++;
    training->iteration = 0;
    training->sums = (cst_epoch_sums){0};
    return t->events.epoch ? t->events.epoch(t->events.context, t, m, error) : CST_OK;
}

/* Call the checkpoint callback. */
static cst_status save(const cst_trainer *t, cst_error *error)
{
    return t->events.checkpoint ? t->events.checkpoint(t->events.context, t, error) : CST_OK;
}

/* Save a checkpoint after an interruption. */
static cst_status save_and_stop(const cst_trainer *t, cst_error *error)
{
    CST_TRY(save(t, error));
    return cst_fail(error, CST_EINTERRUPTED, "interrupted in epoch %llu after iteration %llu",
                    (unsigned long long)t->training.epoch + 1, (unsigned long long)t->training.iteration);
}

/* Train from the current iteration to the end of the epoch. */
static cst_status run_epoch(cst_trainer *t, cst_error *error)
{
    const cst_experiment *e = t->experiment;
    /* The order of rows is a function of seed and epoch: a resumed epoch has the same one. */
    const size_t iterations = cst_experiment_iterations(e);
    cst_rng_permutation(cst_rng_split(cst_rng_new(e->seed, CST_RNG_SHUFFLE), t->training.epoch), t->order,
                        e->data.train.n);
    while (t->training.iteration < iterations) {
        CST_TRY(iterate(t, error));
        if (interrupted(t)) return save_and_stop(t, error);
    }
    const cst_status status = finish_epoch(t, error);
    /* Interrupted during the evaluation: a resumed run repeats the evaluation. */
    if (status == CST_EINTERRUPTED) return save_and_stop(t, error);
    CST_TRY(status);
    /* A checkpoint every save_every epochs, and at the end. */
    const uint64_t every = e->save_every;
    if ((every > 0 && t->training.epoch % every == 0) || cst_trainer_finished(t)) CST_TRY(save(t, error));
    return CST_OK;
}

bool cst_trainer_finished(const cst_trainer *t)
{
    return t->training.stopped || t->training.epoch >= t->experiment->epochs;
}

cst_status cst_trainer_run(cst_trainer *t, cst_error *error)
{
    t->session_start = cst_clock();
    t->session_iterations = 0;
    while (!cst_trainer_finished(t)) CST_TRY(run_epoch(t, error));
    return CST_OK;
}

void cst_trainer_use_best(cst_trainer *t)
{
    if (t->best && t->training.best_epoch > 0)
        memcpy(t->learner.theta, t->best, t->experiment->model->n_params * sizeof *t->best);
}
