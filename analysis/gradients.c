#include "analysis/gradients.h"

#include "core/clock.h"
#include "core/text.h"
#include "models/registry.h"
#include "ode/stats.h"
#include "ode/tableau.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The batch, the weights and the direction that all rows share. */
typedef struct bench {
    const cst_experiment *e;
    cst_batch batch;
    real *x, *targets, *theta, *direction, *exact, *limit, *grad;
    bool has_limit;
    int32_t *labels;
    size_t *order;
    size_t n_params;
    cst_solve_stats *solves; /* of the forward pass of the exact gradient, one an ODE block, in order */
    size_t n_solves;
} bench;

/* ---- configs ------------------------------------------------------------------------------------------------- */

/* Whether a section has one block, with its own "solver" and "gradient". */
static bool is_block(cst_config section)
{
    static const char *const types[] = {"ode", "cde", "cnf"};
    const char *type = cst_config_string(cst_config_get(section, "type"));
    for (size_t i = 0; type && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type, types[i]) == 0) return true;
    return false;
}

/* Such sections below a place, in the order of the text, which is that of the modules. Adds their number to *n; `visit` may be
 * NULL. */
static void visit_blocks(cst_config at, void (*visit)(void *context, cst_config block, size_t i), void *context,
                         size_t *n)
{
    if (is_block(at)) {
        if (visit) visit(context, at, *n);
        (*n)++;
    }
    for (cst_config child = cst_config_item(at, 0); child.node; child = cst_config_next(child))
        visit_blocks(child, visit, context, n);
}

typedef struct change {
    const char *method, *store; /* of the gradient; NULL: as it is */
    const bench *replay;        /* solve with the steps that are recorded there; NULL: freely */
    bool tighten;               /* solve for tolerances a thousand times tighter */
    cst_status status;
    cst_error *error;
} change;

static bool has_time(cst_config list, double t)
{
    double number;
    for (cst_config item = cst_config_item(list, 0); item.node; item = cst_config_next(item))
        if (cst_config_number(item, &number) && number == t) return true;
    return false;
}

/* Step on every recorded time whatever the error: the steps are then those that were taken. Each is the next stop's distance,
 * for under the PI controller a proposal that was cut short still stands. Jumps are stepped on as they were. */
static cst_status replay_steps(cst_config solver, const cst_solve_stats *stats, cst_error *error)
{
    static const char *const options[][2] = {
        {"rtol", "1e12"}, {"first_step", "1e12"}, {"max_step", "1e12"}, {"pi_controller", "true"}};
    const cst_config jumps = cst_config_get(solver, "jump_t");
    cst_text list = {0};
    cst_text_puts(&list, "[");
    bool first = true;
    for (size_t i = 0; i < stats->n_attempts; i++) {
        const cst_attempt *a = &stats->attempts[i];
        if (!a->accepted) continue;
        /* where the next one begins: exactly, t + dt may have been rounded */
        const double end = i + 1 < stats->n_attempts ? a[1].t : a->t + a->dt;
        if (has_time(jumps, end)) continue;
        cst_text_puts(&list, first ? "" : ", ");
        cst_text_number(&list, end);
        first = false;
    }
    cst_text_puts(&list, "]");
    cst_status status = list.failed ? cst_fail(error, CST_ENOMEM, "out of memory") : CST_OK;
    if (status == CST_OK) status = cst_config_put(solver, "step_t", list.data, error);
    for (size_t i = 0; status == CST_OK && i < sizeof options / sizeof options[0]; i++)
        status = cst_config_put(solver, options[i][0], options[i][1], error);
    free(list.data);
    return status;
}

static cst_status change_gradient(cst_config block, const change *c, cst_error *error)
{
    char value[40];
    if (!cst_config_present(cst_config_get(block, "gradient"))) CST_TRY(cst_config_put(block, "gradient", "{}", error));
    const cst_config gradient = cst_config_get(block, "gradient");
    snprintf(value, sizeof value, "\"%s\"", c->method);
    CST_TRY(cst_config_put(gradient, "method", value, error));
    if (!c->store) return CST_OK;
    snprintf(value, sizeof value, "\"%s\"", c->store);
    return cst_config_put(gradient, "store", value, error);
}

/* The resolved section has both; in single precision there is an end to it. */
static cst_status tighten(cst_config solver, cst_error *error)
{
    static const char *const keys[] = {"rtol", "atol"};
    const char *method = cst_config_string(cst_config_get(solver, "method"));
    const cst_tableau *tableau = method ? cst_tableau_find(method) : NULL;
    char text[40];
    if (!tableau || !tableau->adaptive) return cst_fail(error, CST_EUNSUPPORTED, "steps do not follow a tolerance");
    for (size_t i = 0; i < 2; i++) {
        double value;
        if (!cst_config_number(cst_config_get(solver, keys[i]), &value))
            return cst_fail(error, CST_EUNSUPPORTED, "no %s to tighten", keys[i]);
        snprintf(text, sizeof text, "%.17g", fmax(1e-3 * value, i == 0 ? 8 * (double)CST_REAL_EPSILON : 0));
        CST_TRY(cst_config_put(solver, keys[i], text, error));
    }
    return CST_OK;
}

