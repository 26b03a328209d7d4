/* What a solver did: counts, and on request every attempt. */
#ifndef CST_ODE_STATS_H
#define CST_ODE_STATS_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One attempted step, in the problem's own time: dt < 0 where it runs backwards. */
typedef struct cst_attempt {
    double t, dt;
    double ratio; /* error ratio: accepted if at most 1 */
    bool accepted;
    const char *block; /* name of the one with the largest share in the ratio: the caller's string */
} cst_attempt;

/* A solve begins anew (first evaluation, first step) at each entry. */
typedef struct cst_trace_start {
    double t0;
    double first_dt;      /* as chosen, before it is clamped or clipped */
    size_t first_attempt; /* index in attempts */
} cst_trace_start;

typedef struct cst_solve_stats {
    size_t nfe;            /* evaluations of f, or of f with its VJP, as the paper counts */
    size_t quadrature_nfe; /* evaluations in which quadratures took part */
    size_t solves, accepted, rejected;
    double first_dt, last_dt; /* of the last solve */
    const char *method;       /* likewise */
    double seconds;           /* in the whole pass; filled by whoever has a clock */

    /* Why the last solve failed; CST_OK if it did not. */
    cst_status failure;
    double failed_t, failed_dt;
    size_t failed_block, failed_index; /* the worst component: index within its block; SIZE_MAX: none is */

    /* Recorded if `trace` is set before the solve. */
    bool trace;
    cst_attempt *attempts;
    size_t n_attempts, attempt_capacity;
    cst_trace_start *starts;
    size_t n_starts, start_capacity;
} cst_solve_stats;

/* Counts to zero and traces empty; memory and the wish for a trace are kept. */
void cst_solve_stats_reset(cst_solve_stats *stats);
void cst_solve_stats_clear(cst_solve_stats *stats); /* frees the traces */

/* For solvers: count a solve, count an attempt; CST_ENOMEM if the trace cannot grow. */
CST_MUST_CHECK cst_status cst_solve_stats_add_start(cst_solve_stats *stats, double t0, double first_dt,
                                                    cst_error *error);
CST_MUST_CHECK cst_status cst_solve_stats_add_attempt(cst_solve_stats *stats, const cst_attempt *attempt,
                                                      cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
