#include "models/ode_rnn.h"

#include "adjoint/ode_config.h"
#include "core/arena.h"
#include "models/gru_steps.h"

#include <math.h>
#include <string.h>

typedef struct ode_rnn {
    cst_module base;
    cst_steps steps;
    bool channel_times;
} ode_rnn;

static const ode_rnn *rnn_of(const cst_module *m)
{
    return (const ode_rnn *)(const void *)m;
}

static const cst_module *block_of(const cst_module *m)
{
    return m->children[0].module;
}

/* ---- where things are -------------------------------------------------------------------------------------------- */

/* Offsets in the cache. The run's array of states has the zero state at index 0 and h_i at index i + 1. */
typedef struct cache_layout {
    cst_gru_cache run;
    size_t t;       /* (T) doubles: times of the steps */
    size_t evolved; /* (T, N, H): h'_i, the state just before step i */
    size_t block;   /* (T - 1): the ODE block's own caches, one per interval */
    size_t stride;  /* from one of the block's caches to the next */
    size_t size;
} cache_layout;

/* Arrays in work. */
typedef struct work_layout {
    cst_gru_work run;
    real *gh;       /* (N, H): cotangent of h_i */
    real *gevolved; /* (N, H): cotangent of h'_i */
    real *gended;   /* (N, H): the part of h_{i-1}'s cotangent that bypasses the ODE, in rows that have ended */
    real *block;    /* the ODE block's work */
    size_t size;
} work_layout;

static cache_layout lay_out_cache(const cst_module *m, size_t n, int threads)
{
    const cst_steps *s = &rnn_of(m)->steps;
    const size_t states = cst_size_mul(cst_size_mul(s->length, n), s->hidden);
    cst_plan block;
    cst_module_plan(block_of(m), n, 0, threads, &block);
    cache_layout k = {.stride = cst_size_align(block.cache)};
    k.t = cst_place_doubles(&k.size, s->length);
    k.run = cst_gru_place(s, n, &k.size);
    k.evolved = cst_place(&k.size, states);
    k.block = cst_place(&k.size, cst_size_mul(s->length - 1, k.stride));
    return k;
}

static work_layout cut_work(const cst_module *m, size_t n, real *work)
{
    const cst_steps *s = &rnn_of(m)->steps;
    const size_t state = cst_size_mul(n, s->hidden);
    work_layout w = {.size = 0};
    w.run = cst_gru_cut(s, n, work, &w.size);
    w.gh = cst_cut(work, &w.size, state);
    w.gevolved = cst_cut(work, &w.size, state);
    w.gended = cst_cut(work, &w.size, state);
    w.block = cst_cut(work, &w.size, 0);
    return w;
}

static void ode_rnn_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    cst_plan block;
    (void)k;
    cst_module_plan(block_of(m), n, 0, threads, &block);
    plan->cache = lay_out_cache(m, n, threads).size;
    plan->work = cst_size_add(cut_work(m, n, NULL).size, block.work);
}

/* ---- times ------------------------------------------------------------------------------------------------------- */

/* t[i], the time of step i, which all rows that have not ended must share. */
static cst_status share_time(const cst_module *m, const cst_call *c, const real *x, const real *observed, size_t i,
                             double *t)
{
    const cst_steps *s = &rnn_of(m)->steps;
    size_t first = c->n; /* the first row that has not ended; N: none so far */
    for (size_t row = 0; row < c->n; row++) {
        if (observed[i * c->n + row] <= (real)CST_OBSERVED_ENDED) continue;
        /* Every row that has not ended must have a time here. */
        const double own = (double)x[(row * s->length + i) * s->channels];
        if (!isfinite(own))
            return cst_fail(c->error, CST_EARG, "expected a finite time in channel 0, got %g at step %zu of row %zu",
                            own, i, c->row + row);
        /* The first row sets the time, the others are compared with it. */
        if (first == c->n) first = row, t[i] = own;
        if (own != t[i])
            return cst_fail(c->error, CST_EARG,
                            "expected rows that share their times, got %g in row %zu and %g in row %zu at step %zu",
                            t[i], c->row + first, own, c->row + row, i);
    }
    /* The step must come after the one before. */
    if (i > 0 && !(t[i] > t[i - 1]))
        return cst_fail(c->error, CST_EARG, "expected times that increase, got %g after %g at step %zu", t[i], t[i - 1],
                        i);
    return CST_OK;
}

