/* The part of ode/solve.h that computes one Runge-Kutta step: stages, quadratures, dense output, and messages of
 * failures. */
#include "ode/solver_internal.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

cst_status cst_solver_evaluate(cst_solver *s, double t, const real *y, real *dy, double scale, real *q)
{
    s->stats->nfe++;
    if (q) s->stats->quadrature_nfe++;
    const double at = s->options->cast_times ? (double)(real)t : t;
    return s->problem->f(s->problem->context, at, y, dy, (real)scale, q, s->error);
}

cst_status cst_solver_first_stage(cst_solver *s, double t, real *dy)
{
    /* g is needed here if b_0 is not 0, or if the last step may use the weights of dense output, which are not 0. */
    real *q = s->problem->n_quadratures > 0 && s->q ? s->q_first : NULL;
    if (q && s->options->method->b[0] == 0 && s->options->clip_end) q = NULL;
    if (q) memset(q, 0, s->problem->n_quadratures * sizeof(real));
    s->stage_index = 0;
    const cst_status status = cst_solver_evaluate(s, t, s->y, dy, 1, q);
    if (status == CST_OK) return CST_OK;

    /* No step has begun: no component is to blame, and a shorter step would not help. */
    (void)cst_solver_stop(s, status, 0);
    s->stats->failed_t = t;
    if (status != CST_ERECOVERABLE) return status;
    return cst_fail(s->error, status, "the vector field asked for a shorter step at t=%.6g, where a step begins", t);
}

double cst_solver_next_time(const cst_solver *s, double t, int sign)
{
    const double to = s->direction * sign > 0 ? HUGE_VAL : -HUGE_VAL;
#ifndef CST_DOUBLE
    if (s->options->cast_times) return (double)nextafterf((float)t, (float)to);
#endif
    return nextafter(t, to);
}

/* Whether the last stage becomes the first stage of the next step. Its g then goes to q_next without a factor, because
 * the size of the next step is not known yet. */
static bool keeps_last(const cst_solver *s)
{
    return s->options->method->adaptive && (s->options->method->fsal || s->options->reuse_last_stage);
}

cst_status cst_solver_stages(cst_solver *s, double t1, double h, const double *weights, bool perturb, bool last)
{
    const cst_tableau *tableau = s->options->method;
    const size_t end = tableau->stages - 1, n_q = s->q ? s->problem->n_quadratures : 0;
    if (n_q) memset(s->q_step, 0, n_q * sizeof(real));
    s->completed = 1; /* k[0] */
    for (size_t i = 1; i <= end; i++) {
        /* The stage's input y + h sum_{j < i} a_ij k_j. That of a FSAL method's last stage is y1. */
        cst_combination sum = {0};
        for (size_t j = 0; j < i; j++) cst_combination_add(&sum, h * tableau->a[i][j], s->k[j]);
        real *at = i == end && tableau->fsal ? s->y_new : s->stage;
        cst_combine(s->options->threads, s->n, s->y, &sum, at);

        /* Its time t + c_i h: exactly t1 for c_i = 1, or one ulp before, where f is what it was before a jump. */
        double t = s->t + tableau->c[i] * h;
        if (tableau->c[i] == 1) t = perturb ? cst_solver_next_time(s, t1, -1) : t1;
        s->stage_index = i;
        s->last_t = t;

        /* Where its g goes: to q_step with the factor h w_i; or to q_next, if the stage is reused, with factor 1; or
         * nowhere, if its weight is 0. */
        real *q = NULL;
        double scale = h * weights[i];
        if (n_q && i == end && keeps_last(s)) {
            if (!last || weights[i] != 0) q = s->q_next;
            if (q) memset(q, 0, n_q * sizeof(real));
            scale = 1;
        } else if (n_q && weights[i] != 0) {
            q = s->q_step;
        }

        CST_TRY(cst_solver_evaluate(s, t, at, s->k[i], scale, q));
        s->completed++;
    }

    /* y1 = y + h sum_i b_i k_i. A FSAL method has computed it as its last input. */
    if (!tableau->fsal) {
        cst_combination sum = {0};
        for (size_t j = 0; j <= end; j++) cst_combination_add(&sum, h * tableau->b[j], s->k[j]);
        cst_combine(s->options->threads, s->n, s->y, &sum, s->y_new);
    }
    return CST_OK;
}

void cst_solver_add_quadratures(cst_solver *s, double h, const double *weights)
{
    const size_t n = s->q ? s->problem->n_quadratures : 0, end = s->options->method->stages - 1;
    if (n == 0) return;
    /* q += h sum_i w_i g_i. q_first and q_next may be uninitialized where their weight is 0; they are not read then. */
    cst_add_scaled(n, 1, s->q_step, s->q);
    cst_add_scaled(n, h * weights[0], s->q_first, s->q);
    if (end > 0 && keeps_last(s)) cst_add_scaled(n, h * weights[end], s->q_next, s->q);
}

