#include "models/ode_rnn.h"

#include "adjoint/ode_config.h"
#include "core/arena.h"
#include "models/gru_cell.h"

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

/* ---- where things are ------------------------------------------------------------------------------------------- */

/* cache = [times (T) | input (T, N, inputs) | sight (T, N) | gates (T, N, 3H) | u (T, N, H) | h' (T, N, H) | states h, the
 * first before any step (T + 1, N, H) | the block's, T - 1 times] */
typedef struct cache_layout {
    size_t t, input, sight, gates, u, evolved, h, block;
    size_t stride; /* from one of the block's to the next */
    size_t size;
} cache_layout;

/* work = [of a step (N, 3H) | cotangents of the gates' two parts (T, N, 3H) | of h_i, of h'_i, of h_{i-1} without the ODE
 * (N, H) | of the values (T, N, values) | the block's] */
typedef struct scratch {
    real *step, *ggates, *gpre, *gh, *gevolved, *gkept, *ginput, *block;
    size_t size;
} scratch;

static cache_layout lay_out_cache(const cst_module *m, size_t n, int threads)
{
    const cst_steps *s = &rnn_of(m)->steps;
    const size_t rows = cst_size_mul(s->length, n), states = cst_size_mul(rows, s->hidden);
    cst_plan block;
    cst_module_plan(block_of(m), n, 0, threads, &block);
    cache_layout k = {.stride = cst_size_align(block.cache)};
    k.t = cst_place_doubles(&k.size, s->length);
    k.input = cst_place(&k.size, cst_size_mul(rows, cst_steps_inputs(s)));
    k.sight = cst_place(&k.size, rows);
    k.gates = cst_place(&k.size, cst_size_mul(3, states));
    k.u = cst_place(&k.size, states);
    k.evolved = cst_place(&k.size, states);
    k.h = cst_place(&k.size, cst_size_add(states, cst_size_mul(n, s->hidden)));
    k.block = cst_place(&k.size, cst_size_mul(s->length - 1, k.stride));
    return k;
}

