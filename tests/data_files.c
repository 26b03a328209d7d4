#include "tests/data_files.h"

#include <dirent.h>

char test_root[TEST_PATH];

const char *test_path(const char *name, char path[TEST_PATH])
{
    assert_in_range(snprintf(path, TEST_PATH, "%s/%s", test_root, name), 1, TEST_PATH - 1);
    return path;
}

void test_remove(const char *path)
{
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        cst_text inner = {0};
        cst_text_printf(&inner, "%s/%s", path, entry->d_name);
        test_remove(inner.data);
        free(inner.data);
    }
    if (folder) closedir(folder);
    (void)remove(path);
}

int test_make_root(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(test_root, sizeof test_root, "%s/costate-test-XXXXXX", base ? base : "/tmp");
    return mkdtemp(test_root) ? 0 : -1;
}

int test_remove_root(void **state)
{
    (void)state;
    test_remove(test_root);
    return 0;
}

void test_folder(const char *name)
{
    char path[TEST_PATH];
    assert_int_equal(mkdir(test_path(name, path), 0700), 0);
}

void test_write(const char *name, const void *bytes, size_t n)
{
    char path[TEST_PATH];
    FILE *file = fopen(test_path(name, path), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

void test_write_gz(const char *name, const void *bytes, size_t n)
{
    char path[TEST_PATH];
    gzFile file = gzopen(test_path(name, path), "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)n), (int)n);
    assert_int_equal(gzclose(file), Z_OK);
}

size_t test_read(const char *name, void *bytes, size_t capacity)
{
    char path[TEST_PATH];
    FILE *file = fopen(test_path(name, path), "rb");
    assert_non_null(file);
    const size_t n = fread(bytes, 1, capacity, file);
    fclose(file);
    assert_in_range(n, 0, capacity - 1);
    return n;
}

void test_assert_failure(cst_status status, cst_status expected, const cst_error *error, const char *const *words)
{
    if (status != expected) {
        fail_msg("expected %s, got %s: %s", cst_status_name(expected), cst_status_name(status),
                 status == CST_OK ? "" : error->message);
    }
    for (; *words; words++) {
        if (!strstr(error->message, *words)) fail_msg("\"%s\" is not in \"%s\"", *words, error->message);
    }
}

cst_status test_load(const char *json, uint64_t seed, cst_dataset *data, cst_error *error)
{
    char text[4 * TEST_PATH];
    size_t n = 0;
    for (const char *c = json; *c; c++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%.*s", *c == '@' ? TEST_PATH : 1, *c == '@' ? test_root : c);
        assert_in_range(n, 0, sizeof text - 1);
    }
    test_double_quotes(text);
    cst_document *document = NULL;
    cst_status status = cst_document_parse("test.json", text, n, &document, error);
    if (status == CST_OK) status = cst_dataset_load(cst_document_root(document), seed, data, error);
    cst_document_free(document);
    return status;
}

void test_load_ok(const char *json, uint64_t seed, cst_dataset *data)
{
    cst_error error = {0};
    if (test_load(json, seed, data, &error) != CST_OK) fail_msg("%s: %s", json, error.message);
}

void test_load_fails(const char *json, cst_status expected, const char *const *words)
{
    cst_dataset data;
    cst_error error = {0};
    test_assert_failure(test_load(json, 0, &data, &error), expected, &error, words);
    assert_null(data.train.bytes); /* a failed load keeps nothing */
    assert_null(data.train.labels);
}

void test_assert_near(const char *what, double got, double expected, double tolerance)
{
    const double error = got > expected ? got - expected : expected - got;
    if (!(error <= tolerance)) fail_msg("%s: expected %.17g, got %.17g", what, expected, got);
}
