/* The part of train/trainer.h that allocates and frees. */
#include "train/trainer.h"

#include "core/array.h"

#include <math.h>
#include <stdlib.h>

/* Rows of the largest split. */
static size_t largest_split(const cst_dataset *data)
{
    size_t n = data->train.n;
    if (data->validation.n > n) n = data->validation.n;
    if (data->test.n > n) n = data->test.n;
    return n;
}

/* Buffers for the largest batch, for the order of rows, and for the best weights. */
static cst_status allocate(cst_trainer *t, cst_error *error)
{
    /* One batch of x, targets and labels. Steps may have targets of their own. */
    const cst_experiment *e = t->experiment;
    const size_t rows = t->learner.max_rows, x = cst_shape_size(&e->data.x);
    const size_t targets = e->data.n_targets > 0 ? e->data.n_targets : 1;
    t->x = cst_array_new(cst_size_mul(rows, x), sizeof *t->x);
    t->targets = cst_array_new(cst_size_mul(rows, targets), sizeof *t->targets);
    t->labels = cst_array_new(cst_size_mul(rows, cst_dataset_labels(&e->data)), sizeof *t->labels);
    /* Never of size 0, so that NULL means out of memory. */
    t->order = malloc((largest_split(&e->data) + 1) * sizeof *t->order);
    if (e->keep_best) t->best = calloc(e->model->n_params + 1, sizeof *t->best);
    if (t->x && t->targets && t->labels && t->order && (t->best || !e->keep_best)) return CST_OK;
    return cst_fail(error, CST_ENOMEM, "out of memory for a batch of %zu rows", rows);
}

cst_status cst_trainer_init(cst_trainer *t, const cst_experiment *e, const cst_trainer_events *events, cst_error *error)
{
    /* The position before the first epoch: any monitored value is an improvement. */
    *t = (cst_trainer){.experiment = e};
    if (events) t->events = *events;
    t->training.best = t->training.best_for_stopping = (double)INFINITY;
    cst_schedule_start(&t->training.schedule, e->optimizer.lr);
    /* The learner is planned for all batch sizes that occur. */
    size_t rows[CST_BATCH_SIZES];
    const cst_learner_options options = cst_experiment_learner(e, rows, cst_experiment_rows(e, rows));
    cst_status status = cst_learner_init(&t->learner, e->model, &options, cst_rng_new(e->seed, CST_RNG_INIT), error);
    if (status == CST_OK) status = allocate(t, error);
    if (status != CST_OK) cst_trainer_clear(t);
    return status;
}

void cst_trainer_clear(cst_trainer *t)
{
    cst_learner_clear(&t->learner);
    free(t->training.metrics);
    free(t->best);
    free(t->x);
    free(t->targets);
    free(t->labels);
    free(t->order);
    *t = (cst_trainer){0};
}

cst_status cst_training_reserve(cst_training *training, size_t n, cst_error *error)
{
    /* Doubling keeps the number of copies small. */
    if (n <= training->metrics_capacity) return CST_OK;
    const size_t capacity = 2 * n + 16;
    cst_metrics *metrics = realloc(training->metrics, cst_size_mul(capacity, sizeof *metrics));
    if (!metrics) return cst_fail(error, CST_ENOMEM, "out of memory");
    training->metrics = metrics;
    training->metrics_capacity = capacity;
    return CST_OK;
}
