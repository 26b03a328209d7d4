/* Series in .ts files: dimensions, classes, targets, time stamps, splits, and errors. */
#include "datasets/ts.h"
#include "tests/data_files.h"

#include <math.h>
#include <unistd.h>

#define HEADER "@timeStamps false\n@classLabel true a b\n@data\n"
#define TIMED "@timeStamps true\n@classLabel true a b\n@data\n"
#define FILES "{'type': 'ts', 'path': '@', 'train': 'a.ts'"

static const double gap = (double)NAN;

static void write_text(const char *name, const char *text)
{
    test_write(name, text, strlen(text));
}

/* The shape of the rows of a file, not normalized, and their values one after the other. */
static void reads(const char *text, const char *more, size_t n, size_t steps, size_t channels, const double *expected,
                  cst_dataset *data)
{
    char json[300];
    snprintf(json, sizeof json, FILES ", 'normalize': false%s}", more);
    write_text("a.ts", text);
    test_load_ok(json, 0, data);
    char shape[CST_SHAPE_TEXT];
    if (data->train.n != n || !cst_shape_equal(&data->x, &(cst_shape){2, {steps, channels}}))
        fail_msg("%s: got %zu rows of %s", text, data->train.n, cst_shape_text(&data->x, shape));
    for (size_t i = 0; expected && i < n * steps * channels; i++) {
        const double got = (double)data->train.values[i];
        if (!(isnan(expected[i]) ? isnan(got) : fabs(got - expected[i]) <= 1e-6 * fabs(expected[i])))
            fail_msg("%s: number %zu: expected %g, got %g", text, i, expected[i], got);
    }
}

static void refuses(const char *text, const char *const *words)
{
    write_text("a.ts", text);
    test_load_fails(FILES "}", CST_EFORMAT, words);
}

/* ---- values -------------------------------------------------------------------------------------------------- */

static void test_dimensions(void **state)
{
    (void)state;
    cst_dataset data;
    reads("#a comment\n\n@problemName X\n@TimeStamps FALSE\n@univariate false\n@dimensions 2\n@equalLength false\n"
          "@classLabel true b a c\n@data\n1,2,3:4,5,6:a\n \n# another\n-1e1, ? :NaN,.5:b\r\n",
          "", 2, 3, 3, (double[]){0, 1, 4, 1, 2, 5, 2, 3, 6, 0, -10, gap, 1, gap, 0.5, gap, gap, gap}, &data);
    assert_int_equal(data.n_classes, 3);
    assert_true(data.train.labels[0] == 1 && data.train.labels[1] == 0); /* in the header's order */
    assert_true(data.n_targets == 0 && data.steps == 0);
    cst_dataset_clear(&data);
    reads("@univariate true\n@classlabel true x\n@data\n7,8:x", "", 1, 2, 2, (double[]){0, 7, 1, 8}, &data);
    cst_dataset_clear(&data);
    reads(HEADER "1:2:3:a\n4:?:6:b\n", ", 'time': 'none'", 2, 1, 3, (double[]){1, 2, 3, 4, gap, 6}, &data);
    cst_dataset_clear(&data);
}

/* As many classes as series without times, in any order. */
static void test_classes(void **state)
{
    (void)state;
    enum { N = 300000, STEP = 7919 }; /* without a common divisor */
    cst_dataset data;
    cst_text text = {0};
    cst_text_puts(&text, "@classLabel true");
    for (size_t i = 0; i < N; i++) cst_text_printf(&text, " c%zu", i * STEP % N);
    cst_text_puts(&text, "\n@data\n");
    for (size_t i = 0; i < N; i++) cst_text_printf(&text, "1:c%zu\n", (N - 1 - i) * STEP % N);
    assert_false(text.failed);
    alarm(60); /* SIGALRM ends a test that takes longer */
    reads(text.data, "", N, 1, 2, NULL, &data);
    alarm(0);
    free(text.data);
    assert_int_equal(data.n_classes, N);
    for (size_t i = 0; i < N; i++) assert_int_equal(data.train.labels[i], N - 1 - i);
    cst_dataset_clear(&data);
    /* Of a name that occurs twice, the first counts. */
    reads("@classLabel true b twice a twice\n@data\n1:twice\n2:a\n", "", 2, 1, 2, NULL, &data);
    assert_true(data.train.labels[0] == 1 && data.train.labels[1] == 2);
    cst_dataset_clear(&data);
}

static void test_targets(void **state)
{
    (void)state;
    cst_dataset data;
    reads("@targetLabel true\n@classLabel false\n@data\n1,2:0.25\n3,4:-1e2\n", ", 'intensity': true", 2, 2, 3,
          (double[]){0, 1, 1, 1, 2, 2, 0, 3, 1, 1, 4, 2}, &data);
    assert_true(data.n_targets == 1 && data.n_classes == 0 && !data.train.labels);
    assert_true(data.train.targets[0] == (real)0.25 && data.train.targets[1] == -100);
    cst_dataset_clear(&data);
}

