/* Kinds "optimizer", "clip_grad_norm" and "schedule": updates for given gradients, rates for given values. */
#include "tests/golden.h"
#include "train/optimizer.h"
#include "train/schedule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double tolerance = 1e-12;

/* ---- optimizer ----------------------------------------------------------------------------------------------- */

bool golden_read_optimizer(golden *g, cst_config section, size_t n, cst_optimizer *o, cst_update *u)
{
    const char *type = golden_read_string(g, section, "type");
    size_t i = 0;
    if (!type) return false;
    while (cst_optimizer_types[i] && strcmp(cst_optimizer_types[i]->name, type) != 0) i++;
    if (!cst_optimizer_types[i]) return golden_skip(g, "optimizer \"%s\" is not built yet", type);
    if (!golden_ok(g, "optimizer", cst_optimizer_read(section, o, &g->error))) return false;
    *u = (cst_update){.lr = o->lr, .n = n};
    for (size_t slot = 0; slot < cst_optimizer_slots(o); slot++) u->slot[slot] = golden_reals(g, n);
    return true;
}

void golden_optimizer(golden *g)
{
    const cst_config grads = cst_config_get(g->root, "grads"), path = cst_config_get(g->root, "path");
    const golden_tensor start = golden_read_tensor(g, cst_config_get(g->root, "theta"), "theta");
    cst_optimizer o;
    cst_update u;
    if (!start.data || !golden_read_optimizer(g, cst_config_get(g->root, "optimizer"), start.n, &o, &u)) return;
    if (cst_config_length(grads) == 0 || cst_config_length(grads) != cst_config_length(path)) {
        golden_fail(g, "not as many gradients as points of the path");
        return;
    }
    u.theta = golden_to_reals(g, &start);
    for (size_t step = 0; step < cst_config_length(grads); step++) {
        golden_tensor grad = {0}, expected = {0};
        char what[40];
        if (!golden_read_numbers(g, cst_config_item(grads, step), "grads", &grad.data, &grad.n) ||
            !golden_read_numbers(g, cst_config_item(path, step), "path", &expected.data, &expected.n))
            return;
        if (grad.n != start.n || expected.n != start.n) {
            golden_fail(g, "step %zu has another number of entries", step);
            return;
        }
        u.grad = golden_to_reals(g, &grad);
        u.step = step + 1;
        cst_optimizer_step(&o, &u);
        snprintf(what, sizeof what, "path[%zu]", step);
        if (!golden_compare_reals(g, what, u.theta, expected.data, expected.n, tolerance)) return;
    }
}

/* ---- clip_grad_norm ------------------------------------------------------------------------------------------ */

/* All tensors of a list, one after the other. */
static bool read_flat(golden *g, const char *key, double **values, size_t *n)
{
    const cst_config list = cst_config_get(g->root, key);
    *values = NULL, *n = 0;
    for (int pass = 0; pass < 2; pass++) {
        size_t at = 0;
        for (size_t i = 0; i < cst_config_length(list); i++) {
            const golden_tensor tensor = golden_read_tensor(g, cst_config_item(list, i), key);
            if (!tensor.data) return false;
            if (pass) memcpy(*values + at, tensor.data, tensor.n * sizeof **values);
            at += tensor.n;
        }
        if (pass == 0) *values = golden_keep(g, malloc((at + 1) * sizeof **values));
        *n = at;
    }
    return *n > 0 || golden_fail(g, "no tensors in \"%s\"", key);
}

void golden_clip_grad_norm(golden *g)
{
    double *grads = NULL, *clipped = NULL, max_norm = 0, norm = 0;
    size_t n = 0, n_clipped = 0;
    if (!read_flat(g, "grads", &grads, &n) || !read_flat(g, "clipped", &clipped, &n_clipped) ||
        !golden_read_number(g, g->root, "max_norm", &max_norm) || !golden_read_number(g, g->root, "norm", &norm))
        return;
    if (n != n_clipped) {
        golden_fail(g, "%zu entries before and %zu after", n, n_clipped);
        return;
    }
    real *grad = golden_to_reals(g, &(golden_tensor){.data = grads, .n = n});
    const double got = cst_clip_grad_norm(n, grad, max_norm);
    if (golden_compare(g, "norm", &got, &norm, 1, tolerance, norm))
        golden_compare_reals(g, "clipped", grad, clipped, n, tolerance);
}

/* ---- schedule ------------------------------------------------------------------------------------------------ */

void golden_schedule(golden *g)
{
    const cst_config section = cst_config_get(g->root, "schedule");
    const char *type = golden_read_string(g, section, "type");
    double lr = 0, *metrics = NULL, *lrs = NULL;
    size_t n = 0, n_lrs = 0, kind = 0;
    if (!type || !golden_read_number(g, g->root, "lr", &lr) ||
        !golden_read_numbers(g, cst_config_get(g->root, "metrics"), "metrics", &metrics, &n) ||
        !golden_read_numbers(g, cst_config_get(g->root, "lrs"), "lrs", &lrs, &n_lrs))
        return;
    while (kind < CST_N_SCHEDULES && strcmp(cst_schedule_types[kind].name, type) != 0) kind++;
    if (kind == CST_N_SCHEDULES) {
        golden_skip(g, "schedule \"%s\" is not built yet", type);
        return;
    }
    cst_schedule schedule;
    cst_schedule_state state;
    if (n == 0 || n != n_lrs) golden_fail(g, "%zu metrics and %zu rates", n, n_lrs);
    if (g->failed || !golden_ok(g, "schedule", cst_schedule_read(section, n, &schedule, &g->error))) return;
    cst_schedule_start(&state, lr);
    for (size_t epoch = 0; epoch < n; epoch++) {
        cst_schedule_epoch(&schedule, lr, metrics[epoch], &state);
        const double got = cst_schedule_lr(&schedule, &state, epoch + 1, 1);
        char what[40];
        snprintf(what, sizeof what, "lrs[%zu]", epoch);
        if (!golden_compare(g, what, &got, &lrs[epoch], 1, tolerance, lrs[epoch])) return;
    }
}
