/* The part of ode/solve.h that checks options, lays out memory and begins a solve. */
#include "core/arena.h"
#include "core/shape.h"
#include "ode/solver_internal.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void cst_solve_options_init(cst_solve_options *options, cst_profile profile)
{
    const bool costate = profile == CST_PROFILE_COSTATE;
    *options = (cst_solve_options){
        .method = cst_tableaus[0],
        .rtol = 1e-7,
        .atol = 1e-9,
        .max_step = HUGE_VAL,
        .safety = 0.9,
        .ifactor = 10,
        .dfactor = 0.2,
        .max_num_steps = INT32_MAX,
        .threads = 1,
        .pi_controller = costate,
        .classic_error = costate,
        .clip_end = costate,
        .perturb_stages = !costate,
        .reuse_last_stage = !costate,
        .cast_times = !costate,
        .refine_dense = costate,
        .limit_first_step = costate,
    };
}

static int compare_times(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

size_t cst_sort_times(double *times, size_t n)
{
    size_t kept = 0;
    if (n > 0) qsort(times, n, sizeof *times, compare_times);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || times[i] != times[kept - 1]) times[kept++] = times[i];
    return kept;
}

static cst_status check_times(const double *times, size_t n, const char *name, cst_error *error)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(times[i]))
            return cst_fail(error, CST_EARG, "expected finite times, got %s[%zu] = %g", name, i, times[i]);
        if (i > 0 && !(times[i] > times[i - 1]))
            return cst_fail(error, CST_EARG, "expected times that increase, got %s[%zu] = %g after %g", name, i,
                            times[i], times[i - 1]);
    }
    return CST_OK;
}

cst_status cst_solve_options_check(const cst_solve_options *o, cst_error *error)
{
    if (!o->method) return cst_fail(error, CST_EARG, "expected a method, got none");
    if (!(o->rtol >= 0) || !(o->atol >= 0) || !(o->rtol + o->atol > 0) || !isfinite(o->rtol + o->atol))
        return cst_fail(error, CST_EARG,
                        "expected tolerances of at least 0, one of them above, got rtol %g and atol %g", o->rtol,
                        o->atol);
    if (!(o->first_step >= 0) || !(o->min_step >= 0) || !(o->max_step > 0) || !(o->step_size >= 0))
        return cst_fail(error, CST_EARG,
                        "expected positive step sizes, got first_step %g, min_step %g, max_step %g, step_size %g",
                        o->first_step, o->min_step, o->max_step, o->step_size);
    if (!(o->min_step <= o->max_step))
        return cst_fail(error, CST_EARG, "expected min_step <= max_step, got %g and %g", o->min_step, o->max_step);
    if (!(o->safety > 0 && o->safety <= 1) || !(o->dfactor > 0 && o->dfactor <= 1) || !(o->ifactor >= 1))
        return cst_fail(error, CST_EARG, "expected 0 < safety <= 1, 0 < dfactor <= 1 <= ifactor, got %g, %g, %g",
                        o->safety, o->dfactor, o->ifactor);
    CST_TRY(check_times(o->step_t, o->n_step_t, "step_t", error));
    return check_times(o->jump_t, o->n_jump_t, "jump_t", error);
}

static size_t state_size(const cst_problem *problem)
{
    size_t n = 0;
    for (size_t b = 0; b < problem->n_blocks; b++) n = cst_size_add(n, problem->blocks[b].size);
    return n;
}

/* Set the solver's vectors behind `work`, NULL where only their size is asked for, which is returned. */
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

/* Those of increasing times that lie ahead of the start. */
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

