#include "tests/run_kills.h"

#include "failing_io.h"
#include "run_files.h"
#include "tests/data_files.h"
#include "tests/helpers.h"

#include "core/clock.h"
#include "core/rng.h"
#include "train/run.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

/* One checkpoint per epoch of two iterations; weights, metrics and a trace are written as often. %d: the number of
 * epochs. */
static const char format[] =
    "{\"name\": \"tiny\", \"seed\": 5, \"threads\": 2, \"epochs\": %d, \"trace_every\": 1,\n"
    " \"data\": {\"type\": \"spirals\", \"train_size\": 20, \"validation_size\": 20, \"test_size\": 4, \"batch_size\": "
    "10},\n"
    " \"model\": {\"type\": \"sequential\", \"layers\": [{\"type\": \"ode\", \"solver\": {\"rtol\": 0.1, \"atol\": "
    "0.1},\n"
    "  \"field\": {\"type\": \"sequential\", \"layers\": [{\"type\": \"concat_time\"}, {\"type\": \"linear\", "
    "\"out_features\": 2}, {\"type\": \"tanh\"}]}},\n"
    "  {\"type\": \"linear\", \"out_features\": 2}]}}";
enum { SHORT = 2, LONG = 25 };

static size_t n_kills, step_stride;
static char folder[TEST_PATH], reference[TEST_PATH];

static cst_status train(const char *in, cst_run_mode mode, int epochs, cst_error *error)
{
    char config[1024];
    cst_document *document;
    cst_run run;
    cst_summary summary;
    const int n = snprintf(config, sizeof config, format, epochs);
    CST_TRY(cst_document_parse("config", config, (size_t)n, &document, error));
    cst_status status = cst_run_init(&run, document, in, mode, NULL, error);
    if (status == CST_OK) {
        status = cst_run_train(&run, &summary, error);
        cst_run_clear(&run);
    }
    cst_document_free(document);
    return status;
}

static void make_reference(int epochs)
{
    cst_error error;
    test_remove(reference);
    test_remove(folder);
    test_assert_ok("reference", train(reference, CST_RUN_NEW, epochs, &error), &error);
}

/* Resume until the end. The result is the reference's, and no temporary files are left. */
static void finish(int epochs)
{
    cst_error error;
    test_assert_ok("going on", train(folder, CST_RUN_RESUME, epochs, &error), &error);
    test_check_run(folder, false);
    test_same_run(folder, reference);
}

/* A process that resumes the run and is killed before its k-th system call, if it makes that many. */
static pid_t start(int epochs, size_t k)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0) return child;
    cst_error error;
    test_io_at(k, 0);
    const cst_status status = train(folder, CST_RUN_RESUME, epochs, &error);
    if (status != CST_OK) fprintf(stderr, "%s\n", error.message);
    _exit(status == CST_OK ? 0 : 1);
}

/* True if it was killed; otherwise it has finished the run. */
static bool wait_for(pid_t child)
{
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    if (WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL) return true;
    if (!WIFEXITED(result) || WEXITSTATUS(result) != 0) fail_msg("a run that went on ended with %d", result);
    return false;
}

/* ---- the tests ----------------------------------------------------------------------------------------------- */

static void dies_before_any_step_of_writing(void **state)
{
    (void)state;
    size_t deaths = 0;
    make_reference(SHORT);
    for (size_t k = 1;; k += step_stride) {
        test_remove(folder);
        const bool killed = wait_for(start(SHORT, k));
        test_check_run(folder, true);
        finish(SHORT);
        if (!killed) break;
        deaths++;
    }
    print_message("died before each of %zu system calls (every %zu-th)\n", deaths, step_stride);
    assert_true(deaths * step_stride > 20);
}

static void everything_is_flushed(void **state)
{
    (void)state;
    test_io_at(0, 0);
    make_reference(SHORT);
    assert_true(test_io_count() > 20);
    assert_int_equal(test_io_unflushed(), 0);
}

static void any_step_of_writing_fails(void **state)
{
    (void)state;
    size_t failures = 0, calls;
    make_reference(SHORT);
    for (size_t k = 1;; k += step_stride) {
        cst_error error = {0};
        test_remove(folder);
        test_io_at(k, EIO);
        const cst_status status = train(folder, CST_RUN_NEW, SHORT, &error);
        calls = test_io_count();
        test_io_at(0, 0);
        if (status != CST_OK && (status != CST_EIO || !strstr(error.message, strerror(EIO))))
            fail_msg("call %zu: expected CST_EIO, got %s: %s", k, cst_status_name(status), error.message);
        test_check_run(folder, false);
        finish(SHORT);
        if (calls < k) break;
        failures += status != CST_OK;
    }
    print_message("%zu system calls, %zu failures\n", calls, failures);
    assert_true(failures * step_stride > 20);
}

static void dies_at_any_moment(void **state)
{
    (void)state;
    const double before = cst_clock();
    make_reference(LONG);
    const double seconds = cst_clock() - before;
    const cst_rng rng = cst_rng_new(1, CST_RNG_TEST);
    size_t ends = 0;
    for (size_t kills = 0, i = 0; kills < n_kills; i++) {
        const double wait = seconds / 3 * cst_rng_uniform(rng, i);
        const struct timespec pause = {(time_t)wait, (long)(1e9 * (wait - floor(wait)))};
        const pid_t child = start(LONG, 0);
        nanosleep(&pause, NULL);
        kill(child, SIGKILL);
        if (wait_for(child)) {
            kills++;
            test_check_run(folder, true);
        } else { /* the run ended before the kill */
            ends++;
            finish(LONG);
            test_remove(folder);
        }
    }
    finish(LONG);
    print_message("killed %zu times within %.0f ms, ended %zu times\n", n_kills, 1e3 * seconds / 3, ends + 1);
}

static int set_up(void **state)
{
    if (test_make_root(state) != 0) return -1;
    test_path("run", folder);
    test_path("reference", reference);
    return 0;
}

int run_kills(size_t kills, size_t stride)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dies_before_any_step_of_writing),
        cmocka_unit_test(everything_is_flushed),
        cmocka_unit_test(any_step_of_writing_fails),
        cmocka_unit_test(dies_at_any_moment),
    };
    n_kills = kills;
    step_stride = stride;
    return cmocka_run_group_tests(tests, set_up, test_remove_root);
}
