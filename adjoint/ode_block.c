#include "adjoint/ode_block.h"

#include "adjoint/field.h"
#include "adjoint/forward_solve.h"
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

/* ---- where things are ------------------------------------------------------------------------------------------ */

/* [z | q] at one time, of N rows */
static size_t at_a_time(const cst_module *m, size_t n)
{
    return cst_size_mul(n, cst_shape_size(&field_of(m)->y));
}

/* cache = [z (N, D) | q (M, N) at all times | the trajectory] */
static size_t trajectory_at(const cst_module *m, size_t n)
{
    return cst_size_align(cst_size_mul(((const ode_block *)m)->o.n_times, at_a_time(m, n)));
}

/* `memory` NULL: the trajectory's size alone. */
static cst_trajectory trajectory_of(const cst_ode_options *o, const cst_module *field, const cst_call *c,
                                    const real *memory)
{
    return cst_trajectory_at(field, c->n, c->threads, &o->forward, o->gradient->keep[o->store], o->checkpoints, memory);
}

/* work = [the times, where they are learnt (T) | their gradient (T) | a solve's] */
typedef struct scratch {
    double *times, *gtimes;
    real *solve;
    size_t size;
} scratch;

static scratch cut_work(const ode_block *block, real *work)
{
    scratch s = {0};
    s.times = cst_cut_doubles(work, &s.size, block->o.n_times);
    s.gtimes = cst_cut_doubles(work, &s.size, block->o.n_times);
    s.solve = cst_cut(work, &s.size, 0);
    return s;
}

/* What is known before there is anything to differentiate; it wants all there is. */
static cst_gradient_problem problem_of(const cst_ode_options *o, const cst_module *field, const cst_call *c,
                                       const cst_trajectory *trajectory)
{
    return (cst_gradient_problem){.field = field,
                                  .call = c,
                                  .options = o->gradient->solves ? &o->backward : &o->forward,
                                  .norm = &o->norm,
                                  .fresh_solves = o->fresh_solves,
                                  .n_times = o->n_times,
                                  .integrals = o->integrals,
                                  .trajectory = trajectory,
                                  .want_theta = true,
                                  .want_times = true,
                                  .n_context = cst_size_mul(c->n, o->context_row)};
}

static void ode_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    const cst_ode_options *o = &((const ode_block *)m)->o;
    const cst_call call = {.n = n, .threads = threads};
    const cst_trajectory trajectory = trajectory_of(o, field_of(m), &call, NULL);
    const cst_forward_problem forward = {.field = field_of(m),
                                         .call = &call,
                                         .options = &o->forward,
                                         .integrals = o->integrals,
                                         .weights = o->integral_weights};
    const cst_gradient_problem backward = problem_of(o, field_of(m), &call, &trajectory);
    (void)k;
    plan->cache = cst_size_add(trajectory_at(m, n), trajectory.size);
    plan->work = cst_size_add(cut_work((const ode_block *)m, NULL).size,
                              cst_size_most(cst_forward_work(&forward), o->gradient->work(&backward)));
}

/* ---- the passes ---------------------------------------------------------------------------------------------- */

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

