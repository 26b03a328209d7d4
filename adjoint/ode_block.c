#include "adjoint/ode_block.h"

#include "adjoint/backsolve.h"
#include "adjoint/checkpointed.h"
#include "adjoint/replay.h"
#include "core/arena.h"
#include "core/clock.h"
#include "ode/solve_config.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
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

/* ---- gradient methods ---------------------------------------------------------------------------------------- */

static cst_keep what_to_keep(const cst_ode_options *o)
{
    switch (o->gradient) {
    case CST_GRADIENT_INTERPOLATING:
        return CST_KEEP_STAGES;
    case CST_GRADIENT_CHECKPOINTED:
        return o->store == CST_STORE_STAGES ? CST_KEEP_CACHES : CST_KEEP_STATES;
    case CST_GRADIENT_BACKSOLVE:
        break;
    }
    return CST_KEEP_NOTHING;
}

static size_t gradient_work(const cst_ode_options *o, const cst_module *field, size_t n, int threads)
{
    const size_t n_context = cst_size_mul(n, o->context_row);
    switch (o->gradient) {
    case CST_GRADIENT_INTERPOLATING:
        return cst_interpolating_work(field, n, threads, &o->backward, &o->forward, &o->norm, n_context);
    case CST_GRADIENT_CHECKPOINTED:
        return cst_checkpointed_work(field, n, threads, &o->forward);
    case CST_GRADIENT_BACKSOLVE:
        break;
    }
    return cst_backsolve_work(field, n, threads, &o->backward, &o->norm, n_context);
}

static cst_status check_gradient(const cst_ode_options *o, const cst_module *field, cst_error *error)
{
    if (o->checkpoints < 2 || o->checkpoints > CST_MAX_SLOTS)
        return cst_fail(error, CST_EARG, "expected 2 to %d checkpoints, got %zu", CST_MAX_SLOTS, o->checkpoints);
    if (o->gradient == CST_GRADIENT_CHECKPOINTED) return cst_replay_check(&o->forward, "checkpointed", error);
    const bool interpolating = o->gradient == CST_GRADIENT_INTERPOLATING;
    if (interpolating) CST_TRY(cst_replay_check(&o->forward, "interpolating", error));
    return cst_backsolve_check(field, &o->norm, !interpolating, error);
}

static cst_status run_gradient(const cst_ode_options *o, const cst_gradient_problem *problem,
                               const cst_gradient_result *result, cst_solve_stats *stats)
{
    switch (o->gradient) {
    case CST_GRADIENT_INTERPOLATING:
        return cst_interpolating_run(problem, result, stats);
    case CST_GRADIENT_CHECKPOINTED:
        return cst_checkpointed_run(problem, result, stats);
    case CST_GRADIENT_BACKSOLVE:
        break;
    }
    return cst_backsolve_run(problem, result, stats);
}

/* ---- the passes ---------------------------------------------------------------------------------------------- */

/* The cache: z at all times, then the trajectory. */
static size_t trajectory_at(const ode_block *block, size_t z)
{
    return cst_size_align(cst_size_mul(block->o.n_times, z));
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
    const size_t backward = gradient_work(&block->o, field, n, threads);
    plan->cache =
        cst_size_add(trajectory_at(block, z.size), cst_trajectory_size(field, n, threads, &block->o.forward,
                                                                       what_to_keep(&block->o), block->o.checkpoints));
    plan->work =
        cst_size_add(cst_size_mul(2, cst_reals_for_doubles(block->o.n_times)), forward > backward ? forward : backward);
}

static cst_status check_times(const double *times, size_t n, cst_error *error)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(times[i]))
            return cst_fail(error, CST_EARG, "expected finite times, got t[%zu] = %g", i, times[i]);
        if (i > 0 && !((times[i] - times[i - 1]) * (times[1] - times[0]) > 0))
            return cst_fail(error, CST_EARG, "expected times that increase or decrease, got t[%zu] = %g after %g", i,
                            times[i], times[i - 1]);
    }
    return CST_OK;
}

