#include "adjoint/ode_block.h"

#include "adjoint/backsolve.h"
#include "ode/solve_config.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct ode_block {
    cst_module base;
    cst_ode_options o; /* with copies of all arrays */
} ode_block;

static const cst_module *field_of(const cst_module *m)
{
    return m->children[0].module;
}

/* The forward problem's only block: z under the RMS norm. */
static cst_block state_block(const cst_module *m, size_t n)
{
    return (cst_block){"z", cst_size_mul(n, cst_shape_size(&m->x)), 1, -1, -1};
}

/* Doubles in a region of reals. */
static size_t reals_for_doubles(size_t n)
{
    return cst_size_align(cst_size_mul(n, sizeof(double) / sizeof(real)));
}

static void ode_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    const ode_block *block = (const ode_block *)m;
    const cst_module *field = field_of(m);
    (void)k;
    const cst_block z = state_block(m, n);
    const cst_problem problem = {.blocks = &z, .n_blocks = 1};
    cst_plan child;
    cst_module_plan(field, n, 0, threads, &child);
    const size_t forward = cst_size_add(cst_size_add(cst_size_align(child.cache), cst_size_align(child.work)),
                                        cst_solver_work(&problem, &block->o.forward));
    const size_t backward = cst_backsolve_work(field, n, threads, &block->o.backward, &block->o.norm);
    plan->cache = cst_size_mul(block->o.n_times, z.size);
    plan->work =
        cst_size_add(cst_size_mul(2, reals_for_doubles(block->o.n_times)), forward > backward ? forward : backward);
}

/* The times as doubles: the options', or the parameter's at the front of *work. */
static const double *times_of(const ode_block *block, const cst_call *c, real **work)
{
    if (!block->o.learn_t) return block->o.times;
    double *times = (double *)(void *)*work;
    *work += reals_for_doubles(block->o.n_times);
    for (size_t i = 0; i < block->o.n_times; i++) times[i] = (double)c->theta[i];
    return times;
}

typedef struct field_context {
    const cst_module *field;
    cst_call call;
    real *cache;
} field_context;

static cst_status field_rhs(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    field_context *f = context;
    (void)scale, (void)q;
    f->call.t = t;
    f->call.error = error;
    return cst_module_forward(f->field, &f->call, y, dy, f->cache);
}

static void report(const cst_module *m, const cst_call *c, bool backward, cst_solve_stats *stats)
{
    if (c->observer && c->observer->solved) c->observer->solved(c->observer->context, m, backward, stats);
    cst_solve_stats_clear(stats);
}

/* y (N, T, D) = z (T, N, D) */
static void hand_out(size_t n, size_t n_times, size_t d, const real *z, real *y)
{
    for (size_t i = 0; i < n_times; i++)
        for (size_t row = 0; row < n; row++)
            memcpy(y + (row * n_times + i) * d, z + (i * n + row) * d, d * sizeof(real));
}

static cst_status ode_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const ode_block *block = (const ode_block *)m;
    const size_t n_times = block->o.n_times;
    const cst_block z = state_block(m, c->n);
    real *work = c->work;
    const double *times = times_of(block, c, &work);
    cst_plan plan;
    cst_module_plan(field_of(m), c->n, 0, c->threads, &plan);
    field_context context = {.field = field_of(m), .cache = work};
    context.call = cst_call_child(m, c, 0, work + cst_size_align(plan.cache));
    const cst_problem problem = {.f = field_rhs, .context = &context, .blocks = &z, .n_blocks = 1};
    cst_solve_options options = block->o.forward;
    options.threads = c->threads;
    cst_solve_stats stats = {.trace = c->observer && c->observer->trace};
    const cst_status status = cst_solve(&problem, &options, times, n_times, x, cache, NULL,
                                        context.call.work + cst_size_align(plan.work), &stats, c->error);
    report(m, c, false, &stats);
    CST_TRY(status);
    if (block->o.output_all)
        hand_out(c->n, n_times, cst_shape_size(&m->x), cache, y);
    else
        memcpy(y, cache + (n_times - 1) * z.size, z.size * sizeof(real));
    return CST_OK;
}