static void test_time_stamps(void **state)
{
    (void)state;
    cst_dataset data;
    /* Dimensions with times of their own: a series has all of these times. */
    reads(TIMED "(0,1),(2,2),(5,?):(1, 10) , (2,20):a\n:(-1.5,3):b\n", "", 2, 4, 3,
          (double[]){0,    1,   gap, 1,   gap, 10,  2,   2,   20,  5,   gap, gap,
                     -1.5, gap, 3,   gap, gap, gap, gap, gap, gap, gap, gap, gap},
          &data);
    cst_dataset_clear(&data);
    reads(TIMED "(0,1),(2,2):(1,10),(2,20):a\n", ", 'time': 'index'", 1, 3, 3,
          (double[]){0, 1, gap, 1, gap, 10, 2, 2, 20}, &data);
    cst_dataset_clear(&data);
}

/* In seconds from the series' first time: over a leap day, a year's end, a century without a leap day, and one with. */
static void test_dates(void **state)
{
    (void)state;
    cst_dataset data;
    reads(TIMED "(2004-02-28 23:59:59,1),(2004-02-29 00:00:00,2),(2004-03-01 00:00:01,3):a\n"
                "(1999-12-31 23:00:00,1),(2000-01-01 01:00:00,2),(2000-03-01 01:00:00,3):a\n"
                "(1900-02-28 00:00:00,1),(1900-03-01 00:00:00,2),(1901-03-01 00:00:00,3):b\n",
          "", 3, 3, 2,
          (double[]){0, 1, 1, 2, 86402, 3, 0, 1, 7200, 2, 60 * 86400 + 7200, 3, 0, 1, 86400, 2, 366 * 86400, 3}, &data);
    cst_dataset_clear(&data);
    /* The first of all dimensions. */
    reads(TIMED "(2020-01-01 00:01:00,1):(2020-01-01 00:00:30,2):a\n", "", 1, 2, 3, (double[]){0, gap, 2, 30, 1, gap},
          &data);
    cst_dataset_clear(&data);
}

/* Floats resolve every 128th such second only, so times count from the first one. */
static void test_unix_times(void **state)
{
    (void)state;
    cst_dataset data;
    const double first = sizeof(real) == sizeof(float) ? 1.6e9 : 0, t = 1.6e9 - first;
    reads(TIMED "(1600000000,1),(1600000030,2):(1600000015,3),(1600000030,4):a\n", "", 1, 3, 3,
          (double[]){t, 1, gap, t + 15, gap, 3, t + 30, 2, 4}, &data);
    cst_dataset_clear(&data);
}

static void test_splits(void **state)
{
    (void)state;
    cst_dataset data;
    write_text("b.ts", "@classLabel true b c a\n@data\n1,2,3,4:a\n5:b\n"); /* classes are the training file's */
    reads(HEADER "1,2:a\n3:b\n4:a\n", ", 'test': 'b.ts', 'validation_size': 1", 2, 4, 2, NULL, &data);
    assert_true(data.n_classes == 2 && data.validation.n == 1 && data.test.n == 2);
    assert_true(data.test.labels[0] == 0 && data.test.labels[1] == 1 && data.test.values[7] == 4);
    cst_dataset_clear(&data);
    write_text("c.ts", "@classLabel true b c a\n@data\n1,2:a\n5:c\n");
    test_load_fails(FILES ", 'validation': 'c.ts'}", CST_EFORMAT,
                    TEST_WORDS("/c.ts: line 4: expected a class that the training file's @classLabel names, found "
                               "\"c\""));
    write_text("d.ts", "@targetLabel true\n@data\n1,2:3\n");
    test_load_fails(FILES ", 'test': 'd.ts'}", CST_EFORMAT, TEST_WORDS("/d.ts: expected a label per series"));
    write_text("e.ts", HEADER "1,2:3,4:a\n");
    test_load_fails(FILES ", 'test': 'e.ts'}", CST_EFORMAT, TEST_WORDS("/e.ts: expected 1 channels", "found 2"));
    test_load_fails(FILES ", 'test': 'absent'}", CST_EIO, TEST_WORDS("absent"));
}

/* ---- errors -------------------------------------------------------------------------------------------------- */

