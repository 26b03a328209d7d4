/* trace.csv: every attempted step of the solves of some iterations. One row an attempt:
 *
 *   iteration,block,direction,method,solve,t,dt,ratio,accepted,decided_by
 *
 * `block` is the ODE block's dotted name, `solve` counts the solves of one pass (torchdiffeq's profile makes one an
 * observation interval), t and dt are in the problem's own time, `ratio` is the error ratio, and `decided_by` the
 * block of the state with the largest share in it. Steps that checkpointed differentiates are no attempts: they are
 * forward rows only. */
#ifndef CST_TRAIN_TRACE_H
#define CST_TRAIN_TRACE_H

#include "core/status.h"
#include "ode/stats.h"

#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_trace_row {
    uint64_t iteration;
    const char *block; /* in the reader's memory, or the writer's */
    bool backward, accepted;
    const char *method;
    size_t solve;
    double t, dt, ratio;
    const char *decided_by;
} cst_trace_row;

/* Open a run's trace to add to it: rows of iterations from `iteration` on, which a run that died may have left, are
 * cut off. The file is not read as a whole. CST_EIO; CST_EFORMAT where it is no trace, which is left as it is;
 * CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_trace_open(const char *path, uint64_t iteration, FILE **stream, cst_error *error);

/* The rows of one pass. A failure to write shows in ferror(stream). */
void cst_trace_write(FILE *stream, uint64_t iteration, const char *block, bool backward, const cst_solve_stats *stats);

/* Call `row` for each row of a file; a last line without its end, as a run that died leaves, is none. CST_EIO;
 * CST_EFORMAT naming the line; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_trace_read(const char *path, void (*row)(void *context, const cst_trace_row *row),
                                         void *context, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
