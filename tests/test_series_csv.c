/* Series from CSV tables: classes, targets, times, splits, and errors. */
#include "tests/data_files.h"

#include <math.h>

#define TABLE                                                                                                          \
    "{'type': 'series_csv', 'path': '@', 'train': 'a.csv', 'id_column': 'who', 'time_column': "                        \
    "'t', "                                                                                                            \
    "'target': "

static const double gap = (double)NAN;

static void write_text(const char *name, const char *text)
{
    test_write(name, text, strlen(text));
}

/* The rows of a table with these keys, not normalized. */
static void reads(const char *text, const char *more, size_t n, size_t steps, size_t channels, const double *expected,
                  cst_dataset *data)
{
    char json[500], shape[CST_SHAPE_TEXT];
    snprintf(json, sizeof json, TABLE "%s, 'normalize': false}", more);
    write_text("a.csv", text);
    test_load_ok(json, 0, data);
    if (data->train.n != n || !cst_shape_equal(&data->x, &(cst_shape){2, {steps, channels}}))
        fail_msg("%s: got %zu rows of %s", text, data->train.n, cst_shape_text(&data->x, shape));
    for (size_t i = 0; expected && i < n * steps * channels; i++) {
        const double got = (double)data->train.values[i];
        if (!(isnan(expected[i]) ? isnan(got) : got == expected[i]))
            fail_msg("%s: number %zu: expected %g, got %g", text, i, expected[i], got);
    }
}

static void refuses(const char *text, const char *more, const char *const *words)
{
    char json[500];
    snprintf(json, sizeof json, TABLE "%s}", more);
    write_text("a.csv", text);
    test_load_fails(json, CST_EFORMAT, words);
}

#define VISITS                                                                                                         \
    "who,t,pulse,note,state,weight\n"                                                                                  \
    "ann,0,60,x,ill,70\n"                                                                                              \
    "ann,1.5,,y,ill,71\n"                                                                                              \
    "ann,4,62,,ill,\n"                                                                                                 \
    "\"bob, jr\",-1,80,z,fine,90\n"

static const double visits[] = {0, 60, 70, 1.5, gap, 71, 4, 62, gap, -1, 80, 90, gap, gap, gap, gap, gap, gap};

static void test_classes(void **state)
{
    (void)state;
    cst_dataset data;
    reads(VISITS, "'state', 'ignore': ['note']", 2, 3, 3, visits, &data);
    assert_true(data.n_classes == 2 && data.n_targets == 0 && data.steps == 0);
    assert_true(data.train.labels[0] == 1 && data.train.labels[1] == 0); /* "fine" before "ill" */
    cst_dataset_clear(&data);
    reads(VISITS, "'state', 'ignore': ['note', 'weight'], 'time': 'none'", 2, 3, 1,
          (double[]){60, gap, 62, 80, gap, gap}, &data);
    cst_dataset_clear(&data);
    reads(VISITS, "'state', 'ignore': ['note', 'weight'], 'time': 'index'", 2, 3, 2,
          (double[]){0, 60, 1, gap, 2, 62, 0, 80, gap, gap, gap, gap}, &data);
    cst_dataset_clear(&data);
}

static void test_targets(void **state)
{
    (void)state;
    cst_dataset data;
    reads("who;x;t;u;v\nb;1;0;5;6\nb;2;1;5;6.0\na;3;0;7;8\n", "['v', 'u'], 'task': 'regression', 'separator': ';'", 2,
          2, 2, (double[]){0, 1, 1, 2, 0, 3, gap, gap}, &data);
    assert_true(data.n_targets == 2 && data.n_classes == 0 && !data.train.labels);
    assert_memory_equal(data.train.targets, ((real[]){6, 5, 8, 7}), 4 * sizeof(real));
    cst_dataset_clear(&data);
    /* Without a header columns are numbered. */
    write_text("a.csv", "1,0,5,9\n1,1,6,9\n2,0,7,8\n");
    test_load_ok(JSON({
                     "type": "series_csv",
                     "train": "@/a.csv",
                     "id_column": "1",
                     "time_column": "2",
                     "target": "4",
                     "task": "regression"
                 }),
                 0, &data);
    assert_true(data.train.n == 2 && data.train.values[3] == 6 && data.train.targets[1] == 8);
    cst_dataset_clear(&data);
}