static void test_headers_that_are_wrong(void **state)
{
    (void)state;
    refuses("", TEST_WORDS("/a.ts: expected a line @data, found the end of the file after 0 lines"));
    refuses("@classLabel true a\n1:a\n", TEST_WORDS("line 2: expected a line with @", "found \"1:a\""));
    refuses("@timeStamps maybe\n", TEST_WORDS("line 1, @timeStamps: expected true or false, found \"maybe\""));
    refuses("@timeStamps\n", TEST_WORDS("line 1, @timeStamps: expected true or false, found \"\""));
    refuses("@classLabel true \n", TEST_WORDS("line 1, @classLabel: expected the names of the classes"));
    refuses("@classLabel yes a\n", TEST_WORDS("line 1, @classLabel: expected true or false, found \"yes\""));
    refuses("@dimensions -1\n", TEST_WORDS("line 1, @dimensions: expected a positive integer, found \"-1\""));
    refuses("@dimensions 0\n", TEST_WORDS("line 1, @dimensions: expected a positive integer, found \"0\""));
    refuses("@dimensions 99999999999999999999\n", TEST_WORDS("line 1, @dimensions", "positive integer"));
    refuses("@data\n1:a\n", TEST_WORDS("line 1: expected one of @classLabel true and @targetLabel true", "neither"));
    refuses("@classLabel true a\n@targetLabel true\n@data\n", TEST_WORDS("line 3: expected one of", "found both"));
    refuses(HEADER, TEST_WORDS("/a.ts: expected series after @data, found none"));
    test_write("a.ts", HEADER "1,2\0:a\n", sizeof HEADER - 1 + 7);
    test_load_fails(FILES "}", CST_EFORMAT, TEST_WORDS("/a.ts: expected text, found a NUL byte"));
}

static void test_series_that_are_wrong(void **state)
{
    (void)state;
    refuses(HEADER "1,2\n", TEST_WORDS("line 4: expected 0 dimensions, each followed by a colon, found 0 colons"));
    refuses(HEADER "1,2:a\n1:2:a\n", TEST_WORDS("line 5: expected 1 dimensions", "found 2 colons"));
    refuses("@dimensions 3\n" HEADER "1:2:a\n", TEST_WORDS("line 5: expected 3 dimensions", "found 2 colons"));
    refuses(HEADER "1,2:3:a\n", TEST_WORDS("line 4, dimension 2: expected 2 values as in the first, found 1"));
    refuses(HEADER "1,2:c\n", TEST_WORDS("line 4: expected a class", "found \"c\""));
    refuses(HEADER "1,2:A\n", TEST_WORDS("line 4: expected a class", "found \"A\""));
    refuses(HEADER "1,x:a\n",
            TEST_WORDS("line 4, dimension 1, value 2: expected a number, \"?\" or \"NaN\", found \"x\""));
    refuses(HEADER "1:2,,3:a\n", TEST_WORDS("line 4, dimension 2, value 2: expected a number", "found \"\""));
    refuses(HEADER ":a\n", TEST_WORDS("line 4, dimension 1, value 1: expected a number", "found \"\""));
    refuses(HEADER "1,1e999:a\n", TEST_WORDS("line 4, dimension 1, value 2: expected a number in the range"));
    refuses(HEADER "0x10:a\n", TEST_WORDS("line 4, dimension 1, value 1: expected a number"));
    refuses(HEADER "1,2:a\n3", TEST_WORDS("line 5: expected 1 dimensions", "found 0 colons")); /* cut off */
    refuses(HEADER "1,2:a\n3,4:", TEST_WORDS("line 5: expected a class", "found \"\""));
    refuses("@targetLabel true\n@data\n1,2:x\n", TEST_WORDS("line 3: expected a number to learn", "found \"x\""));
    refuses("@targetLabel true\n@data\n1,2:?\n", TEST_WORDS("line 3: expected a number to learn"));
    refuses(HEADER "1:?:a\n", TEST_WORDS("/a.ts: channel 1: expected a value in the training split, found none"));
}

