/* The ODE block as a module: its memory, its passes, and its messages. */
#include "adjoint/ode_internal.h"

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
    cst_ode_options o; /* owns its arrays */
} ode_block;

static const cst_module *field_of(const cst_module *m)
{
    return m->children[0].module;
}

/* ---- memory --------------------------------------------------------------------------------------------------- */

/* Reals of [z (N, D) | q (M, N)] at one time. */
static size_t reals_per_time(const cst_module *m, size_t n)
{
    return cst_size_mul(n, cst_shape_size(&field_of(m)->y));
}

/* Offset of the trajectory in cache = [z (N, D) | q (M, N) at all times | trajectory]. */
static size_t trajectory_at(const cst_module *m, size_t n)
{
    return cst_size_align(cst_size_mul(((const ode_block *)m)->o.n_times, reals_per_time(m, n)));
}

/* work = [learnt times (T) | gradients of the times (T) | work of a solve] */
typedef struct scratch {
    double *times, *gtimes;
    real *solve;
    size_t size;
} scratch;

/* `work` may be NULL to get the size of the first two parts. */
static scratch cut_work(const ode_block *block, real *work)
{
    scratch s = {0};
    s.times = cst_cut_doubles(work, &s.size, block->o.n_times);
    s.gtimes = cst_cut_doubles(work, &s.size, block->o.n_times);
    s.solve = cst_cut(work, &s.size, 0);
    return s;
}

static void ode_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    const cst_ode_options *o = &((const ode_block *)m)->o;
    const cst_call call = {.n = n, .threads = threads};
    const cst_trajectory trajectory = cst_ode_trajectory(o, field_of(m), &call, NULL);
    const cst_forward_problem forward = {.field = field_of(m),
                                         .call = &call,
                                         .options = &o->forward,
                                         .integrals = o->integrals,
                                         .weights = o->integral_weights};
    const cst_gradient_problem backward = cst_ode_gradient_problem(o, field_of(m), &call, &trajectory);
    (void)k;

    /* A forward pass and a backward pass use the same work, one after the other. */
    plan->cache = cst_size_add(trajectory_at(m, n), trajectory.size);
    plan->work = cst_size_add(cut_work((const ode_block *)m, NULL).size,
                              cst_size_max(cst_forward_work(&forward), o->gradient->work(&backward)));
}

/* ---- the passes ---------------------------------------------------------------------------------------------- */

/* *times = the times of a call: its span's, or the learnt ones, converted into `learnt` (T), or the options'. */
static cst_status get_times(const ode_block *block, const cst_call *c, double *learnt, const double **times)
{
    const size_t n = block->o.n_times;
    if (c->span && (c->span->n_times != n || block->o.learn_t))
        return cst_fail(c->error, CST_EARG, "expected a span of %zu times and a block without learn_t, got %zu times",
                        n, c->span->n_times);
    /* A span comes first, then learnt times, then the options' times. */
    *times = c->span ? c->span->times : block->o.learn_t ? learnt : block->o.times;
    for (size_t i = 0; block->o.learn_t && i < n; i++) learnt[i] = (double)c->theta[i];
    return cst_ode_check_times(*times, n, c->error);
}

/* The options of a solver for one call: with its threads and the jump times of its span. */
static cst_solve_options options_for(const cst_solve_options *options, const cst_call *c)
{
    cst_solve_options o = *options;
    o.threads = c->threads;
    if (c->span && c->span->jump_t) o.jump_t = c->span->jump_t, o.n_jump_t = c->span->n_jump_t;
    return o;
}

/* The field's call. It has no span, which would change the times of ODE blocks inside the field. */
static cst_call call_field(const cst_module *m, const cst_call *c, real *work)
{
    cst_call call = cst_call_child(m, c, 0, work);
    call.span = NULL;
    return call;
}

/* Append to a failure's message the row of the batch and the entry that its component belongs to. Blocks z and a_z have
 * D numbers per row, integrals one; the component is in one of them, or the message stays as it is. */
static void name_row(const cst_module *m, const cst_call *c, bool backward, const cst_solve_stats *stats)
{
    const cst_ode_options *o = &((const ode_block *)m)->o;
    /* Numbers per row of the solver's blocks, in their order. */
    size_t widths[2 + 2 * CST_MAX_INTEGRALS], n = 0;
    const bool with_z = !backward || o->gradient->solves_for_z;
    if (with_z) widths[n++] = cst_shape_size(&m->x);
    for (size_t i = 0; with_z && i < o->n_integrals; i++)
        if ((backward ? o->norm.integral : o->integral_weights)[i] > 0) widths[n++] = 1;
    if (backward) widths[n++] = cst_shape_size(&m->x);
    for (size_t i = 0; backward && i < o->n_integrals; i++)
        if (o->norm.a_integral[i] > 0) widths[n++] = 1;

    /* Convert the index in the block to a row and an entry. */
    if (!c->error || stats->failed_block >= n) return;
    const size_t width = widths[stats->failed_block], row = stats->failed_index / width;
    if (row >= c->n) return;

    /* Rewrite the message. */
    char message[sizeof c->error->message], entry[40] = "";
    memcpy(message, c->error->message, sizeof message);
    if (width > 1) snprintf(entry, sizeof entry, ", entry %zu", stats->failed_index % width);
    snprintf(c->error->message, sizeof message, "%.400s (row %zu of the batch%s)", message, c->row + row, entry);
}

