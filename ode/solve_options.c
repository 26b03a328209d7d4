/* Options of the solver: defaults of the two profiles, checks, and sorted lists of times. */
#include "ode/solve_options.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

void cst_solve_options_init(cst_solve_options *options, cst_profile profile)
{
    const bool costate = profile == CST_PROFILE_COSTATE;
    *options = (cst_solve_options){
        /* torchdiffeq's defaults, for both profiles */
        .method = cst_tableaus[0],
        .rtol = 1e-7,
        .atol = 1e-9,
        .max_step = HUGE_VAL,
        .safety = 0.9,
        .ifactor = 10,
        .dfactor = 0.2,
        .max_num_steps = INT32_MAX,
        .threads = 1,
        /* what the profiles differ in */
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

/* Order of doubles, for qsort. */
static int compare_times(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

size_t cst_sort_times(double *times, size_t n)
{
    /* Sort, then move each time that differs from the one before it to the front. */
    size_t kept = 0; /* times[0 .. kept - 1] are sorted and differ */
    if (n > 0) qsort(times, n, sizeof *times, compare_times);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || times[i] != times[kept - 1]) times[kept++] = times[i];
    return kept;
}

/* A list of times must be finite and strictly increasing. */
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
    /* A method. */
    if (!o->method) return cst_fail(error, CST_EARG, "expected a method, got none");
    /* Comparisons are written so that NaN fails them. Tolerances that are both 0 would divide errors by 0. */
    if (!(o->rtol >= 0) || !(o->atol >= 0) || !(o->rtol + o->atol > 0) || !isfinite(o->rtol + o->atol))
        return cst_fail(error, CST_EARG,
                        "expected tolerances of at least 0, one of them above 0, got rtol %g and atol %g", o->rtol,
                        o->atol);

    /* Step sizes: 0 means that the solver chooses, except for max_step. */
    if (!(o->first_step >= 0) || !(o->min_step >= 0) || !(o->max_step > 0) || !(o->step_size >= 0))
        return cst_fail(error, CST_EARG,
                        "expected step sizes that are not negative and max_step above 0, got first_step %g, min_step "
                        "%g, max_step %g, step_size %g",
                        o->first_step, o->min_step, o->max_step, o->step_size);
    /* Otherwise no step size would satisfy both limits. */
    if (!(o->min_step <= o->max_step))
        return cst_fail(error, CST_EARG, "expected min_step <= max_step, got min_step %g and max_step %g", o->min_step,
                        o->max_step);

    /* safety and dfactor are at most 1, so that no step grows after a rejection. */
    if (!(o->safety > 0 && o->safety <= 1) || !(o->dfactor > 0 && o->dfactor <= 1) || !(o->ifactor >= 1))
        return cst_fail(
            error, CST_EARG,
            "expected 0 < safety <= 1 and 0 < dfactor <= 1 <= ifactor, got safety %g, dfactor %g, ifactor %g",
            o->safety, o->dfactor, o->ifactor);

    /* The two lists of times. */
    CST_TRY(check_times(o->step_t, o->n_step_t, "step_t", error));
    return check_times(o->jump_t, o->n_jump_t, "jump_t", error);
}