static cst_status ode_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                          const cst_grads *g)
{
    const ode_block *block = (const ode_block *)m;
    const size_t d = cst_shape_size(&m->x), n_times = block->o.n_times;
    const bool all = block->o.output_all;
    if (!g->gx && !g->gtheta) return CST_OK; /* its own t is not used: gt gets nothing */
    real *work = c->work;
    const double *times = times_of(block, c, &work);
    double *gtimes = (double *)(void *)work;
    const cst_call call = cst_call_child(m, c, 0, work + reals_for_doubles(n_times));
    cst_solve_options options = block->o.backward;
    options.threads = c->threads;
    const cst_backsolve b = {
        .field = field_of(m),
        .call = &call,
        .options = &options,
        .norm = &block->o.norm,
        .fresh_solves = block->o.fresh_solves,
        .times = times,
        .n_times = n_times,
        .z = p->cache,
        .gy = gy,
        .first_observed = all ? 0 : n_times - 1,
        .gy_time = all ? d : 0,
        .gy_row = all ? n_times * d : d,
        .want_theta = g->gtheta != NULL,
        .want_times = g->gtheta != NULL && block->o.learn_t,
    };
    const cst_backsolve_result result = {.scale = g->scale,
                                         .gz0 = g->gx,
                                         .gtheta = g->gtheta ? g->gtheta + m->children[0].offset : NULL,
                                         .gtimes = gtimes};
    cst_solve_stats stats = {.trace = c->observer && c->observer->trace};
    const cst_status status = cst_backsolve_run(&b, &result, &stats);
    report(m, c, true, &stats);
    CST_TRY(status);
    for (size_t i = 0; b.want_times && i < n_times; i++) g->gtheta[i] += g->scale * (real)gtimes[i];
    return CST_OK;
}

static void ode_init(const cst_module *m, cst_rng rng, real *theta)
{
    const ode_block *block = (const ode_block *)m;
    (void)rng;
    for (size_t i = 0; block->o.learn_t && i < block->o.n_times; i++) theta[i] = (real)block->o.times[i];
}

static void ode_destroy(cst_module *m)
{
    ode_block *block = (ode_block *)m;
    free((void *)(uintptr_t)block->o.times);
    cst_solve_options_clear(&block->o.forward);
    cst_solve_options_clear(&block->o.backward);
}

static const cst_module_ops ode_ops = {
    .name = "ode", .plan = ode_plan, .forward = ode_forward, .vjp = ode_vjp, .init = ode_init, .destroy = ode_destroy};

static cst_status check(const cst_module *field, const cst_ode_options *o, cst_error *error)
{
    char in[CST_SHAPE_TEXT], out[CST_SHAPE_TEXT];
    if (!cst_shape_equal(&field->x, &field->y))
        return cst_fail(error, CST_ESHAPE, "expected a field that keeps the shape of its state, got %s -> %s",
                        cst_shape_text(&field->x, in), cst_shape_text(&field->y, out));
    if (o->n_times < 2) return cst_fail(error, CST_EARG, "expected at least 2 times, got %zu", o->n_times);
    for (size_t i = 0; i < o->n_times; i++) {
        if (!isfinite(o->times[i]))
            return cst_fail(error, CST_EARG, "expected finite times, got t[%zu] = %g", i, o->times[i]);
        if (i > 0 && !((o->times[i] - o->times[i - 1]) * (o->times[1] - o->times[0]) > 0))
            return cst_fail(error, CST_EARG, "expected times that increase or decrease, got t[%zu] = %g after %g", i,
                            o->times[i], o->times[i - 1]);
    }
    if (o->output_all && field->x.rank == CST_MAX_RANK)
        return cst_fail(error, CST_ESHAPE, "expected a state of fewer than %d dimensions with every time in the output",
                        CST_MAX_RANK);
    return cst_backsolve_check(field, &o->norm, error);
}

