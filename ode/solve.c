/* The solver's loop. Profile costate follows Hairer, Norsett, Wanner, II.4, with Gustafsson's PI control (Hairer, Wanner,
 * "Solving Ordinary Differential Equations II", IV.2); profile torchdiffeq the order of torchdiffeq 0.2.5's _adaptive_step. */
#include "ode/solver_internal.h"

#include <math.h>
#include <string.h>

/* An error ratio of 0 would make the PI controller's memory infinite. */
static const double least_ratio = 1e-10;

/* A step that almost reaches where it must end is stretched by so much rather than followed by a sliver. */
static const double stretch = 1 + 1e-6;

static bool ahead(const cst_solver *s, double t)
{
    return s->direction * (t - s->t) > 0;
}

/* The attempt at hand. */
typedef struct attempt {
    double h;      /* signed */
    double t1;     /* where it ends: exactly, if it was clipped */
    bool clipped;  /* to land, to a step time or to a jump */
    bool jump;     /* ends on a jump */
    bool shortest; /* min_step forbids a shorter one, though it may have been stretched a little */
    double ratio;
    size_t block;                   /* the largest share in the ratio */
    double weights[CST_MAX_STAGES]; /* of its quadratures */
} attempt;

static void clip(const cst_solver *s, attempt *a, double t)
{
    if (s->direction * (t - s->t) >= s->direction * (a->t1 - s->t) && a->t1 != t) return;
    a->clipped = a->clipped || a->t1 != t;
    a->h = t - s->t;
    a->t1 = t;
}

static double next_stop(const cst_solver *s, const cst_stops *stops)
{
    return stops->t[s->direction > 0 ? stops->n - stops->left : stops->left - 1];
}

void cst_solver_pass_stops(const cst_solver *s, cst_stops *stops)
{
    while (stops->left > 0 && !ahead(s, next_stop(s, stops))) stops->left--;
}

/* Step size and end of the next attempt: the proposal, clamped, then clipped to what it must not step over. */
static attempt propose(const cst_solver *s, double t_out, bool land)
{
    const cst_solve_options *o = s->options;
    double h = fabs(s->h);
    if (!isfinite(h)) h = o->min_step;
    h = h < o->min_step ? o->min_step : h > o->max_step ? o->max_step : h;
    attempt a = {.h = s->direction * h, .t1 = s->t + s->direction * h, .shortest = h <= o->min_step};
    if (s->steps.left > 0) clip(s, &a, next_stop(s, &s->steps));
    if (s->jumps.left > 0) clip(s, &a, next_stop(s, &s->jumps));
    const double end = land ? t_out : s->t_end;
    if (land || o->clip_end) {
        const double left = s->direction * (end - s->t);
        if (left <= fabs(a.h) * stretch) {
            a.clipped = a.clipped || left < fabs(a.h);
            a.h = end - s->t;
            a.t1 = end;
        }
    }
    a.shortest = a.shortest || fabs(a.h) <= o->min_step;
    a.jump = s->jumps.left > 0 && a.t1 == next_stop(s, &s->jumps);
    return a;
}

/* Weights of the quadratures: b, or the interpolant's where the end lies inside the step and is read off it. */
static bool set_weights(const cst_solver *s, attempt *a)
{
    const cst_tableau *tableau = s->options->method;
    const double left = s->direction * (s->t_end - s->t), h = fabs(a->h);
    const bool last = h >= left;
    if (last && !s->options->clip_end)
        cst_tableau_dense(tableau, s->options->refine_dense, left / h, a->weights);
    else
        memcpy(a->weights, tableau->b, sizeof a->weights);
    return last;
}

/* Make k[0] = f at the start of the next step. It is evaluated only if it is not known already. */
static cst_status renew_first_stage(cst_solver *s)
{
    if (s->first_stage == CST_FIRST_CURRENT) return CST_OK;
    const cst_solve_options *o = s->options;
    const size_t end = o->method->stages - 1;
    if (s->first_stage == CST_FIRST_BEHIND_JUMP) {
        CST_TRY(cst_solver_first_stage(s, s->anew_t, s->k[0]));
        s->first_t = s->anew_t;
    } else if (s->first_stage == CST_FIRST_EVALUATED) {
        real *k = s->k[0];
        s->k[0] = s->stage;
        s->stage = k;
        s->first_t = s->anew_t;
    } else if (o->method->adaptive && (o->method->fsal || o->reuse_last_stage)) {
        real *k = s->k[0], *q = s->q_first;
        s->k[0] = s->k[end];
        s->k[end] = k;
        s->q_first = s->q_next;
        s->q_next = q;
        s->first_t = s->last_t;
    } else {
        CST_TRY(cst_solver_first_stage(s, s->t, s->k[0]));
        s->first_t = s->t;
    }
    s->first_stage = CST_FIRST_CURRENT;
    return CST_OK;
}

