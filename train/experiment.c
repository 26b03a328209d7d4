#include "train/experiment.h"

#include "core/file.h"
#include "core/parallel.h"
#include "datasets/registry.h"
#include "layers/bijection.h"
#include "models/flow.h"
#include "models/registry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- keys ---------------------------------------------------------------------------------------------------- */

/* The keys of the root as cst_config_read fills them in. */
typedef struct root_section {
    const char *name, *loss;
    size_t seed, threads, epochs, save_every, trace_every;
    double clip_grad_norm;
    int on_failure, monitor;
    cst_config data, model, optimizer, schedule, early_stopping;
} root_section;

static const char *const failure_choices[] = {"stop", "skip", NULL};
static const char *const monitor_choices[] = {"auto", "train_loss", "validation_loss", "validation_accuracy", NULL};

#define FIELD(name) offsetof(root_section, name)

const cst_key cst_experiment_keys[] = {
    {.name = "name",
     .kind = CST_KEY_STRING,
     .offset = FIELD(name),
     .help = "name of the run, whose folder is runs/NAME"},
    {.name = "seed",
     .kind = CST_KEY_SIZE,
     .offset = FIELD(seed),
     .fallback = "0",
     .help = "seed of all random numbers"},
    {.name = "threads",
     .kind = CST_KEY_SIZE,
     .offset = FIELD(threads),
     .fallback = "0",
     .range = CST_BETWEEN(0, CST_MAX_THREADS),
     .help = "number of threads; 0: one per processor"},
    {.name = "data", .kind = CST_KEY_SECTION, .offset = FIELD(data), .help = "the data set", .holds = "data"},
    {.name = "model",
     .kind = CST_KEY_SECTION,
     .offset = FIELD(model),
     .help = "the module that maps rows of the data to the inputs of the loss",
     .holds = "module"},
    {.name = "loss",
     .kind = CST_KEY_STRING,
     .offset = FIELD(loss),
     .fallback = "\"cross_entropy\"",
     .help = "the loss",
     .holds = "loss"},
    {.name = "optimizer",
     .kind = CST_KEY_SECTION,
     .offset = FIELD(optimizer),
     .fallback = CST_JSON({"type": "adamw"}),
     .help = "the optimizer",
     .holds = "optimizer"},
    {.name = "schedule",
     .kind = CST_KEY_SECTION,
     .offset = FIELD(schedule),
     .fallback = CST_JSON({"type": "constant"}),
     .help = "the schedule of the learning rate",
     .holds = "schedule"},
    {.name = "epochs",
     .kind = CST_KEY_SIZE,
     .offset = FIELD(epochs),
     .range = CST_BETWEEN(1, 1e9),
     .help = "passes over the training split"},
    {.name = "clip_grad_norm",
     .kind = CST_KEY_REAL,
     .offset = FIELD(clip_grad_norm),
     .fallback = "0",
     .range = CST_AT_LEAST(0),
     .help = "the gradient is scaled down to this 2-norm if it is larger; 0: no clipping"},
    {.name = "early_stopping",
     .kind = CST_KEY_SECTION,
     .offset = FIELD(early_stopping),
     .fallback = "null",
     .help = "when to stop before the last epoch; null: never",
     .holds = "early_stopping"},
    {.name = "monitor",
     .kind = CST_KEY_CHOICE,
     .offset = FIELD(monitor),
     .fallback = "\"auto\"",
     .choices = monitor_choices,
     .help =
         "the value that decides about best weights, early stopping and plateaus; auto: the validation accuracy, the "
         "validation loss if the loss has no accuracy, or the training loss if there is no validation split"},
    {.name = "on_failure",
     .kind = CST_KEY_CHOICE,
     .offset = FIELD(on_failure),
     .fallback = "\"stop\"",
     .choices = failure_choices,
     .help = "whether a failed solve ends the run, or its batch is skipped"},
    {.name = "save_every",
     .kind = CST_KEY_SIZE,
     .offset = FIELD(save_every),
     .fallback = "1",
     .range = CST_BETWEEN(0, 1e9),
     .help = "epochs between checkpoints; 0: only one at the end"},
    {.name = "trace_every",
     .kind = CST_KEY_SIZE,
     .offset = FIELD(trace_every),
     .fallback = "0",
     .range = CST_BETWEEN(0, 1e9),
     .help = "every n-th iteration writes its solver steps to trace.csv; 0: none does"},
    {.name = NULL},
};