/* (D...) -> (T, D...) */
static cst_shape with_times(cst_shape shape, size_t n_times)
{
    memmove(shape.dim + 1, shape.dim, shape.rank * sizeof shape.dim[0]);
    shape.dim[0] = n_times;
    shape.rank++;
    return shape;
}

static cst_status copy_options(ode_block *block, const cst_ode_options *options, cst_error *error)
{
    block->o = *options;
    block->o.forward = block->o.backward = (cst_solve_options){0};
    double *times = malloc(options->n_times * sizeof *times);
    block->o.times = times;
    if (!times) return cst_fail(error, CST_ENOMEM, "cannot allocate %zu times", options->n_times);
    memcpy(times, options->times, options->n_times * sizeof *times);
    CST_TRY(cst_solve_options_copy(&block->o.forward, &options->forward, error));
    return cst_solve_options_copy(&block->o.backward, &options->backward, error);
}

void cst_ode_options_init(cst_ode_options *options)
{
    static const double unit[2] = {0, 1};
    *options = (cst_ode_options){.times = unit, .n_times = 2};
    cst_solve_options_init(&options->forward, CST_PROFILE_COSTATE);
    cst_solve_options_init(&options->backward, CST_PROFILE_COSTATE);
    options->norm = (cst_adjoint_norm){.weight = {1, 1, 0, 0}}; /* the seminorm */
}

cst_status cst_ode_new(cst_module *field, const cst_ode_options *options, cst_module **m, cst_error *error)
{
    *m = NULL;
    cst_status status = check(field, options, error);
    if (status == CST_OK) status = cst_module_new(sizeof(ode_block), &ode_ops, &field->x, m, error);
    if (status != CST_OK) {
        cst_module_free(field);
        return status;
    }
    status = copy_options((ode_block *)*m, options, error);
    if (status != CST_OK) {
        cst_module_free(field);
    } else {
        if (options->learn_t) cst_module_add_tensor(*m, "t", cst_shape_1d(options->n_times));
        status = cst_module_add_child(*m, "field", field, error);
    }
    if (status != CST_OK) {
        cst_module_free(*m);
        *m = NULL;
        return status;
    }
    if (options->output_all) (*m)->y = with_times(field->x, options->n_times);
    (*m)->rows_independent = false;
    return CST_OK;
}

/* ---- from a config ------------------------------------------------------------------------------------------- */

typedef struct ode_section {
    cst_config t, field, solver, gradient;
    int output;
    bool learn_t;
} ode_section;

static const char *const outputs[] = {"last", "all", NULL};
static const cst_key ode_keys[] = {
    {"t", CST_KEY_LIST, offsetof(ode_section, t), "[0, 1]", 0, 0, NULL, "times: the state is given at the first"},
    {"field", CST_KEY_SECTION, offsetof(ode_section, field), NULL, 0, 0, NULL, "the vector field, a module"},
    {"output", CST_KEY_CHOICE, offsetof(ode_section, output), "\"last\"", 0, 0, outputs,
     "the last state, or all of them"},
    {"learn_t", CST_KEY_BOOL, offsetof(ode_section, learn_t), "false", 0, 0, NULL, "make the times a parameter"},
    {"solver", CST_KEY_SECTION, offsetof(ode_section, solver), "{}", 0, 0, NULL, "options of the solver"},
    {"gradient", CST_KEY_SECTION, offsetof(ode_section, gradient), "{}", 0, 0, NULL, "how gradients are computed"},
    {0},
};

typedef struct gradient_section {
    int method;
    cst_config norm, solver;
    double rtol, atol;
} gradient_section;

