#include "train/learner.h"

#include "core/clock.h"

#include <math.h>
#include <string.h>

/* ---- memory -------------------------------------------------------------------------------------------------- */

/* Vectors of P entries: theta; with an optimizer also the gradient and the optimizer's slots. */
static size_t count_vectors(const cst_learner_options *o)
{
    return o->optimizer ? 2 + cst_optimizer_slots(o->optimizer) : 1;
}

/* Arrays of the size of y: y, its cotangent, and values converted from labels. */
enum { N_OUTPUTS = 3 };

/* Rows of the largest batch. */
static size_t most_rows(const cst_learner_options *o)
{
    size_t most = 0;
    for (size_t i = 0; i < o->n_rows; i++) most = cst_size_max(most, o->rows[i]);
    return most;
}

/* Reals of the whole plan; saturates at SIZE_MAX. */
static size_t total(const cst_memory_plan *plan)
{
    return cst_size_add(cst_size_add(plan->params, plan->state), cst_size_add(plan->cache, plan->work));
}

cst_status cst_learner_plan(const cst_module *model, const cst_learner_options *o, cst_memory_plan *plan,
                            cst_error *error)
{
    /* Cache and work: the largest that any batch size needs. */
    *plan = (cst_memory_plan){0};
    for (size_t i = 0; i < o->n_rows; i++) {
        cst_plan one;
        cst_module_plan(model, o->rows[i], 0, o->threads, &one);
        plan->cache = cst_size_max(plan->cache, cst_size_align(one.cache));
        plan->work = cst_size_max(plan->work, cst_size_align(one.work));
    }
    /* Arrays of rows and vectors of parameters. Sizes that overflow have become SIZE_MAX. */
    const size_t y = cst_size_align(cst_size_mul(most_rows(o), cst_shape_size(&model->y)));
    plan->state = cst_size_mul(N_OUTPUTS, y);
    plan->params = cst_size_mul(count_vectors(o), cst_size_align(model->n_params));
    if (cst_size_mul(total(plan), sizeof(real)) < SIZE_MAX / 2) return CST_OK;
    return cst_fail(error, CST_EARG, "the model needs more memory than can be addressed with batches of %zu rows",
                    most_rows(o));
}

cst_status cst_learner_init(cst_learner *l, const cst_module *model, const cst_learner_options *o, cst_rng rng,
                            cst_error *error)
{
    *l = (cst_learner){.model = model, .loss = o->loss, .threads = o->threads, .clip_grad_norm = o->clip_grad_norm};
    /* One arena holds everything. */
    if (o->optimizer) l->optimizer = *o->optimizer;
    l->max_rows = most_rows(o);
    cst_memory_plan plan;
    CST_TRY(cst_learner_plan(model, o, &plan, error));
    CST_TRY(cst_tally_init(&l->tally, model, error));
    const cst_status status = cst_arena_init(&l->arena, total(&plan), error);
    if (status != CST_OK) {
        cst_learner_clear(l);
        return status;
    }
    /* Cut it into the arrays, in the sizes of the plan. */
    l->theta = cst_arena_take(&l->arena, model->n_params);
    if (o->optimizer) l->grad = cst_arena_take(&l->arena, model->n_params);
    for (size_t i = 0; o->optimizer && i < cst_optimizer_slots(o->optimizer); i++)
        l->slot[i] = cst_arena_take(&l->arena, model->n_params);
    /* Arrays of rows, then the model's cache and work. */
    real **const outputs[N_OUTPUTS] = {&l->y, &l->gy, &l->targets};
    for (size_t i = 0; i < N_OUTPUTS; i++) *outputs[i] = cst_arena_take(&l->arena, plan.state / N_OUTPUTS);
    l->cache = cst_arena_take(&l->arena, plan.cache);
    l->work = cst_arena_take(&l->arena, plan.work);
    cst_module_init(model, rng, l->theta);
    return CST_OK;
}

void cst_learner_clear(cst_learner *l)
{
    cst_tally_clear(&l->tally);
    cst_arena_clear(&l->arena);
    *l = (cst_learner){0};
}

/* ---- passes -------------------------------------------------------------------------------------------------- */

/* The arguments that all passes of a batch share. */
static cst_call make_call(const cst_learner *l, const cst_batch *batch, bool train, const cst_observer *observer,
                          cst_error *error)
{
    return (cst_call){.n = batch->n,
                      .threads = l->threads,
                      .train = train,
                      .rng = batch->rng,
                      .theta = l->theta,
                      .work = l->work,
                      .observer = observer,
                      .error = error};
}

/* The batch as the loss sees it: `rows` rows of d scores, and targets in the form that the loss reads. */
typedef struct view {
    size_t rows, d;
    cst_targets targets;
} view;

static view view_of(const cst_learner *l, const cst_batch *batch)
{
    /* Each step with a target is a row of its own to the loss. */
    const size_t steps = batch->steps > 0 && !l->loss->needs_no_targets ? batch->steps : 1;
    view v = {batch->n * steps, cst_shape_size(&l->model->y) / steps, batch->targets};
    if (l->loss->labels || l->loss->needs_no_targets || v.targets.values) return v;
    /* bce_with_logits with labels: label 1 is the value 1, a missing label is NaN. */
    for (size_t i = 0; i < v.rows; i++) {
        const int32_t label = v.targets.labels[i];
        l->targets[i] = label < 0 ? (real)NAN : (real)label;
    }
    v.targets.values = l->targets;
    return v;
}

