#include "tests/alloc_sweep.h"

#include "tests/data_files.h"
#include "tests/failing_alloc.h"
#include "tests/helpers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Replaces the C library's fsync: flushing to disk would take most of the time, and nothing here depends on it. */
int fsync(int handle)
{
    (void)handle;
    return 0;
}

static size_t most_runs; /* per scenario and mode; 0: no limit */

/* Run once with a failing k-th allocation. Returns false if the run has fewer than k allocations. */
static bool run_once(const alloc_scenario *s, size_t k, bool lasting, size_t *count)
{
    cst_error error = {0};
    if (s->prepare) s->prepare();
    const size_t live = test_alloc_live();
    test_alloc_fail(k, lasting);
    const cst_status status = s->run(&error);
    const size_t failures = test_alloc_failures();
    *count = test_alloc_count();
    test_alloc_fail(0, false);
    const char *mode = lasting ? "and all after it" : "alone";
    if (failures == 0 && status != s->natural)
        fail_msg("%s: expected %s, got %s: %s", s->name, cst_status_name(s->natural), cst_status_name(status),
                 error.message);
    if (status != s->natural && status != CST_ENOMEM)
        fail_msg("%s, allocation %zu (%s): expected %s or %s, got %s: %s", s->name, k, mode,
                 cst_status_name(s->natural), cst_status_name(CST_ENOMEM), cst_status_name(status), error.message);
    if (status != CST_OK && (!error.message[0] || error.status != status))
        fail_msg("%s, allocation %zu (%s): %s without a message, or the error says %s", s->name, k, mode,
                 cst_status_name(status), cst_status_name(error.status));
    if (test_alloc_live() != live)
        fail_msg("%s, allocation %zu (%s): %zu blocks before, %zu after (%s)", s->name, k, mode, live,
                 test_alloc_live(), error.message);
    if (s->check) s->check(status);
    return failures > 0;
}

static void sweep(void **state)
{
    const alloc_scenario *s = *state;
    size_t count, total, failed = 0;
    run_once(s, 0, false,
             &count); /* from here on, whatever is allocated once and kept (time zones, BLAS) has been allocated */
    run_once(s, 0, false, &total);
    assert_true(total > 0);
    const size_t step = most_runs > 0 && total > most_runs ? (total + most_runs - 1) / most_runs : 1;
    for (int lasting = 0; lasting < 2; lasting++) {
        /* Repeat until a run meets no failure: after a failed allocation a run may make more of them than before. */
        for (size_t k = lasting ? 1 + step / 2 : 1; run_once(s, k, lasting, &count); k += step) failed++;
    }
    print_message("%s: %zu allocations, %zu runs with a failure\n", s->name, total, failed);
}

static int set_up(void **state)
{
    if (test_make_root(state) != 0) return -1;
    alloc_data_set_up();
    alloc_datasets_set_up();
    alloc_runs_set_up();
    return 0;
}

enum { MOST_TESTS = 64 };

static size_t add_tests(const alloc_scenario *scenarios, struct CMUnitTest *tests, size_t n)
{
    for (; scenarios->name; scenarios++, n++) {
        assert_true(n < MOST_TESTS);
        tests[n] = (struct CMUnitTest){.name = scenarios->name, .test_func = sweep};
        memcpy(&tests[n].initial_state, &(const alloc_scenario *){scenarios},
               sizeof tests[n].initial_state); /* const */
    }
    return n;
}

int alloc_sweep(size_t most)
{
    static struct CMUnitTest tests[MOST_TESTS];
    most_runs = most;
    size_t n = add_tests(alloc_data_scenarios, tests, 0);
    n = add_tests(alloc_dataset_scenarios, tests, n);
    n = add_tests(alloc_run_scenarios, tests, n);
    return _cmocka_run_group_tests("alloc_sweep", tests, n, set_up, test_remove_root);
}