/* As torchdiffeq: the norm is the solver's own, the exponent that of the controller. */
cst_status cst_solver_first_step(cst_solver *s, double *h)
{
    cst_combination state = {0}, slope = {0}, change = {0}, euler = {0};
    cst_combination_add(&state, 1, s->y);
    cst_combination_add(&slope, 1, s->k[0]);
    const double d0 = cst_solver_norm(s, &state, s->y, s->y, NULL), d1 = cst_solver_norm(s, &slope, s->y, s->y, NULL);
    double h0 = d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : 0.01 * d0 / d1;
    /* f need not exist beyond the end */
    if (s->options->limit_first_step && h0 > fabs(s->t_end - s->t)) h0 = fabs(s->t_end - s->t);
    cst_combination_add(&euler, s->direction * h0, s->k[0]);
    cst_combine(s->options->threads, s->n, s->y, &euler, s->y_new);
    real *slope_there = s->options->method->stages > 1 ? s->k[1] : s->stage;
    s->stage_index = 1; /* of no step: what is kept of this evaluation will be written over */
    const cst_status status = cst_solver_evaluate(s, s->t + s->direction * h0, s->y_new, slope_there, 0, NULL);
    if (status == CST_ERECOVERABLE) { /* not even so far: begin there and let the control find out */
        *h = h0;
        return CST_OK;
    }
    if (status != CST_OK) return cst_solver_stop(s, status, s->direction * h0);
    cst_combination_add(&change, 1, slope_there);
    cst_combination_add(&change, -1, s->k[0]);
    const double d2 = fabs(cst_solver_norm(s, &change, s->y, s->y, NULL) / h0);
    const double order = (double)s->options->method->order;
    const double h1 = d1 <= 1e-15 && d2 <= 1e-15 ? fmax(1e-6, h0 * 1e-3) : pow(0.01 / (d1 > d2 ? d1 : d2), 1 / order);
    *h = isnan(h1) || isnan(h0) ? (double)NAN : fmin(100 * h0, h1);
    if (s->options->limit_first_step && *h > fabs(s->t_end - s->t)) *h = fabs(s->t_end - s->t);
    return CST_OK;
}

cst_status cst_solver_start(cst_solver *s, const cst_problem *problem, const cst_solve_options *options, double t,
                            double t_end, const real *y, real *q, real *work, cst_solve_stats *stats, cst_error *error)
{
    *s = (cst_solver){.problem = problem,
                      .options = options,
                      .stats = stats,
                      .error = error,
                      .n = state_size(problem),
                      .t = t,
                      .t_start = t,
                      .t_end = t_end,
                      .step_t = t,
                      .direction = t_end < t ? -1 : 1,
                      .previous_ratio = 1,
                      .completed = 1,
                      .q = q};
    stats->failure = CST_OK;
    stats->method = options->method ? options->method->name : "";
    CST_TRY(cst_solve_options_check(options, error));
    if (!isfinite(t) || !isfinite(t_end) || t == t_end)
        return cst_fail(error, CST_EARG, "expected two finite times that differ, got %g and %g", t, t_end);
    cut_work(s, work);
    memcpy(s->y, y, s->n * sizeof(real));
    s->steps = stops_ahead(s, options->step_t, options->n_step_t);
    s->jumps = stops_ahead(s, options->jump_t, options->n_jump_t);
    s->first_t = t;
    CST_TRY(cst_solver_first_stage(s, t, s->k[0]));
    double h = options->method->adaptive ? options->first_step
               : options->step_size > 0  ? options->step_size
                                         : fabs(t_end - t);
    if (h == 0) CST_TRY(cst_solver_first_step(s, &h));
    s->h = s->direction * h;
    return cst_solve_stats_add_start(stats, t, s->h, error);
}

cst_status cst_solver_restate(cst_solver *s, const real *y)
{
    memcpy(s->y, y, s->n * sizeof(real));
    /* f at a jump that was landed on belongs to the time behind it. */
    const bool at_jump = s->first_stage == CST_FIRST_EVALUATED || s->first_stage == CST_FIRST_BEHIND_JUMP;
    s->first_t = at_jump ? s->anew_t : s->t;
    s->first_stage = CST_FIRST_CURRENT;
    if (!s->options->method->adaptive) s->grid_index = 0, s->t_start = s->t;
    return cst_solver_first_stage(s, s->first_t, s->k[0]);
}
