/* Traces that are continued: which rows are kept, however the file ends and however large it is. */
#include "core/file.h"
#include "tests/data_files.h"
#include "tests/helpers.h"
#include "train/trace.h"

/* Iterations 0, 3, 6 ... with several rows each, of different lengths; the offsets at which the rows before an
 * iteration end. */
static const char *const blocks[] = {"a", "a.longer.name", "b"};

static cst_text make_rows(uint64_t before)
{
    cst_text text = {0};
    cst_text_puts(&text, "iteration,block,direction,method,solve,t,dt,ratio,accepted,decided_by\n");
    for (uint64_t i = 0; i < before; i += 3)
        for (uint64_t j = 0; j < 1 + i % 4; j++)
            cst_text_printf(&text, "%llu,%s,forward,dopri5,0,0,0.%llu,0.5,1,z\n", (unsigned long long)i, blocks[j % 3],
                            (unsigned long long)(1 + i * i * i));
    assert_false(text.failed);
    return text;
}

static void put(const char *path, const char *text, size_t size)
{
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(text, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

/* Open the trace at this iteration, add a row, and expect the rows before the iteration and the new one. */
static void check_open(const char *path, uint64_t iteration)
{
    cst_error error;
    FILE *stream;
    cst_attempt attempt = {.dt = 0.25, .accepted = true, .block = "z"};
    const cst_solve_stats stats = {.method = "dopri5", .attempts = &attempt, .n_attempts = 1};
    test_assert_ok("open", cst_trace_open(path, iteration, &stream, &error), &error);
    cst_trace_write(stream, iteration, "new", true, &stats);
    assert_int_equal(fclose(stream), 0);
    char *text;
    size_t size;
    test_assert_ok("read", cst_file_read(path, 1 << 20, &text, &size, &error), &error);
    cst_text expected = make_rows(iteration);
    cst_text_printf(&expected, "%llu,new,backward,dopri5,0,0,0.25,0,1,z\n", (unsigned long long)iteration);
    assert_string_equal(text, expected.data);
    free(text);
    free(expected.data);
}

static void rows_before_an_iteration_stay(void **state)
{
    (void)state;
    char path[TEST_PATH];
    test_path("trace.csv", path);
    const cst_text whole = make_rows(30);
    for (uint64_t iteration = 1; iteration < 31; iteration++) {
        for (size_t lost = 0; lost < 40; lost += 13) { /* of the last line */
            put(path, whole.data, whole.size - lost);
            if (lost == 0 || iteration <= 27) check_open(path, iteration);
        }
    }
    free(whole.data);
}

static void a_large_trace_is_not_read(void **state)
{
    (void)state;
    char path[TEST_PATH];
    test_path("large.csv", path);
    cst_text rows = make_rows(12);
    cst_text_puts(&rows, "12,a,");
    put(path, rows.data, rows.size);
    assert_int_equal(truncate(path, ((off_t)1 << 30) + 4096), 0); /* a last line without its newline */
    check_open(path, 12);
    free(rows.data);
}

static void other_files_are_left_alone(void **state)
{
    (void)state;
    static const char text[] = "iteration,block\n1,2\n";
    char path[TEST_PATH], *left;
    size_t size;
    cst_error error;
    FILE *stream;
    put(test_path("other.csv", path), text, sizeof text - 1);
    assert_int_equal(cst_trace_open(path, 1, &stream, &error), CST_EFORMAT);
    assert_null(stream);
    assert_non_null(strstr(error.message, "other.csv: line 1: expected \"iteration,block,"));
    test_assert_ok("read", cst_file_read(path, 100, &left, &size, &error), &error);
    assert_string_equal(left, text);
    free(left);
    assert_int_equal(cst_trace_open(test_root, 1, &stream, &error), CST_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_before_an_iteration_stay),
        cmocka_unit_test(a_large_trace_is_not_read),
        cmocka_unit_test(other_files_are_left_alone),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
