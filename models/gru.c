#include "models/gru.h"

#include "core/arena.h"
#include "models/gru_steps.h"

#include <string.h>

/* The cell's sizes follow from the steps. */
typedef struct gru {
    cst_module base;
    cst_steps steps;
} gru;

static const cst_steps *steps_of(const cst_module *m)
{
    return &((const gru *)(const void *)m)->steps;
}

/* ---- where things are -------------------------------------------------------------------------------------------- */

/* The cache is that of the run (models/gru_steps.h). work = [the run's | cotangents of two successive states (N, H)
 * each] */
typedef struct work_layout {
    cst_gru_work run;
    real *gh[2];
    size_t size;
} work_layout;

static work_layout cut_work(const cst_module *m, size_t n, real *work)
{
    const cst_steps *s = steps_of(m);
    work_layout w = {.size = 0};
    w.run = cst_gru_cut(s, n, work, &w.size);
    for (size_t i = 0; i < 2; i++) w.gh[i] = cst_cut(work, &w.size, cst_size_mul(n, s->hidden));
    return w;
}

static void gru_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    (void)k, (void)threads;
    (void)cst_gru_place(steps_of(m), n, &plan->cache);
    plan->work = cut_work(m, n, NULL).size;
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

/* The cell takes every step of a row up to its end, observed or not. */
static cst_gru_run run_of(const cst_module *m, const cst_call *c, const real *x, const work_layout *w)
{
    size_t size = 0;
    cst_gru_run r = cst_gru_run_of(m, steps_of(m), c, x);
    r.least = CST_OBSERVED_NOTHING;
    r.at = cst_gru_place(r.steps, r.n, &size);
    r.work = w->run;
    return r;
}

static cst_status gru_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const work_layout w = cut_work(m, c->n, c->work);
    const cst_gru_run r = run_of(m, c, x, &w);
    const real *states = cache + r.at.h;
    const size_t state = r.n * r.steps->hidden;
    cst_gru_begin(&r, x, cache);
    for (size_t i = 0; i < r.count; i++) cst_gru_step(&r, i, states + i * state, cache); /* h_{i+1} = cell(x_i, h_i) */
    cst_steps_write(r.steps, r.n, r.count, states, y);
    return CST_OK;
}

static cst_status gru_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                          const cst_grads *g)
{
    if (!g->gx && !g->gtheta) return CST_OK;
    const work_layout w = cut_work(m, c->n, c->work);
    const cst_gru_run r = run_of(m, c, p->x, &w);
    const real *states = p->cache + r.at.h;
    const size_t state = r.n * r.steps->hidden;
    /* From the last step to the first. The cotangent of h_{i+1} is complete once y's part of it has been added. */
    memset(w.gh[r.count % 2], 0, state * sizeof(real));
    for (size_t i = r.count; i-- > 0;) {
        real *after = w.gh[(i + 1) % 2], *before = w.gh[i % 2];
        cst_steps_write_back(r.steps, r.n, r.count, i, gy, after);
        /* forward: h_{i+1} = cell(x_i, h_i) */
        cst_gru_step_back(&r, i, states + i * state, p->cache, after, before);
    }
    cst_gru_finish_vjp(&r, p, states, g);
    return CST_OK;
}

static const cst_module_ops gru_ops = {
    .name = "gru", .plan = gru_plan, .forward = gru_forward, .vjp = gru_vjp, .init = cst_gru_cell_init};

/* ---- construction ------------------------------------------------------------------------------------------------ */

cst_status cst_gru_new(const cst_shape *x, const cst_steps *options, cst_module **m, cst_error *error)
{
    /* A GRU has no times: all channels are input. */
    cst_steps s = *options;
    *m = NULL;
    s.skipped = 0;
    CST_TRY(cst_steps_fit(&s, x, error));
    if (s.hidden == 0) return cst_fail(error, CST_EARG, "expected a state of at least 1 number, got 0");
    CST_TRY(cst_module_new(sizeof(gru), &gru_ops, x, m, error));
    ((gru *)(void *)*m)->steps = s;
    /* T steps of the cell, whose tensors are the module's own. */
    (*m)->y = cst_steps_output(&s);
    (*m)->cost = (double)s.length * cst_gru_cell_cost(cst_steps_inputs(&s), s.hidden);
    cst_gru_cell_add_tensors(*m, cst_steps_inputs(&s), s.hidden);
    return CST_OK;
}

/* What the keys are read into (CST_STEPS_KEYS). */
typedef struct gru_section {
    cst_steps steps;
    int output;
} gru_section;

static const cst_key gru_keys[] = {CST_STEPS_KEYS(gru_section), {.name = NULL}};

static cst_status gru_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                           cst_error *error)
{
    gru_section s = {0};
    (void)registry;
    *m = NULL;
    CST_TRY(cst_config_read(section, gru_keys, true, &s, error));
    s.steps.all = s.output == 1;
    return cst_gru_new(x, &s.steps, m, error);
}

/* Configs for the conformance tests. */
static const cst_module_example gru_examples[] = {
    {CST_JSON({"type": "gru", "hidden": 4}), {2, {5, 3}}},
    {CST_JSON({"type": "gru", "hidden": 3, "output": "all", "mask": true}), {2, {4, 2}}},
    {CST_JSON({"type": "gru", "hidden": 1}), {2, {1, 1}}},
};

const cst_module_type cst_gru_type = {
    .name = "gru",
    .summary = "gated recurrent unit (GRU) over series (T, C), whose values may be missing and which may end early",
    .keys = gru_keys,
    .make = gru_make,
    .n_examples = sizeof gru_examples / sizeof *gru_examples,
    .examples = gru_examples,
};
