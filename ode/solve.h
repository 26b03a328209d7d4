/* Explicit Runge-Kutta solvers for y' = f(t, y) with step size control, on flat vectors; time may run either way.
 *
 * Hairer, Norsett, Wanner, "Solving Ordinary Differential Equations I", II.4 (control) and II.6 (dense output). Two
 * profiles set the options: CST_PROFILE_TORCHDIFFEQ does step for step what torchdiffeq 0.2.5 does (except that a step
 * ending exactly on a jump counts as having hit it), CST_PROFILE_COSTATE is the default.
 *
 * Quadratures. Channels that no right-hand side reads and that the norm ignores need no stages and no error estimate:
 * q' = g(t, y) is summed as q += h sum_i b_i g_i over accepted steps, in a vector that a rejected step throws away. */
#ifndef CST_ODE_SOLVE_H
#define CST_ODE_SOLVE_H

#include "core/real.h"
#include "core/status.h"
#include "ode/norm.h"
#include "ode/stats.h"
#include "ode/tableau.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* dy = f(t, y), overwritten; and, unless q is NULL, q += scale g(t, y). Both are derivatives with respect to t whatever
 * the direction. CST_ERECOVERABLE asks for a shorter step; any other failure ends the solve, filling *error. */
typedef cst_status (*cst_rhs)(void *context, double t, const cst_real *y, cst_real *dy, cst_real scale, cst_real *q,
                              cst_error *error);

typedef struct cst_solver cst_solver;

typedef struct cst_problem {
    cst_rhs f;
    void *context;
    const cst_block *blocks; /* the state's, one after the other */
    size_t n_blocks;
    size_t n_quadratures; /* length of q, 0 for none */
    cst_norm norm;
    /* NULL, or called after each accepted step, which the solver then still has in full: from step_t with size step_h, y_new
     * the state before it and y the one after, k its stages. A failure ends the solve. */
    cst_status (*accepted)(void *context, const cst_solver *solver);
} cst_problem;

typedef enum cst_profile { CST_PROFILE_COSTATE, CST_PROFILE_TORCHDIFFEQ } cst_profile;

/* Config keys have the same names, torchdiffeq's where it has one. Set all by cst_solve_options_init. */
typedef struct cst_solve_options {
    const cst_tableau *method;
    double rtol, atol;
    double first_step; /* 0: chosen by the solver (Hairer, Norsett, Wanner, II.4) */
    double min_step;   /* a step this short is taken whatever its error */
    double max_step;
    double safety, ifactor, dfactor; /* 0.9; largest and smallest factor of a step size, 10 and 0.2 */
    size_t max_num_steps;            /* between two outputs; fixed steps that would be more are not begun */
    double step_size;                /* fixed-step methods; 0: one step an output interval */
    const double *step_t, *jump_t;   /* times to step on (adaptive methods), and where f jumps: evaluated anew after */
    size_t n_step_t, n_jump_t;       /* increasing; a time in both is a jump, outside ones are ignored. The caller's. */
    int threads;
    /* What the profiles differ in. */
    bool pi_controller;    /* h *= clip(safety r^(-0.7/p) r_prev^(0.4/p)); no growth after a rejection. Else r^(-1/p) */
    bool classic_error;    /* the pair's own error weights; torchdiffeq has 2/3 of them for dopri5 */
    bool clip_end;         /* the last step ends on the end; else it goes past and is read off the interpolant */
    bool perturb_stages;   /* stages with c = 1 are evaluated one ulp before the step's end, always */
    bool reuse_last_stage; /* the last stage is taken for f(t1, y1) even where the method is not FSAL */
    bool cast_times;       /* times are rounded to `real` before f sees them */
    bool refine_dense;     /* Hermite's cubic where torchdiffeq's interpolant is of order 1 (bosh3 and below) */
    bool limit_first_step; /* the automatic first step is not longer than the interval */
} cst_solve_options;

void cst_solve_options_init(cst_solve_options *options, cst_profile profile); /* dopri5, 1e-7, 1e-9 */

/* CST_EARG for options that no solve begins with: those that are out of range, or do not go together. */
CST_MUST_CHECK cst_status cst_solve_options_check(const cst_solve_options *options, cst_error *error);