static void change_block(void *context, cst_config block, size_t i)
{
    change *c = context;
    if (c->status == CST_OK && c->method) c->status = change_gradient(block, c, c->error);
    if (c->status == CST_OK && c->tighten) c->status = tighten(cst_config_get(block, "solver"), c->error);
    if (c->status != CST_OK || !c->replay || i >= c->replay->n_solves) return;
    const cst_solve_stats *stats = &c->replay->solves[i];
    if (!cst_config_present(cst_config_get(block, "solver")))
        c->status = cst_config_put(block, "solver", "{}", c->error);
    if (c->status == CST_OK && stats->n_attempts > 0 && cst_tableau_find(stats->method)->adaptive)
        c->status = replay_steps(cst_config_get(block, "solver"), stats, c->error);
}

/* The experiment's model with changes to its ODE blocks. */
static cst_status make_model(const bench *b, change c, cst_module **m, cst_error *error)
{
    char *text = cst_config_print(cst_config_get(b->e->config, "model"));
    cst_document *document = NULL;
    if (!text) return cst_fail(error, CST_ENOMEM, "out of memory");
    cst_status status = cst_document_parse("model", text, strlen(text), &document, error);
    free(text);
    CST_TRY(status);
    size_t n = 0;
    c.error = error;
    visit_blocks(cst_document_root(document), change_block, &c, &n);
    status = c.status;
    if (status == CST_OK)
        status = cst_module_from_config(&cst_all_modules, cst_document_root(document), &b->e->data.x, m, error);
    cst_document_free(document);
    return status;
}

/* ---- passes -------------------------------------------------------------------------------------------------- */

/* Keeps a copy of each forward solve's attempts: the observer's are gone after the call. */
static void keep_solve(void *context, const char *block, bool backward, const cst_solve_stats *stats)
{
    bench *b = context;
    (void)block;
    if (backward) return;
    cst_solve_stats *solves = realloc(b->solves, (b->n_solves + 1) * sizeof *solves);
    if (!solves) return;
    b->solves = solves;
    solves[b->n_solves] = (cst_solve_stats){.trace = true, .method = stats->method};
    for (size_t i = 0; i < stats->n_attempts; i++)
        if (cst_solve_stats_add_attempt(&solves[b->n_solves], &stats->attempts[i], NULL) != CST_OK) return;
    b->n_solves++;
}

static void forget_solves(bench *b)
{
    for (size_t i = 0; i < b->n_solves; i++) cst_solve_stats_clear(&b->solves[i]);
    free(b->solves);
    b->solves = NULL;
    b->n_solves = 0;
}

static cst_status make_learner(const bench *b, const cst_module *m, cst_learner *l, cst_error *error)
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

/* One row: two steps from the same weights with learning rate 0, the second timed as well; b->grad is the gradient. */
static cst_status try_method(bench *b, const change *c, bool keep, cst_gradient_row *row, cst_error *error)
{
    cst_module *m = NULL;
    cst_learner l = {0};
    cst_step step = {0};
    CST_TRY(make_model(b, *c, &m, error));
    cst_status status = make_learner(b, m, &l, error);
    row->seconds = HUGE_VAL;
    for (int i = 0; status == CST_OK && i < 2; i++) {
        if (keep && i == 0) {
            l.tally.trace = true;
            l.tally.listener = (cst_solve_listener){.context = b, .solved = keep_solve};
        } else {
            l.tally.trace = false;
            l.tally.listener.solved = NULL;
        }
        const double before = l.seconds[CST_FORWARD] + l.seconds[CST_BACKWARD];
        status = cst_learner_step(&l, &b->batch, 0, &step, error);
        row->seconds = fmin(row->seconds, l.seconds[CST_FORWARD] + l.seconds[CST_BACKWARD] - before);
    }
    if (status == CST_OK) {
        memcpy(b->grad, l.grad, b->n_params * sizeof *b->grad);
        row->along = dot(b->grad, b->direction, b->n_params);
        for (int d = 0; d < 2; d++) row->nfe[d] = (double)step.counts[d].nfe;
    }
    if (l.model) cst_learner_clear(&l);
    cst_module_free(m);
    return status;
}

static double distance(const bench *b, const real *from)
{
    double sum = 0, size = 0;
    for (size_t i = 0; i < b->n_params; i++) {
        const double d = (double)b->grad[i] - (double)from[i];
        sum += d * d;
        size += (double)from[i] * (double)from[i];
    }
    return sqrt(sum / size);
}

