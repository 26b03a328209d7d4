/* The pool of threads runs every task once, from whichever thread it is called, and however often. Run this test under ThreadSanitizer
 * (make tsan). */
#include "tests/helpers.h"

#include "core/parallel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 40 };

/* The number of runs of each task. Plain ints are enough: one thread runs a task, and the call's return orders
 * memory. */
typedef struct counts {
    int ran[MOST];
} counts;

static void count(void *context, size_t i)
{
    counts *c = context;
    c->ran[i]++;
}

static bool all_ran_once(int threads, size_t n)
{
    counts c = {{0}};
    cst_parallel(threads, n, count, &c);
    for (size_t i = 0; i < MOST; i++)
        if (c.ran[i] != (i < n)) return false;
    return true;
}

static void every_task_runs_once(void **state)
{
    (void)state;
    for (int round = 0; round < 3000; round++) {
        const size_t n = (size_t)(round * 7 % MOST);
        const int threads = round % 5;
        if (!all_ran_once(threads, n)) fail_msg("round %d: %zu tasks on %d threads", round, n, threads);
    }
}

/* A pause between jobs that is long enough for the workers to go to sleep. */
static void sleeping_workers_wake(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        assert_true(all_ran_once(3, 8));
    }
}

static void ask_again(void *context, size_t i)
{
    atomic_int *wrong = context;
    (void)i;
    if (!all_ran_once(2, 5)) atomic_fetch_add(wrong, 1);
}

static void tasks_may_start_tasks(void **state)
{
    (void)state;
    atomic_int wrong = 0;
    cst_parallel(3, 10, ask_again, &wrong);
    assert_int_equal(atomic_load(&wrong), 0);
}

static void *ask_often(void *context)
{
    for (int round = 0; round < 500; round++) ask_again(context, 0);
    return NULL;
}

static void several_threads_may_call(void **state)
{
    (void)state;
    atomic_int wrong = 0;
    pthread_t thread[3];
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&thread[i], NULL, ask_often, &wrong), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_join(thread[i], NULL), 0);
    assert_int_equal(atomic_load(&wrong), 0);
}

static void forked_processes_have_their_own(void **state)
{
    (void)state;
    assert_true(all_ran_once(3, 8));
    const pid_t child = fork();
    if (child == 0) _exit(all_ran_once(3, 8) ? 0 : 1);
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
}

static void there_is_a_processor(void **state)
{
    (void)state;
    assert_in_range(cst_threads_available(), 1, CST_MAX_THREADS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once),
        cmocka_unit_test(sleeping_workers_wake),
        cmocka_unit_test(tasks_may_start_tasks),
        cmocka_unit_test(several_threads_may_call),
        cmocka_unit_test(forked_processes_have_their_own),
        cmocka_unit_test(there_is_a_processor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
