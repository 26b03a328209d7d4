/* Temporary files that a dead writer left in a folder, and when they are removed. */
#include "tests/data_files.h"

#include "core/file.h"

#include <errno.h>
#include <sys/wait.h>
#include <time.h>

static const char *const names[] = {"a.json", "b", NULL};

/* The number of a process that has ended. */
static long dead_process(void)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    return (long)child;
}

static bool is_leftover(const char *format, long writer)
{
    char name[64];
    snprintf(name, sizeof name, format, writer);
    return cst_file_is_leftover(name, names);
}

static void test_leftovers(void **state)
{
    (void)state;
    const long dead = dead_process(), own = (long)getpid(), alive = (long)getppid();
    assert_true(is_leftover("a.json.tmp%ld-0", dead));
    assert_true(is_leftover("b.tmp%ld-17", dead));
    assert_true(
        is_leftover("b.tmp%ld-0", own)); /* left by another process that had our number: we have not written yet */
    assert_false(is_leftover("b.tmp%ld-0", alive));
    const char *const others[] = {
        "b",           "a.json.tmp",  "c.tmp%ld-0",  "b.tmp%ld", "b.tmp%ld-",     "b.tmp-%ld", "b.tmp%ld-0x",
        "b.tmpx%ld-0", "xb.tmp%ld-0", "b.tmp%ld-0/", "b.tmp-0",  "b.tmp0%ld-0-1", "b.tmp0-0",  "",
        ".tmp%ld-0"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (is_leftover(others[i], dead)) fail_msg("%s", others[i]);
}

static void test_names(void **state)
{
    (void)state;
    char long_name[CST_LONGEST_NAME + 2];
    memset(long_name, 'n', sizeof long_name);
    long_name[CST_LONGEST_NAME] = '\0';
    const char *const plain[] = {
        "a", "a b", "`touch x`", "x'\"$(y)|<>\\", "a..b", "a-b", "a.b", "\xc3\xa9\xe6\xbc\xa2", long_name};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (!cst_name_is_plain(plain[i])) fail_msg("%s", plain[i]);
    char longer[CST_LONGEST_NAME + 2];
    memset(longer, 'n', sizeof longer);
    longer[CST_LONGEST_NAME + 1] = '\0';
    const char *const others[] = {"",
                                  ".",
                                  "..",
                                  ".a",
                                  "-a",
                                  "a/b",
                                  "/",
                                  "a/",
                                  "a\x1b[m",
                                  "a\nb",
                                  "a\xc2\x9b"
                                  "m",
                                  "a\x7f",
                                  "\xff",
                                  longer};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (cst_name_is_plain(others[i])) fail_msg("%s", others[i]);
}

static void test_paths_below(void **state)
{
    (void)state;
    const char *const below[] = {"a", "a/b", "a//b/", "./a", "..a/b", "a../...", "~/a", "a/."};
    for (size_t i = 0; i < sizeof below / sizeof below[0]; i++)
        if (!cst_path_stays_below(below[i])) fail_msg("%s", below[i]);
    const char *const elsewhere[] = {"", "/", "/etc", "..", "../a", "a/..", "a/../b", "a//..//b", "a/b/../../.."};
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++)
        if (cst_path_stays_below(elsewhere[i])) fail_msg("%s", elsewhere[i]);
}