/* The times as doubles: the options', the call's, or the parameter's at the front of *work. */
static cst_status get_times(const ode_block *block, const cst_call *c, real **work, const double **times)
{
    const size_t n = block->o.n_times;
    if (c->span && (c->span->n_times != n || block->o.learn_t))
        return cst_fail(c->error, CST_EARG, "expected a span of %zu times for a block that learns none, got %zu", n,
                        c->span->n_times);
    *times = c->span ? c->span->times : block->o.times;
    if (block->o.learn_t) {
        double *learnt = cst_take_doubles(work, n);
        for (size_t i = 0; i < n; i++) learnt[i] = (double)c->theta[i];
        *times = learnt;
    }
    return check_times(*times, n, c->error);
}

/* The block's options for one call. */
static cst_solve_options options_for(const cst_solve_options *options, const cst_call *c)
{
    cst_solve_options o = *options;
    o.threads = c->threads;
    if (c->span && c->span->jump_t) o.jump_t = c->span->jump_t, o.n_jump_t = c->span->n_jump_t;
    return o;
}

/* The field's call: no block in it integrates over this one's times. */
static cst_call call_field(const cst_module *m, const cst_call *c, real *work)
{
    cst_call call = cst_call_child(m, c, 0, work);
    call.span = NULL;
    return call;
}

typedef struct field_context {
    const cst_module *field;
    cst_call call;
    real *cache; /* of one evaluation, where none is kept */
    cst_trajectory trajectory;
    const cst_solver *solver;
} field_context;

static cst_status field_rhs(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    field_context *f = context;
    (void)scale, (void)q;
    f->call.t = t;
    f->call.error = error;
    if (f->trajectory.keep != CST_KEEP_CACHES) return cst_module_evaluate(f->field, &f->call, y, dy, f->cache);
    return cst_module_forward(f->field, &f->call, y, dy, cst_trajectory_cache(&f->trajectory, f->solver->stage_index));
}

static cst_status field_accepted(void *context, const cst_solver *solver)
{
    const field_context *f = context;
    return cst_trajectory_accept(&f->trajectory, solver, solver->error);
}

/* Which row of the batch the component of a failure belongs to, if its block is z or a_z: the state's first two, or the
 * first where z is interpolated. */
static void name_row(const cst_module *m, const cst_call *c, const cst_solve_stats *stats)
{
    const size_t blocks = ((const ode_block *)m)->o.gradient == CST_GRADIENT_INTERPOLATING ? 1 : 2;
    const size_t d = cst_shape_size(&m->x), row = stats->failed_index / d;
    if (!c->error || stats->failed_block >= blocks || row >= c->n) return;
    char message[sizeof c->error->message];
    memcpy(message, c->error->message, sizeof message);
    snprintf(c->error->message, sizeof message, "%.400s (row %zu of the batch, entry %zu)", message, c->row + row,
             stats->failed_index % d);
}

static void report(const cst_module *m, const cst_call *c, bool backward, double start, cst_solve_stats *stats)
{
    stats->seconds = cst_clock() - start;
    if (stats->failure == CST_ENONFINITE || stats->failure == CST_EUNDERFLOW || stats->failure == CST_EMAXSTEPS)
        name_row(m, c, stats);
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

/* z (T, N, D) at all times from x. */
static cst_status solve(const ode_block *block, const cst_call *c, const double *times, const real *x, real *z,
                        real *work, cst_solve_stats *stats)
{
    const cst_module *m = &block->base, *field = field_of(m);
    const cst_block state = state_block(m, c->n);
    cst_plan plan;
    cst_module_plan(field, c->n, 0, c->threads, &plan);
    cst_solver solver;
    field_context context = {.field = field, .cache = work, .solver = &solver};
    context.call = call_field(m, c, work + cst_size_align(plan.cache));
    context.trajectory = cst_trajectory_at(field, c->n, c->threads, &block->o.forward, what_to_keep(&block->o),
                                           block->o.checkpoints, z + trajectory_at(block, state.size));
    cst_trajectory_begin(&context.trajectory);
    const cst_problem problem = {
        .f = field_rhs, .context = &context, .blocks = &state, .n_blocks = 1, .accepted = field_accepted};
    const cst_solve_options options = options_for(&block->o.forward, c);
    const size_t last = block->o.n_times - 1;
    CST_TRY(cst_solver_start(&solver, &problem, &options, times[0], times[last], x, NULL,
                             context.call.work + cst_size_align(plan.work), stats, c->error));
    memcpy(z, x, state.size * sizeof(real));
    for (size_t i = 1; i <= last; i++) CST_TRY(cst_solver_advance(&solver, times[i], false, z + i * state.size));
    return CST_OK;
}

static cst_status ode_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const ode_block *block = (const ode_block *)m;
    const size_t n_times = block->o.n_times, nz = c->n * cst_shape_size(&m->x);
    real *work = c->work;
    const double *times = NULL;
    CST_TRY(get_times(block, c, &work, &times));
    cst_solve_stats stats = {.trace = c->observer && c->observer->trace};
    const double start = cst_clock();
    const cst_status status = solve(block, c, times, x, cache, work, &stats);
    report(m, c, false, start, &stats);
    CST_TRY(status);
    if (block->o.output_all)
        hand_out(c->n, n_times, cst_shape_size(&m->x), cache, y);
    else
        memcpy(y, cache + (n_times - 1) * nz, nz * sizeof(real));
    return CST_OK;
}

