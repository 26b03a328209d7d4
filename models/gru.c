#include "models/gru.h"

#include "core/arena.h"
#include "models/gru_cell.h"

#include <string.h>

typedef struct gru {
    cst_module base;
    cst_steps steps;
} gru;

static const cst_steps *steps_of(const cst_module *m)
{
    return &((const gru *)(const void *)m)->steps;
}

/* ---- where things are ------------------------------------------------------------------------------------------- */

/* cache = [input (T, N, inputs) | sight (T, N) | gates (T, N, 3H) | u (T, N, H) | states (T + 1, N, H)] */
typedef struct cache_layout {
    size_t input, sight, gates, u, h, size;
} cache_layout;

/* work = [of a step, or of a cotangent (N, 3H) | cotangents of the gates' two parts (T, N, 3H) | of a state, and of the one
 * before it (N, H) | of the values (T, N, values)] */
typedef struct scratch {
    real *step, *ggates, *gpre, *gh[2], *ginput;
    size_t size;
} scratch;

static cache_layout lay_out_cache(const cst_module *m, size_t n)
{
    const cst_steps *s = steps_of(m);
    const size_t rows = cst_size_mul(s->length, n), states = cst_size_mul(rows, s->hidden);
    cache_layout k = {0};
    k.input = cst_place(&k.size, cst_size_mul(rows, cst_steps_inputs(s)));
    k.sight = cst_place(&k.size, rows);
    k.gates = cst_place(&k.size, cst_size_mul(3, states));
    k.u = cst_place(&k.size, states);
    k.h = cst_place(&k.size, cst_size_add(states, cst_size_mul(n, s->hidden)));
    return k;
}

static scratch cut_work(const cst_module *m, size_t n, real *work)
{
    const cst_steps *s = steps_of(m);
    const size_t rows = cst_size_mul(s->length, n), state = cst_size_mul(n, s->hidden);
    const size_t gates = cst_size_mul(rows, cst_size_mul(3, s->hidden));
    scratch w = {0};
    w.step = cst_cut(work, &w.size, cst_size_mul(3, state));
    w.ggates = cst_cut(work, &w.size, gates);
    w.gpre = cst_cut(work, &w.size, gates);
    w.gh[0] = cst_cut(work, &w.size, state);
    w.gh[1] = cst_cut(work, &w.size, state);
    w.ginput = cst_cut(work, &w.size, cst_size_mul(rows, cst_steps_values(s)));
    return w;
}

static void gru_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    (void)k, (void)threads;
    plan->cache = lay_out_cache(m, n).size;
    plan->work = cut_work(m, n, NULL).size;
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

static cst_status gru_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const cst_steps *s = steps_of(m);
    const cst_gru_cell cell = cst_gru_cell_at(m, c->theta);
    const size_t n = c->n, count = cst_steps_count(s, n, x), state = n * s->hidden;
    const cache_layout k = lay_out_cache(m, n);
    real *input = cache + k.input, *sight = cache + k.sight, *gates = cache + k.gates, *states = cache + k.h;
    cst_steps_read(s, n, count, x, input, sight);
    cst_gru_cell_input(&cell, count * n, input, gates);
    memset(states, 0, state * sizeof *states);
    for (size_t i = 0; i < count; i++) {
        real *h = states + i * state;
        cst_gru_cell_step(&cell, n, sight + i * n, CST_SIGHT_NOTHING, h, gates + i * 3 * state, cache + k.u + i * state,
                          h + state, c->work);
    }
    cst_steps_write(s, n, count, states, y);
    return CST_OK;
}

static cst_status gru_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                          const cst_grads *g)
{
    const cst_steps *s = steps_of(m);
    const cst_gru_cell cell = cst_gru_cell_at(m, c->theta);
    const size_t n = c->n, count = cst_steps_count(s, n, p->x), state = n * s->hidden;
    const cache_layout k = lay_out_cache(m, n);
    const real *sight = p->cache + k.sight, *gates = p->cache + k.gates, *u = p->cache + k.u, *h = p->cache + k.h;
    const scratch w = cut_work(m, n, c->work);
    if (!g->gx && !g->gtheta) return CST_OK;
    memset(w.gh[count % 2], 0, state * sizeof(real));
    for (size_t i = count; i-- > 0;) {
        real *after = w.gh[(i + 1) % 2], *before = w.gh[i % 2];
        cst_steps_write_back(s, n, count, i, gy, after);
        cst_gru_cell_step_back(&cell, n, sight + i * n, CST_SIGHT_NOTHING, h + i * state, gates + i * 3 * state,
                               u + i * state, after, w.ggates + i * 3 * state, w.gpre + i * 3 * state, before);
    }
    if (g->gtheta)
        cst_gru_cell_add_gradient(m, count * n, g->scale, p->cache + k.input, h, w.ggates, w.gpre, g->gtheta);
    if (g->gx) {
        cst_gru_cell_input_back(&cell, count * n, cst_steps_values(s), w.ggates, w.ginput);
        cst_steps_read_back(s, n, count, p->x, w.ginput, g->gx);
    }
    return CST_OK;
}

static const cst_module_ops gru_ops = {
    .name = "gru", .plan = gru_plan, .forward = gru_forward, .vjp = gru_vjp, .init = cst_gru_cell_init};

/* ---- construction ------------------------------------------------------------------------------------------------ */

cst_status cst_gru_new(const cst_shape *x, const cst_steps *options, cst_module **m, cst_error *error)
{
    cst_steps s = *options;
    *m = NULL;
    s.skipped = 0;
    CST_TRY(cst_steps_fit(&s, x, error));
    if (s.hidden == 0) return cst_fail(error, CST_EARG, "expected a state of at least 1 number, got 0");
    CST_TRY(cst_module_new(sizeof(gru), &gru_ops, x, m, error));
    ((gru *)(void *)*m)->steps = s;
    (*m)->y = cst_steps_output(&s);
    (*m)->cost = (double)s.length * cst_gru_cell_cost(cst_steps_inputs(&s), s.hidden);
    cst_gru_cell_add_tensors(*m, cst_steps_inputs(&s), s.hidden);
    return CST_OK;
}

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

static const cst_module_example gru_examples[] = {
    {"{\"type\": \"gru\", \"hidden\": 4}", {2, {5, 3}}},
    {"{\"type\": \"gru\", \"hidden\": 3, \"output\": \"all\", \"mask\": true}", {2, {4, 2}}},
    {"{\"type\": \"gru\", \"hidden\": 1}", {2, {1, 1}}},
};

const cst_module_type cst_gru_type = {
    .name = "gru",
    .summary = "gated recurrent unit over rows (T, C), with values missing and rows that end early",
    .keys = gru_keys,
    .make = gru_make,
    .n_examples = sizeof gru_examples / sizeof *gru_examples,
    .examples = gru_examples,
};
