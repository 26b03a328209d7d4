#include "analysis/gradients.h"

#include "analysis/block_changes.h"
#include "core/clock.h"
#include "models/registry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The batch, the weights and the direction that all rows share. */
typedef struct setup {
    const cst_experiment *e;
    cst_batch batch;
    real *x, *targets, *theta, *direction; /* direction: a unit vector */
    real *exact, *limit, *grad;            /* gradients (P): exact, of the limit, and of the last method tried */
    bool has_limit;
    int32_t *labels;
    size_t *order;
    size_t n_params;
    cst_solve_stats *solves; /* (n_solves): the exact gradient's forward solves, one per ODE block, in order */
    size_t n_solves;
    bool out_of_memory; /* a solve could not be recorded */
} setup;

/* Build the experiment's model with changes to its ODE blocks. They are made in a copy of the config. */
static cst_status make_model(const setup *b, const cst_block_change *c, cst_module **m, cst_error *error)
{
    /* Copy the section by way of its text. */
    char *text = cst_config_print(cst_config_get(b->e->config, "model"));
    cst_document *document = NULL;
    if (!text) return cst_fail(error, CST_ENOMEM, "out of memory");
    cst_status status = cst_document_parse("model", text, strlen(text), &document, error);
    free(text);
    CST_TRY(status);
    /* Change it and build the model. */
    status = cst_block_change_all(cst_document_root(document), c, error);
    if (status == CST_OK)
        status = cst_module_from_config(&cst_all_modules, cst_document_root(document), &b->e->data.x, m, error);
    cst_document_free(document);
    return status;
}

/* ---- passes -------------------------------------------------------------------------------------------------- */

/* Listener: copy each forward solve's attempts, which are only valid during the call. */
static void keep_solve(void *context, const char *block, bool backward, const cst_solve_stats *stats)
{
    setup *b = context;
    (void)block;
    if (backward || b->out_of_memory) return;
    cst_solve_stats *solves = realloc(b->solves, (b->n_solves + 1) * sizeof *solves);
    b->out_of_memory = !solves;
    if (!solves) return;
    b->solves = solves;
    /* Count the solve before its attempts are copied, so that clear() frees a copy that is incomplete. */
    cst_solve_stats *copy = &solves[b->n_solves++];
    *copy = (cst_solve_stats){.trace = true, .method = stats->method};
    for (size_t i = 0; i < stats->n_attempts && !b->out_of_memory; i++)
        b->out_of_memory = cst_solve_stats_add_attempt(copy, &stats->attempts[i], NULL) != CST_OK;
}

/* A learner for the model with the shared weights. */
static cst_status make_learner(const setup *b, const cst_module *m, cst_learner *l, cst_error *error)
{
    const cst_learner_options options = {
        .loss = b->e->loss, .optimizer = &b->e->optimizer, .threads = b->e->threads, .rows = &b->batch.n, .n_rows = 1};
    CST_TRY(cst_learner_init(l, m, &options, cst_rng_new(b->e->seed, CST_RNG_INIT), error));
    memcpy(l->theta, b->theta, b->n_params * sizeof *b->theta);
    return CST_OK;
}