static void test_target_per_time(void **state)
{
    (void)state;
    cst_dataset data;
    reads("who,t,x,y\na,0,1,up\na,1,2,\na,2,3,down\nb,0,4,down\n", "'y', 'target_per': 'time'", 2, 3, 2,
          (double[]){0, 1, 1, 2, 2, 3, 0, 4, gap, gap, gap, gap}, &data);
    assert_true(data.steps == 3 && data.n_classes == 2);
    assert_memory_equal(data.train.labels, ((int32_t[]){1, -1, 0, 0, -1, -1}), 6 * sizeof(int32_t));
    cst_dataset_clear(&data);
    reads("who,t,x,y,z\na,0,1,5,\na,1,2,6,7\nb,0,3,,9\n", "['y', 'z'], 'target_per': 'time', 'task': 'regression'", 2,
          2, 2, (double[]){0, 1, 1, 2, 0, 3, gap, gap}, &data);
    assert_true(data.steps == 2 && data.n_targets == 4);
    const real *y = data.train.targets;
    assert_true(y[0] == 5 && isnan(y[1]) && y[2] == 6 && y[3] == 7 && isnan(y[4]) && y[5] == 9 && isnan(y[6]));
    cst_dataset_clear(&data);
}

/* Floats resolve every 128th such second only, so times count from the earliest one. */
static void test_unix_times(void **state)
{
    (void)state;
    cst_dataset data;
    const double first = sizeof(real) == sizeof(float) ? 1599999000 : 0, t = 1.6e9 - first;
    reads("who,t,x,y\na,1600000001.5,1,u\na,1600000031,2,u\na,1600001031,3,u\nb,1599999000,4,v\n", "'y'", 2, 3, 2,
          (double[]){t + 1.5, 1, t + 31, 2, t + 1031, 3, 1599999000 - first, 4, gap, gap, gap, gap}, &data);
    cst_dataset_clear(&data);
}

static void test_splits(void **state)
{
    (void)state;
    cst_dataset data;
    write_text("b.csv",
               "who,t,pulse,note,state,weight\nann,0,1,,fine,2\nann,1,1,,fine,2\nann,2,,,fine,\nann,3,4,,fine,\n");
    reads(VISITS, "'state', 'ignore': ['note'], 'test': 'b.csv', 'validation_size': 1", 1, 4, 3, NULL, &data);
    assert_true(data.validation.n == 1 && data.test.n == 1 && data.test.labels[0] == 0 && data.test.values[10] == 4);
    cst_dataset_clear(&data);
    write_text("c.csv", "who,t,pulse,note,state,weight\nx,0,1,,dead,2\n");
    refuses(VISITS, "'state', 'ignore': ['note'], 'test': 'c.csv'",
            TEST_WORDS("/c.csv: line 2, column \"state\": expected a class that the training file has, got \"dead\""));
    write_text("d.csv", "who,t,pulse,state,weight\nx,0,1,ill,2\n");
    refuses(VISITS, "'state', 'ignore': ['note'], 'validation': 'd.csv'",
            TEST_WORDS("/d.csv: line 1: expected 6 fields as in", "/a.csv, found 5"));
}

/* ---- errors -------------------------------------------------------------------------------------------------- */

#define HEAD "who,t,x,y\n"

