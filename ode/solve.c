/* The solver's loop. Profile costate follows Hairer, Norsett, Wanner, II.4, with Gustafsson's PI control (Hairer,
 * Wanner, "Solving Ordinary Differential Equations II", IV.2). Profile torchdiffeq does the same in the same order as
 * torchdiffeq 0.2.5's _adaptive_step. The accept/reject scheme is that of Kidger, Chen, Lyons, section 2.1 ("the
 * paper"). */
#include "ode/solver_internal.h"

#include <math.h>
#include <string.h>

/* Lower bound on the error ratios that the PI controller uses. A ratio of 0 would make its powers infinite. */
static const double least_ratio = 1e-10;

/* A step may be longer than proposed by this factor if it then reaches its end. Otherwise a tiny step would follow. */
static const double stretch = 1 + 1e-6;

/* Whether time t is still to come. */
static bool ahead(const cst_solver *s, double t)
{
    return s->direction * (t - s->t) > 0;
}

/* One attempted step: a candidate for y(t + h) (paper, section 2.1, where h is called Delta). */
typedef struct attempt {
    double h;                       /* signed size */
    double t1;                      /* time at its end; exactly the stop time if the attempt ends on one */
    bool clipped;                   /* shortened to end on an output, on a step time or on a jump */
    bool jump;                      /* ends on a jump */
    bool shortest;                  /* min_step forbids a shorter step; it is accepted whatever its error */
    double ratio;                   /* error ratio r (paper, eq. 5) */
    size_t block;                   /* block with the largest share in the ratio */
    double weights[CST_MAX_STAGES]; /* of the stages in the quadratures */
} attempt;

/* Shorten the attempt so that it ends on t, unless it ends before t. */
static void clip(const cst_solver *s, attempt *a, double t)
{
    if (s->direction * (t - s->t) >= s->direction * (a->t1 - s->t) && a->t1 != t) return;
    a->clipped = a->clipped || a->t1 != t;
    a->h = t - s->t;
    a->t1 = t;
}

/* The first stop ahead. Stops increase, so it is the last one left where time runs backwards. */
static double next_stop(const cst_solver *s, const cst_stops *stops)
{
    return stops->t[s->direction > 0 ? stops->n - stops->left : stops->left - 1];
}

void cst_solver_pass_stops(const cst_solver *s, cst_stops *stops)
{
    while (stops->left > 0 && !ahead(s, next_stop(s, stops))) stops->left--;
}

/* Step size and end of the next attempt: the proposal, clamped to the limits, then shortened to what it must not step
 * over. */