static double dot(const real *a, const real *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Fill a row by two steps with learning rate 0, which leaves the weights as they are. Seconds are those of the faster one.
 * b->grad becomes the gradient. `keep`: record the solves of the first step in b->solves. */
static cst_status try_method(setup *b, const cst_block_change *c, bool keep, cst_gradient_row *row, cst_error *error)
{
    cst_module *m = NULL;
    cst_learner l = {0};
    cst_step step = {0};
    CST_TRY(make_model(b, c, &m, error));
    cst_status status = make_learner(b, m, &l, error);
    row->seconds = HUGE_VAL;
    for (int i = 0; status == CST_OK && i < 2; i++) {
        /* Only a step that is recorded needs a trace. */
        if (keep && i == 0) {
            l.tally.trace = true;
            l.tally.listener = (cst_solve_listener){.context = b, .solved = keep_solve};
        } else {
            l.tally.trace = false;
            l.tally.listener.solved = NULL;
        }
        /* Step, and time its two passes. */
        const double before = l.seconds[CST_FORWARD] + l.seconds[CST_BACKWARD];
        status = cst_learner_step(&l, &b->batch, 0, &step, error);
        row->seconds = fmin(row->seconds, l.seconds[CST_FORWARD] + l.seconds[CST_BACKWARD] - before);
        /* A listener cannot fail. Solves that are missing would give their blocks the steps of others. */
        if (status == CST_OK && b->out_of_memory) status = cst_fail(error, CST_ENOMEM, "out of memory");
    }
    /* Results of the second step. */
    if (status == CST_OK) {
        memcpy(b->grad, l.grad, b->n_params * sizeof *b->grad);
        row->along = dot(b->grad, b->direction, b->n_params);
        for (int d = 0; d < 2; d++) row->nfe[d] = (double)step.counts[d].nfe;
    }
    if (l.model) cst_learner_clear(&l);
    cst_module_free(m);
    return status;
}

/* |b->grad - from| / |from|. */
static double distance(const setup *b, const real *from)
{
    double sum = 0, size = 0;
    for (size_t i = 0; i < b->n_params; i++) {
        const double d = (double)b->grad[i] - (double)from[i];
        sum += d * d;
        size += (double)from[i] * (double)from[i];
    }
    return sqrt(sum / size);
}

/* (L(theta + h v) - L(theta - h v)) / 2h with |v| = 1. Both solves take the recorded steps. h balances truncation and
 * rounding for the precision of reals. */
static cst_status try_differences(setup *b, cst_gradient_row *row, cst_error *error)
{
    const double h = sqrt(dot(b->theta, b->theta, b->n_params)) * (sizeof(real) == sizeof(double) ? 1e-5 : 3e-3);
    const cst_block_change c = {.replay = b->solves, .n_replay = b->n_solves};
    cst_module *m = NULL;
    cst_learner l = {0};
    double loss[2] = {0};
    CST_TRY(make_model(b, &c, &m, error));
    cst_status status = make_learner(b, m, &l, error);
    /* The loss at theta - h v, then at theta + h v. */
    const double start = cst_clock();
    for (int up = 0; status == CST_OK && up < 2; up++) {
        cst_step step;
        for (size_t i = 0; i < b->n_params; i++)
            l.theta[i] = (real)((double)b->theta[i] + (up ? h : -h) * (double)b->direction[i]);
        status = cst_learner_forward(&l, &b->batch, true, &step, error);
        loss[up] = step.loss;
        row->nfe[CST_FORWARD] += (double)step.counts[CST_FORWARD].nfe;
    }
    row->seconds = cst_clock() - start;
    row->along = (loss[1] - loss[0]) / (2 * h);
    row->distance = row->from_limit = (double)NAN;
    if (l.model) cst_learner_clear(&l);
    cst_module_free(m);
    return status;
}

/* ---- all rows ------------------------------------------------------------------------------------------------ */

static void clear(setup *b)
{
    for (size_t i = 0; i < b->n_solves; i++) cst_solve_stats_clear(&b->solves[i]);
    free(b->solves);
    real *const arrays[] = {b->x, b->targets, b->theta, b->direction, b->exact, b->limit, b->grad};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) free(arrays[i]);
    free(b->labels);
    free(b->order);
}

/* Allocate, and set up the first training batch, the initial weights and the random direction. */
static cst_status prepare(setup *b, cst_error *error)
{
    const cst_experiment *e = b->e;
    const cst_split *split = &e->data.train;
    const size_t n = split->n < e->data.batch_size ? split->n : e->data.batch_size, p = e->model->n_params;
    const size_t targets = e->data.n_targets > 0 ? e->data.n_targets : 1;
    /* Allocate. Vectors have an entry more, so that none is empty. */
    b->n_params = p;
    b->x = calloc(n * cst_shape_size(&e->data.x), sizeof(real));
    b->targets = calloc(n * targets, sizeof(real));
    b->labels = calloc(n * cst_dataset_labels(&e->data), sizeof *b->labels);
    b->order = calloc(split->n, sizeof *b->order);
    real **const vectors[] = {&b->theta, &b->direction, &b->exact, &b->limit, &b->grad};
    bool good = b->x && b->targets && b->labels && b->order;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        good = (*vectors[i] = calloc(p + 1, sizeof(real))) && good;
    if (!good) return cst_fail(error, CST_ENOMEM, "out of memory");
    /* Gather the batch with which a run begins. */
    cst_rng_permutation(cst_rng_split(cst_rng_new(e->seed, CST_RNG_SHUFFLE), 0), b->order, split->n);
    cst_dataset_gather(&e->data, split, b->order, n, b->x, b->labels, b->targets);
    b->batch = (cst_batch){
        .n = n,
        .steps = e->data.steps,
        .x = b->x,
        .targets = {.labels = split->labels ? b->labels : NULL, .values = split->targets ? b->targets : NULL},
        .rng = cst_rng_split(cst_rng_new(e->seed, CST_RNG_DROPOUT), 0)};
    /* Initial weights, and a unit vector. */
    cst_module_init(e->model, cst_rng_new(e->seed, CST_RNG_INIT), b->theta);
    cst_rng_fill_normal(cst_rng_new(e->seed, CST_RNG_NOISE), b->direction, p, 1);
    const double size = sqrt(dot(b->direction, b->direction, p));
    for (size_t i = 0; i < p; i++) b->direction[i] = (real)((double)b->direction[i] / size);
    return CST_OK;
}

