/* Changes to the ODE blocks of a model's config: another gradient method, tighter tolerances, or recorded steps. The
 * comparison of gradients builds one model per change (analysis/gradients.h). */
#ifndef CST_ANALYSIS_BLOCK_CHANGES_H
#define CST_ANALYSIS_BLOCK_CHANGES_H

#include "core/config.h"
#include "ode/stats.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What to change in every block. A structure that is all zeros changes nothing. Strings and statistics are not owned. */
typedef struct cst_block_change {
    const char *method; /* of the gradient; NULL: unchanged */
    const char *store;  /* of the method "checkpointed", with `method`; NULL: unchanged */
    bool tighten;       /* divide rtol and atol by 1000; rtol stays above the rounding of reals */
    /* (n_replay): block i takes the accepted steps of replay[i], whatever their error. The attempts must have been recorded,
     * with the same solver and the same times. NULL: the solver chooses its steps. */
    const cst_solve_stats *replay;
    size_t n_replay;
} cst_block_change;

/* The number of sections below `model` that are an ODE block with its own "solver" and "gradient": types ode, cde, cnf. */
size_t cst_block_sections(cst_config model);

/* Change all these sections of a resolved config, in the order of the text, which is that of the modules. Errors:
 * CST_EUNSUPPORTED if tolerances are to be tightened and a solver has none; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_block_change_all(cst_config model, const cst_block_change *change, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
