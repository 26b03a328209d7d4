/* A tally: function evaluations and steps of a model's ODE blocks, per block and per direction (forward, backward). It is
 * an observer of the model's solves (core/module.h). */
#ifndef CST_TRAIN_TALLY_H
#define CST_TRAIN_TALLY_H

#include "core/module.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Counts of one direction. All members are uint64_t: a checkpoint saves the structure as an array. */
typedef struct cst_counts {
    uint64_t nfe;            /* evaluations of the field, or of the field with its VJP */
    uint64_t quadrature_nfe; /* evaluations in which quadratures took part */
    uint64_t solves;
    uint64_t accepted, rejected; /* steps */
    uint64_t failed;             /* solves that did not reach their end time */
} cst_counts;

enum { CST_FORWARD, CST_BACKWARD, CST_N_DIRECTIONS, CST_N_COUNTS = sizeof(cst_counts) / sizeof(uint64_t) };

/* The counts of one module. */
typedef struct cst_block_counts {
    const cst_module *module;   /* not owned */
    char name[CST_TENSOR_NAME]; /* dotted path, "" for the model itself */
    cst_counts counts[CST_N_DIRECTIONS];
    double seconds[CST_N_DIRECTIONS]; /* spent in its solves */
} cst_block_counts;

/* A callback after each solve; `block` is the module's dotted name. `stats` holds the trace if cst_tally.trace is set, and
 * is only valid during the call. */
typedef struct cst_solve_listener {
    void *context;
    void (*solved)(void *context, const char *block, bool backward, const cst_solve_stats *stats);
} cst_solve_listener;

/* `blocks` has one entry per module of the model, parents before children. Modules that solve nothing stay at zero. */
typedef struct cst_tally {
    cst_block_counts *blocks;
    size_t n_blocks;
    cst_counts total[CST_N_DIRECTIONS]; /* over all blocks */
    const char *failed;                 /* name of the block whose solve failed last; NULL: no failure */
    cst_solve_listener listener;        /* its `solved` may be NULL */
    bool trace;                         /* record every attempted step, for the listener */
} cst_tally;

/* Allocate one entry per module, all zero. The model must outlive the tally. Errors: CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_tally_init(cst_tally *tally, const cst_module *model, cst_error *error);
/* Free the entries. A tally that is all zeros is a no-op. */
void cst_tally_clear(cst_tally *tally);
/* Set all counts and times to zero; keep listener and trace. */
void cst_tally_reset(cst_tally *tally);

/* An observer that adds each solve to the tally. It copies tally->trace; the tally must outlive it. */
cst_observer cst_tally_observer(cst_tally *tally);

/* to += now - before, for each count. */
void cst_counts_add_difference(cst_counts *to, const cst_counts *now, const cst_counts *before);

#ifdef __cplusplus
}
#endif
#endif