/* Compute the limit. With fixed steps, or if the tight solve fails, there is none. */
static cst_status find_limit(setup *b, cst_error *error)
{
    const cst_block_change c = {.method = "checkpointed", .store = "states", .tighten = true};
    cst_gradient_row row = {0};
    const cst_status status = try_method(b, &c, false, &row, error);
    b->has_limit = status == CST_OK;
    if (b->has_limit) memcpy(b->limit, b->grad, b->n_params * sizeof *b->limit);
    return status == CST_ENOMEM ? status : CST_OK;
}

/* Fill all rows. The first one is the exact gradient, without which there is nothing to compare with. */
static cst_status compare(setup *b, cst_gradient_row rows[CST_GRADIENT_ROWS], cst_error *error)
{
    static const struct {
        const char *name, *method, *store;
    } methods[CST_GRADIENT_ROWS - 1] = {{"checkpointed, states", "checkpointed", "states"},
                                        {"checkpointed, stages", "checkpointed", "stages"},
                                        {"backsolve", "backsolve", NULL},
                                        {"interpolating", "interpolating", NULL}};
    CST_TRY(prepare(b, error));
    CST_TRY(find_limit(b, error));
    for (size_t i = 0; i < CST_GRADIENT_ROWS; i++) {
        cst_gradient_row *row = &rows[i];
        const bool differences = i + 1 == CST_GRADIENT_ROWS;
        cst_error why = {0};
        *row = (cst_gradient_row){.method = differences ? "differences" : methods[i].name};
        if (differences) {
            row->status = try_differences(b, row, &why);
        } else {
            const cst_block_change c = {.method = methods[i].method, .store = methods[i].store};
            row->status = try_method(b, &c, i == 0, row, &why);
        }
        /* Other failures are part of the result. */
        if (row->status == CST_ENOMEM || (i == 0 && row->status != CST_OK))
            return cst_fail(error, row->status, "%s: %s", row->method, why.message);
        snprintf(row->why, sizeof row->why, "%.199s", why.message);
        if (i == 0) memcpy(b->exact, b->grad, b->n_params * sizeof *b->exact);
        if (differences) continue;
        row->distance = distance(b, b->exact);
        row->from_limit = b->has_limit ? distance(b, b->limit) : (double)NAN;
    }
    return CST_OK;
}

/* Count the ODE blocks below m, and those of them that are inside the field of another. */
static void count_blocks(const cst_module *m, bool inside, size_t *n, size_t *nested)
{
    const bool block = strcmp(m->ops->name, "ode") == 0;
    *n += block;
    *nested += block && inside;
    for (size_t i = 0; i < m->n_children; i++) count_blocks(m->children[i].module, inside || block, n, nested);
}

cst_status cst_gradients_compare(const cst_experiment *e, cst_gradient_row rows[CST_GRADIENT_ROWS], cst_error *error)
{
    /* Check that the changes reach every block of the model. */
    size_t n = 0, nested = 0;
    count_blocks(e->model, false, &n, &nested);
    if (n == 0)
        return cst_fail(error, CST_EUNSUPPORTED, "the model has no ODE block whose gradients could be compared");
    if (nested > 0)
        return cst_fail(error, CST_EUNSUPPORTED,
                        "gradients of an ODE block inside another block's field cannot be compared");
    /* A module that creates a block itself has no section for it: all methods would compute the same. */
    if (cst_block_sections(cst_config_get(e->config, "model")) != n)
        return cst_fail(error, CST_EUNSUPPORTED,
                        "gradients of an ODE block that another module creates cannot be compared");
    /* Compare. */
    setup b = {.e = e};
    const cst_status status = compare(&b, rows, error);
    clear(&b);
    return status;
}