static scratch cut_work(const cst_module *m, size_t n, real *work)
{
    const cst_steps *s = &rnn_of(m)->steps;
    const size_t rows = cst_size_mul(s->length, n), state = cst_size_mul(n, s->hidden);
    const size_t gates = cst_size_mul(rows, cst_size_mul(3, s->hidden));
    scratch w = {0};
    w.step = cst_cut(work, &w.size, cst_size_mul(3, state));
    w.ggates = cst_cut(work, &w.size, gates);
    w.gpre = cst_cut(work, &w.size, gates);
    w.gh = cst_cut(work, &w.size, state);
    w.gevolved = cst_cut(work, &w.size, state);
    w.gkept = cst_cut(work, &w.size, state);
    w.ginput = cst_cut(work, &w.size, cst_size_mul(rows, cst_steps_values(s)));
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

/* t_i, that of all rows which have not ended. */
static cst_status share_time(const cst_module *m, const cst_call *c, const real *x, const real *sight, size_t i,
                             double *t)
{
    const cst_steps *s = &rnn_of(m)->steps;
    size_t first = c->n; /* the first such row */
    for (size_t row = 0; row < c->n; row++) {
        if (sight[i * c->n + row] <= (real)CST_SIGHT_ENDED) continue;
        const double own = (double)x[(row * s->length + i) * s->channels];
        if (!isfinite(own))
            return cst_fail(c->error, CST_EARG, "expected a time in channel 0, got %g at step %zu of row %zu", own, i,
                            c->row + row);
        if (first == c->n) first = row, t[i] = own;
        if (own != t[i])
            return cst_fail(c->error, CST_EARG,
                            "expected rows that share their times, got %g in row %zu and %g in row %zu at step %zu",
                            t[i], c->row + first, own, c->row + row, i);
    }
    if (i > 0 && !(t[i] > t[i - 1]))
        return cst_fail(c->error, CST_EARG, "expected times that increase, got %g after %g at step %zu", t[i], t[i - 1],
                        i);
    return CST_OK;
}

static cst_status read_times(const cst_module *m, const cst_call *c, size_t count, const real *x, const real *sight,
                             double *t)
{
    for (size_t i = 0; i < count; i++) {
        t[i] = (double)i;
        if (rnn_of(m)->channel_times) CST_TRY(share_time(m, c, x, sight, i, t));
    }
    return CST_OK;
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

/* The block's call from t_{i-1} to t_i. */
static cst_call call_block(const cst_module *m, const cst_call *c, const double *t, size_t i, real *work,
                           cst_span *span)
{
    cst_call call = cst_call_child(m, c, 0, work);
    *span = (cst_span){.times = t + i - 1, .n_times = 2};
    call.span = span;
    return call;
}

/* A row that has ended does not follow the ODE: its state is h, that before the interval. */
static void keep_ended(size_t n, size_t hidden, const real *sight, const real *h, real *after)
{
    for (size_t row = 0; row < n; row++)
        if (sight[row] <= (real)CST_SIGHT_ENDED) memcpy(after + row * hidden, h + row * hidden, hidden * sizeof *after);
}

static cst_status ode_rnn_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const cst_steps *s = &rnn_of(m)->steps;
    const cst_gru_cell cell = cst_gru_cell_at(m, c->theta);
    const size_t n = c->n, count = cst_steps_count(s, n, x), state = n * s->hidden;
    const cache_layout k = lay_out_cache(m, n, c->threads);
    const scratch w = cut_work(m, n, c->work);
    double *t = cst_doubles(cache, k.t);
    real *input = cache + k.input, *gates = cache + k.gates, *states = cache + k.h;
    cst_steps_read(s, n, count, x, input, cache + k.sight);
    CST_TRY(read_times(m, c, count, x, cache + k.sight, t));
    cst_gru_cell_input(&cell, count * n, input, gates);
    memset(states, 0, state * sizeof *states);
    memset(cache + k.evolved, 0, state * sizeof *cache);
    for (size_t i = 0; i < count; i++) {
        const real *sight = cache + k.sight + i * n;
        real *h = states + i * state, *evolved = cache + k.evolved + i * state;
        if (i > 0) {
            cst_span span;
            const cst_call call = call_block(m, c, t, i, w.block, &span);
            CST_TRY(cst_module_forward(block_of(m), &call, h, evolved, cache + k.block + (i - 1) * k.stride));
        }
        cst_gru_cell_step(&cell, n, sight, CST_SIGHT_VALUES, evolved, gates + i * 3 * state, cache + k.u + i * state,
                          h + state, w.step);
        keep_ended(n, s->hidden, sight, h, h + state);
    }
    cst_steps_write(s, n, count, states, y);
    return CST_OK;
}

/* forward: the state of a row that has ended stayed, so its cotangent goes past the cell and the ODE. */
static void take_ended(size_t n, size_t hidden, const real *sight, real *gh, real *gkept)
{
    memset(gkept, 0, n * hidden * sizeof *gkept);
    for (size_t row = 0; row < n; row++, gh += hidden, gkept += hidden) {
        if (sight[row] > (real)CST_SIGHT_ENDED) continue;
        memcpy(gkept, gh, hidden * sizeof *gh);
        memset(gh, 0, hidden * sizeof *gh);
    }
}

/* From h_{i+1}'s cotangent w->gh, step i's of the gates, and h_i's in its place. */
static cst_status step_back(const cst_module *m, const cst_call *c, const real *cache, const scratch *w, size_t i,
                            const cst_grads *g)
{
    const cst_steps *s = &rnn_of(m)->steps;
    const cst_gru_cell cell = cst_gru_cell_at(m, c->theta);
    const size_t n = c->n, state = n * s->hidden, gates = i * 3 * state;
    const cache_layout k = lay_out_cache(m, n, c->threads);
    const real *evolved = cache + k.evolved + i * state, *sight = cache + k.sight + i * n;
    take_ended(n, s->hidden, sight, w->gh, w->gkept);
    cst_gru_cell_step_back(&cell, n, sight, CST_SIGHT_VALUES, evolved, cache + k.gates + gates, cache + k.u + i * state,
                           w->gh, w->ggates + gates, w->gpre + gates, w->gevolved);
    if (i == 0) return CST_OK; /* h'_0 is a constant */
    cst_span span;
    const cst_call call = call_block(m, c, cst_const_doubles(cache, k.t), i, w->block, &span);
    const cst_point point = {cache + k.h + i * state, evolved, cache + k.block + (i - 1) * k.stride};
    const cst_grads grads = {
        .scale = g->scale, .gx = w->gh, .gtheta = g->gtheta ? g->gtheta + m->children[0].offset : NULL};
    CST_TRY(cst_module_vjp(block_of(m), &call, &point, w->gevolved, &grads));
    for (size_t j = 0; j < state; j++) w->gh[j] += w->gkept[j];
    return CST_OK;
}

static cst_status ode_rnn_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                              const cst_grads *g)
{
    const cst_steps *s = &rnn_of(m)->steps;
    const cst_gru_cell cell = cst_gru_cell_at(m, c->theta);
    const size_t n = c->n, count = cst_steps_count(s, n, p->x);
    const cache_layout k = lay_out_cache(m, n, c->threads);
    const scratch w = cut_work(m, n, c->work);
    if (!g->gx && !g->gtheta) return CST_OK;
    memset(w.gh, 0, n * s->hidden * sizeof *w.gh);
    for (size_t i = count; i-- > 0;) {
        cst_steps_write_back(s, n, count, i, gy, w.gh);
        CST_TRY(step_back(m, c, p->cache, &w, i, g));
    }
    if (g->gtheta)
        cst_gru_cell_add_gradient(m, count * n, g->scale, p->cache + k.input, p->cache + k.evolved, w.ggates, w.gpre,
                                  g->gtheta);
    if (g->gx) {
        cst_gru_cell_input_back(&cell, count * n, cst_steps_values(s), w.ggates, w.ginput);
        cst_steps_read_back(s, n, count, p->x, w.ginput, g->gx);
    }
    return CST_OK;
}

