/* Step size control of profile costate, attempt by attempt: every error ratio agrees with its formula, and every step
 * size follows from the ratios before it by the rule. */
#include "tests/helpers.h"

#include "ode/solve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* y' = cos(t^3) oscillates ever faster, so that steps are rejected again and again. */
static cst_status chirp(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    (void)context, (void)y, (void)scale, (void)q, (void)error;
    dy[0] = (real)cos(t * t * t);
    return CST_OK;
}

static cst_status still(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    (void)context, (void)t, (void)y, (void)scale, (void)q, (void)error;
    dy[0] = (real)1e-12;
    return CST_OK;
}

static cst_solve_stats solve(const cst_problem *problem, const cst_solve_options *options, const double times[2],
                             const real *y0)
{
    real y[4];
    cst_error error;
    cst_solve_stats stats = {.trace = true};
    assert_in_range(problem->blocks[0].size, 1, 2);
    real *work = aligned_alloc(64, (cst_solver_work(problem, options) * sizeof(real) + 63) / 64 * 64);
    assert_non_null(work);
    const cst_solve_call call = {.work = work, .stats = &stats, .error = &error};
    test_assert_ok("solve", cst_solve(problem, options, times, 2, y0, y, &call), &error);
    free(work);
    return stats;
}

static cst_solve_stats solve_one(cst_rhs f, const cst_solve_options *options, double end)
{
    const cst_problem problem = {.f = f, .blocks = &(cst_block){"z", 1, 1}, .n_blocks = 1};
    return solve(&problem, options, (const double[2]){0, end}, &(const real){1});
}

/* ---- error ratios ---------------------------------------------------------------------------------------------- */

enum { GROWING, FALLING, N_COMPONENTS };
static const double rates[N_COMPONENTS] = {4, -3}; /* so that either end of a step may have the larger component */
static const double ends[2] = {0, 3}, start[N_COMPONENTS] = {0.3, 5};

static cst_status grow_and_fall(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    (void)context, (void)t, (void)scale, (void)q, (void)error;
    for (size_t i = 0; i < N_COMPONENTS; i++) dy[i] = (real)rates[i] * y[i];
    return CST_OK;
}

/* The step of length h from y by the Butcher tableau, and its ratio: the root mean square of err_i / (atol + rtol
 * max(|y_i|, |y1_i|)), where err = h factor sum_j e_j k_j. */
static double ratio_by_hand(const cst_solve_options *o, double h, const double *y, double *y1)
{
    const cst_tableau *tableau = o->method;
    const double factor = o->classic_error ? tableau->error_factor : 1;
    double squares = 0;
    for (size_t i = 0; i < N_COMPONENTS; i++) {
        double k[CST_MAX_STAGES], error = 0;
        y1[i] = y[i];
        for (size_t s = 0; s < tableau->stages; s++) {
            double at = y[i];
            for (size_t j = 0; j < s; j++) at += h * tableau->a[s][j] * k[j];
            k[s] = rates[i] * at;
            y1[i] += h * tableau->b[s] * k[s];
            error += h * factor * tableau->e[s] * k[s];
        }
        const double scaled = error / (o->atol + o->rtol * fmax(fabs(y[i]), fabs(y1[i])));
        squares += scaled * scaled;
    }
    return sqrt(squares / N_COMPONENTS);
}

static void ratios_follow_from_steps(void **state)
{
    (void)state;
    for (size_t i = 0; cst_tableaus[i]; i++) {
        if (!cst_tableaus[i]->adaptive) continue;
        for (int classic = 0; classic < 2; classic++) {
            cst_solve_options options;
            cst_solve_options_init(&options, CST_PROFILE_COSTATE);
            options.method = cst_tableaus[i];
            options.classic_error = classic;
            options.rtol = 0.02;
            options.atol = 0.003;
            options.first_step = 3; /* rejected by every method */
            const cst_problem problem = {
                .f = grow_and_fall, .blocks = &(cst_block){"z", N_COMPONENTS, 1}, .n_blocks = 1};
            const real y0[N_COMPONENTS] = {(real)start[0], (real)start[1]};
            cst_solve_stats stats = solve(&problem, &options, ends, y0);
            double y[N_COMPONENTS] = {(double)y0[0], (double)y0[1]}, y1[N_COMPONENTS];
            for (size_t a = 0; a < stats.n_attempts; a++) {
                const double got = stats.attempts[a].ratio;
                const double expected = ratio_by_hand(&options, stats.attempts[a].dt, y, y1);
                if (!(fabs(got - expected) <= 1e4 * (double)CST_REAL_EPSILON * (1 + expected)))
                    fail_msg("%s, classic_error %d, attempt %zu: ratio %.9g, expected %.9g", options.method->name,
                             classic, a, got, expected);
                if (stats.attempts[a].accepted) memcpy(y, y1, sizeof y);
            }
            if (stats.rejected == 0 || stats.accepted < 2)
                fail_msg("%s: %zu steps rejected, %zu accepted", options.method->name, stats.rejected, stats.accepted);
            cst_solve_stats_clear(&stats);
        }
    }
}

