/* trace.csv: every attempted step of the solves of some iterations, one row per attempt.
 *
 *   iteration,block,direction,method,solve,t,dt,ratio,accepted,decided_by
 *
 *   block       dotted name of the ODE block
 *   solve       number of the solve within its pass, from 0 (the profile "torchdiffeq" solves once per observation interval)
 *   t, dt       start and length of the step in the problem's own time; dt is negative backwards in time
 *   ratio       error ratio: the norm of the error, scaled by the tolerances
 *   decided_by  the block of the state with the largest share in the ratio
 *
 * The checkpointed gradient method attempts no steps backwards: it has forward rows only. */
#ifndef CST_TRAIN_TRACE_H
#define CST_TRAIN_TRACE_H

#include "core/status.h"
#include "ode/stats.h"

#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One row. The strings belong to the reader or the writer and are only valid during the call. */
typedef struct cst_trace_row {
    uint64_t iteration;
    const char *block;
    bool backward, accepted;
    const char *method;
    size_t solve;
    double t, dt, ratio;
    const char *decided_by;
} cst_trace_row;

/* Open a trace to append to it. At iteration 0, or if the file is missing, it becomes empty except for the header line.
 * Otherwise rows of iterations >= `iteration`, which a crashed run may have left, are cut off; they are found by
 * bisection, without reading the whole file. Close *stream with fclose. Errors: CST_EIO; CST_ENOMEM; CST_EFORMAT if the
 * file is no trace, which is then unchanged. */
CST_MUST_CHECK cst_status cst_trace_open(const char *path, uint64_t iteration, FILE **stream, cst_error *error);

/* Write the rows of one pass, from stats->attempts. A failure to write shows in ferror(stream). */
void cst_trace_write(FILE *stream, uint64_t iteration, const char *block, bool backward, const cst_solve_stats *stats);

/* Call `row` for each row of a file, in order. A last line without a newline, as a crashed run leaves, is ignored.
 * Errors: CST_EIO; CST_ENOMEM; CST_EFORMAT naming the line. */
CST_MUST_CHECK cst_status cst_trace_read(const char *path, void (*row)(void *context, const cst_trace_row *row),
                                         void *context, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