const cst_key cst_early_stopping_keys[] = {
    {.name = "patience",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_early_stopping, patience),
     .range = CST_BETWEEN(1, 1e9),
     .help = "epochs without improvement after which to stop"},
    {.name = "min_delta",
     .kind = CST_KEY_REAL,
     .offset = offsetof(cst_early_stopping, min_delta),
     .fallback = "0",
     .range = CST_AT_LEAST(0),
     .help = "smallest improvement that counts"},
    {.name = NULL},
};

/* ---- the model and its loss ---------------------------------------------------------------------------------- */

/* Look up a loss by name. The message about an unknown one lists all names. */
static cst_status find_loss(cst_config root, const char *name, const cst_loss **loss, cst_error *error)
{
    *loss = cst_loss_find(name);
    if (*loss) return CST_OK;
    /* List as many names as fit. */
    char known[200] = "";
    size_t used = 0;
    for (size_t i = 0; cst_losses[i] && used + strlen(cst_losses[i]->name) + 3 < sizeof known; i++) {
        if (i > 0) memcpy(known + used, ", ", 3), used += 2;
        memcpy(known + used, cst_losses[i]->name, strlen(cst_losses[i]->name) + 1);
        used += strlen(cst_losses[i]->name);
    }
    return cst_config_fail(cst_config_get(root, "loss"), error, "expected one of %s, got \"%s\"", known, name);
}

/* True if a row of the model's output has `wanted` numbers, or has that many at each of the data's steps. */
static bool has_outputs(const cst_experiment *e, size_t wanted)
{
    /* With steps, y is (steps, wanted), or any shape of that size that begins with steps. */
    const cst_shape *y = &e->model->y;
    const size_t steps = e->data.steps;
    if (steps == 0) return cst_shape_size(y) == wanted;
    return y->rank > 0 && y->dim[0] == steps && cst_shape_size(y) == cst_size_mul(steps, wanted);
}

/* CST_ECONFIG unless the model has `wanted` outputs per row or step, one per `what`. */
static cst_status check_outputs(const cst_experiment *e, cst_config model, size_t wanted, const char *what,
                                cst_error *error)
{
    char shape[CST_SHAPE_TEXT];
    cst_shape_text(&e->model->y, shape);
    if (has_outputs(e, wanted)) return CST_OK;
    if (e->data.steps == 0)
        return cst_config_fail(model, error, "expected %zu outputs, one per %s, got rows of shape %s", wanted, what,
                               shape);
    return cst_config_fail(model, error,
                           "expected rows of shape (%zu, %zu), one output per %s at each time of a series, got %s",
                           e->data.steps, wanted, what, shape);
}

/* CST_ECONFIG naming the first entry of a split that is outside [0, 1], or that is not one of the flow's pixel levels.
 * `row` is a buffer for one row. */
static cst_status check_unit_interval(const cst_experiment *e, const cst_split *split, real *row, cst_config model,
                                      cst_error *error)
{
    const size_t d = cst_shape_size(&e->data.x), levels = cst_flow_levels(e->model);
    const double top = levels > 0 ? (double)levels - 1 : 0;
    /* Look at each row as the model would see it, after normalization. */
    for (size_t i = 0; i < split->n; i++) {
        cst_dataset_gather(&e->data, split, &i, 1, row, NULL, NULL);
        for (size_t j = 0; j < d; j++) {
            const double x = (double)row[j];
            if (!(x >= -cst_unit_slack && x <= 1 + cst_unit_slack))
                return cst_config_fail(
                    model, error,
                    "a flow that begins with pixels expects numbers from 0 to 1, got %.9g in row %zu "
                    "of the data, entry %zu: see data.normalize",
                    x, i, j);
            /* A pixel of L levels is k / (L - 1) for an integer k. */
            if (!(fabs(top * x - nearbyint(top * x)) <= 2 * cst_unit_slack * top))
                return cst_config_fail(model, error,
                                       "pixels of %zu levels are multiples of 1/%zu, got %.9g in row %zu of the data, "
                                       "entry %zu: see dequantize's \"levels\"",
                                       levels, levels - 1, x, i, j);
        }
    }
    return CST_OK;
}