/* What is needed of the forward pass depends on the method; the step size it ended with is a good one to begin with, if the
 * tolerances are no tighter. */
static double first_step(const cst_ode_options *o, const cst_trajectory *trajectory)
{
    const bool tighter = o->backward.rtol < o->forward.rtol || o->backward.atol < o->forward.atol;
    return o->fresh_solves || tighter || o->backward.method != o->forward.method ? 0
                                                                                 : cst_trajectory_last_h(trajectory);
}

static cst_status ode_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                          const cst_grads *g)
{
    const ode_block *block = (const ode_block *)m;
    const size_t d = cst_shape_size(&m->x), n_times = block->o.n_times;
    const bool all = block->o.output_all;
    if (!g->gx && !g->gtheta && !g->gcontext) return CST_OK; /* its own t is not used: gt gets nothing */
    real *work = c->work;
    const double *times = NULL;
    CST_TRY(get_times(block, c, &work, &times));
    double *gtimes = cst_take_doubles(&work, n_times);
    const cst_call call = call_field(m, c, work);
    const bool checkpointed = block->o.gradient == CST_GRADIENT_CHECKPOINTED;
    const cst_solve_options options = options_for(checkpointed ? &block->o.forward : &block->o.backward, c);
    const cst_trajectory trajectory =
        cst_trajectory_at(field_of(m), c->n, c->threads, &block->o.forward, what_to_keep(&block->o),
                          block->o.checkpoints, cst_view(p->cache + trajectory_at(block, c->n * d)));
    const cst_gradient_problem problem = {
        .field = field_of(m),
        .call = &call,
        .options = &options,
        .norm = &block->o.norm,
        .fresh_solves = block->o.fresh_solves,
        .times = times,
        .n_times = n_times,
        .z = p->cache,
        .trajectory = &trajectory,
        .first_step = first_step(&block->o, &trajectory),
        .gy = gy,
        .first_observed = all ? 0 : n_times - 1,
        .gy_time = all ? d : 0,
        .gy_row = all ? n_times * d : d,
        .want_theta = g->gtheta != NULL,
        .want_times = g->gtheta != NULL && block->o.learn_t,
        .n_context = g->gcontext ? c->n * block->o.context_row : 0,
    };
    const cst_gradient_result result = {.scale = g->scale,
                                        .context_scale = g->context_scale,
                                        .gz0 = g->gx,
                                        .gtheta = g->gtheta ? g->gtheta + m->children[0].offset : NULL,
                                        .gcontext = g->gcontext,
                                        .gtimes = gtimes};
    cst_solve_stats stats = {.trace = c->observer && c->observer->trace};
    const double start = cst_clock();
    const cst_status status = run_gradient(&block->o, &problem, &result, &stats);
    report(m, c, true, start, &stats);
    CST_TRY(status);
    for (size_t i = 0; problem.want_times && i < n_times; i++) g->gtheta[i] += g->scale * (real)gtimes[i];
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
    CST_TRY(check_times(o->times, o->n_times, error));
    if (o->output_all && field->x.rank == CST_MAX_RANK)
        return cst_fail(error, CST_ESHAPE, "expected a state of fewer than %d dimensions with every time in the output",
                        CST_MAX_RANK);
    CST_TRY(cst_solve_options_check(&o->forward, error));
    CST_TRY(cst_solve_options_check(&o->backward, error));
    return check_gradient(o, field, error);
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
    *options = (cst_ode_options){.times = unit, .n_times = 2, .checkpoints = 64};
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