/* t (count): the times of the steps, by index or from channel 0. */
static cst_status read_times(const cst_module *m, const cst_call *c, size_t count, const real *x, const real *observed,
                             double *t)
{
    for (size_t i = 0; i < count; i++) {
        t[i] = (double)i;
        if (rnn_of(m)->channel_times) CST_TRY(share_time(m, c, x, observed, i, t));
    }
    return CST_OK;
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

/* One pass: the cell's run, and where everything else is. */
typedef struct pass {
    const cst_module *m;
    const cst_call *c;
    cst_gru_run run;
    cache_layout at;
    work_layout work;
} pass;

/* The cell takes a step only for rows that have a value observed there. */
static pass pass_of(const cst_module *m, const cst_call *c, const real *x)
{
    pass p = {.m = m, .c = c, .run = cst_gru_run_of(m, &rnn_of(m)->steps, c, x)};
    p.at = lay_out_cache(m, c->n, c->threads);
    p.work = cut_work(m, c->n, c->work);
    p.run.least = CST_OBSERVED_VALUES;
    p.run.at = p.at.run;
    p.run.work = p.work.run;
    return p;
}

/* The ODE block's call over the interval from t_{i-1} to t_i; it refers to *span. */
static cst_call call_block(const pass *p, const double *t, size_t i, cst_span *span)
{
    cst_call call = cst_call_child(p->m, p->c, 0, p->work.block);
    *span = (cst_span){.times = t + i - 1, .n_times = 2};
    call.span = span;
    return call;
}

/* A row that has ended does not follow the ODE: its state `after` the step is h, the state before the interval. */
static void keep_ended(size_t n, size_t hidden, const real *observed, const real *h, real *after)
{
    for (size_t row = 0; row < n; row++)
        if (observed[row] <= (real)CST_OBSERVED_ENDED)
            memcpy(after + row * hidden, h + row * hidden, hidden * sizeof *after);
}

static cst_status ode_rnn_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const pass p = pass_of(m, c, x);
    const cst_steps *s = p.run.steps;
    const size_t n = c->n, state = n * s->hidden;
    double *t = cst_doubles(cache, p.at.t);
    real *states = cache + p.at.run.h;
    cst_gru_begin(&p.run, x, cache);
    CST_TRY(read_times(m, c, p.run.count, x, cache + p.at.run.observed, t));
    memset(cache + p.at.evolved, 0, state * sizeof *cache); /* h'_0 = 0 */
    for (size_t i = 0; i < p.run.count; i++) {
        const real *observed = cache + p.at.run.observed + i * n;
        real *h = states + i * state, *evolved = cache + p.at.evolved + i * state;
        /* h'_i: follow dh/dt = f(t, h) from the state after the last step. */
        if (i > 0) {
            cst_span span;
            const cst_call call = call_block(&p, t, i, &span);
            CST_TRY(cst_module_forward(block_of(m), &call, h, evolved, cache + p.at.block + (i - 1) * p.at.stride));
        }
        /* h_i = cell(x_i, h'_i) */
        cst_gru_step(&p.run, i, evolved, cache);
        keep_ended(n, s->hidden, observed, h, h + state);
    }
    /* y: the last state, or all. */
    cst_steps_write(s, n, p.run.count, states, y);
    return CST_OK;
}

/* forward (keep_ended): the state of a row that has ended is the one before the interval. So its cotangent bypasses the
 * cell and the ODE: it moves from gh to gended. */
static void move_ended(size_t n, size_t hidden, const real *observed, real *gh, real *gended)
{
    memset(gended, 0, n * hidden * sizeof *gended);
    for (size_t row = 0; row < n; row++, gh += hidden, gended += hidden) {
        if (observed[row] > (real)CST_OBSERVED_ENDED) continue;
        memcpy(gended, gh, hidden * sizeof *gh);
        memset(gh, 0, hidden * sizeof *gh);
    }
}

/* forward: h'_i = h(t_i) from h_{i-1}, h_i = cell(x_i, h'_i). work.gh holds the cotangent of h_i before, and that of
 * h_{i-1} after. */