/* Check all splits if the flow begins with pixels; a no-op otherwise. */
static cst_status check_pixels(const cst_experiment *e, cst_config model, cst_error *error)
{
    const cst_split *const splits[] = {&e->data.train, &e->data.validation, &e->data.test};
    if (!cst_flow_wants_unit_interval(e->model)) return CST_OK;
    real *row = malloc(cst_shape_size(&e->data.x) * sizeof *row);
    cst_status status = row ? CST_OK : cst_fail(error, CST_ENOMEM, "out of memory");
    for (size_t i = 0; i < 3 && status == CST_OK; i++) status = check_unit_interval(e, splits[i], row, model, error);
    free(row);
    return status;
}

double cst_experiment_bits(const cst_experiment *e, double loss)
{
    static const double log_2 = 0.69314718055994530942; /* nats per bit */
    return e->loss->needs_no_targets ? loss / (log_2 * (double)cst_shape_size(&e->data.x)) : (double)NAN;
}

/* CST_ECONFIG unless the loss fits the data's targets and the model's output. */
static cst_status check_loss(const cst_experiment *e, cst_config model, cst_error *error)
{
    const size_t classes = e->data.n_classes, targets = e->data.n_targets;
    char shape[CST_SHAPE_TEXT];
    /* nll: the model must be a flow. */
    if (e->loss->needs_no_targets) {
        if (cst_is_flow(e->model)) return check_pixels(e, model, error);
        return cst_config_fail(model, error,
                               "%s expects a model of type flow, whose output is a log-likelihood, got %s",
                               e->loss->name, e->model->ops->name);
    }
    /* cross_entropy: one output per class. */
    if (e->loss->labels && classes == 0)
        return cst_config_fail(cst_config_get(e->config, "loss"), error,
                               "%s expects data with classes, got %zu values per row", e->loss->name, targets);
    if (e->loss->labels) return check_outputs(e, model, classes, "class", error);
    /* bce_with_logits also takes the labels of two classes, with a single output. */
    if (strcmp(e->loss->name, "bce_with_logits") == 0 && classes > 0) {
        if (classes == 2 && has_outputs(e, 1)) return CST_OK;
        return cst_config_fail(model, error,
                               "bce_with_logits expects 2 classes and one output, got %zu classes and rows of shape %s",
                               classes, cst_shape_text(&e->model->y, shape));
    }
    /* Losses of values: one output per target. */
    if (targets == 0)
        return cst_config_fail(cst_config_get(e->config, "loss"), error,
                               "%s expects data with values as targets, got %zu classes", e->loss->name, classes);
    return check_outputs(e, model, targets / cst_dataset_labels(&e->data), "target", error);
}