/* y = model(x), then loss and accuracy. gy, unless NULL, becomes dL/dy. */
static cst_status forward(cst_learner *l, const cst_batch *batch, const cst_call *call, real *gy, cst_step *step)
{
    const view v = view_of(l, batch);
    /* weight = N times the share of terms that have a target, computed so that it is exactly N if all have one. */
    const cst_target_count count = cst_loss_count_targets(l->loss, v.rows, v.d, v.targets);
    const size_t terms = l->loss->labels || l->loss->needs_no_targets ? v.rows : v.rows * v.d;
    step->weight = (double)count.terms / ((double)terms / (double)batch->n);
    step->targeted = count.rows;
    /* The model's forward pass fills the cache for the backward pass. */
    const double start = cst_clock();
    const cst_status status = cst_module_forward(l->model, call, batch->x, l->y, l->cache);
    l->seconds[CST_FORWARD] += cst_clock() - start;
    CST_TRY(status);
    /* Loss, its gradient and the number of correct rows. */
    l->loss->evaluate(v.rows, v.d, l->y, v.targets, &step->loss, gy);
    if (l->loss->count_correct) step->correct = l->loss->count_correct(v.rows, v.d, l->y, v.targets);
    if (isfinite(step->loss)) return CST_OK;
    return cst_fail(call->error, CST_ENONFINITE, "the loss is %g", step->loss);
}

/* grad = (dy/dtheta)^T gy by the model's VJP, then clipped. The gradient with respect to x is not needed. */
static cst_status backward(cst_learner *l, const cst_batch *batch, const cst_call *call, cst_step *step)
{
    /* The VJP adds to gtheta, which therefore begins at 0. */
    const double start = cst_clock();
    memset(l->grad, 0, l->model->n_params * sizeof *l->grad);
    const cst_point point = {batch->x, l->y, l->cache};
    const cst_status status =
        cst_module_vjp(l->model, call, &point, l->gy, &(cst_grads){.scale = 1, .gtheta = l->grad});
    l->seconds[CST_BACKWARD] += cst_clock() - start;
    CST_TRY(status);
    /* Clip. The norm before clipping is the one that is reported. */
    step->grad_norm = l->clip_grad_norm > 0 ? cst_clip_grad_norm(l->model->n_params, l->grad, l->clip_grad_norm)
                                            : cst_grad_norm(l->model->n_params, l->grad);
    if (isfinite(step->grad_norm)) return CST_OK;
    return cst_fail(call->error, CST_ENONFINITE, "the gradient's norm is %g", step->grad_norm);
}

/* The step's counts: what the tally has counted since `before`. */
static void count_since(const cst_tally *tally, const cst_counts before[CST_N_DIRECTIONS], cst_step *step)
{
    for (int i = 0; i < CST_N_DIRECTIONS; i++)
        cst_counts_add_difference(&step->counts[i], &tally->total[i], &before[i]);
}

/* CST_EARG if the batch is empty or larger than planned. */
static cst_status check_batch(const cst_learner *l, const cst_batch *batch, cst_error *error)
{
    if (batch->n >= 1 && batch->n <= l->max_rows) return CST_OK;
    return cst_fail(error, CST_EARG, "expected a batch of 1 to %zu rows, got %zu", l->max_rows, batch->n);
}

cst_status cst_learner_step(cst_learner *l, const cst_batch *batch, double lr, cst_step *step, cst_error *error)
{
    *step = (cst_step){0};
    CST_TRY(check_batch(l, batch, error));
    if (!l->grad) return cst_fail(error, CST_EARG, "a learner without an optimizer cannot step");
    /* Loss and gradient, with counts even if a pass fails. */
    cst_counts before[CST_N_DIRECTIONS];
    memcpy(before, l->tally.total, sizeof before);
    const cst_observer observer = cst_tally_observer(&l->tally);
    const cst_call call = make_call(l, batch, true, &observer, error);
    cst_status status = forward(l, batch, &call, l->gy, step);
    if (status == CST_OK) status = backward(l, batch, &call, step);
    count_since(&l->tally, before, step);
    CST_TRY(status);
    /* The optimizer's update, only after everything has succeeded. */
    cst_update update = {.lr = lr, .step = ++l->updates, .n = l->model->n_params, .grad = l->grad, .theta = l->theta};
    memcpy(update.slot, l->slot, sizeof update.slot);
    cst_optimizer_step(&l->optimizer, &update);
    return CST_OK;
}

cst_status cst_learner_forward(cst_learner *l, const cst_batch *batch, bool train, cst_step *step, cst_error *error)
{
    *step = (cst_step){0};
    CST_TRY(check_batch(l, batch, error));
    /* Evaluations have a tally of their own: that of training is part of a run's result. */
    cst_counts before[CST_N_DIRECTIONS];
    memcpy(before, l->evaluation.total, sizeof before);
    const cst_observer observer = cst_tally_observer(&l->evaluation);
    const cst_call call = make_call(l, batch, train, &observer, error);
    const cst_status status = forward(l, batch, &call, NULL, step);
    count_since(&l->evaluation, before, step);
    return status;
}

cst_status cst_learner_evaluate(cst_learner *l, const cst_batch *batch, cst_step *step, cst_error *error)
{
    return cst_learner_forward(l, batch, false, step, error);
}