static void test_lines_that_are_wrong(void **state)
{
    (void)state;
    refuses("", "'y'", TEST_WORDS("/a.csv: expected a table, found no line"));
    refuses(HEAD, "'y'", TEST_WORDS("/a.csv: expected lines after the header, found none"));
    refuses(HEAD ",0,1,u\n", "'y'", TEST_WORDS("line 2, column \"who\": expected the name of a series, got \"\""));
    refuses(HEAD "a,,1,u\n", "'y'", TEST_WORDS("line 2, column \"t\": expected a number, got \"\""));
    refuses(HEAD "a,0,nan,u\n", "'y'", TEST_WORDS("line 2, column \"x\": expected a number, got \"nan\""));
    refuses(HEAD "a,0,1e999,u\n", "'y'", TEST_WORDS("line 2, column \"x\": expected a number in the range"));
    refuses(HEAD "a,0,1,u\na,0,2,u\n", "'y'",
            TEST_WORDS("line 3, column \"t\": expected a time later than on the series' previous line, got \"0\""));
    refuses(HEAD "a,1,1,u\na,0.5,2,u\n", "'y'", TEST_WORDS("line 3, column \"t\": expected a time later than"));
    refuses(HEAD "a,0,1,u\na,1e999,2,u\n", "'y'", TEST_WORDS("line 3, column \"t\": expected a number in the range"));
#ifndef CST_DOUBLE
    refuses(HEAD "a,0,1,u\na,1600000000,1,u\na,1600000001,2,u\n", "'y'",
            TEST_WORDS("/a.csv: series 0, time 2: expected times that increase, found 1600000001 after 1600000000 in a "
                       "float's precision"));
#endif
    refuses(HEAD "b,0,1,u\na,0,2,u\nb,1,3,u\n", "'y'",
            TEST_WORDS("/a.csv: line 4: expected the lines of a series to be consecutive, but \"b\" also has lines "
                       "from line 2 on"));
    refuses(HEAD "a,0,1,u\na,1,2,v\n", "'y'",
            TEST_WORDS("line 3, column \"y\": expected the class on the series' previous lines, got \"v\""));
    refuses(HEAD "a,0,1,\n", "'y'", TEST_WORDS("line 2, column \"y\": expected the name of a class"));
    refuses(HEAD "a,0,1,2\na,1,2,3\n", "'y', 'task': 'regression'",
            TEST_WORDS("line 3, column \"y\": expected the number on the series' previous lines, got \"3\""));
    refuses(HEAD "a,0,1,\n", "'y', 'task': 'regression'",
            TEST_WORDS("line 2, column \"y\": expected a number, got \"\""));
    refuses(HEAD "a,0,,u\na,1,,u\n", "'y'",
            TEST_WORDS("/a.csv: channel 0: expected a value in the training split, found none"));
    refuses(HEAD "a,0,1\n", "'y'", TEST_WORDS("line 2: expected 4 fields"));
}

static void test_configs_that_are_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *id, *time, *target, *words[2];
    } cases[] = {
        {"whom", "t", "y", {"test.json: id_column: expected a column", "(the nearest is \"who\"), got \"whom\""}},
        {"who", "u", "y", {"test.json: time_column: expected a column of the table", ""}},
        {"who", "who", "y", {"test.json: time_column: expected another column, as this one has been named before", ""}},
        {"who", "t", "t", {"test.json", "this one has been named before"}},
    };
    write_text("a.csv", HEAD "a,0,1,u\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[500];
        snprintf(
            json, sizeof json,
            JSON({"type": "series_csv", "train": "@/a.csv", "id_column": "%s", "time_column": "%s", "target": "%s"}),
            cases[i].id, cases[i].time, cases[i].target);
        test_load_fails(json, CST_ECONFIG, TEST_WORDS(cases[i].words[0], cases[i].words[1]));
    }
    test_load_fails(TABLE "'y', 'ignore': ['x']}", CST_ECONFIG,
                    TEST_WORDS("expected a table with other columns than those named here"));
    test_load_fails(TABLE "'y', 'separator': '1'}", CST_ECONFIG, TEST_WORDS("separator: expected one character"));
}

/* A table cut at any byte, or with any byte changed, is read, or refused with the file's name. */
static void test_damaged(void **state)
{
    (void)state;
    static const char good[] = VISITS;
    char bytes[sizeof good];
    for (size_t i = 0; i < 2 * (sizeof good - 1); i++) {
        cst_dataset data;
        cst_error error = {0};
        const size_t at = i / 2, n = i % 2 ? sizeof good - 1 : at;
        memcpy(bytes, good, sizeof good);
        if (i % 2) bytes[at] = (char)(bytes[at] ^ 1 << at % 7);
        test_write("a.csv", bytes, n);
        const cst_status status = test_load(TABLE "'state', 'ignore': ['note']}", 0, &data, &error);
        if (status == CST_OK)
            cst_dataset_clear(&data);
        else if (!strstr(error.message, status == CST_ECONFIG ? "test.json" : "/a.csv"))
            fail_msg("%s: %s", cst_status_name(status), error.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_target_per_time),
        cmocka_unit_test(test_unix_times),
        cmocka_unit_test(test_splits),
        cmocka_unit_test(test_lines_that_are_wrong),
        cmocka_unit_test(test_configs_that_are_wrong),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
