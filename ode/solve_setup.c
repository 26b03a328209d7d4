/* The part of ode/solve.h that lays out memory, starts a solve and chooses its first step. */
#include "core/arena.h"
#include "core/shape.h"
#include "ode/solver_internal.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* n, the number of entries of the state. */
static size_t state_size(const cst_problem *problem)
{
    size_t n = 0;
    for (size_t b = 0; b < problem->n_blocks; b++) n = cst_size_add(n, problem->blocks[b].size);
    return n;
}

/* Set the solver's vectors to consecutive parts of `work`, and return the size of all. `work` may be NULL to get the
 * size. */
static size_t cut_work(cst_solver *s, real *work)
{
    const size_t q = s->problem->n_quadratures;
    size_t size = 0;
    s->y = cst_cut(work, &size, s->n);
    s->y_new = cst_cut(work, &size, s->n);
    s->stage = cst_cut(work, &size, s->n);
    for (size_t i = 0; i < s->options->method->stages; i++) s->k[i] = cst_cut(work, &size, s->n);
    s->q_step = cst_cut(work, &size, q);
    s->q_first = cst_cut(work, &size, q);
    s->q_next = cst_cut(work, &size, q);
    s->partial = cst_cut_doubles(work, &size, cst_scaled_partials(s->problem->blocks, s->problem->n_blocks));
    return size;
}

size_t cst_solver_work(const cst_problem *problem, const cst_solve_options *options)
{
    cst_solver s = {.problem = problem, .options = options, .n = state_size(problem)};
    return cut_work(&s, NULL);
}

/* A list of stop times without those that are not ahead of the start. */
static cst_stops stops_ahead(const cst_solver *s, const double *t, size_t n)
{
    cst_stops stops = {.t = t, .n = n, .left = n};
    cst_solver_pass_stops(s, &stops);
    return stops;
}

double cst_solver_norm(const cst_solver *s, const cst_combination *sum, const real *y0, const real *y1, size_t *block)
{
    const cst_scaled scaled = {.norm = &s->problem->norm,
                               .blocks = s->problem->blocks,
                               .n_blocks = s->problem->n_blocks,
                               .rtol = s->options->rtol,
                               .atol = s->options->atol,
                               .sum = sum,
                               .y0 = y0,
                               .y1 = y1,
                               .values = s->stage,
                               .partial = s->partial,
                               .threads = s->options->threads};
    return cst_scaled_norm(&scaled, block);
}

/* Hairer, Norsett, Wanner, II.4, as in torchdiffeq: the norm N is the solver's, which may be a seminorm, and the
 * exponent is the controller's. With errors divided by SCALE = atol + rtol |y0|:
 *
 *     d0 = N(y0), d1 = N(f0);   h0 = 0.01 d0 / d1, or 1e-6 if one of them is tiny
 *     d2 = N(f(t0 + h0, y0 + h0 f0) - f0) / h0
 *     h1 = (0.01 / max(d1, d2))^(1/p);   h = min(100 h0, h1) */