static void test_pairs_that_are_wrong(void **state)
{
    (void)state;
    refuses(TIMED "1,2:a\n", TEST_WORDS("line 4, dimension 1, value 1: expected (time,value), found \"1\""));
    refuses(TIMED "(1,2),(3:a\n", TEST_WORDS("line 4: expected 0 dimensions", "found 0 colons"));
    refuses(TIMED "(1,2),3):a\n", TEST_WORDS("line 4, dimension 1, value 2: expected (time,value), found \"3)\""));
    refuses(TIMED "(12):a\n", TEST_WORDS("dimension 1, value 1: expected (time,value), found \"(12)\""));
    refuses(TIMED "(1,2),:a\n", TEST_WORDS("dimension 1, value 2: expected (time,value), found \"\""));
    refuses(TIMED "(x,2):a\n", TEST_WORDS("value 1: expected a number or a date", "for its time, found \"x\""));
    refuses(TIMED "(?,2):a\n", TEST_WORDS("for its time, found \"?\""));
    refuses(TIMED "(1,2),(2020-01-01 00:00:00,2):a\n", TEST_WORDS("value 2: expected a number for its time"));
    refuses(TIMED "(2020-01-01 00:00:00,2),(7,1):a\n", TEST_WORDS("value 2: expected a date YYYY-MM-DD HH:MM:SS"));
    refuses(TIMED "(2020-13-01 00:00:00,2):a\n", TEST_WORDS("for its time, found \"2020-13-01 00:00:00\""));
    refuses(TIMED "(2020-01-01 00:00,2):a\n", TEST_WORDS("for its time, found \"2020-01-01 00:00\""));
    refuses(TIMED "(1,2),(1,3):a\n",
            TEST_WORDS("line 4, dimension 1, value 2: expected a time later than the one before, found \"1\""));
    refuses(TIMED "(1,2):(1,2),(0,3):a\n", TEST_WORDS("line 4, dimension 2, value 2: expected a time later than"));
    refuses(TIMED "::a\n", TEST_WORDS("/a.ts: series 0: expected at least one time, found none"));
#ifndef CST_DOUBLE
    refuses(
        TIMED "(0,1):a\n(1600000000,2),(1600000001,3):a\n",
        TEST_WORDS("series 1, time 1: expected times that increase, found 1600000001 after 1600000000", "precision"));
#endif
    write_text("a.ts", HEADER "1,2:a\n");
    test_load_fails(FILES ", 'time': 'file'}", CST_ECONFIG,
                    TEST_WORDS("time: expected a file with time stamps", "/a.ts"));
}

/* A file cut at any byte, or with any byte changed, is read, or refused with its name. */
static void damage(const char *good)
{
    char bytes[512];
    const size_t size = strlen(good);
    for (size_t i = 0; i < 3 * size; i++) { /* two flipped bits of each byte, and the end of the file */
        cst_dataset data;
        cst_error error = {0};
        const size_t at = i / 3;
        memcpy(bytes, good, size);
        if (i % 3 > 0) bytes[at] = (char)(bytes[at] ^ 1 << (i % 3 == 1 ? at % 8 : 4));
        test_write("a.ts", bytes, i % 3 > 0 ? size : at);
        const cst_status status = test_load(FILES "}", 0, &data, &error);
        if (status == CST_OK)
            cst_dataset_clear(&data);
        else if (status != CST_EFORMAT || !strstr(error.message, "/a.ts: "))
            fail_msg("%s: %s", cst_status_name(status), error.message);
    }
}

static void test_damaged(void **state)
{
    (void)state;
    damage("#x\n@timeStamps false\n@dimensions 2\n@classLabel true a b\n@data\n1,?:2,3:a\n-4e1:.5:b\n");
    damage("@timeStamps true\n@targetLabel true\n@data\n(0,1),(2,2):(1,10):0.5\n:(-1.5,3):2\n");
    damage("@timeStamps true\n@classLabel true a\n@data\n(2004-02-28 23:59:59,1),(2004-02-29 00:00:00,2):a\n");
}

/* ---- real data ------------------------------------------------------------------------------------------------- */

static void test_character_trajectories(void **state)
{
    (void)state;
    cst_dataset data;
    cst_error error = {0};
    const cst_status status = test_load(JSON({
                                            "type": "ts",
                                            "path": "character_trajectories",
                                            "train": "CharacterTrajectories_TRAIN.ts",
                                            "test": "CharacterTrajectories_TEST.ts"
                                        }),
                                        0, &data, &error);
    if (status == CST_EIO) {
        print_message("skipped: %s\n", error.message);
        skip();
    }
    if (status != CST_OK) fail_msg("%s", error.message);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){2, {205, 4}}));
    assert_true(data.train.n + data.test.n == 2858 && data.n_classes == 20);
    size_t shortest = 205, longest = 0;
    const cst_split *const splits[] = {&data.train, &data.test};
    for (size_t p = 0; p < 2; p++) {
        for (size_t i = 0; i < splits[p]->n; i++) {
            size_t length = 205;
            while (isnan(splits[p]->values[(i * 205 + length - 1) * 4])) length--;
            if (length < shortest) shortest = length;
            if (length > longest) longest = length;
            for (size_t k = 0; k < 205 * 4; k++)
                assert_true(!isnan(splits[p]->values[i * 205 * 4 + k]) == (k / 4 < length));
        }
    }
    assert_true(shortest == 109 && longest == 205);
    cst_dataset_clear(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dimensions),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_time_stamps),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_unix_times),
        cmocka_unit_test(test_splits),
        cmocka_unit_test(test_headers_that_are_wrong),
        cmocka_unit_test(test_series_that_are_wrong),
        cmocka_unit_test(test_pairs_that_are_wrong),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_character_trajectories),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
