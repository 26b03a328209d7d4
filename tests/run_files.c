#include "tests/run_files.h"

#include "tests/data_files.h"
#include "tests/helpers.h"

#include "core/file.h"
#include "train/checkpoint.h"
#include "train/summary.h"
#include "train/trace.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void join(char path[TEST_PATH], const char *folder, const char *name)
{
    assert_in_range(snprintf(path, TEST_PATH, "%s/%s", folder, name), 1, TEST_PATH - 1);
}

bool test_has(const char *folder, const char *name)
{
    char path[TEST_PATH];
    join(path, folder, name);
    return cst_path_exists(path);
}

/* ---- reading a run's files ----------------------------------------------------------------------------------- */

static cst_status read_document(const char *path, cst_error *error)
{
    cst_document *document;
    CST_TRY(cst_document_load(path, &document, error));
    cst_document_free(document);
    return CST_OK;
}

static cst_status read_metrics(const char *path, cst_error *error)
{
    cst_metrics *rows;
    size_t n;
    CST_TRY(cst_metrics_read(path, &rows, &n, error));
    free(rows);
    return CST_OK;
}

static cst_status read_tensors(const char *path, cst_error *error)
{
    cst_safetensors *file;
    CST_TRY(cst_safetensors_open(path, &file, error));
    cst_safetensors_close(file);
    return CST_OK;
}

static cst_status read_checkpoint(const char *path, cst_error *error)
{
    cst_safetensors *file;
    int threads;
    CST_TRY(cst_checkpoint_open(path, &file, &threads, error));
    cst_safetensors_close(file);
    return CST_OK;
}

static cst_status read_summary(const char *path, cst_error *error)
{
    cst_summary summary;
    return cst_summary_read(path, &summary, error);
}

/* Of a log or a table, only the end may be damaged. */
static cst_status read_lines(const char *path, cst_error *error)
{
    char *bytes;
    size_t n;
    CST_TRY(cst_file_read(path, (size_t)1 << 30, &bytes, &n, error));
    const bool whole = n == 0 || bytes[n - 1] == '\n';
    free(bytes);
    return whole ? CST_OK : cst_fail(error, CST_EFORMAT, "%s: ends within a line", path);
}

static void ignore_row(void *context, const cst_trace_row *row)
{
    (void)context, (void)row;
}

static cst_status read_trace(const char *path, cst_error *error)
{
    return cst_trace_read(path, ignore_row, NULL, error);
}

static const struct {
    const char *name;
    cst_status (*read)(const char *path, cst_error *error);
} files[] = {
    {"config.json", read_document}, {"comparison.json", read_document},  {"metrics.csv", read_metrics},
    {"comparison.csv", read_lines}, {"model.safetensors", read_tensors}, {"checkpoint.safetensors", read_checkpoint},
    {"summary.json", read_summary}, {"comparison.md", read_lines},       {"log.txt", read_lines},
    {"trace.csv", read_trace},
};
enum { N_FILES = sizeof files / sizeof files[0] };

static void check_file(const char *path, const char *name, bool temporary)
{
    cst_error error = {0};
    for (size_t i = 0; i < N_FILES; i++) {
        if (strcmp(name, files[i].name) != 0) continue;
        if (files[i].read(path, &error) != CST_OK) fail_msg("%s", error.message);
        return;
    }
    if (!temporary || !strstr(name, ".tmp")) fail_msg("%s was left behind", path);
}

void test_check_run(const char *folder, bool temporary)
{
    DIR *dir = opendir(folder);
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.') continue;
        char path[TEST_PATH];
        struct stat info;
        join(path, folder, entry->d_name);
        assert_int_equal(stat(path, &info), 0);
        if (S_ISDIR(info.st_mode))
            test_check_run(path, temporary);
        else
            check_file(path, entry->d_name, temporary);
    }
    if (dir) closedir(dir);
}

char *test_read_all(const char *folder, const char *name, size_t *size)
{
    char path[TEST_PATH], *bytes = NULL;
    cst_error error;
    join(path, folder, name);
    if (cst_file_read(path, (size_t)1 << 30, &bytes, size, &error) != CST_OK) fail_msg("%s", error.message);
    return bytes;
}

/* ---- comparing ----------------------------------------------------------------------------------------------- */

static void same_file(const char *folder, const char *expected, const char *name)
{
    size_t n, m;
    char *a = test_read_all(folder, name, &n), *b = test_read_all(expected, name, &m);
    if (n != m || memcmp(a, b, n) != 0) fail_msg("%s/%s and %s/%s are not the same", folder, name, expected, name);
    free(a);
    free(b);
}

/* Compare all columns except seconds, which come last. */
static void same_metrics(const char *folder, const char *expected)
{
    char path[TEST_PATH];
    cst_metrics *a, *b;
    size_t n, m;
    cst_error error;
    join(path, folder, "metrics.csv");
    test_assert_ok("metrics", cst_metrics_read(path, &a, &n, &error), &error);
    join(path, expected, "metrics.csv");
    test_assert_ok("metrics", cst_metrics_read(path, &b, &m, &error), &error);
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], offsetof(cst_metrics, seconds)) != 0)
            fail_msg("%s: epoch %zu is not that of %s", folder, i + 1, expected);
    free(a);
    free(b);
}

static void same_summary(const char *folder, const char *expected)
{
    char path[TEST_PATH];
    cst_summary a, b;
    cst_error error;
    join(path, folder, "summary.json");
    test_assert_ok("summary", cst_summary_read(path, &a, &error), &error);
    join(path, expected, "summary.json");
    test_assert_ok("summary", cst_summary_read(path, &b, &error), &error);
    if (memcmp(&a, &b, offsetof(cst_summary, seconds)) != 0)
        fail_msg("the summary of %s is not that of %s", folder, expected);
}

void test_same_run(const char *folder, const char *expected)
{
    same_file(folder, expected, "config.json");
    same_file(folder, expected, "model.safetensors");
    if (test_has(expected, "trace.csv")) same_file(folder, expected, "trace.csv");
    same_metrics(folder, expected);
    same_summary(folder, expected);
}

/* ---- copying ------------------------------------------------------------------------------------------------- */

void test_copy_run(const char *from, const char *to)
{
    test_remove(to);
    assert_int_equal(mkdir(to, 0700), 0);
    DIR *dir = opendir(from);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.') continue;
        char path[TEST_PATH];
        size_t n;
        char *bytes = test_read_all(from, entry->d_name, &n);
        join(path, to, entry->d_name);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, n, file), n);
        assert_int_equal(fclose(file), 0);
        free(bytes);
    }
    closedir(dir);
}
