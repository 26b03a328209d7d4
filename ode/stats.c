/* Counters and traces of solves. */
#include "ode/stats.h"

#include <stdlib.h>

/* Keep the arrays and their capacities. All other members become zero. */
void cst_solve_stats_reset(cst_solve_stats *stats)
{
    *stats = (cst_solve_stats){.trace = stats->trace,
                               .attempts = stats->attempts,
                               .attempt_capacity = stats->attempt_capacity,
                               .starts = stats->starts,
                               .start_capacity = stats->start_capacity};
}

void cst_solve_stats_clear(cst_solve_stats *stats)
{
    free(stats->attempts);
    free(stats->starts);
    *stats = (cst_solve_stats){.trace = stats->trace};
}

/* Make sure that the array has capacity for one more element, doubling it if needed. Returns NULL if there is no
 * memory. */
static void *grow(void *array, size_t n, size_t *capacity, size_t size)
{
    if (n < *capacity) return array;
    /* Double the capacity. The first one is 64 elements. */
    const size_t more = *capacity ? 2 * *capacity : 64;
    void *grown = realloc(array, more * size);
    if (grown) *capacity = more;
    return grown;
}

cst_status cst_solve_stats_add_start(cst_solve_stats *stats, double t0, double first_dt, cst_error *error)
{
    stats->solves++;
    stats->first_dt = first_dt;

    /* The trace. */
    if (!stats->trace) return CST_OK;
    cst_trace_start *starts = grow(stats->starts, stats->n_starts, &stats->start_capacity, sizeof *starts);
    if (!starts) return cst_fail(error, CST_ENOMEM, "cannot allocate a trace of %zu solves", stats->n_starts + 1);
    stats->starts = starts;
    starts[stats->n_starts++] = (cst_trace_start){.t0 = t0, .first_dt = first_dt, .first_attempt = stats->n_attempts};
    return CST_OK;
}

cst_status cst_solve_stats_add_attempt(cst_solve_stats *stats, const cst_attempt *attempt, cst_error *error)
{
    /* The counts. */
    if (attempt->accepted)
        stats->accepted++;
    else
        stats->rejected++;
    stats->last_dt = attempt->dt;

    /* The trace. */
    if (!stats->trace) return CST_OK;
    cst_attempt *attempts = grow(stats->attempts, stats->n_attempts, &stats->attempt_capacity, sizeof *attempts);
    if (!attempts) return cst_fail(error, CST_ENOMEM, "cannot allocate a trace of %zu attempts", stats->n_attempts + 1);
    stats->attempts = attempts;
    attempts[stats->n_attempts++] = *attempt;
    return CST_OK;
}