/* Replace CST_MONITOR_AUTO, and check that the monitored value exists. */
static cst_status resolve_monitor(cst_experiment *e, cst_error *error)
{
    /* Best weights are only kept for a value that says something about new data, or that was asked for. */
    const bool validation = e->data.validation.n > 0, accuracy = e->loss->count_correct != NULL;
    const cst_config place = cst_config_get(e->config, "monitor");
    e->keep_best = validation || e->monitor != CST_MONITOR_AUTO;
    if (e->monitor == CST_MONITOR_AUTO)
        e->monitor = !validation ? CST_MONITOR_TRAIN_LOSS
                     : accuracy  ? CST_MONITOR_VALIDATION_ACCURACY
                                 : CST_MONITOR_VALIDATION_LOSS;
    /* A value that was asked for must exist. */
    if (e->monitor != CST_MONITOR_TRAIN_LOSS && !validation)
        return cst_config_fail(place, error, "expected a validation split, got none; set data.validation_size");
    if (e->monitor == CST_MONITOR_VALIDATION_ACCURACY && !accuracy)
        return cst_config_fail(place, error, "%s has no accuracy", e->loss->name);
    return CST_OK;
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

/* Read the root's keys and the sections that need neither data nor model. */
static cst_status read_root(cst_config root, cst_experiment *e, root_section *s, cst_error *error)
{
    /* Copy the plain keys. */
    CST_TRY(cst_config_read(root, cst_experiment_keys, false, s, error));
    e->name = s->name;
    e->seed = s->seed;
    e->threads = s->threads > 0 ? (int)s->threads : cst_threads_available();
    e->epochs = s->epochs;
    e->save_every = s->save_every;
    e->trace_every = s->trace_every;
    e->clip_grad_norm = s->clip_grad_norm;
    e->on_failure = (cst_on_failure)s->on_failure;
    e->monitor = (cst_monitor)s->monitor;
    if (!cst_name_is_plain(e->name)) return cst_config_expected(cst_config_get(root, "name"), CST_NAME_RULE, error);
    /* Read the sections. */
    if (cst_config_present(s->early_stopping)) {
        e->early_stopping.enabled = true;
        CST_TRY(cst_config_read(s->early_stopping, cst_early_stopping_keys, false, &e->early_stopping, error));
    }
    CST_TRY(find_loss(root, s->loss, &e->loss, error));
    CST_TRY(cst_optimizer_read(s->optimizer, &e->optimizer, error));
    return cst_schedule_read(s->schedule, e->epochs, &e->schedule, error);
}

/* The data are loaded last: most mistakes in a config show before that takes time. */
static cst_status read_data(cst_experiment *e, root_section *s, cst_error *error)
{
    CST_TRY(read_root(e->config, e, s, error));
    return cst_dataset_load(s->data, e->seed, &e->data, error);
}

static cst_status read_all(cst_experiment *e, cst_error *error)
{
    /* Data first, since the model is made for the shape of their rows. */
    root_section s = {0};
    CST_TRY(read_data(e, &s, error));
    CST_TRY(cst_module_from_config(&cst_all_modules, s.model, &e->data.x, &e->model, error));
    CST_TRY(check_loss(e, s.model, error));
    CST_TRY(resolve_monitor(e, error));
    /* Compute the memory that training would need, without allocating it. */
    size_t rows[CST_BATCH_SIZES];
    const cst_learner_options options = cst_experiment_learner(e, rows, cst_experiment_rows(e, rows));
    cst_memory_plan plan;
    if (cst_learner_plan(e->model, &options, &plan, error) != CST_OK) return cst_config_place(s.model, error);
    return CST_OK;
}

cst_status cst_experiment_new(cst_document *document, cst_experiment *e, cst_error *error)
{
    *e = (cst_experiment){.config = cst_document_root(document)};
    const cst_status status = read_all(e, error);
    if (status != CST_OK) cst_experiment_clear(e);
    return status;
}

cst_status cst_experiment_load_data(cst_document *document, cst_experiment *e, cst_error *error)
{
    root_section s = {0};
    *e = (cst_experiment){.config = cst_document_root(document)};
    const cst_status status = read_data(e, &s, error);
    if (status != CST_OK) cst_experiment_clear(e);
    return status;
}

void cst_experiment_clear(cst_experiment *e)
{
    cst_module_free(e->model);
    cst_dataset_clear(&e->data);
    *e = (cst_experiment){0};
}

/* ---- batches ------------------------------------------------------------------------------------------------- */

size_t cst_experiment_iterations(const cst_experiment *e)
{
    return (e->data.train.n + e->data.batch_size - 1) / e->data.batch_size;
}

/* Append the sizes of a full batch and of the smaller last batch of a split, where they occur. */
static void add_sizes(const cst_split *split, size_t batch, size_t *rows, size_t *n)
{
    if (split->n >= batch) rows[(*n)++] = batch;
    if (split->n % batch > 0) rows[(*n)++] = split->n % batch;
}

size_t cst_experiment_rows(const cst_experiment *e, size_t rows[CST_BATCH_SIZES])
{
    /* The training split may be evaluated too (`costate eval`). */
    size_t n = 0;
    add_sizes(&e->data.train, e->data.batch_size, rows, &n);
    add_sizes(&e->data.validation, e->data.eval_batch_size, rows, &n);
    add_sizes(&e->data.test, e->data.eval_batch_size, rows, &n);
    add_sizes(&e->data.train, e->data.eval_batch_size, rows, &n);
    return n;
}

cst_learner_options cst_experiment_learner(const cst_experiment *e, const size_t *rows, size_t n_rows)
{
    return (cst_learner_options){.loss = e->loss,
                                 .optimizer = &e->optimizer,
                                 .clip_grad_norm = e->clip_grad_norm,
                                 .threads = e->threads,
                                 .rows = rows,
                                 .n_rows = n_rows};
}
