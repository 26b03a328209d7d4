/* metrics.csv: written and read back, with other columns, cut at every length, damaged. */
#include "tests/data_files.h"
#include "tests/helpers.h"
#include "train/metrics.h"

#include <math.h>

enum { ROWS = 3 };

/* All columns of all rows differ. Some need 17 digits, some are NaN because they were not measured. */
static void fill(cst_metrics rows[ROWS])
{
    double values[ROWS * CST_N_METRICS];
    for (size_t i = 0; i < ROWS * CST_N_METRICS; i++) {
        values[i] = i % 3 == 0 ? (double)i : i % 3 == 1 ? 1 / (double)i : -1e-300 * (double)i;
        if (i % 7 == 5) values[i] = (double)NAN;
    }
    memcpy(rows, values, sizeof values);
}

static void assert_same(const cst_metrics *got, const cst_metrics *expected)
{
    double x[CST_N_METRICS], y[CST_N_METRICS];
    memcpy(x, got, sizeof x);
    memcpy(y, expected, sizeof y);
    for (size_t i = 0; i < CST_N_METRICS; i++) {
        if (x[i] == y[i] || (isnan(x[i]) && isnan(y[i]))) continue;
        fail_msg("%s: expected %.17g, got %.17g", cst_metric_names[i], y[i], x[i]);
    }
}

static void write_good(const char *name, const cst_metrics *rows, size_t n)
{
    char path[TEST_PATH];
    cst_error error = {0};
    if (cst_metrics_write(test_path(name, path), rows, n, &error) != CST_OK) fail_msg("%s", error.message);
}

static cst_metrics *read_good(const char *name, size_t *n)
{
    char path[TEST_PATH];
    cst_metrics *rows;
    cst_error error = {0};
    if (cst_metrics_read(test_path(name, path), &rows, n, &error) != CST_OK) fail_msg("%s", error.message);
    return rows;
}

/* ---- writing ------------------------------------------------------------------------------------------------- */

static void test_round_trip(void **state)
{
    (void)state;
    cst_metrics rows[ROWS];
    fill(rows);
    for (size_t n = 0; n <= ROWS; n++) { /* each write replaces the file before */
        size_t read = 99;
        write_good("a.csv", rows, n);
        cst_metrics *back = read_good("a.csv", &read);
        assert_int_equal(read, n);
        for (size_t i = 0; i < n; i++) assert_same(&back[i], &rows[i]);
        free(back);
    }
}

static void test_layout(void **state)
{
    (void)state;
    const double none = (double)NAN;
    double values[CST_N_METRICS];
    for (size_t i = 0; i < CST_N_METRICS; i++) values[i] = none;
    cst_metrics row;
    memcpy(&row, values, sizeof row);
    row.epoch = 1;
    row.lr = 0.001;
    row.train_loss = 2.0 / 3;
    row.validation_loss = (double)INFINITY; /* no number for a file */
    row.eval_seconds = 1.5;
    write_good("layout.csv", &row, 1);
    char text[1000] = "";
    test_read("layout.csv", text, sizeof text);
    assert_string_equal(
        text,
        "epoch,iterations,lr,train_loss,train_accuracy,validation_loss,validation_accuracy,test_loss,test_accuracy,"
        "grad_norm,forward_nfe,backward_nfe,forward_rejected,backward_rejected,backward_quadrature_nfe,"
        "eval_nfe,skipped,seconds,forward_seconds,backward_seconds,eval_seconds\n"
        "1,,0.001,0.6666666666666666,,,,,,,,,,,,,,,,,1.5\n");
    size_t n;
    cst_metrics *back = read_good("layout.csv", &n);
    row.validation_loss = none;
    assert_same(back, &row);
    free(back);
}

static void test_names(void **state)
{
    (void)state;
    size_t n = 0;
    while (cst_metric_names[n]) n++;
    assert_int_equal(n, CST_N_METRICS);
    assert_string_equal(cst_metric_names[offsetof(cst_metrics, validation_accuracy) / sizeof(double)],
                        "validation_accuracy");
    assert_string_equal(cst_metric_names[CST_N_METRICS - 1], "eval_seconds");
}

/* ---- files of other versions --------------------------------------------------------------------------------- */

static void test_other_columns(void **state)
{
    (void)state;
    static const char text[] = "seconds,flux,test_loss,epoch,validation_loss,\n"
                               "2.5,7,-1e-3,1,,8\n"
                               ",,0.5,2,0.25,\n";
    test_write("other.csv", text, strlen(text));
    size_t n;
    cst_metrics *rows = read_good("other.csv", &n);
    assert_int_equal(n, 2);
    assert_true(rows[0].seconds == 2.5 && rows[0].test_loss == -0.001 && rows[0].epoch == 1 &&
                isnan(rows[0].validation_loss));
    assert_true(isnan(rows[1].seconds) && rows[1].test_loss == 0.5 && rows[1].epoch == 2 &&
                rows[1].validation_loss == 0.25);
    for (size_t i = 0; i < n; i++) assert_true(isnan(rows[i].lr) && isnan(rows[i].eval_seconds));
    free(rows);
}

/* ---- damage -------------------------------------------------------------------------------------------------- */

