/* Options of the solvers of ode/solve.h.
 *
 * A profile sets all options at once. CST_PROFILE_TORCHDIFFEQ takes the same steps as torchdiffeq 0.2.5, so that
 * numbers of evaluations can be compared with the paper's (Kidger, Chen, Lyons). CST_PROFILE_COSTATE, the default,
 * follows Hairer, Norsett, Wanner. Step-size control takes the error ratio r of a step (paper, eq. 5; ode/norm.h) and
 * the order p of the method. The next step size is, with h the size of this step:
 *
 *     torchdiffeq   h min(ifactor, max(safety r^(-1/p), r < 1 ? 1 : dfactor))
 *     costate       h clip(safety r^(-0.7/p) r_prev^(0.4/p), dfactor, ifactor) if the step is accepted (PI control);
 *                   r_prev is the ratio of the last accepted step
 *                   h clip(safety r^(-1/p), dfactor, 1) if it is rejected */
#ifndef CST_ODE_SOLVE_OPTIONS_H
#define CST_ODE_SOLVE_OPTIONS_H

#include "core/status.h"
#include "ode/tableau.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cst_profile { CST_PROFILE_COSTATE, CST_PROFILE_TORCHDIFFEQ } cst_profile;

/* Config keys have the names of the members. Options that torchdiffeq has are named as in torchdiffeq. Initialize all
 * members with cst_solve_options_init, then change some. Times and step sizes are in the time unit of the problem. */
typedef struct cst_solve_options {
    const cst_tableau *method; /* one of cst_tableaus, or the caller's own, which must outlive the solve */
    double rtol, atol;         /* RTOL and ATOL of the paper's eq. 4, at least 0, not both 0 */
    double first_step;         /* unsigned size of the first step; 0: the solver chooses it (Hairer et al., II.4) */
    double min_step;           /* a step of this size or less is accepted if its error is finite */
    double max_step;
    double safety;           /* factor on every proposed step size, 0.9 */
    double ifactor, dfactor; /* largest and smallest factor between two step sizes, 10 and 0.2 */
    /* Most attempted steps between two outputs; a fixed grid with more fails before its first step. */
    size_t max_num_steps;
    double step_size; /* for methods with fixed steps; 0: one step per output interval */
    /* Times that a step must end on (adaptive methods only), and times at which f jumps: a step ends there, and f is
     * evaluated again just after the jump. Both are increasing. A time in both is a jump; times outside the solve are
     * ignored. The arrays belong to the caller and must outlive the solve. They may be NULL where the number is 0. */
    const double *step_t, *jump_t;
    size_t n_step_t, n_jump_t;
    int threads; /* for the solver's own arithmetic */

    /* ---- the options in which the profiles differ; "costate" and "torchdiffeq" say which of them sets it ---- */

    bool pi_controller; /* costate: PI control, see above, and no growth right after a rejection */
    bool classic_error; /* costate: error weights of the literature; torchdiffeq has 2/3 of them for dopri5 */
    /* costate: the last step ends on the final time; if false, it passes the final time, and the state there is
     * interpolated. */
    bool clip_end;
    bool perturb_stages;   /* torchdiffeq: stages with c = 1 are always evaluated one ulp before the step's end */
    bool reuse_last_stage; /* torchdiffeq: the last stage is reused as f(t1, y1) even if the method is not FSAL */
    bool cast_times;       /* torchdiffeq: times are rounded to the precision of the state before f sees them */
    bool refine_dense;     /* costate: Hermite's cubic for methods with a rough_middle (ode/tableau.h) */
    bool limit_first_step; /* costate: the automatic first step is not longer than the interval */
} cst_solve_options;

/* Set all options to those of the profile, with method dopri5, rtol = 1e-7 and atol = 1e-9 (torchdiffeq's defaults). */
void cst_solve_options_init(cst_solve_options *options, cst_profile profile);

/* Errors: CST_EARG, with a message, if an option is out of range or if options exclude each other. cst_solver_start
 * calls it. */
CST_MUST_CHECK cst_status cst_solve_options_check(const cst_solve_options *options, cst_error *error);

/* Sort times (n) in place into increasing order and drop duplicates, as step_t and jump_t must be. Returns the number
 * of times that remain. */
size_t cst_sort_times(double *times, size_t n);

#ifdef __cplusplus
}
#endif
#endif