/* The times as doubles: the options', the call's, or the parameter's, which are put into `learnt`. */
static cst_status get_times(const ode_block *block, const cst_call *c, double *learnt, const double **times)
{
    const size_t n = block->o.n_times;
    if (c->span && (c->span->n_times != n || block->o.learn_t))
        return cst_fail(c->error, CST_EARG, "expected a span of %zu times for a block that learns none, got %zu", n,
                        c->span->n_times);
    *times = c->span ? c->span->times : block->o.learn_t ? learnt : block->o.times;
    for (size_t i = 0; block->o.learn_t && i < n; i++) learnt[i] = (double)c->theta[i];
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

/* Which row of the batch the component of a failure belongs to, and which of its entries: blocks z and a_z have D a row,
 * integrals one. */
static void name_row(const cst_module *m, const cst_call *c, bool backward, const cst_solve_stats *stats)
{
    const cst_ode_options *o = &((const ode_block *)m)->o;
    size_t widths[2 + 2 * CST_MAX_INTEGRALS], n = 0;
    const bool with_z = !backward || o->gradient->solves_for_z;
    if (with_z) widths[n++] = cst_shape_size(&m->x);
    for (size_t i = 0; with_z && i < o->n_integrals; i++)
        if ((backward ? o->norm.integral : o->integral_weights)[i] > 0) widths[n++] = 1;
    if (backward) widths[n++] = cst_shape_size(&m->x);
    for (size_t i = 0; backward && i < o->n_integrals; i++)
        if (o->norm.a_integral[i] > 0) widths[n++] = 1;
    if (!c->error || stats->failed_block >= n) return;
    const size_t width = widths[stats->failed_block], row = stats->failed_index / width;
    if (row >= c->n) return;
    char message[sizeof c->error->message], entry[40] = "";
    memcpy(message, c->error->message, sizeof message);
    if (width > 1) snprintf(entry, sizeof entry, ", entry %zu", stats->failed_index % width);
    snprintf(c->error->message, sizeof message, "%.400s (row %zu of the batch%s)", message, c->row + row, entry);
}

static void report(const cst_module *m, const cst_call *c, bool backward, double start, cst_solve_stats *stats)
{
    stats->seconds = cst_clock() - start;
    if (stats->failure == CST_ENONFINITE || stats->failure == CST_EUNDERFLOW || stats->failure == CST_EMAXSTEPS)
        name_row(m, c, backward, stats);
    if (c->observer && c->observer->solved) c->observer->solved(c->observer->context, m, backward, stats);
    cst_solve_stats_clear(stats);
}

/* y (N, T', D + M), the last times alone unless all are wanted, from [z (N, D) | q (M, N)] at each */
static void hand_out(const ode_block *block, size_t n, const real *states, real *y)
{
    const cst_module *m = &block->base;
    const size_t d = cst_shape_size(&m->x), n_integrals = block->o.n_integrals, n_times = block->o.n_times;
    const size_t first = block->o.output_all ? 0 : n_times - 1;
    for (size_t row = 0; row < n; row++) {
        for (size_t i = first; i < n_times; i++) {
            const real *z = states + i * at_a_time(m, n), *q = z + n * d;
            memcpy(y, z + row * d, d * sizeof(real));
            y += d;
            for (size_t j = 0; j < n_integrals; j++) *y++ = q[j * n + row];
        }
    }
}

static cst_status ode_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const ode_block *block = (const ode_block *)m;
    const scratch s = cut_work(block, c->work);
    const double *times = NULL;
    CST_TRY(get_times(block, c, s.times, &times));
    const cst_call call = call_field(m, c, s.solve);
    const cst_solve_options options = options_for(&block->o.forward, c);
    real *memory = cache + trajectory_at(m, c->n);
    const cst_trajectory trajectory = trajectory_of(&block->o, field_of(m), c, memory);
    const cst_recording recording = cst_recording_begin(&trajectory, memory);
    const cst_forward_problem problem = {.field = field_of(m),
                                         .call = &call,
                                         .options = &options,
                                         .integrals = block->o.integrals,
                                         .weights = block->o.integral_weights,
                                         .times = times,
                                         .n_times = block->o.n_times,
                                         .recording = &recording};
    cst_solve_stats stats = {.trace = c->observer && c->observer->trace};
    const double start = cst_clock();
    const cst_status status = cst_forward_run(&problem, x, cache, &stats);
    report(m, c, false, start, &stats);
    CST_TRY(status);
    hand_out(block, c->n, cache, y);
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
    const size_t width = cst_shape_size(&field_of(m)->y), n_times = block->o.n_times; /* D + M */
    const bool all = block->o.output_all;
    if (!g->gx && !g->gtheta && !g->gcontext) return CST_OK; /* its own t is not used: gt gets nothing */
    const scratch s = cut_work(block, c->work);
    const double *times = NULL;
    CST_TRY(get_times(block, c, s.times, &times));
    const cst_call call = call_field(m, c, s.solve);
    const cst_trajectory trajectory = trajectory_of(&block->o, field_of(m), c, p->cache + trajectory_at(m, c->n));
    cst_gradient_problem problem = problem_of(&block->o, field_of(m), &call, &trajectory);
    const cst_solve_options options = options_for(problem.options, c);
    problem.options = &options;
    problem.times = times;
    problem.z = p->cache;
    problem.first_step = first_step(&block->o, &trajectory);
    problem.gy = gy;
    problem.first_observed = all ? 0 : n_times - 1;
    problem.gy_time = all ? width : 0;
    problem.gy_row = all ? n_times * width : width;
    problem.want_theta = g->gtheta != NULL;
    problem.want_times = g->gtheta != NULL && block->o.learn_t;
    if (!g->gcontext) problem.n_context = 0;
    const cst_gradient_result result = {.scale = g->scale,
                                        .context_scale = g->context_scale,
                                        .gz0 = g->gx,
                                        .gtheta = g->gtheta ? g->gtheta + m->children[0].offset : NULL,
                                        .gcontext = g->gcontext,
                                        .gtimes = s.gtimes};
    cst_solve_stats stats = {.trace = c->observer && c->observer->trace};
    const double start = cst_clock();
    const cst_status status = block->o.gradient->run(&problem, &result, &stats);
    report(m, c, true, start, &stats);
    CST_TRY(status);
    for (size_t i = 0; problem.want_times && i < n_times; i++) g->gtheta[i] += g->scale * (real)s.gtimes[i];
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

static cst_status check_integrals(const cst_module *field, const cst_ode_options *o, cst_error *error)
{
    CST_TRY(cst_field_check(field, o->n_integrals, error));
    for (size_t i = 0; i < o->n_integrals; i++) {
        const double weight = o->integral_weights[i];
        if (!(weight >= 0) || !isfinite(weight))
            return cst_fail(error, CST_EARG, "expected a weight of at least 0 for %s, got %g", o->integrals[i].name,
                            weight);
        if (weight == 0 && o->n_times > 2)
            return cst_fail(error, CST_EUNSUPPORTED,
                            "integral %s with weight 0 is known at the last time alone: expected two times, got %zu",
                            o->integrals[i].name, o->n_times);
    }
    return CST_OK;
}

static cst_status check_gradient(const cst_module *field, const cst_ode_options *o, cst_error *error)
{
    if (!o->gradient) return cst_fail(error, CST_EARG, "expected a gradient method, got none");
    if (o->checkpoints < 2 || o->checkpoints > CST_MAX_SLOTS)
        return cst_fail(error, CST_EARG, "expected 2 to %d checkpoints, got %zu", CST_MAX_SLOTS, o->checkpoints);
    const cst_call row = {.n = 1, .threads = 1};
    const cst_trajectory trajectory = trajectory_of(o, field, &row, NULL);
    const cst_gradient_problem problem = problem_of(o, field, &row, &trajectory);
    return o->gradient->check(&problem, error);
}

static cst_status check(const cst_module *field, const cst_ode_options *o, cst_error *error)
{
    CST_TRY(check_integrals(field, o, error));
    if (o->n_times < 2) return cst_fail(error, CST_EARG, "expected at least 2 times, got %zu", o->n_times);
    CST_TRY(check_times(o->times, o->n_times, error));
    if (o->output_all && field->y.rank == CST_MAX_RANK)
        return cst_fail(error, CST_ESHAPE, "expected a state of fewer than %d dimensions with every time in the output",
                        CST_MAX_RANK);
    CST_TRY(cst_solve_options_check(&o->forward, error));
    CST_TRY(cst_solve_options_check(&o->backward, error));
    return check_gradient(field, o, error);
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
    *options = (cst_ode_options){.times = unit, .n_times = 2, .gradient = cst_gradient_methods[0], .checkpoints = 64};
    cst_solve_options_init(&options->forward, CST_PROFILE_COSTATE);
    cst_solve_options_init(&options->backward, CST_PROFILE_COSTATE);
    if (cst_adjoint_norm_init(&options->norm, "seminorm", NULL) != CST_OK) return; /* there is one */
    for (size_t i = 0; i < CST_MAX_INTEGRALS; i++) options->integral_weights[i] = 1;
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
    (*m)->y = options->output_all ? cst_shape_rows(options->n_times, &field->y) : field->y;
    (*m)->rows_independent = false;
    return CST_OK;
}