static cst_status step_back(const pass *p, const real *cache, size_t i, const cst_grads *g)
{
    const size_t n = p->run.n, hidden = p->run.steps->hidden, state = n * hidden;
    const work_layout *w = &p->work;
    const real *evolved = cache + p->at.evolved + i * state;
    /* Through the cell, to the cotangent of h'_i. */
    move_ended(n, hidden, cache + p->at.run.observed + i * n, w->gh, w->gended);
    cst_gru_step_back(&p->run, i, evolved, cache, w->gh, w->gevolved);
    if (i == 0) return CST_OK; /* h'_0 is a constant */
    /* Through the ODE, to the cotangent of h_{i-1}. */
    cst_span span;
    const cst_call call = call_block(p, cst_const_doubles(cache, p->at.t), i, &span);
    const cst_point point = {cache + p->at.run.h + i * state, evolved, cache + p->at.block + (i - 1) * p->at.stride};
    const cst_grads grads = {
        .scale = g->scale, .gx = w->gh, .gtheta = g->gtheta ? g->gtheta + p->m->children[0].offset : NULL};
    CST_TRY(cst_module_vjp(block_of(p->m), &call, &point, w->gevolved, &grads));
    for (size_t j = 0; j < state; j++) w->gh[j] += w->gended[j];
    return CST_OK;
}

static cst_status ode_rnn_vjp(const cst_module *m, const cst_call *c, const cst_point *point, const real *gy,
                              const cst_grads *g)
{
    if (!g->gx && !g->gtheta) return CST_OK;
    const pass p = pass_of(m, c, point->x);
    const cst_steps *s = p.run.steps;
    memset(p.work.gh, 0, c->n * s->hidden * sizeof(real));
    for (size_t i = p.run.count; i-- > 0;) {
        cst_steps_write_back(s, c->n, p.run.count, i, gy, p.work.gh);
        CST_TRY(step_back(&p, point->cache, i, g));
    }
    cst_gru_finish_vjp(&p.run, point, point->cache + p.at.evolved, g);
    return CST_OK;
}

static const cst_module_ops ode_rnn_ops = {
    .name = "ode_rnn", .plan = ode_rnn_plan, .forward = ode_rnn_forward, .vjp = ode_rnn_vjp, .init = cst_gru_cell_init};

/* ---- construction ------------------------------------------------------------------------------------------------ */

/* The ODE block over one interval. Its times are placeholders: each call says which interval. */
static cst_status make_block(cst_module *field, const cst_ode_options *options, cst_module **block, cst_error *error)
{
    static const double unit[2] = {0, 1};
    cst_ode_options o = *options;
    o.times = unit;
    o.n_times = 2;
    o.output_all = o.learn_t = false;
    o.context_row = 0;
    return cst_ode_new(field, &o, block, error);
}

/* Take x's shape into s, and compare the field with it. */
static cst_status check(cst_steps *s, const cst_shape *x, const cst_module *field, cst_error *error)
{
    char got[CST_SHAPE_TEXT];
    CST_TRY(cst_steps_fit(s, x, error));
    /* The state must have numbers, and the field must keep rows of them. */
    if (s->hidden == 0) return cst_fail(error, CST_EARG, "expected a state of at least 1 number, got 0");
    if (field->x.rank == 1 && field->x.dim[0] == s->hidden) return CST_OK;
    return cst_fail(error, CST_ESHAPE, "expected a field for rows (%zu), got one for %s", s->hidden,
                    cst_shape_text(&field->x, got));
}

cst_status cst_ode_rnn_new(const cst_shape *x, cst_module *field, const cst_ode_rnn_options *options, cst_module **m,
                           cst_error *error)
{
    cst_steps s = options->steps;
    cst_module *made = NULL, *block = NULL;
    *m = NULL;
    s.skipped = options->channel_times ? 1 : 0;
    cst_status status = check(&s, x, field, error);
    if (status == CST_OK) status = cst_module_new(sizeof(ode_rnn), &ode_rnn_ops, x, &made, error);
    if (status != CST_OK) {
        cst_module_free(field);
        return status;
    }
    /* The cell's tensors come first in theta, then the ODE block. */
    ode_rnn *r = (ode_rnn *)(void *)made;
    r->steps = s;
    r->channel_times = options->channel_times;
    made->y = cst_steps_output(&s);
    cst_gru_cell_add_tensors(made, cst_steps_inputs(&s), s.hidden);
    /* make_block and add_child take ownership of the field and the block, even if they fail. */
    status = make_block(field, &options->ode, &block, error);
    if (status == CST_OK) status = cst_module_add_child(made, "ode", block, error);
    if (status != CST_OK) {
        cst_module_free(made);
        return status;
    }
    /* Adding the block has set the cost of one interval; there are T of them, each with a step of the cell. */
    made->cost = (double)s.length * (made->cost + cst_gru_cell_cost(cst_steps_inputs(&s), s.hidden));
    *m = made;
    return CST_OK;
}

