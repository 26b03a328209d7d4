/* Explicit Runge-Kutta solvers for y' = f(t, y) with step-size control, on flat vectors. Time may increase or decrease.
 *
 * An adaptive step (ode/tableau.h) is accepted if its error ratio r (Kidger, Chen, Lyons, eq. 5; ode/norm.h) is at most
 * 1. Otherwise it is repeated with a smaller h. Sources: Hairer, Norsett, Wanner, "Solving Ordinary Differential
 * Equations I", II.4 (control) and II.6 (dense output). Under CST_PROFILE_TORCHDIFFEQ the solver takes the same steps
 * as torchdiffeq 0.2.5, except that a step which happens to end exactly on a jump counts as having reached that jump.
 *
 * Quadratures. A channel that no right-hand side reads is "just an integral, not an ODE" (paper, section 2.2). If the
 * norm ignores it too, it needs neither stages nor an error estimate: q' = g(t, y) is summed as q += h sum_i b_i g_i
 * over the accepted steps. The sum of an attempt is kept apart and is dropped if the step is rejected. */
#ifndef CST_ODE_SOLVE_H
#define CST_ODE_SOLVE_H

#include "core/real.h"
#include "core/status.h"
#include "ode/norm.h"
#include "ode/solve_options.h"
#include "ode/stats.h"
#include "ode/tableau.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The right-hand side: dy (n) = f(t, y), overwritten, and, unless q is NULL, q (n_quadratures) += scale g(t, y). f and
 * g are derivatives with respect to t in both directions of time. The callback returns CST_ERECOVERABLE to ask for a
 * shorter step. Any other failure ends the solve, and the callback then fills *error. */
typedef cst_status (*cst_rhs)(void *context, double t, const cst_real *y, cst_real *dy, cst_real scale, cst_real *q,
                              cst_error *error);

typedef struct cst_solver cst_solver;

/* What is solved. It must outlive the solve, and so must all that it points to. */
typedef struct cst_problem {
    cst_rhs f;
    void *context;           /* first argument of f and `accepted`; may be NULL */
    const cst_block *blocks; /* (n_blocks): the blocks of the state, one after the other in y */
    size_t n_blocks;
    size_t n_quadratures; /* length of q; 0 for none */
    cst_norm norm;
    /* Called after each accepted step; may be NULL. The solver then still has the whole step: it began at step_t with
     * size step_h, y_new is the state before it, y the state after it, and k its stages. A failure ends the solve. */
    cst_status (*accepted)(void *context, const cst_solver *solver);
} cst_problem;

/* Times that a solve must step on, increasing. The solver drops those that it has passed. */
typedef struct cst_stops {
    const double *t;
    size_t n, left; /* `left` of the n times are still to come */
} cst_stops;

/* Where the first stage of the next step comes from. */
typedef enum cst_first_stage {
    CST_FIRST_CURRENT,   /* k[0] is f(t, y) already */
    CST_FIRST_STEPPED,   /* k[0] is from the last accepted step: its last stage becomes k[0], or f is evaluated */
    CST_FIRST_EVALUATED, /* the step ended on a jump, and `stage` is f just after it, at restart_t */
    CST_FIRST_AFTER_JUMP /* the step ended on a jump; f is evaluated at restart_t when the next step begins */
} cst_first_stage;

/* A solve in progress. Callbacks may read it; only the functions below change it. Its vectors are in the caller's
 * work. */