/* Take the step and judge it. A field that asks for a shorter step gets one. */
static cst_status step_and_judge(cst_solver *s, attempt *a, bool last)
{
    const cst_solve_options *o = s->options;
    const cst_tableau *tableau = o->method;
    const cst_status status = cst_solver_stages(s, a->t1, a->h, a->weights, o->perturb_stages || a->jump, last);
    if (status == CST_ERECOVERABLE) {
        a->ratio = HUGE_VAL;
        return CST_OK;
    }
    if (status != CST_OK) return cst_solver_stop(s, status, a->h);
    const double factor = o->classic_error ? tableau->error_factor : 1;
    cst_combination error = {0};
    for (size_t i = 0; i < tableau->stages; i++) cst_combination_add(&error, a->h * factor * tableau->e[i], s->k[i]);
    a->ratio = cst_solver_norm(s, &error, s->y, s->y_new, &a->block);
    return CST_OK;
}

/* The size of the step after this one, unsigned. */
static double next_size(const cst_solver *s, const attempt *a, bool accepted, double proposed)
{
    const cst_solve_options *o = s->options;
    const double h = fabs(a->h), p = (double)o->method->order, r = a->ratio;
    if (!o->pi_controller) { /* torchdiffeq's _optimal_step_size */
        if (r == 0) return h * o->ifactor;
        if (isnan(r)) return (double)NAN;
        const double least = r < 1 ? 1 : o->dfactor;
        return h * fmin(o->ifactor, fmax(o->safety / pow(r, 1 / p), least));
    }
    if (!accepted) {
        const double factor = isfinite(r) ? o->safety * pow(r, -1 / p) : 0;
        return h * fmin(1, fmax(o->dfactor, factor));
    }
    const double floored = fmax(r, least_ratio);
    double factor = o->safety * pow(floored, -0.7 / p) * pow(s->previous_ratio, 0.4 / p);
    factor = fmin(s->rejected ? 1 : o->ifactor, fmax(o->dfactor, factor));
    /* A step cut short says little about the next one's size: the proposal that was cut still stands. */
    return a->clipped ? fmax(h * factor, proposed) : h * factor;
}

/* Move to the end of the step. What was evaluated at a jump belongs to the time before it; torchdiffeq evaluates behind it at
 * once, even if nothing comes after. */
static cst_status accept(cst_solver *s, const attempt *a)
{
    cst_solver_add_quadratures(s, a->h, a->weights);
    real *y = s->y;
    s->y = s->y_new;
    s->y_new = y;
    s->step_t = s->t;
    s->step_h = a->h;
    s->t = a->t1;
    s->first_stage = CST_FIRST_STEPPED;
    s->completed = 1;
    if (!a->clipped) s->previous_ratio = fmax(a->ratio, least_ratio);
    cst_solver_pass_stops(s, &s->steps);
    cst_solver_pass_stops(s, &s->jumps);
    if (s->problem->accepted) CST_TRY(s->problem->accepted(s->problem->context, s));
    if (!a->jump) return CST_OK;
    s->anew_t = cst_solver_next_time(s, s->t, 1);
    s->first_stage = s->options->clip_end ? CST_FIRST_BEHIND_JUMP : CST_FIRST_EVALUATED;
    return s->options->clip_end ? CST_OK : cst_solver_first_stage(s, s->anew_t, s->stage);
}

static cst_status attempt_step(cst_solver *s, double t_out, bool land)
{
    CST_TRY(renew_first_stage(s));
    attempt a = propose(s, t_out, land);
    if (!ahead(s, a.t1)) return cst_solver_fail(s, s->broken ? CST_ENONFINITE : CST_EUNDERFLOW, a.h);
    const double proposed = fabs(s->h);
    s->proposed_h = proposed;
    const bool last = set_weights(s, &a);
    CST_TRY(step_and_judge(s, &a, last));
    const bool accepted = a.ratio <= 1 || (a.shortest && isfinite(a.ratio));
    s->h = s->direction * next_size(s, &a, accepted, proposed);
    s->rejected = !accepted;
    s->broken = !isfinite(a.ratio);
    const cst_attempt record = {
        .t = s->t, .dt = a.h, .ratio = a.ratio, .accepted = accepted, .block = s->problem->blocks[a.block].name};
    CST_TRY(cst_solve_stats_add_attempt(s->stats, &record, s->error));
    if (s->broken && a.shortest) return cst_solver_fail(s, CST_ENONFINITE, a.h);
    return accepted ? accept(s, &a) : CST_OK;
}

/* ---- fixed steps --------------------------------------------------------------------------------------------- */

static double nearer(const cst_solver *s, double a, double b)
{
    return s->direction * (a - b) < 0 ? a : b;
}

/* Where the next step of a fixed-step method ends. costate divides each interval between outputs and jumps equally;
 * torchdiffeq's grid is t_start + i step_size, its last point replaced by the end; a step cut short to land, or to end on a
 * jump, goes on to the same point. */
