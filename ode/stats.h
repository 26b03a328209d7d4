/* Statistics of solves: counts of evaluations and steps, why a solve failed, and on request a trace of every attempted
 * step. A caller zero-initializes a cst_solve_stats, passes it to one or more solves, which add to it, and clears
 * it. */
#ifndef CST_ODE_STATS_H
#define CST_ODE_STATS_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One attempted step, in the time of the problem. */
typedef struct cst_attempt {
    double t, dt; /* the attempt went from t to t + dt; dt < 0 where time runs backwards */
    double ratio; /* error ratio r (Kidger, Chen, Lyons, eq. 5); 0 for fixed steps */
    bool accepted;
    /* Name of the block with the largest share in the ratio; "" for fixed steps. The string belongs to the problem. */
    const char *block;
} cst_attempt;

/* The beginning of one solve. */
typedef struct cst_trace_start {
    double t0; /* initial time */
    /* First step size as chosen, before it is clamped to the options or shortened to end on a given time. */
    double first_dt;
    size_t first_attempt; /* index of the solve's first attempt in `attempts` */
} cst_trace_start;

typedef struct cst_solve_stats {
    /* Number of evaluations. An evaluation of the adjoint system computes f and its VJP and counts once, as in the
     * paper. */
    size_t nfe;
    size_t quadrature_nfe;             /* the evaluations that also computed quadratures */
    size_t solves, accepted, rejected; /* numbers of solves, and of accepted and rejected steps */
    double first_dt, last_dt;          /* first and last step size of the last solve */
    const char *method;                /* tableau name of the last solve */
    double seconds;                    /* wall-clock time of a whole pass; the ODE block fills it, solvers do not */

    /* Why the last solve failed. `failure` is CST_OK if it did not fail, and also after bad options or times, a failure
     * of the callback `accepted`, or a trace that cannot grow. */
    cst_status failure;
    double failed_t, failed_dt;        /* time and step size at the failure */
    size_t failed_block, failed_index; /* the worst component: its block, and its index there, SIZE_MAX if unknown */

    /* The trace, recorded if the caller sets `trace` before the solve. The arrays belong to this struct. */
    bool trace;
    cst_attempt *attempts; /* (n_attempts) */
    size_t n_attempts, attempt_capacity;
    cst_trace_start *starts; /* (n_starts), one per solve */
    size_t n_starts, start_capacity;
} cst_solve_stats;

/* Set counts to zero and traces to empty. The arrays' memory and the flag `trace` are kept. */
void cst_solve_stats_reset(cst_solve_stats *stats);

/* Free the traces and set everything but the flag `trace` to zero. */
void cst_solve_stats_clear(cst_solve_stats *stats);

/* For solvers: count one more solve, or one more attempt, and add it to the trace. Errors: CST_ENOMEM if the trace
 * cannot grow. */
CST_MUST_CHECK cst_status cst_solve_stats_add_start(cst_solve_stats *stats, double t0, double first_dt,
                                                    cst_error *error);
CST_MUST_CHECK cst_status cst_solve_stats_add_attempt(cst_solve_stats *stats, const cst_attempt *attempt,
                                                      cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
