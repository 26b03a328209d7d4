/* Each allocation of a scenario fails once, the k-th for k = 1, 2, ... The scenario must then fail with CST_ENOMEM and
 * a message, or have the result that it has without failures. Nothing may crash, leak, or damage a file. */
#ifndef CST_TESTS_ALLOC_SWEEP_H
#define CST_TESTS_ALLOC_SWEEP_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

/* A piece of work that may fail at any allocation. */
typedef struct alloc_scenario {
    const char *name;
    cst_status natural;    /* the status without failing allocations; if it is not CST_OK, the error needs a message */
    void (*prepare)(void); /* called before each run; may be NULL */
    cst_status (*run)(cst_error *error); /* must free all that it allocates */
    /* Called after each run; may be NULL. It checks that files from before the run are intact and, after CST_OK, the
     * results. */
    void (*check)(cst_status status);
} alloc_scenario;

/* Each list ends with a NULL name. The functions below make the files of its scenarios in test_root. */
extern const alloc_scenario alloc_data_scenarios[], alloc_dataset_scenarios[], alloc_run_scenarios[];
void alloc_data_set_up(void);
void alloc_datasets_set_up(void);
void alloc_runs_set_up(void);

/* Run every scenario with every allocation failing, once alone and once with all later ones too. With most > 0, at most
 * that many allocations fail per scenario, spread evenly. Returns main's exit status. */
int alloc_sweep(size_t most);

#endif