static double fixed_end(cst_solver *s, double t_out, bool land)
{
    const cst_solve_options *o = s->options;
    const double jump = s->jumps.left > 0 ? next_stop(s, &s->jumps) : s->direction * HUGE_VAL;
    if (o->step_size == 0) return nearer(s, t_out, jump);
    if (o->clip_end) {
        const double to = nearer(s, t_out, jump), left = fabs(to - s->t);
        const double steps = ceil(left / o->step_size * (1 - 1e-12));
        return steps <= 1 ? to : s->t + (to - s->t) / steps;
    }
    const double points = ceil(fabs(s->t_end - s->t_start) / o->step_size + 1), next = (double)(s->grid_index + 1);
    const double end = next + 1 >= points ? s->t_end : s->t_start + s->direction * next * o->step_size;
    const double stop = land ? nearer(s, t_out, jump) : jump;
    if (s->direction * (end - stop) > 0) return stop;
    s->grid_index++;
    return end;
}

static cst_status fixed_step(cst_solver *s, double t_out, bool land)
{
    attempt a = {.t1 = fixed_end(s, t_out, land)};
    if (!ahead(s, a.t1))
        return cst_fail(s->error, cst_solver_stop(s, CST_EUNDERFLOW, s->options->step_size),
                        "dt underflow at t=%.6g: step_size %.3g is too small to change that time", s->t,
                        s->options->step_size);
    a.h = a.t1 - s->t;
    memcpy(a.weights, s->options->method->b, sizeof a.weights);
    a.jump = s->jumps.left > 0 && a.t1 == next_stop(s, &s->jumps);
    CST_TRY(renew_first_stage(s));
    const cst_status status = cst_solver_stages(s, a.t1, a.h, a.weights, a.jump, false);
    if (status == CST_ERECOVERABLE)
        return cst_fail(s->error, cst_solver_stop(s, status, a.h),
                        "the vector field asked for a shorter step at t=%.6g, where steps are fixed (dt=%.3g)", s->t,
                        a.h);
    if (status != CST_OK) return cst_solver_stop(s, status, a.h);
    const cst_attempt record = {.t = s->t, .dt = a.h, .accepted = true, .block = ""};
    CST_TRY(cst_solve_stats_add_attempt(s->stats, &record, s->error));
    if (cst_first_nonfinite(s->y_new, s->n) < s->n) {
        s->rejected = true;
        return cst_solver_fail(s, CST_ENONFINITE, a.h);
    }
    return accept(s, &a);
}

/* More steps than are allowed are not begun: they could take days to come to that. */
static cst_status check_fixed(cst_solver *s, double t_out)
{
    const cst_solve_options *o = s->options;
    const double steps = o->step_size > 0 ? fabs(t_out - s->t) / o->step_size * (1 - 1e-12) : 1;
    if (o->method->adaptive || steps <= (double)o->max_num_steps) return CST_OK;
    return cst_fail(s->error, cst_solver_stop(s, CST_EMAXSTEPS, o->step_size),
                    "max_num_steps exceeded (%zu) at t=%.6g: step_size %.3g makes %.3g steps to t=%.6g",
                    o->max_num_steps, s->t, o->step_size, ceil(steps), t_out);
}

/* ---- the loop ------------------------------------------------------------------------------------------------ */

cst_status cst_solver_advance(cst_solver *s, double t_out, bool land, real *y_out)
{
    cst_status status = check_fixed(s, t_out);
    for (size_t steps = 0; status == CST_OK && ahead(s, t_out); steps++) {
        if (steps >= s->options->max_num_steps)
            status = cst_solver_fail(s, CST_EMAXSTEPS, s->h);
        else if (s->options->method->adaptive)
            status = attempt_step(s, t_out, land);
        else
            status = fixed_step(s, t_out, land);
    }
    if (status != CST_OK || s->t == t_out)
        memcpy(y_out, s->y, s->n * sizeof(real));
    else
        cst_solver_interpolate(s, t_out, y_out);
    return status;
}

cst_status cst_solve(const cst_problem *problem, const cst_solve_options *options, const double *times, size_t n_times,
                     const real *y, real *y_out, real *q, real *work, cst_solve_stats *stats, cst_error *error)
{
    if (n_times < 2) return cst_fail(error, CST_EARG, "expected at least 2 times, got %zu", n_times);
    const double end = times[n_times - 1];
    for (size_t i = 1; i < n_times; i++)
        if (!((times[i] - times[i - 1]) * (end - times[0]) > 0))
            return cst_fail(error, CST_EARG, "expected times that increase or decrease, got t[%zu] = %g after %g", i,
                            times[i], times[i - 1]);
    cst_solver s;
    CST_TRY(cst_solver_start(&s, problem, options, times[0], end, y, q, work, stats, error));
    memcpy(y_out, y, s.n * sizeof(real));
    for (size_t i = 1; i < n_times; i++) CST_TRY(cst_solver_advance(&s, times[i], false, y_out + i * s.n));
    return CST_OK;
}
