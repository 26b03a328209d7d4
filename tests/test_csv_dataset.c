/* Data sets of comma-separated tables: columns, classes, headers, and messages about what is wrong. */
#include "tests/data_files.h"

#include <math.h>

/* ---- the data set -------------------------------------------------------------------------------------------- */

static void write_text(const char *name, const char *text)
{
    test_write(name, text, strlen(text));
}

#define FLOWERS                                                                                                        \
    "id,length,species,width\n"                                                                                        \
    "1,5.5,virginica,2\n"                                                                                              \
    "2,6.5,setosa,3\n"                                                                                                 \
    "3,4.5,virginica,4\n"                                                                                              \
    "4,5.5,\"10\",3\n"

static void test_classification(void **state)
{
    (void)state;
    cst_dataset data;
    write_text("train.csv", FLOWERS);
    write_text("test.csv", "id,length,species,width\r\n9,1e1,setosa,-7\r\n\r\n");
    test_load_ok(JSON({
                     "type": "csv",
                     "train": "@/train.csv",
                     "test": "@/test.csv",
                     "target": "species",
                     "ignore": ["id"],
                     "batch_size": 3
                 }),
                 0, &data);
    assert_int_equal(data.n_classes, 3);
    assert_int_equal(data.n_targets, 0);
    assert_int_equal(data.n_channels, 2);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){1, {2}}));
    assert_int_equal(data.train.n, 4);
    assert_null(data.train.targets);
    /* Classes are in byte order: "10", "setosa", "virginica". */
    assert_memory_equal(data.train.labels, ((int32_t[]){2, 1, 2, 0}), 4 * sizeof(int32_t));
    assert_memory_equal(data.train.values, ((real[]){5.5, 2, 6.5, 3, 4.5, 4, 5.5, 3}), 8 * sizeof(real));
    assert_int_equal(data.test.n, 1);
    assert_int_equal(data.test.labels[0], 1);
    assert_true(data.test.values[0] == 10 && data.test.values[1] == -7);
    test_assert_near("mean", data.mean[0], 5.5, 1e-12);
    test_assert_near("deviation", data.std[1], sqrt(0.5), 1e-12);
    cst_dataset_clear(&data);
    test_load_ok(JSON({
                     "type": "csv",
                     "train": "@/train.csv",
                     "target": ["species"],
                     "test_size": 1,
                     "validation_size": 1,
                     "normalize": false
                 }),
                 0, &data);
    assert_int_equal(data.train.n, 2);
    assert_int_equal(data.test.n, 1);
    assert_int_equal(data.validation.n, 1);
    assert_int_equal(data.n_channels, 3);
    assert_true(data.mean[0] == 0 && data.std[0] == 1);
    cst_dataset_clear(&data);
}

static void test_regression(void **state)
{
    (void)state;
    cst_dataset data;
    write_text("train.csv", "1;2;3;4\n5;6;7;8\n");
    test_load_ok(
        JSON({"type": "csv", "train": "@/train.csv", "task": "regression", "target": ["4", "2"], "separator": ";"}), 0,
        &data);
    assert_int_equal(data.n_classes, 0);
    assert_int_equal(data.n_targets, 2);
    assert_null(data.train.labels);
    assert_memory_equal(data.train.values, ((real[]){1, 3, 5, 7}), 4 * sizeof(real));
    assert_memory_equal(data.train.targets, ((real[]){4, 2, 8, 6}), 4 * sizeof(real)); /* in the config's order */
    cst_dataset_clear(&data);
    test_load_ok(JSON({
                     "type": "csv",
                     "train": "@/train.csv",
                     "task": "regression",
                     "target": "4",
                     "separator": ";",
                     "header": "yes"
                 }),
                 0, &data); /* the names in the first line look like numbers */
    assert_int_equal(data.train.n, 1);
    assert_true(data.train.targets[0] == 8);
    cst_dataset_clear(&data);
}