/* What the keys are read into. */
typedef struct ode_rnn_section {
    cst_steps steps;
    int output, times;
    cst_config field, solver, gradient;
} ode_rnn_section;

static const char *const times[] = {"index", "channel", NULL};
static const cst_key ode_rnn_keys[] = {
    CST_STEPS_KEYS(ode_rnn_section),
    {.name = "times",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(ode_rnn_section, times),
     .fallback = "\"index\"",
     .choices = times,
     .help = "times of the steps: 0, 1, ... (index), or those in channel 0 (channel), which the rows of a batch must "
             "share"},
    {.name = "field",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(ode_rnn_section, field),
     .help =
         "f of dh/dt = f(t, h), which the state follows between observations: a module for rows of `hidden` numbers",
     .holds = "module"},
    {.name = "solver",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(ode_rnn_section, solver),
     .fallback = "{}",
     .help = "options of the solver",
     .holds = "solver"},
    {.name = "gradient",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(ode_rnn_section, gradient),
     .fallback = "{}",
     .help = "how gradients are computed",
     .holds = "gradient"},
    {.name = NULL},
};

/* The module of a section, for rows of shape x. */
static cst_status ode_rnn_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                               cst_error *error)
{
    ode_rnn_section s = {0};
    cst_ode_rnn_options o = {0};
    cst_module *field = NULL;
    *m = NULL;
    CST_TRY(cst_config_read(section, ode_rnn_keys, true, &s, error));
    o.steps = s.steps;
    o.steps.all = s.output == 1;
    o.channel_times = s.times == 1;
    /* The field keeps rows of `hidden` numbers; cst_ode_rnn_new takes ownership of it. */
    CST_TRY(cst_ode_options_read(s.solver, s.gradient, &o.ode, error));
    const cst_shape state = cst_shape_1d(s.steps.hidden);
    cst_status status = cst_module_from_config(registry, s.field, &state, &field, error);
    if (status == CST_OK) status = cst_ode_rnn_new(x, field, &o, m, error);
    cst_ode_options_clear(&o.ode);
    return status;
}

/* Configs for the conformance tests: fixed and adaptive steps, all gradient methods. */
#define FIELD                                                                                                          \
    "\"field\": {\"type\": \"sequential\", \"layers\": [{\"type\": \"concat_time\"}, {\"type\": \"linear\", "          \
    "\"out_features\": 4}, {\"type\": \"tanh\"}, {\"type\": \"linear\", \"out_features\": 3}]}"
static const cst_module_example ode_rnn_examples[] = {
    {"{\"type\": \"ode_rnn\", \"hidden\": 3, " FIELD ", \"solver\": {\"method\": \"rk4\", \"step_size\": 0.5}, "
     "\"gradient\": {\"method\": \"checkpointed\"}}",
     {2, {4, 2}}},
    {"{\"type\": \"ode_rnn\", \"hidden\": 3, \"output\": \"all\", \"mask\": true, " FIELD ", " CST_TIGHT_SOLVER "}",
     {2, {3, 2}}},
    {"{\"type\": \"ode_rnn\", \"hidden\": 3, " FIELD ", " CST_TIGHT_SOLVER
     ", \"gradient\": {\"method\": \"checkpointed\", \"store\": \"stages\", \"kept_steps\": 2}}",
     {2, {2, 1}}},
    {"{\"type\": \"ode_rnn\", \"hidden\": 3, " FIELD ", " CST_TIGHT_SOLVER
     ", \"gradient\": {\"method\": \"interpolating\"}}",
     {2, {3, 1}}},
};

const cst_module_type cst_ode_rnn_type = {
    .name = "ode_rnn",
    .summary = "ODE-RNN over series (T, C): the state of a GRU, which follows an ODE between observations",
    .keys = ode_rnn_keys,
    .make = ode_rnn_make,
    .n_examples = sizeof ode_rnn_examples / sizeof *ode_rnn_examples,
    .examples = ode_rnn_examples,
};