struct cst_solver {
    const cst_problem *problem;
    const cst_solve_options *options;
    cst_solve_stats *stats;
    cst_error *error;
    size_t n;         /* entries of the state */
    double direction; /* +1, or -1 if time decreases */
    double t, h;      /* the current time, and the proposed size of the next step, signed */
    double t_start, t_end;
    double step_t, step_h;             /* the last accepted step began at step_t and had the signed size step_h */
    size_t stage_index;                /* stage that is being evaluated; 0 also for an evaluation outside of steps */
    double first_t, last_t, restart_t; /* evaluation times of k[0], of the last stage, and of f just after a jump */
    /* Unsigned size of the last attempt, before it was shortened to end on an output, a stop or a jump. */
    double proposed_h;
    double previous_ratio; /* error ratio of the previous accepted step, for PI control */
    bool rejected;         /* the last attempt was rejected */
    bool nonfinite_ratio;  /* its error ratio was infinite or NaN */
    size_t completed;      /* number of stages in k that were computed for the current attempt; 1 before an attempt */
    cst_first_stage first_stage; /* where the next step's k[0] comes from */
    size_t grid_index;           /* number of steps taken on a fixed grid */
    cst_stops steps, jumps;      /* the options' step_t and jump_t that are still to come */
    double *partial;             /* memory for norms */
    /* y is the current state. After a step y_new is the state before it. k[0] = f(t, y) once first_stage is CURRENT. */
    cst_real *y, *y_new, *stage, *k[CST_MAX_STAGES];
    cst_real *q; /* the caller's quadratures, NULL if not wanted */
    /* Quadratures of the current attempt, without its first stage and without a last stage that is reused. */
    cst_real *q_step;
    cst_real *q_first, *q_next; /* g at the first stage and at the last one, not multiplied by h and weights */
};

/* Memory that the caller provides for a solve. All pointers must outlive the solve; the struct itself need not. */
typedef struct cst_solve_call {
    cst_real *q;            /* (n_quadratures), added to, so the caller initializes it; may be NULL */
    cst_real *work;         /* as many reals as cst_solver_work returns */
    cst_solve_stats *stats; /* added to; must not be NULL */
    cst_error *error;       /* may be NULL */
} cst_solve_call;

/* Returns the number of reals that a solver needs as `work`; SIZE_MAX if it is too large. */
size_t cst_solver_work(const cst_problem *problem, const cst_solve_options *options);

/* Start at the state y (n) at time t, towards t_end, which must differ from t. y is copied. Evaluates f at (t, y), and
 * once more if the solver chooses the first step. The call's q is complete when t_end, or a time with `land`, is reached.
 * problem and options must outlive the solve. Errors: CST_EARG for bad options or times; otherwise fails as f does. */
CST_MUST_CHECK cst_status cst_solver_start(cst_solver *solver, const cst_problem *problem,
                                           const cst_solve_options *options, double t, double t_end, const cst_real *y,
                                           const cst_solve_call *call);

/* Continue to t_out, which lies between the current time and t_end, and write the state there to y_out (n). With `land`
 * a step ends on t_out. Otherwise the solver steps past it and interpolates; outputs inside the last step need no
 * evaluation of f. Errors: CST_EUNDERFLOW, CST_ENONFINITE or CST_EMAXSTEPS with time, step size and worst component, or
 * the failure of f or of the callback `accepted`. After a failure y_out is the state after the last accepted step. */
CST_MUST_CHECK cst_status cst_solver_advance(cst_solver *solver, double t_out, bool land, cst_real *y_out);

/* y_out (n) = the state at time t within the last accepted step, from dense output. For methods that are not adaptive,
 * it is interpolated linearly. */
void cst_solver_interpolate(const cst_solver *solver, double t, cst_real *y_out);

/* Replace the state by y (n) at a time on which the solver has landed. Evaluates f once and keeps the step size. */
CST_MUST_CHECK cst_status cst_solver_restate(cst_solver *solver, const cst_real *y);

/* Solve over all of `times` (n_times, at least 2, strictly monotone) with y (n) at times[0]. y_out (n_times, n) gets
 * the state at each time, y_out[0] = y. The last time is the end, and times between come from dense output. Methods
 * with fixed steps are accepted too. The call and the errors are as in cst_solver_start and cst_solver_advance; q
 * belongs to the last time. */
CST_MUST_CHECK cst_status cst_solve(const cst_problem *problem, const cst_solve_options *options, const double *times,
                                    size_t n_times, const cst_real *y, cst_real *y_out, const cst_solve_call *call);

#ifdef __cplusplus
}
#endif
#endif