static const char *const gradient_methods[] = {[CST_GRADIENT_BACKSOLVE] = "backsolve", NULL};
const cst_key cst_gradient_keys[] = {
    {"method", CST_KEY_CHOICE, offsetof(gradient_section, method), "\"backsolve\"", 0, 0, gradient_methods,
     "gradient method"},
    {"norm", CST_KEY_ANY, offsetof(gradient_section, norm), "\"seminorm\"", 0, 0, NULL,
     "error norm of the adjoint system"},
    {"rtol", CST_KEY_REAL, offsetof(gradient_section, rtol), "", 0, DBL_MAX, NULL,
     "relative tolerance; the solver's if absent"},
    {"atol", CST_KEY_REAL, offsetof(gradient_section, atol), "", 0, DBL_MAX, NULL,
     "absolute tolerance; the solver's if absent"},
    {"solver", CST_KEY_SECTION, offsetof(gradient_section, solver), "", 0, 0, NULL,
     "options that differ from the solver's"},
    {0},
};

static cst_status read_gradient(cst_config section, cst_ode_options *o, cst_error *error)
{
    gradient_section g = {.rtol = o->forward.rtol, .atol = o->forward.atol};
    CST_TRY(cst_config_read(section, cst_gradient_keys, false, &g, error));
    CST_TRY(cst_adjoint_norm_read(g.norm, &o->norm, error));
    o->gradient = (cst_gradient_method)g.method;
    CST_TRY(cst_solve_options_copy(&o->backward, &o->forward, error));
    o->backward.rtol = g.rtol;
    o->backward.atol = g.atol;
    CST_TRY(cst_solve_options_override(g.solver, &o->backward, error));
    o->fresh_solves = !o->backward.clip_end;
    return CST_OK;
}

static cst_status ode_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                           cst_error *error)
{
    ode_section s = {0};
    cst_ode_options o = {0};
    double *times = NULL;
    cst_module *field = NULL;
    CST_TRY(cst_config_read(section, ode_keys, true, &s, error));
    cst_status status = cst_solve_options_read(s.solver, &o.forward, error);
    if (status == CST_OK) status = read_gradient(s.gradient, &o, error);
    if (status == CST_OK) status = cst_config_reals(s.t, &times, &o.n_times, error);
    if (status == CST_OK) status = cst_module_from_config(registry, s.field, x, &field, error);
    if (status == CST_OK) {
        o.times = times;
        o.output_all = s.output == 1;
        o.learn_t = s.learn_t;
        status = cst_ode_new(field, &o, m, error);
    }
    free(times);
    cst_solve_options_clear(&o.forward);
    cst_solve_options_clear(&o.backward);
    return status;
}

/* Tight tolerances, for backsolve's gradient is that of the ODE and not of the steps taken. */
#ifdef CST_DOUBLE
#define TIGHT "\"solver\": {\"rtol\": 1e-10, \"atol\": 1e-10}"
#else
#define TIGHT "\"solver\": {\"rtol\": 1e-5, \"atol\": 1e-5}"
#endif
#define MLP                                                                                                            \
    "{\"type\": \"sequential\", \"layers\": [{\"type\": \"concat_time\"}, {\"type\": \"linear\", \"out_features\": "   \
    "5}, "                                                                                                             \
    "{\"type\": \"tanh\"}, {\"type\": \"linear\", \"out_features\": 3}]}"
static const cst_module_example examples[] = {
    {"{\"type\": \"ode\", " TIGHT ", \"field\": " MLP "}", {1, {3}}},
    {"{\"type\": \"ode\", \"t\": [1, 0.6, 0], \"output\": \"all\", \"learn_t\": true, " TIGHT ", \"field\": " MLP
     ", \"gradient\": {\"norm\": \"default\"}}",
     {1, {3}}},
    {"{\"type\": \"ode\", \"t\": [0, 0.5], " TIGHT ", \"field\": {\"type\": \"ode\", \"t\": [0, 0.5], " TIGHT
     ", \"field\": " MLP "}}",
     {1, {3}}},
};

const cst_module_type cst_ode_type = {
    .name = "ode",
    .summary = "neural ODE block: integrates a field over times t",
    .keys = ode_keys,
    .make = ode_make,
    .n_examples = sizeof examples / sizeof examples[0],
    .examples = examples,
};