static void test_header(void **state)
{
    (void)state;
    cst_dataset data;
    static const struct {
        const char *text, *target, *header;
        size_t rows, classes;
    } cases[] = {
        {"a,b\n1,x\n", "b", "auto", 1, 1},
        {"1,x\n2,y\n", "2", "auto", 2, 2},
        {"0,x\n2,y\n", "x", "yes", 1, 1},
        {"x,0\n1,y\n", "y", "no", 0, 0},
        {"a,b\n1,x\n", "2", "no", 0, 0},
        {",b\n1,x\n", "b", "auto", 1, 1},
        {"a,b\n1,x\n1,X\n1,x \n", "b", "yes", 3, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[400];
        write_text("header.csv", cases[i].text);
        snprintf(json, sizeof json, JSON({"type": "csv", "train": "@/header.csv", "target": "%s", "header": "%s"}),
                 cases[i].target, cases[i].header);
        cst_error error = {0};
        const cst_status status = test_load(json, 0, &data, &error);
        assert_int_equal(status == CST_OK, cases[i].rows > 0);
        if (status != CST_OK) continue;
        assert_int_equal(data.train.n, cases[i].rows);
        assert_int_equal(data.n_classes, cases[i].classes);
        cst_dataset_clear(&data);
    }
}

/* Many classes: each is recognized again, and they are numbered in the order of their names. */
static void test_many_classes(void **state)
{
    (void)state;
    enum { CLASSES = 500, ROWS = 3 * CLASSES };
    cst_text text = {0};
    cst_dataset data;
    cst_text_puts(&text, "x,y\n");
    for (int i = 0; i < ROWS; i++) cst_text_printf(&text, "%d,c%03d\n", i, 7 * i % CLASSES);
    write_text("train.csv", text.data);
    test_load_ok(JSON({"type": "csv", "train": "@/train.csv", "target": "y"}), 0, &data);
    assert_int_equal(data.n_classes, CLASSES);
    for (int i = 0; i < ROWS; i++) assert_int_equal(data.train.labels[i], 7 * i % CLASSES);
    cst_dataset_clear(&data);
    for (int i = 0; i < 1 << 16; i++) cst_text_printf(&text, "%d,d%d\n", i, i);
    write_text("train.csv", text.data);
    test_load_fails(JSON({"type": "csv", "train": "@/train.csv", "target": "y"}), CST_EFORMAT,
                    TEST_WORDS("/train.csv: line 66538: expected at most 65536 classes", "\"task\": \"regression\""));
    free(text.data);
}

/* ---- errors -------------------------------------------------------------------------------------------------- */

static void set_fails(const char *more, cst_status expected, const char *const *words)
{
    char json[600];
    snprintf(json, sizeof json, "{'type': 'csv', 'train': '@/a.csv', %s}", more);
    test_load_fails(json, expected, words);
}

static void table_fails(const char *text, const char *more, const char *const *words)
{
    write_text("a.csv", text);
    set_fails(more, CST_EFORMAT, words);
}

#define SPECIES "'target': 'species'"

static void test_fields_that_are_wrong(void **state)
{
    (void)state;
    const char *y = "'target': 'y'", *regression = "'target': 'y', 'task': 'regression'";
    table_fails("width,y\n1,a\nx,b\n", y, TEST_WORDS("/a.csv: line 3, column \"width\": expected a number, got \"x\""));
    table_fails("width,y\n,a\n", y, TEST_WORDS("line 2, column \"width\": expected a number, got \"\""));
    table_fails("width,y\n1,\n", y, TEST_WORDS("line 2, column \"y\": expected the name of a class, got \"\""));
    table_fails("width,y\nnan,a\n", y, TEST_WORDS("line 2, column \"width\": expected a number, got \"nan\""));
    table_fails("width,y\n-inf,a\n", y, TEST_WORDS("expected a number, got \"-inf\""));
    table_fails("width,y\n1e999,a\n", y, TEST_WORDS("expected a number in the range of a " CST_REAL_NAME, "\"1e999\""));
    table_fails("width,y\n1,2\n2,\"a\nb\"\n", regression,
                TEST_WORDS("line 3, column \"y\": expected a number, got \"a\\nb\""));
    table_fails("width,y\n1,nan\n", regression, TEST_WORDS("line 2, column \"y\": expected a number, got \"nan\""));
    table_fails("y,w\n1,aaaaaaaaaabbbbbbbbbbccccccccccdddddddddde\n", y,
                TEST_WORDS("got \"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd...\""));
    table_fails("1,2\n3,x\n", "'target': '1'", TEST_WORDS("line 2, column \"2\": expected a number, got \"x\""));
#ifndef CST_DOUBLE
    table_fails("width,y\n1e300,a\n", y, TEST_WORDS("expected a number in the range of a float, got \"1e300\""));
#endif
}

static void test_tables_that_are_wrong(void **state)
{
    (void)state;
    table_fails("", SPECIES, TEST_WORDS("/a.csv: expected a table, found no line"));
    table_fails("width,species\n", SPECIES, TEST_WORDS("/a.csv: expected rows after the header, found none"));
    table_fails("a,b,a\n1,2,3\n", SPECIES, TEST_WORDS("line 1: expected a name for each column, found \"a\" twice"));
    table_fails("a,species\n1\n", SPECIES, TEST_WORDS("line 2: expected 2 fields"));
    write_text("a.csv", FLOWERS);
    const char *test = SPECIES ", 'test': '@/b.csv'";
    write_text("b.csv", "id,length,species,height\n1,2,setosa,3\n");
    set_fails(test, CST_EFORMAT,
              TEST_WORDS("/b.csv: line 1, column \"width\": expected this name, as in", "/a.csv, got \"height\""));
    write_text("b.csv", "1,2,setosa,3\n");
    set_fails(test, CST_EFORMAT, TEST_WORDS("/b.csv: line 1, column \"id\": expected this name", "got \"1\""));
    write_text("b.csv", "id,length,species\n1,2,setosa\n");
    set_fails(test, CST_EFORMAT, TEST_WORDS("/b.csv: line 1: expected 4 fields as in", "/a.csv, found 3"));
    write_text("b.csv", "id,length,species,width\n1,2,setosa,3\n1,2,setose,3\n");
    set_fails(
        test, CST_EFORMAT,
        TEST_WORDS("/b.csv: line 3, column \"species\": expected a class that the training file has, got \"setose\""));
}

static void test_configs_that_are_wrong(void **state)
{
    (void)state;
    write_text("a.csv", FLOWERS);
    set_fails("'batch_size': 3", CST_ECONFIG, TEST_WORDS("test.json", "missing key \"target\": expected"));
    set_fails(
        "'target': 'specie'", CST_ECONFIG,
        TEST_WORDS("test.json: target: expected a column of the table (the nearest is \"species\"), got \"specie\""));
    set_fails("'target': 3", CST_ECONFIG, TEST_WORDS("target: expected the name of a column, got 3"));
    set_fails("'target': []", CST_ECONFIG, TEST_WORDS("target: expected the name of a column, got []"));
    set_fails("'target': ['species', 1]", CST_ECONFIG, TEST_WORDS("target: expected one column", "got 2"));
    set_fails("'task': 'regression', 'target': ['width', 1]", CST_ECONFIG,
              TEST_WORDS("target[1]: expected the name of a column, got 1"));
    set_fails("'task': 'regression', 'target': ['width', 'width']", CST_ECONFIG,
              TEST_WORDS("target[1]: expected another column, as this one has been named before"));
    set_fails(SPECIES ", 'ignore': ['id', 'species']", CST_ECONFIG,
              TEST_WORDS("ignore[1]: expected another column, as this one has been"));
    set_fails(SPECIES ", 'ignore': 'id'", CST_ECONFIG, TEST_WORDS("ignore: expected a list"));
    set_fails(SPECIES ", 'ignore': ['ID']", CST_ECONFIG, TEST_WORDS("ignore[0]: expected a column", "\"id\""));
    set_fails(SPECIES ", 'ignore': ['id', 'length', 'width']", CST_ECONFIG,
              TEST_WORDS("test.json", "expected a table with other columns than those named here"));
    set_fails(SPECIES ", 'header': 'no'", CST_ECONFIG,
              TEST_WORDS("target: expected a column of a table without a header, \"1\" to \"4\", got \"species\""));
    set_fails(SPECIES ", 'task': 'ranking'", CST_ECONFIG, TEST_WORDS("task: expected one of \"classification\""));
    set_fails(SPECIES ", 'header': true", CST_ECONFIG, TEST_WORDS("header: expected one of \"auto\""));
    static const char *const separators[] = {"", ",,", "5", "\\\"", "\\n", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof separators / sizeof separators[0]; i++) {
        char more[100];
        snprintf(more, sizeof more, SPECIES ", 'separator': '%s'", separators[i]);
        set_fails(more, CST_ECONFIG, TEST_WORDS("separator: expected one character that is not part of a number"));
    }
    set_fails(SPECIES ", 'test': '@/none.csv'", CST_EIO, TEST_WORDS("test.json", "no data found", "/none.csv"));
    set_fails(SPECIES ", 'test_size': 4", CST_ECONFIG, TEST_WORDS("test_size: expected at most 3"));
}

/* ---- damage -------------------------------------------------------------------------------------------------- */

/* A table cut at any byte, or with any bit flipped, is either read or refused with a message that names the file or the
 * config. */
static void check_damaged(const char *text, size_t size)
{
    cst_dataset data;
    cst_error error = {0};
    test_write("damaged.csv", text, size);
    const cst_status status = test_load(
        JSON({"type": "csv", "train": "@/damaged.csv", "target": "species", "ignore": ["id"]}), 0, &data, &error);
    if (status == CST_OK) {
        assert_in_range(data.train.n, 1, 5);
        cst_dataset_clear(&data);
        return;
    }
    assert_true(status == CST_EFORMAT || status == CST_ECONFIG);
    assert_true(strstr(error.message, "damaged.csv: ") || strstr(error.message, "test.json: "));
}

static void test_damaged(void **state)
{
    (void)state;
    char text[] = FLOWERS;
    const size_t size = strlen(text);
    for (size_t n = 0; n <= size; n++) check_damaged(text, n);
    for (size_t i = 0; i < size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            text[i] = (char)(text[i] ^ 1 << bit);
            check_damaged(text, size);
            text[i] = (char)(text[i] ^ 1 << bit);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classification),
        cmocka_unit_test(test_regression),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_many_classes),
        cmocka_unit_test(test_fields_that_are_wrong),
        cmocka_unit_test(test_tables_that_are_wrong),
        cmocka_unit_test(test_configs_that_are_wrong),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