/* Opening a file to read never waits, except for a pipe that has a writer. */
static void test_open(void **state)
{
    (void)state;
    char path[TEST_PATH], *bytes, expected[TEST_PATH + 80];
    size_t size;
    int ends[2];
    cst_error error;
    alarm(60); /* SIGALRM ends a test that waits */
    assert_int_equal(mkfifo(test_path("pipe", path), 0600), 0);
    assert_int_equal(cst_file_read(path, 100, &bytes, &size, &error), CST_OK);
    assert_int_equal(size, 0);
    free(bytes);
    assert_int_equal(unlink(path), 0);
    static const char *const devices[] = {"/dev/zero", "/dev/null"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(symlink(devices[i], path), 0);
        assert_int_equal(cst_file_read(path, 100, &bytes, &size, &error), CST_EIO);
        snprintf(expected, sizeof expected, "%s: cannot open: neither a regular file nor a pipe", path);
        assert_string_equal(error.message, expected);
        assert_int_equal(unlink(path), 0);
    }
    /* The case of `costate check <(...)`, with a slow writer. */
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL) == 0 && write(ends[1], "late", 4) == 4 ? 0 : 1);
    close(ends[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    assert_int_equal(cst_file_read(path, 100, &bytes, &size, &error), CST_OK);
    assert_int_equal(size, 4);
    assert_memory_equal(bytes, "late", 4);
    free(bytes);
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    alarm(0);
}

/* Appending adds to the named file itself and never follows a link. It does not wait for a pipe. */
static void test_append(void **state)
{
    (void)state;
    char path[TEST_PATH], target[TEST_PATH], content[16] = "", expected[TEST_PATH + 80];
    FILE *stream;
    cst_error error;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(cst_file_append(test_path("log", path), &stream, &error), CST_OK);
        assert_int_equal(fputs("ab", stream), 1);
        assert_int_equal(fclose(stream), 0);
    }
    assert_int_equal(test_read("log", content, sizeof content), 4);
    assert_string_equal(content, "abab");
    static const char *const reasons[] = {
        "is a symbolic link; refusing to write through it", "is a symbolic link; refusing to write through it",
        "is not a regular file; refusing to write to it", "cannot write: Is a directory"};
    test_path("to", path);
    for (size_t i = 0; i < 4; i++) {
        const int made = i == 0   ? symlink(test_path("log", target), path)
                         : i == 1 ? symlink("/dev/null", path)
                         : i == 2 ? mkfifo(path, 0600)
                                  : mkdir(path, 0700);
        assert_int_equal(made, 0);
        assert_int_equal(cst_file_append(path, &stream, &error), CST_EIO);
        assert_null(stream);
        snprintf(expected, sizeof expected, "%s: %s", path, reasons[i]);
        assert_string_equal(error.message, expected);
        assert_int_equal(i == 3 ? rmdir(path) : unlink(path), 0);
    }
    assert_int_equal(test_read("log", content, sizeof content), 4);
}

static void test_tidy(void **state)
{
    (void)state;
    char name[64], path[TEST_PATH];
    test_folder("run");
    const char *const kept[] = {"run/a.json", "run/b", "run/c.tmp1-0"};
    for (size_t i = 0; i < 3; i++) test_write(kept[i], "x", 1);
    snprintf(name, sizeof name, "run/b.tmp%ld-0", (long)getppid());
    test_write(name, "x", 1);
    char gone[64];
    snprintf(gone, sizeof gone, "run/a.json.tmp%ld-3", dead_process());
    test_write(gone, "x", 1);
    cst_folder_tidy(test_path("run", path), names);
    assert_false(cst_path_exists(test_path(gone, path)));
    assert_true(cst_path_exists(test_path(name, path)));
    for (size_t i = 0; i < 3; i++) assert_true(cst_path_exists(test_path(kept[i], path)));
    cst_folder_tidy("/nonexistent", names);
}

static void test_reasons(void **state)
{
    (void)state;
    cst_error error;
    assert_int_equal(cst_fail_io(&error, "x", "cannot sing", EACCES), CST_EIO);
    assert_string_equal(error.message, "x: cannot sing: Permission denied");
    assert_int_equal(cst_fail_io(&error, "x", "cannot sing", ENOMEM), CST_ENOMEM);
    assert_string_equal(error.message, "x: out of memory");
    assert_int_equal(cst_fail_io(NULL, "x", "cannot sing", EIO), CST_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leftovers), cmocka_unit_test(test_names),  cmocka_unit_test(test_paths_below),
        cmocka_unit_test(test_open),      cmocka_unit_test(test_append), cmocka_unit_test(test_tidy),
        cmocka_unit_test(test_reasons),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