/* Finish a solve: complete the message of a failure, and pass the statistics to the observer. */
static void report(const cst_module *m, const cst_call *c, bool backward, double start, cst_solve_stats *stats)
{
    /* The time of the pass, the row in the message, and the callback. */
    stats->seconds = cst_clock() - start;
    if (stats->failure == CST_ENONFINITE || stats->failure == CST_EUNDERFLOW || stats->failure == CST_EMAXSTEPS)
        name_row(m, c, backward, stats);
    if (c->observer && c->observer->solved) c->observer->solved(c->observer->context, m, backward, stats);
    cst_solve_stats_clear(stats);
}

/* Write the output y from the states [z (N, D) | q (M, N)] at all times: rows [z | q] at the last time, (N, D + M), or
 * with output_all at all times, (N, T, D + M). */
static void hand_out(const ode_block *block, size_t n, const real *states, real *y)
{
    const cst_module *m = &block->base;
    const size_t d = cst_shape_size(&m->x), n_integrals = block->o.n_integrals, n_times = block->o.n_times;
    const size_t first = block->o.output_all ? 0 : n_times - 1;
    for (size_t row = 0; row < n; row++) {
        for (size_t i = first; i < n_times; i++) {
            const real *z = states + i * reals_per_time(m, n), *q = z + n * d;
            memcpy(y, z + row * d, d * sizeof(real));
            y += d;
            for (size_t j = 0; j < n_integrals; j++) *y++ = q[j * n + row];
        }
    }
}

/* Solve eq. 1 of the paper from z(t_0) = x. */
static cst_status ode_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const ode_block *block = (const ode_block *)m;
    const scratch s = cut_work(block, c->work);
    const double *times = NULL;
    CST_TRY(get_times(block, c, s.times, &times));
    const cst_call call = call_field(m, c, s.solve);
    const cst_solve_options options = options_for(&block->o.forward, c);

    /* Solve, recording the steps for the backward pass. States go to the beginning of the cache. */
    real *memory = cache + trajectory_at(m, c->n);
    const cst_trajectory trajectory = cst_ode_trajectory(&block->o, field_of(m), c, memory);
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
    /* The states at all times are in the cache now. */
    hand_out(block, c->n, cache, y);
    return CST_OK;
}

/* The first step size of a backward solve: the one that the forward pass ended with, if the backward tolerances are not
 * tighter and the method is the same. Otherwise 0, and the solver chooses. */
static double first_step(const cst_ode_options *o, const cst_trajectory *trajectory)
{
    /* Tighter tolerances or another method need a smaller or another step. */
    const bool tighter = o->backward.rtol < o->forward.rtol || o->backward.atol < o->forward.atol;
    return o->fresh_solves || tighter || o->backward.method != o->forward.method ? 0
                                                                                 : cst_trajectory_last_h(trajectory);
}

/* dL/dx = dL/dz(t_0), dL/dtheta and dL/dt_i from gy, by the gradient method. */
static cst_status ode_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                          const cst_grads *g)
{
    const ode_block *block = (const ode_block *)m;
    const size_t width = cst_shape_size(&field_of(m)->y), n_times = block->o.n_times; /* D + M */
    const bool all = block->o.output_all;
    if (!g->gx && !g->gtheta && !g->gcontext) return CST_OK; /* the block does not use t */
    const scratch s = cut_work(block, c->work);
    const double *times = NULL;
    CST_TRY(get_times(block, c, s.times, &times));
    const cst_call call = call_field(m, c, s.solve);
    const cst_trajectory trajectory = cst_ode_trajectory(&block->o, field_of(m), c, p->cache + trajectory_at(m, c->n));

    /* The problem: how to solve, and the states of the forward pass. */
    cst_gradient_problem problem = cst_ode_gradient_problem(&block->o, field_of(m), &call, &trajectory);
    const cst_solve_options options = options_for(problem.options, c);
    problem.options = &options;
    problem.times = times;
    problem.z = p->cache;
    problem.first_step = first_step(&block->o, &trajectory);

    /* Cotangents: the loss observes the last time, or all of them. */
    problem.gy = gy;
    problem.first_observed = all ? 0 : n_times - 1;
    problem.gy_time = all ? width : 0;
    problem.gy_row = all ? n_times * width : width;

    /* What is wanted, and where the results go. */
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
    /* Run the method, and report its statistics even if it fails. */
    const double start = cst_clock();
    const cst_status status = block->o.gradient->run(&problem, &result, &stats);
    report(m, c, true, start, &stats);
    CST_TRY(status);
    /* The learnt times are the first T parameters. */
    for (size_t i = 0; problem.want_times && i < n_times; i++) g->gtheta[i] += g->scale * (real)s.gtimes[i];
    return CST_OK;
}

/* Learnt times start at those of the options. */
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

cst_status cst_ode_new(cst_module *field, const cst_ode_options *options, cst_module **m, cst_error *error)
{
    /* Check, and make a module whose options are copies. */
    *m = NULL;
    cst_status status = cst_ode_options_check(field, options, error);
    if (status == CST_OK) status = cst_module_new(sizeof(ode_block), &ode_ops, &field->x, m, error);
    if (status != CST_OK) {
        cst_module_free(field);
        return status;
    }

    /* Add the parameter "t" and the field. The block owns the field only after cst_module_add_child. */
    status = cst_ode_options_copy(&((ode_block *)*m)->o, options, error);
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

    /* The output's shape. Rows share their steps, so they are not independent. */
    (*m)->y = options->output_all ? cst_shape_rows(options->n_times, &field->y) : field->y;
    (*m)->rows_independent = false;
    return CST_OK;
}