/* (L(theta + h v) - L(theta - h v)) / 2h, |v| = 1, with the recorded steps. */
static cst_status try_differences(bench *b, cst_gradient_row *row, cst_error *error)
{
    const double h = sqrt(dot(b->theta, b->theta, b->n_params)) * (sizeof(real) == sizeof(double) ? 1e-5 : 3e-3);
    const change c = {.replay = b};
    cst_module *m = NULL;
    cst_learner l = {0};
    double loss[2] = {0};
    CST_TRY(make_model(b, c, &m, error));
    cst_status status = make_learner(b, m, &l, error);
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

/* ---- all of it ----------------------------------------------------------------------------------------------- */

static void clear(bench *b)
{
    forget_solves(b);
    real *const arrays[] = {b->x, b->targets, b->theta, b->direction, b->exact, b->limit, b->grad};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) free(arrays[i]);
    free(b->labels);
    free(b->order);
}

static cst_status prepare(bench *b, cst_error *error)
{
    const cst_experiment *e = b->e;
    const cst_part *part = &e->data.train;
    const size_t n = part->n < e->data.batch_size ? part->n : e->data.batch_size, p = e->model->n_params;
    const size_t targets = e->data.n_targets > 0 ? e->data.n_targets : 1;
    b->n_params = p;
    b->x = calloc(n * cst_shape_size(&e->data.x), sizeof(real));
    b->targets = calloc(n * targets, sizeof(real));
    b->labels = calloc(n * cst_dataset_labels(&e->data), sizeof *b->labels);
    b->order = calloc(part->n, sizeof *b->order);
    real **const vectors[] = {&b->theta, &b->direction, &b->exact, &b->limit, &b->grad};
    bool good = b->x && b->targets && b->labels && b->order;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        good = (*vectors[i] = calloc(p + 1, sizeof(real))) && good;
    if (!good) return cst_fail(error, CST_ENOMEM, "out of memory");
    cst_rng_permutation(cst_rng_split(cst_rng_new(e->seed, CST_RNG_SHUFFLE), 0), b->order, part->n);
    cst_dataset_gather(&e->data, part, b->order, n, b->x, b->labels, b->targets);
    b->batch =
        (cst_batch){.n = n,
                    .steps = e->data.steps,
                    .x = b->x,
                    .targets = {.labels = part->labels ? b->labels : NULL, .values = part->targets ? b->targets : NULL},
                    .rng = cst_rng_split(cst_rng_new(e->seed, CST_RNG_DROPOUT), 0)};
    cst_module_init(e->model, cst_rng_new(e->seed, CST_RNG_INIT), b->theta);
    cst_rng_fill_normal(cst_rng_new(e->seed, CST_RNG_NOISE), b->direction, p, 1);
    const double size = sqrt(dot(b->direction, b->direction, p));
    for (size_t i = 0; i < p; i++) b->direction[i] = (real)((double)b->direction[i] / size);
    return CST_OK;
}

/* Where it cannot be had, steps being fixed or too many, there is no distance from it. */
static cst_status find_limit(bench *b, cst_error *error)
{
    const change c = {.method = "checkpointed", .store = "states", .tighten = true};
    cst_gradient_row row = {0};
    const cst_status status = try_method(b, &c, false, &row, error);
    b->has_limit = status == CST_OK;
    if (b->has_limit) memcpy(b->limit, b->grad, b->n_params * sizeof *b->limit);
    return status == CST_ENOMEM ? status : CST_OK;
}

static cst_status compare(bench *b, cst_gradient_row rows[CST_GRADIENT_ROWS], cst_error *error)
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
            const change c = {.method = methods[i].method, .store = methods[i].store};
            row->status = try_method(b, &c, i == 0, row, &why);
        }
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

/* ODE blocks, and those that are in the field of another. */
static void count_blocks(const cst_module *m, bool inside, size_t *n, size_t *nested)
{
    const bool block = strcmp(m->ops->name, "ode") == 0;
    *n += block;
    *nested += block && inside;
    for (size_t i = 0; i < m->n_children; i++) count_blocks(m->children[i].module, inside || block, n, nested);
}

cst_status cst_gradients_compare(const cst_experiment *e, cst_gradient_row rows[CST_GRADIENT_ROWS], cst_error *error)
{
    size_t n = 0, nested = 0, sections = 0;
    count_blocks(e->model, false, &n, &nested);
    visit_blocks(cst_config_get(e->config, "model"), NULL, NULL, &sections);
    if (n == 0)
        return cst_fail(error, CST_EUNSUPPORTED, "the model has no ODE block whose gradients could be compared");
    if (nested > 0)
        return cst_fail(error, CST_EUNSUPPORTED, "gradients of an ODE block inside another's field are not compared");
    if (sections != n) /* the changes would not reach it, and all methods look alike */
        return cst_fail(error, CST_EUNSUPPORTED, "gradients of an ODE block inside another module are not compared");
    bench b = {.e = e};
    const cst_status status = compare(&b, rows, error);
    clear(&b);
    return status;
}