static attempt propose(const cst_solver *s, double t_out, bool land)
{
    const cst_solve_options *o = s->options;
    /* Clamp the proposed size. It is not finite, for example, after a ratio of NaN under torchdiffeq's controller. */
    double h = fabs(s->h);
    if (!isfinite(h)) h = o->min_step;
    h = h < o->min_step ? o->min_step : h > o->max_step ? o->max_step : h;
    attempt a = {.h = s->direction * h, .t1 = s->t + s->direction * h, .shortest = h <= o->min_step};

    /* End on the next step time and on the next jump. */
    if (s->steps.left > 0) clip(s, &a, next_stop(s, &s->steps));
    if (s->jumps.left > 0) clip(s, &a, next_stop(s, &s->jumps));

    /* End on the output, or on the final time. A step that almost reaches it is stretched. */
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

/* Set the weights of the stages in the quadratures, and return whether the attempt reaches the final time. The weights
 * are b. If the final time lies inside the step and is interpolated, they are those of dense output there: the
 * quadrature must end where the state does. */
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

/* Set k[0] = f at the start of the next step. f is evaluated only if no stage has that value already. */
static cst_status renew_first_stage(cst_solver *s)
{
    if (s->first_stage == CST_FIRST_CURRENT) return CST_OK;
    const cst_solve_options *o = s->options;
    const size_t end = o->method->stages - 1;
    if (s->first_stage == CST_FIRST_AFTER_JUMP) {
        /* Evaluate just after the jump. */
        CST_TRY(cst_solver_first_stage(s, s->restart_t, s->k[0]));
        s->first_t = s->restart_t;
    } else if (s->first_stage == CST_FIRST_EVALUATED) {
        /* f was evaluated just after the jump when the step was accepted: swap it in. */
        real *k = s->k[0];
        s->k[0] = s->stage;
        s->stage = k;
        s->first_t = s->restart_t;
    } else if (o->method->adaptive && (o->method->fsal || o->reuse_last_stage)) {
        /* FSAL: the last stage, and g there, become the first. */
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

/* Compute the candidate y_new and its error ratio. A field that asks for a shorter step gets one: its ratio is
 * infinite. */
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

    /* r = ||y_err / SCALE|| (paper, eq. 4 and 5), with y_err = h sum_i e_i k_i. */
    const double factor = o->classic_error ? tableau->error_factor : 1;
    cst_combination error = {0};
    for (size_t i = 0; i < tableau->stages; i++) cst_combination_add(&error, a->h * factor * tableau->e[i], s->k[i]);
    a->ratio = cst_solver_norm(s, &error, s->y, s->y_new, &a->block);
    return CST_OK;
}

/* The unsigned size of the next step, see ode/solve_options.h. `proposed` is the attempt's size before it was
 * shortened. */
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

    /* Rejected: shrink by the ratio of this attempt alone. */
    if (!accepted) {
        const double factor = isfinite(r) ? o->safety * pow(r, -1 / p) : 0;
        return h * fmin(1, fmax(o->dfactor, factor));
    }

    /* Accepted: PI control, from the ratios of this step and of the one before. */
    const double floored = fmax(r, least_ratio);
    double factor = o->safety * pow(floored, -0.7 / p) * pow(s->previous_ratio, 0.4 / p);
    factor = fmin(s->rejected ? 1 : o->ifactor, fmax(o->dfactor, factor));
    /* The error of a shortened step says little about longer ones, so the proposal that was shortened remains valid. */
    return a->clipped ? fmax(h * factor, proposed) : h * factor;
}

/* Accept the step: y(t + h) = y_candidate(t + h) (paper, section 2.1). The stages of a step that ends on a jump belong
 * to the time before it, so f is evaluated again after the jump. torchdiffeq does that at once, costate when the next
 * step begins. */
static cst_status accept(cst_solver *s, const attempt *a)
{
    /* Keep the quadratures of this attempt, and swap the states before and after the step. */
    cst_solver_add_quadratures(s, a->h, a->weights);
    real *y = s->y;
    s->y = s->y_new;
    s->y_new = y;

    /* Move to the end of the step, past all stops there. */
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
    /* f jumps here: evaluate it one ulp after the jump. */
    s->restart_t = cst_solver_next_time(s, s->t, 1);
    s->first_stage = s->options->clip_end ? CST_FIRST_AFTER_JUMP : CST_FIRST_EVALUATED;
    return s->options->clip_end ? CST_OK : cst_solver_first_stage(s, s->restart_t, s->stage);
}

/* One attempt: propose a step, take it, judge it, and accept or reject it (paper, section 2.1). */
static cst_status attempt_step(cst_solver *s, double t_out, bool land)
{
    /* Propose a step. One that is too short to change t fails. */
    CST_TRY(renew_first_stage(s));
    attempt a = propose(s, t_out, land);
    if (!ahead(s, a.t1)) return cst_solver_fail(s, s->nonfinite_ratio ? CST_ENONFINITE : CST_EUNDERFLOW, a.h);

    /* Take it, and accept it if r <= 1. A step of min_step is accepted whatever its error, as long as that is
     * finite. */
    const double proposed = fabs(s->h);
    s->proposed_h = proposed;
    const bool last = set_weights(s, &a);
    CST_TRY(step_and_judge(s, &a, last));
    const bool accepted = a.ratio <= 1 || (a.shortest && isfinite(a.ratio));

    /* Choose the next step size, and record the attempt. */
    s->h = s->direction * next_size(s, &a, accepted, proposed);
    s->rejected = !accepted;
    s->nonfinite_ratio = !isfinite(a.ratio);
    const cst_attempt record = {
        .t = s->t, .dt = a.h, .ratio = a.ratio, .accepted = accepted, .block = s->problem->blocks[a.block].name};
    CST_TRY(cst_solve_stats_add_attempt(s->stats, &record, s->error));

    if (s->nonfinite_ratio && a.shortest) return cst_solver_fail(s, CST_ENONFINITE, a.h);
    return accepted ? accept(s, &a) : CST_OK;
}

/* ---- fixed steps --------------------------------------------------------------------------------------------- */

/* Of two times ahead the one that comes first. */
static double nearer(const cst_solver *s, double a, double b)
{
    return s->direction * (a - b) < 0 ? a : b;
}

/* The end of the next step of a fixed-step method. costate divides each interval between outputs and jumps into equal
 * steps of at most step_size. torchdiffeq's grid is t_start + i step_size, with its last point replaced by t_end. A
 * step that stops before its grid point, to land or on a jump, is followed by one to the same point. */
static double fixed_end(cst_solver *s, double t_out, bool land)
{
    const cst_solve_options *o = s->options;
    /* Without a step_size there is one step per interval. */
    const double jump = s->jumps.left > 0 ? next_stop(s, &s->jumps) : s->direction * HUGE_VAL;
    if (o->step_size == 0) return nearer(s, t_out, jump);

    /* costate: equal steps. The factor keeps rounding from adding one. */
    if (o->clip_end) {
        const double to = nearer(s, t_out, jump), left = fabs(to - s->t);
        const double steps = ceil(left / o->step_size * (1 - 1e-12));
        return steps <= 1 ? to : s->t + (to - s->t) / steps;
    }

    /* torchdiffeq: the next point of the grid, or a stop before it. */
    const double points = ceil(fabs(s->t_end - s->t_start) / o->step_size + 1), next = (double)(s->grid_index + 1);
    const double end = next + 1 >= points ? s->t_end : s->t_start + s->direction * next * o->step_size;
    const double stop = land ? nearer(s, t_out, jump) : jump;
    if (s->direction * (end - stop) > 0) return stop;
    s->grid_index++;
    return end;
}

/* Take one step of a fixed-step method. It is always accepted, unless the state is not finite after it. */
static cst_status fixed_step(cst_solver *s, double t_out, bool land)
{
    /* Where it ends. A step that does not change t would never reach the end. */
    attempt a = {.t1 = fixed_end(s, t_out, land)};
    if (!ahead(s, a.t1))
        return cst_fail(s->error, cst_solver_stop(s, CST_EUNDERFLOW, s->options->step_size),
                        "dt underflow at t=%.6g: step_size %.3g is too small to change that time", s->t,
                        s->options->step_size);
    a.h = a.t1 - s->t;
    memcpy(a.weights, s->options->method->b, sizeof a.weights);
    a.jump = s->jumps.left > 0 && a.t1 == next_stop(s, &s->jumps);

    /* Take it. A field cannot have a shorter step here. */
    CST_TRY(renew_first_stage(s));
    const cst_status status = cst_solver_stages(s, a.t1, a.h, a.weights, a.jump, false);
    if (status == CST_ERECOVERABLE)
        return cst_fail(s->error, cst_solver_stop(s, status, a.h),
                        "the vector field asked for a shorter step at t=%.6g, where steps are fixed (dt=%.3g)", s->t,
                        a.h);
    if (status != CST_OK) return cst_solver_stop(s, status, a.h);

    /* Record it, and check the state, which no error ratio does here. */
    const cst_attempt record = {.t = s->t, .dt = a.h, .accepted = true, .block = ""};
    CST_TRY(cst_solve_stats_add_attempt(s->stats, &record, s->error));
    if (cst_first_nonfinite(s->y_new, s->n) < s->n) {
        s->rejected = true;
        return cst_solver_fail(s, CST_ENONFINITE, a.h);
    }
    return accept(s, &a);
}

/* Refuse a fixed grid with more than max_num_steps steps before the first of them, because they could take days. */
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
        cst_solver_interpolate(s, t_out, y_out); /* the last step went past t_out */
    return status;
}

cst_status cst_solve(const cst_problem *problem, const cst_solve_options *options, const double *times, size_t n_times,
                     const real *y, real *y_out, const cst_solve_call *call)
{
    /* Check that the times are strictly monotone. */
    if (n_times < 2) return cst_fail(call->error, CST_EARG, "expected at least 2 times, got %zu", n_times);
    const double end = times[n_times - 1];
    for (size_t i = 1; i < n_times; i++)
        if (!((times[i] - times[i - 1]) * (end - times[0]) > 0))
            return cst_fail(call->error, CST_EARG, "expected times that increase or decrease, got t[%zu] = %g after %g",
                            i, times[i], times[i - 1]);

    /* One solve over all times. Those between come from dense output. */
    cst_solver s;
    CST_TRY(cst_solver_start(&s, problem, options, times[0], end, y, call));
    memcpy(y_out, y, s.n * sizeof(real));
    for (size_t i = 1; i < n_times; i++) CST_TRY(cst_solver_advance(&s, times[i], false, y_out + i * s.n));
    return CST_OK;
}