/* Times that a solve must step on, increasing; the next one lies ahead of where it stands. */
typedef struct cst_stops {
    const double *t;
    size_t n, left; /* `left` of them lie ahead */
} cst_stops;

/* Where f at the start of the next step is found. */
typedef enum cst_first_stage {
    CST_FIRST_CURRENT,   /* k[0] is f(t, y) */
    CST_FIRST_STEPPED,   /* k is still that of the last accepted step; its last stage becomes k[0], or f is evaluated */
    CST_FIRST_EVALUATED, /* the step ended on a jump, and `stage` is f behind it, at anew_t */
    CST_FIRST_BEHIND_JUMP /* the step ended on a jump, and f is evaluated at anew_t when the next step begins */
} cst_first_stage;

/* A solve that can be interrupted, looked into and gone on with. All its memory is the caller's. */
struct cst_solver {
    const cst_problem *problem;
    const cst_solve_options *options;
    cst_solve_stats *stats;
    cst_error *error;
    size_t n;         /* entries of the state */
    double direction; /* +1, or -1 where time decreases */
    double t, h;      /* where it stands; the next step's proposed size, signed */
    double t_start, t_end;
    double step_t, step_h;          /* the last accepted step began at step_t and had size step_h */
    size_t stage_index;             /* of the stage that is being evaluated, 0 also where a step begins anew */
    double first_t, last_t, anew_t; /* times of evaluation: of k[0], of the last stage, of `stage` after a jump */
    double proposed_h;              /* the last step's size before it was cut to end somewhere, unsigned */
    double previous_ratio;          /* for the PI controller */
    bool rejected;                  /* the last attempt was */
    bool broken;                    /* ... because its error ratio was not a number */
    size_t completed;               /* stages of the attempt that stand in k; 1 where none has begun */
    cst_first_stage first_stage;    /* where the next step's k[0] comes from */
    size_t grid_index;              /* steps taken on a fixed grid */
    cst_stops steps, jumps;
    double *partial;                                 /* of norms */
    cst_real *y, *y_new, *stage, *k[CST_MAX_STAGES]; /* after a step y_new has the state before it; k[0] = f(t, y) */
    cst_real *q, *q_step, *q_first,
        *q_next; /* sums; this attempt's; unscaled products of the first and the last stage */
};

/* Sort times into increasing order, each once, as step_t and jump_t are; returns how many are left. */
size_t cst_sort_times(double *times, size_t n);

/* Reals of work that a solver needs. Saturates. */
size_t cst_solver_work(const cst_problem *problem, const cst_solve_options *options);

/* Begin at (t, y) towards t_end: evaluates f there, and once more where the first step is chosen. `stats` is added to;
 * `work` is as planned; `q` (n_quadratures) is added to, and valid when the end, or a time landed on, is reached. */
CST_MUST_CHECK cst_status cst_solver_start(cst_solver *solver, const cst_problem *problem,
                                           const cst_solve_options *options, double t, double t_end, const cst_real *y,
                                           cst_real *q, cst_real *work, cst_solve_stats *stats, cst_error *error);

/* Go on to t_out, between where it stands and t_end, and write the state there. With `land` a step ends on t_out;
 * otherwise the solver steps past it and interpolates, and what was stepped over already costs nothing.
 * On failure y_out has the state at the last accepted step. */
CST_MUST_CHECK cst_status cst_solver_advance(cst_solver *solver, double t_out, bool land, cst_real *y_out);

/* The state at a time within the last step, from its dense output (a quartic; a line for methods without one). */
void cst_solver_interpolate(const cst_solver *solver, double t, cst_real *y_out);

/* Replace the state where the solver landed: evaluates f once, and goes on with the step size it had. */
CST_MUST_CHECK cst_status cst_solver_restate(cst_solver *solver, const cst_real *y);

/* Solve from times[0] over all times, strictly monotone, y_out (n_times, n) with y_out[0] = y. For methods with a fixed
 * step too. Times inside come from the dense output; q is that at the last time. */
CST_MUST_CHECK cst_status cst_solve(const cst_problem *problem, const cst_solve_options *options, const double *times,
                                    size_t n_times, const cst_real *y, cst_real *y_out, cst_real *q, cst_real *work,
                                    cst_solve_stats *stats, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
