/* Kind "train": a whole model trained for a few steps on given batches. */
#include "tests/golden.h"
#include "train/loss.h"
#include "train/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The README's tolerances for this kind: errors of the first steps grow in the later ones. */
static const double tolerance = 1e-8;

typedef struct training {
    golden *g;
    cst_module *m;
    const cst_loss *loss;
    cst_optimizer optimizer;
    cst_update update;
    real *theta, *grad;
    size_t nfe[2]; /* forward, backward: totals over the blocks of a step */
} training;

static void solved(void *context, const cst_module *block, bool backward, const cst_solve_stats *stats)
{
    training *t = context;
    (void)block;
    t->nfe[backward] += stats->nfe;
}

static bool run_step(training *t, const golden_tensor *x, const double *target, double *loss)
{
    golden *g = t->g;
    const size_t n = x->shape.dim[0], d = cst_shape_size(&t->m->y);
    cst_plan plan = {0};
    cst_module_plan(t->m, n, 0, 1, &plan);
    const cst_observer observer = {.context = t, .solved = solved};
    const cst_call call = {.n = n,
                           .threads = 1,
                           .train = true,
                           .theta = t->theta,
                           .work = golden_reals(g, plan.work),
                           .observer = &observer,
                           .error = &g->error};
    real *y = golden_reals(g, n * d), *gy = golden_reals(g, n * d), *cache = golden_reals(g, plan.cache);
    int32_t *labels = golden_keep(g, malloc((n + 1) * sizeof *labels));
    for (size_t i = 0; t->loss->labels && i < n; i++) labels[i] = (int32_t)target[i];
    const cst_targets targets = {
        .labels = t->loss->labels ? labels : NULL,
        .values = t->loss->labels ? NULL
                                  : golden_to_reals(g, &(golden_tensor){.data = (double *)(size_t)target, .n = n * d})};
    const cst_point point = {golden_to_reals(g, x), y, cache};
    const cst_grads grads = {.scale = 1, .gtheta = t->grad};
    memset(t->grad, 0, t->m->n_params * sizeof *t->grad);
    t->nfe[0] = t->nfe[1] = 0;
    if (!golden_ok(g, "forward", cst_module_forward(t->m, &call, point.x, y, cache))) return false;
    t->loss->evaluate(n, d, y, targets, loss, gy);
    if (!golden_ok(g, "vjp", cst_module_vjp(t->m, &call, &point, gy, &grads))) return false;
    t->update.step++;
    t->update.grad = t->grad;
    t->update.theta = t->theta;
    cst_optimizer_step(&t->optimizer, &t->update);
    return true;
}

static bool compare_step(training *t, size_t i, cst_config step)
{
    golden *g = t->g;
    const golden_tensor x = golden_read_tensor(g, cst_config_get(step, "x"), "x");
    double *target = NULL, expected = 0, loss = 0, nfe[2] = {0};
    size_t n_target = 0;
    char what[3][60];
    snprintf(what[0], sizeof what[0], "steps[%zu].loss", i);
    snprintf(what[1], sizeof what[1], "steps[%zu].forward_nfe", i);
    snprintf(what[2], sizeof what[2], "steps[%zu].backward_nfe", i);
    if (!x.data || !golden_read_numbers(g, cst_config_get(step, "target"), "target", &target, &n_target) ||
        !golden_read_number(g, step, "loss", &expected) || !golden_read_number(g, step, "forward_nfe", &nfe[0]) ||
        !golden_read_number(g, step, "backward_nfe", &nfe[1]))
        return false;
    const cst_shape row = golden_row_shape(&x, 1);
    if (x.shape.rank < 1 || !cst_shape_equal(&row, &t->m->x))
        return golden_fail(g, "step %zu has rows of another shape", i);
    const size_t wanted = x.shape.dim[0] * (t->loss->labels ? 1 : cst_shape_size(&t->m->y));
    if (n_target != wanted) return golden_fail(g, "step %zu has %zu targets, expected %zu", i, n_target, wanted);
    return run_step(t, &x, target, &loss) &&
           golden_compare(g, what[0], &loss, &expected, 1, tolerance, fabs(expected)) &&
           golden_compare_count(g, what[1], t->nfe[0], nfe[0]) && golden_compare_count(g, what[2], t->nfe[1], nfe[1]);
}

static bool train(training *t)
{
    golden *g = t->g;
    const cst_config steps = cst_config_get(g->root, "steps");
    const size_t n = t->m->n_params;
    t->theta = golden_reals(g, n);
    t->grad = golden_reals(g, n);
    if (!golden_read_params(g, t->m, "", cst_config_get(g->root, "params"), t->theta) ||
        !golden_read_optimizer(g, cst_config_get(g->root, "optimizer"), n, &t->optimizer, &t->update))
        return false;
    for (size_t i = 0; i < cst_config_length(steps); i++)
        if (!compare_step(t, i, cst_config_item(steps, i))) return false;
    return golden_compare_params(g, "params_after", t->m, "", cst_config_get(g->root, "params_after"), t->theta,
                                 tolerance);
}

void golden_train(golden *g)
{
    const cst_config steps = cst_config_get(g->root, "steps");
    const char *name = golden_read_string(g, g->root, "loss");
    training t = {.g = g, .loss = name ? cst_loss_find(name) : NULL};
    if (!name) return;
    if (!t.loss) {
        golden_skip(g, "loss \"%s\" is not built yet", name);
        return;
    }
    const golden_tensor x = golden_read_tensor(g, cst_config_get(cst_config_item(steps, 0), "x"), "steps[0].x");
    if (!x.data) return;
    const cst_shape row = golden_row_shape(&x, 1);
    t.m = golden_module(g, cst_config_get(g->root, "model"), &row);
    if (t.m) train(&t);
    cst_module_free(t.m);
}