/* ---- sizes ----------------------------------------------------------------------------------------------------- */

static double clip(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* The rule of ode/solve.h, written a second time: the attempt after `a`, whose proposed step size was `proposed`. */
typedef struct control {
    double previous; /* error ratio of the last accepted step that was not cut short */
    bool rejected;   /* the previous attempt */
} control;

static double next_size(control *c, const cst_attempt *a, bool cut, double proposed)
{
    if (!a->accepted) {
        c->rejected = true;
        return a->dt * clip(0.9 * pow(a->ratio, -1. / 5), 0.2, 1);
    }
    const double r = fmax(a->ratio, 1e-10);
    const double factor = clip(0.9 * pow(r, -0.7 / 5) * pow(c->previous, 0.4 / 5), 0.2, c->rejected ? 1 : 10);
    c->rejected = false;
    if (!cut) c->previous = r;
    return cut ? fmax(a->dt * factor, proposed) : a->dt * factor;
}

static void sizes_follow_from_ratios(void **state)
{
    (void)state;
    static const double stops[] = {0.31, 0.9, 1.5001, 2.2, 2.21, 2.9};
    cst_solve_options options;
    cst_solve_options_init(&options, CST_PROFILE_COSTATE);
    options.rtol = options.atol = 1e-4;
    options.first_step = 1;
    options.step_t = stops;
    options.n_step_t = sizeof stops / sizeof stops[0];
    cst_solve_stats stats = solve_one(chirp, &options, 4);
    control c = {.previous = 1};
    double proposed = 1, rejected_then_accepted = 0, cut_short = 0;
    for (size_t i = 0; i < stats.n_attempts; i++) {
        const cst_attempt *a = &stats.attempts[i];
        const bool cut = a->dt < proposed * (1 - 1e-9);
        if (!cut && fabs(a->dt - proposed) > 1e-9 * proposed)
            fail_msg("attempt %zu: size %.12g, expected %.12g", i, a->dt, proposed);
        if (cut) {
            const double end = a->t + a->dt;
            bool stop = fabs(end - 4) < 1e-12;
            for (size_t k = 0; k < options.n_step_t; k++) stop = stop || fabs(end - stops[k]) < 1e-12;
            if (!stop) fail_msg("attempt %zu: cut to end at %.12g, where there is nothing", i, end);
            cut_short++;
        }
        rejected_then_accepted += c.rejected && a->accepted;
        proposed = next_size(&c, a, cut, proposed);
    }
    if (rejected_then_accepted < 3 || cut_short < 4) fail_msg("a problem too easy to show anything");
    cst_solve_stats_clear(&stats);
}

/* However large its error, a rejected step shrinks by dfactor at most. */
static void a_rejected_step_shrinks_by_dfactor_at_most(void **state)
{
    (void)state;
    cst_solve_options options;
    cst_solve_options_init(&options, CST_PROFILE_COSTATE);
    options.rtol = options.atol = 1e-5;
    options.first_step = 3;
    const cst_problem problem = {.f = grow_and_fall, .blocks = &(cst_block){"z", N_COMPONENTS, 1}, .n_blocks = 1};
    const real y0[N_COMPONENTS] = {(real)start[0], (real)start[1]};
    cst_solve_stats stats = solve(&problem, &options, ends, y0);
    const double ratio = stats.attempts[0].ratio, size = stats.attempts[1].dt;
    if (!(0.9 * pow(ratio, -1. / 5) < 0.15) || fabs(size - 0.2 * 3) > 1e-12)
        fail_msg("ratio %g, then size %.12g, expected 0.6", ratio, size);
    cst_solve_stats_clear(&stats);
}

/* y_i' = rates_i y_i; the context is the rates. */
static cst_status follow_rates(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    (void)t, (void)scale, (void)q, (void)error;
    for (size_t i = 0; i < N_COMPONENTS; i++) dy[i] = (real)((const double *)context)[i] * y[i];
    return CST_OK;
}

/* Hairer, Norsett, Wanner, II.4: h0 = 0.01 d0 / d1 and h = (0.01 / max(d1, d2))^(1/p), with d0, d1 and d2 the norms of
 * y, y' and of the change of y' over an Euler step of length h0, by h0. */
static void the_first_step_follows_its_formula(void **state)
{
    (void)state;
    static double rates_of[2][N_COMPONENTS] = {{4, -3}, {0.4, -0.3}}; /* d2 is the larger one, then d1 */
    for (size_t r = 0; r < 2; r++) {
        cst_solve_options options;
        cst_solve_options_init(&options, CST_PROFILE_COSTATE);
        options.rtol = 0.02;
        options.atol = 0.003;
        const cst_problem problem = {
            .f = follow_rates, .context = rates_of[r], .blocks = &(cst_block){"z", N_COMPONENTS, 1}, .n_blocks = 1};
        const real y0[N_COMPONENTS] = {(real)start[0], (real)start[1]};
        cst_solve_stats stats = solve(&problem, &options, ends, y0);
        double d[3] = {0};
        for (size_t i = 0; i < N_COMPONENTS; i++) {
            const double rate = rates_of[r][i], v = start[i] / (0.003 + 0.02 * fabs(start[i]));
            d[0] += v * v / N_COMPONENTS;
            d[1] += rate * v * rate * v / N_COMPONENTS;
            d[2] += rate * rate * v * rate * rate * v / N_COMPONENTS; /* y'(y + h0 y') - y' = h0 rate^2 y */
        }
        assert_true((d[2] > d[1]) == (r == 0));
        const double got = stats.starts[0].first_dt, expected = pow(0.01 / sqrt(fmax(d[1], d[2])), 1. / 5);
        assert_true(expected < sqrt(d[0] / d[1])); /* 100 h0, the limit */
        if (fabs(got - expected) > 1e3 * (double)CST_REAL_EPSILON * expected)
            fail_msg("rates %g and %g: got %.12g, expected %.12g", rates_of[r][0], rates_of[r][1], got, expected);
        cst_solve_stats_clear(&stats);
    }
}

/* A step that almost reaches the end is stretched to the end, so that no tiny step remains. */
static void no_tiny_step_is_left(void **state)
{
    (void)state;
    cst_solve_options options;
    cst_solve_options_init(&options, CST_PROFILE_COSTATE);
    options.rtol = options.atol = 1e-3;
    options.first_step = 1 - 1e-7;
    cst_solve_stats stats = solve_one(still, &options, 1);
    assert_int_equal(stats.n_attempts, 1);
    assert_true(stats.attempts[0].dt == 1);
    cst_solve_stats_clear(&stats);
}

static void the_first_step_is_within_the_interval(void **state)
{
    (void)state;
    cst_solve_options options;
    for (int profile = 0; profile < 2; profile++) {
        cst_solve_options_init(&options, (cst_profile)profile);
        options.rtol = options.atol = 1e-3;
        cst_solve_stats stats = solve_one(still, &options, 1e-9);
        assert_int_equal(stats.n_starts, 1);
        assert_true((stats.starts[0].first_dt <= 1e-9) == (profile == CST_PROFILE_COSTATE));
        cst_solve_stats_clear(&stats);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ratios_follow_from_steps),
        cmocka_unit_test(sizes_follow_from_ratios),
        cmocka_unit_test(a_rejected_step_shrinks_by_dfactor_at_most),
        cmocka_unit_test(the_first_step_follows_its_formula),
        cmocka_unit_test(no_tiny_step_is_left),
        cmocka_unit_test(the_first_step_is_within_the_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
