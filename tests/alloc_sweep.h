/* Every allocation of a piece of work fails once, the k-th for k = 1, 2, ...: the work must then fail with CST_ENOMEM and a
 * message, or come to what it would have come to; nothing may crash, leak, or be damaged on disk. */
#ifndef CST_TESTS_ALLOC_SWEEP_H
#define CST_TESTS_ALLOC_SWEEP_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct alloc_scenario {
    const char *name;
    cst_status natural; /* what it comes to undisturbed; other than CST_OK: a failure with a message */
    void (*prepare)(void);
    cst_status (*run)(cst_error *error); /* frees whatever it has made */
    /* After each run: whatever was on disk before is still good; and if it came to CST_OK, its results are right. */
    void (*check)(cst_status status);
} alloc_scenario;

/* Each ended by a NULL name. Their files are made, and removed, by the functions below. */
extern const alloc_scenario alloc_data_scenarios[], alloc_dataset_scenarios[], alloc_run_scenarios[];
void alloc_data_set_up(void);
void alloc_data_tear_down(void);
void alloc_datasets_set_up(void);
void alloc_datasets_tear_down(void);
void alloc_runs_set_up(void);
void alloc_runs_tear_down(void);

/* Run every scenario with every allocation failing, alone and with all after it; or with at most `most` of them, spread
 * evenly (0: all). Returns what main is to return. */
int alloc_sweep(size_t most);

#endif