void cst_solver_interpolate(const cst_solver *s, double t, real *y_out)
{
    const cst_tableau *tableau = s->options->method;
    const double x = s->step_h == 0 ? 0 : (t - s->step_t) / s->step_h;
    cst_combination sum = {0};
    /* Without dense output: a line from y_new, which is the state before the step, to y. */
    if (!tableau->adaptive) {
        cst_combination_add(&sum, 1 - x, s->y_new);
        cst_combination_add(&sum, x, s->y);
        cst_combine(s->options->threads, s->n, NULL, &sum, y_out);
        return;
    }
    /* y(t + x h) = y0 + h sum_i w_i(x) k_i */
    double weights[CST_MAX_STAGES];
    cst_tableau_dense(tableau, s->options->refine_dense, x, weights);
    for (size_t i = 0; i < tableau->stages; i++) cst_combination_add(&sum, s->step_h * weights[i], s->k[i]);
    cst_combine(s->options->threads, s->n, s->y_new, &sum, y_out);
}

/* ---- failures ------------------------------------------------------------------------------------------------ */

/* Convert an index in the state to a block and an index in that block. */
static void locate(const cst_solver *s, size_t component, size_t *block, size_t *index)
{
    *block = 0;
    while (*block + 1 < s->problem->n_blocks && component >= s->problem->blocks[*block].size)
        component -= s->problem->blocks[(*block)++].size;
    *index = component;
}

/* Find the first component of the state, or else of a stage, that is not finite. *what says in which of them it is.
 * Returns false if all are finite. */
static bool find_nonfinite(const cst_solver *s, size_t *block, size_t *index, const char **what)
{
    size_t at = cst_first_nonfinite(s->y, s->n);
    *what = "the state";
    for (size_t i = 0; at == s->n && i < s->completed; i++) {
        at = cst_first_nonfinite(s->k[i], s->n);
        *what = "the vector field";
    }
    if (at == s->n) return false;
    locate(s, at, block, index);
    return true;
}

/* Find the component with the largest scaled error in the last attempt, if that was rejected with all its stages.
 * Otherwise find the component with the largest scaled slope. */
static void worst_component(const cst_solver *s, size_t *block, size_t *index)
{
    /* The error sum_i e_i k_i, or the slope k_0. */
    cst_combination sum = {0};
    const bool judged = s->rejected && s->completed == s->options->method->stages;
    if (judged)
        for (size_t i = 0; i < s->options->method->stages; i++)
            cst_combination_add(&sum, s->options->method->e[i], s->k[i]);
    else
        cst_combination_add(&sum, 1, s->k[0]);

    /* Its largest entry over the tolerance. */
    const cst_scaled scaled = {.norm = &s->problem->norm,
                               .blocks = s->problem->blocks,
                               .n_blocks = s->problem->n_blocks,
                               .rtol = s->options->rtol,
                               .atol = s->options->atol,
                               .sum = &sum,
                               .y0 = s->y,
                               .y1 = judged ? s->y_new : s->y};
    cst_scaled_worst(&scaled, block, index);
}

cst_status cst_solver_stop(cst_solver *s, cst_status status, double h)
{
    s->stats->failure = status;
    s->stats->failed_t = s->t;
    s->stats->failed_dt = h;
    s->stats->failed_block = 0;
    s->stats->failed_index = SIZE_MAX;
    return status;
}

cst_status cst_solver_fail(cst_solver *s, cst_status status, double h)
{
    const char *what = NULL;
    size_t block = 0, index = 0;

    /* Find the component to blame, and correct the status by what is seen: a non-finite number comes from the field, or
     * all numbers are finite and the step became too short. */
    const bool nonfinite = find_nonfinite(s, &block, &index, &what);
    if (nonfinite) {
        status = status == CST_EMAXSTEPS ? status : CST_ENONFINITE;
    } else if (status != CST_EMAXSTEPS && s->rejected && s->completed < s->options->method->stages) {
        return cst_fail(s->error, cst_solver_stop(s, CST_EUNDERFLOW, h),
                        "dt underflow at t=%.6g: the vector field asked for a shorter step down to dt=%.3g", s->t, h);
    } else {
        if (status == CST_ENONFINITE) status = CST_EUNDERFLOW; /* only the attempted step overflowed */
        worst_component(s, &block, &index);
    }

    /* Record the failure, and write the message. */
    (void)cst_solver_stop(s, status, h);
    s->stats->failed_block = block;
    s->stats->failed_index = index;
    const char *name = s->problem->blocks[block].name;
    if (status == CST_ENONFINITE)
        return cst_fail(s->error, status,
                        "non-finite values at t=%.6g (dt=%.3g): %s has %s[%zu] infinite or not a number", s->t, h, what,
                        name, index);
    if (status == CST_EUNDERFLOW)
        return cst_fail(s->error, status,
                        "dt underflow at t=%.6g (dt=%.3g): %s[%zu] grows without bound, or rtol and atol are below the "
                        "precision of the arithmetic",
                        s->t, h, name, index);
    return cst_fail(s->error, status, "max_num_steps exceeded (%zu) at t=%.6g (dt=%.3g): largest error in %s[%zu]",
                    s->options->max_num_steps, s->t, h, name, index);
}