cst_status cst_solver_first_step(cst_solver *s, double *h)
{
    /* d0, d1 and h0. The probe is not longer than the interval, since f may be undefined beyond its end. */
    cst_combination state = {0}, slope = {0}, change = {0}, euler = {0};
    cst_combination_add(&state, 1, s->y);
    cst_combination_add(&slope, 1, s->k[0]);
    const double d0 = cst_solver_norm(s, &state, s->y, s->y, NULL), d1 = cst_solver_norm(s, &slope, s->y, s->y, NULL);
    double h0 = d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : 0.01 * d0 / d1;
    if (s->options->limit_first_step && h0 > fabs(s->t_end - s->t)) h0 = fabs(s->t_end - s->t);

    /* Probe step: f after an Euler step of size h0. It is no stage of a step; what the callback caches for it as stage
     * 1 is overwritten later. */
    cst_combination_add(&euler, s->direction * h0, s->k[0]);
    cst_combine(s->options->threads, s->n, s->y, &euler, s->y_new);
    real *probe = s->options->method->stages > 1 ? s->k[1] : s->stage;
    s->stage_index = 1;
    const cst_status status = cst_solver_evaluate(s, s->t + s->direction * h0, s->y_new, probe, 0, NULL);
    if (status == CST_ERECOVERABLE) {
        *h = h0; /* f rejected the probe step: start from h0 and let step-size control shrink it */
        return CST_OK;
    }
    if (status != CST_OK) return cst_solver_stop(s, status, s->direction * h0);

    /* d2 and h1; NaN is passed on. */
    cst_combination_add(&change, 1, probe);
    cst_combination_add(&change, -1, s->k[0]);
    const double d2 = fabs(cst_solver_norm(s, &change, s->y, s->y, NULL) / h0);
    const double order = (double)s->options->method->order;
    const double h1 = d1 <= 1e-15 && d2 <= 1e-15 ? fmax(1e-6, h0 * 1e-3) : pow(0.01 / (d1 > d2 ? d1 : d2), 1 / order);
    *h = isnan(h1) || isnan(h0) ? (double)NAN : fmin(100 * h0, h1);
    if (s->options->limit_first_step && *h > fabs(s->t_end - s->t)) *h = fabs(s->t_end - s->t);
    return CST_OK;
}

cst_status cst_solver_start(cst_solver *s, const cst_problem *problem, const cst_solve_options *options, double t,
                            double t_end, const real *y, const cst_solve_call *call)
{
    *s = (cst_solver){.problem = problem,
                      .options = options,
                      .stats = call->stats,
                      .error = call->error,
                      .n = state_size(problem),
                      .t = t,
                      .t_start = t,
                      .t_end = t_end,
                      .step_t = t,
                      .direction = t_end < t ? -1 : 1,
                      .previous_ratio = 1,
                      .completed = 1,
                      .q = call->q};
    s->stats->failure = CST_OK;
    s->stats->method = options->method ? options->method->name : "";

    /* Check the options and times before any memory is used. */
    CST_TRY(cst_solve_options_check(options, s->error));
    if (!isfinite(t) || !isfinite(t_end) || t == t_end)
        return cst_fail(s->error, CST_EARG, "expected two finite times that differ, got %g and %g", t, t_end);

    /* Copy the initial state, and find the stops ahead. */
    cut_work(s, call->work);
    memcpy(s->y, y, s->n * sizeof(real));
    s->steps = stops_ahead(s, options->step_t, options->n_step_t);
    s->jumps = stops_ahead(s, options->jump_t, options->n_jump_t);

    /* k[0] = f(t, y), and the first step size: given, or the interval for fixed steps, or chosen. */
    s->first_t = t;
    CST_TRY(cst_solver_first_stage(s, t, s->k[0]));
    double h = options->method->adaptive ? options->first_step
               : options->step_size > 0  ? options->step_size
                                         : fabs(t_end - t);
    if (h == 0) CST_TRY(cst_solver_first_step(s, &h));
    s->h = s->direction * h;
    return cst_solve_stats_add_start(s->stats, t, s->h, s->error);
}

cst_status cst_solver_restate(cst_solver *s, const real *y)
{
    memcpy(s->y, y, s->n * sizeof(real));
    /* If the solver landed on a jump, f is evaluated just after it. */
    const bool at_jump = s->first_stage == CST_FIRST_EVALUATED || s->first_stage == CST_FIRST_AFTER_JUMP;
    s->first_t = at_jump ? s->restart_t : s->t;
    s->first_stage = CST_FIRST_CURRENT;
    /* A fixed grid starts again here. */
    if (!s->options->method->adaptive) s->grid_index = 0, s->t_start = s->t;
    return cst_solver_first_stage(s, s->first_t, s->k[0]);
}