/* The message after the file's name. A failed read keeps nothing. */
static void assert_malformed(const char *name, const char *message)
{
    char path[TEST_PATH], expected[2 * TEST_PATH];
    cst_metrics row, *rows = &row;
    size_t n = 99;
    cst_error error = {0};
    const cst_status status = cst_metrics_read(test_path(name, path), &rows, &n, &error);
    snprintf(expected, sizeof expected, "%s: %s", path, message);
    if (status != CST_EFORMAT) fail_msg("expected \"%s\", got %s", expected, cst_status_name(status));
    assert_string_equal(error.message, expected);
    assert_null(rows);
    assert_int_equal(n, 0);
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "line 1: expected a newline at its end"},
        {"epoch,lr", "line 1: expected a newline at its end"},
        {"epoch,lr\n1,2\n3\n", "line 3: expected 2 numbers"},
        {"epoch,lr\n1,2,3\n", "line 2: expected 2 numbers"},
        {"epoch,lr\n1,x\n", "line 2: expected 2 numbers"},
        {"epoch,lr\n1,2x\n", "line 2: expected 2 numbers"},
        {"epoch,lr\n1,2\r\n", "line 2: expected 2 numbers"},
        {"epoch,lr\n1,2\n\n3,4\n", "line 3: expected 2 numbers"},
        {"epoch,lr\n1,2\n3,4", "line 3: expected a newline at its end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_write("bad.csv", cases[i].text, strlen(cases[i].text));
        assert_malformed("bad.csv", cases[i].message);
    }
    test_write("nul.csv", "epoch,lr\n1,2\0\n", 14);
    assert_malformed("nul.csv", "line 2: expected a newline at its end");
    test_write("nul.csv", "epoch,lr\n1,2\n\0garbage\n", 22);
    assert_malformed("nul.csv", "line 3: expected a newline at its end");
}

static void test_too_many_columns(void **state)
{
    (void)state;
    for (size_t extra = 63; extra <= 64; extra++) {
        cst_text text = {0};
        for (int line = 0; line < 2; line++) {
            for (size_t i = 0; i < extra; i++) cst_text_puts(&text, line ? "5," : "x,");
            cst_text_puts(&text, line ? "7\n" : "epoch\n");
        }
        test_write("wide.csv", text.data, text.size);
        free(text.data);
        if (extra == 64) {
            assert_malformed("wide.csv", "line 1: expected at most 64 columns");
            continue;
        }
        size_t n;
        cst_metrics *rows = read_good("wide.csv", &n);
        assert_true(n == 1 && rows[0].epoch == 7);
        free(rows);
    }
}

/* A number that has lost digits is still a number. Only the newline at the line's end shows that it is complete. */
static void test_truncated(void **state)
{
    (void)state;
    cst_metrics rows[ROWS];
    char text[4000], path[TEST_PATH];
    fill(rows);
    write_good("whole.csv", rows, ROWS);
    const size_t size = test_read("whole.csv", text, sizeof text);
    size_t lines = ROWS + 1;
    for (size_t n = size; n-- > 0;) {
        if (text[n] == '\n') lines--;
        assert_int_equal(truncate(test_path("whole.csv", path), (off_t)n), 0);
        if (n > 0 && text[n - 1] == '\n') {
            size_t got;
            cst_metrics *back = read_good("whole.csv", &got);
            assert_int_equal(got, lines - 1);
            for (size_t i = 0; i < got; i++) assert_same(&back[i], &rows[i]);
            free(back);
            continue;
        }
        char message[80];
        snprintf(message, sizeof message, "line %zu: expected a newline at its end", lines + 1);
        assert_malformed("whole.csv", message);
    }
    assert_int_equal(lines, 0);
}

static void test_flipped(void **state)
{
    (void)state;
    static const char others[] = {'\0', '\n', ',', 'x', '9', '-'};
    cst_metrics rows[ROWS];
    char text[4000], path[TEST_PATH];
    fill(rows);
    write_good("flipped.csv", rows, 1);
    const size_t size = test_read("flipped.csv", text, sizeof text);
    test_path("flipped.csv", path);
    for (size_t i = 0; i < size; i++) {
        for (size_t k = 0; k < sizeof others; k++) {
            test_poke(path, i, others[k]);
            cst_metrics *back;
            size_t n;
            const cst_status status = cst_metrics_read(path, &back, &n, NULL);
            assert_true(status == CST_OK || (status == CST_EFORMAT && !back));
            free(back);
        }
        test_poke(path, i, text[i]);
    }
}

static void test_places(void **state)
{
    (void)state;
    char path[TEST_PATH], expected[2 * TEST_PATH];
    cst_metrics row = {0}, *rows;
    size_t n;
    cst_error error = {0};
    assert_int_equal(cst_metrics_read(test_path("absent.csv", path), &rows, &n, &error), CST_EIO);
    snprintf(expected, sizeof expected, "%s: cannot open: No such file or directory", path);
    assert_string_equal(error.message, expected);
    assert_null(rows);
    assert_int_equal(cst_metrics_write(test_path("absent/a.csv", path), &row, 1, &error), CST_EIO);
    snprintf(expected, sizeof expected, "%s: cannot write: No such file or directory", path);
    assert_string_equal(error.message, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_layout),    cmocka_unit_test(test_names),
        cmocka_unit_test(test_other_columns), cmocka_unit_test(test_malformed), cmocka_unit_test(test_too_many_columns),
        cmocka_unit_test(test_truncated),     cmocka_unit_test(test_flipped),   cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