static const cst_module_ops ode_rnn_ops = {
    .name = "ode_rnn", .plan = ode_rnn_plan, .forward = ode_rnn_forward, .vjp = ode_rnn_vjp, .init = cst_gru_cell_init};

/* ---- construction ------------------------------------------------------------------------------------------------ */

/* The block over one interval; the call says which. */
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

static cst_status check(cst_steps *s, const cst_shape *x, const cst_module *field, cst_error *error)
{
    char got[CST_SHAPE_TEXT];
    CST_TRY(cst_steps_fit(s, x, error));
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
    ode_rnn *r = (ode_rnn *)(void *)made;
    r->steps = s;
    r->channel_times = options->channel_times;
    made->y = cst_steps_output(&s);
    cst_gru_cell_add_tensors(made, cst_steps_inputs(&s), s.hidden);
    status = make_block(field, &options->ode, &block, error);
    if (status == CST_OK) status = cst_module_add_child(made, "ode", block, error);
    if (status != CST_OK) {
        cst_module_free(made);
        return status;
    }
    made->cost = (double)s.length * (made->cost + cst_gru_cell_cost(cst_steps_inputs(&s), s.hidden));
    *m = made;
    return CST_OK;
}

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
     .help = "times of x: 0, 1, ..., or those in channel 0, which rows share"},
    {.name = "field",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(ode_rnn_section, field),
     .help = "that the state follows between observations: a module for rows of `hidden` numbers",
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
    CST_TRY(cst_ode_options_read(s.solver, s.gradient, &o.ode, error));
    const cst_shape state = cst_shape_1d(s.steps.hidden);
    cst_status status = cst_module_from_config(registry, s.field, &state, &field, error);
    if (status == CST_OK) status = cst_ode_rnn_new(x, field, &o, m, error);
    cst_ode_options_clear(&o.ode);
    return status;
}

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
    .summary = "ODE-RNN on rows (T, C): a GRU's state that follows an ODE between observations",
    .keys = ode_rnn_keys,
    .make = ode_rnn_make,
    .n_examples = sizeof ode_rnn_examples / sizeof *ode_rnn_examples,
    .examples = ode_rnn_examples,
};
