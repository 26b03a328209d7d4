/* What the ODE blocks of a model did: function evaluations and steps, counted block by block, forwards and backwards
 * apart, by listening to their solves. */
#ifndef CST_TRAIN_TALLY_H
#define CST_TRAIN_TALLY_H

#include "core/module.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All counts are uint64_t: a checkpoint keeps them as a row of numbers. */
typedef struct cst_counts {
    uint64_t nfe;            /* evaluations of the field, or of the field with its VJP */
    uint64_t quadrature_nfe; /* evaluations in which quadratures took part */
    uint64_t solves, accepted, rejected;
    uint64_t failed; /* solves that did not reach their end */
} cst_counts;

enum { CST_FORWARD, CST_BACKWARD, CST_N_DIRECTIONS, CST_N_COUNTS = sizeof(cst_counts) / sizeof(uint64_t) };

typedef struct cst_block_counts {
    const cst_module *module;
    char name[CST_TENSOR_NAME]; /* dotted, "" for the model itself */
    cst_counts counts[CST_N_DIRECTIONS];
    double seconds[CST_N_DIRECTIONS];
} cst_block_counts;

/* Hears of every solve, with its trace where one was asked for. */
typedef struct cst_solve_listener {
    void *context;
    void (*solved)(void *context, const char *block, bool backward, const cst_solve_stats *stats);
} cst_solve_listener;

/* An entry for every module of the model, in order; those that never solve stay at zero. */
typedef struct cst_tally {
    cst_block_counts *blocks;
    size_t n_blocks;
    cst_counts total[CST_N_DIRECTIONS]; /* over all blocks */
    const char *failed;                 /* the block whose solve was the last to fail; NULL: none has */
    cst_solve_listener listener;        /* solved may be NULL */
    bool trace;                         /* ask for traces */
} cst_tally;

CST_MUST_CHECK cst_status cst_tally_init(cst_tally *tally, const cst_module *model, cst_error *error);
void cst_tally_clear(cst_tally *tally);
void cst_tally_reset(cst_tally *tally); /* all counts and times to zero */

/* An observer that adds to the tally. */
cst_observer cst_tally_observer(cst_tally *tally);

/* to += what `now` has beyond `before`. */
void cst_counts_add_difference(cst_counts *to, const cst_counts *now, const cst_counts *before);

#ifdef __cplusplus
}
#endif
#endif
