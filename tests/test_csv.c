/* The reader of comma-separated text: records, quotes, numbers, and messages that name the line. */
#include "formats/csv.h"
#include "tests/data_files.h"

#include <math.h>

/* ---- records ------------------------------------------------------------------------------------------------- */

/* Append all fields of a text of `size` bytes, each followed by '|', and each record by its line number and '/'; or
 * return the error. */
static cst_status read_text(const char *text, size_t size, char separator, cst_text *out, cst_error *error)
{
    char path[TEST_PATH];
    cst_csv csv;
    *error = (cst_error){0};
    test_write("a.csv", text, size);
    CST_TRY(cst_csv_open(test_path("a.csv", path), separator, &csv, error));
    cst_status status = cst_csv_next(&csv, error);
    while (status == CST_OK && csv.n > 0) {
        for (size_t i = 0; i < csv.n; i++) cst_text_printf(out, "%s|", cst_csv_field(&csv, i));
        cst_text_printf(out, "%zu/", csv.line);
        status = cst_csv_next(&csv, error);
    }
    cst_csv_close(&csv);
    return status;
}

static void reads_with(char separator, const char *text, const char *expected)
{
    cst_text out = {0};
    cst_error error;
    cst_text_puts(&out, "");
    if (read_text(text, strlen(text), separator, &out, &error) != CST_OK) fail_msg("%s: %s", text, error.message);
    assert_string_equal(out.data, expected);
    free(out.data);
}

static void reads(const char *text, const char *expected)
{
    reads_with(',', text, expected);
}

static void refuses_bytes(const char *text, size_t size, const char *const *words)
{
    cst_text out = {0};
    cst_error error;
    test_assert_failure(read_text(text, size, ',', &out, &error), CST_EFORMAT, &error, words);
    assert_non_null(strstr(error.message, "/a.csv: line "));
    free(out.data);
}

static void refuses(const char *text, const char *const *words)
{
    refuses_bytes(text, strlen(text), words);
}

static void test_records(void **state)
{
    (void)state;
    reads("a,b\n1,2\n", "a|b|1/1|2|2/");
    reads("a,b\r\n1,2\r\n", "a|b|1/1|2|2/");
    reads("a,b\n1,2", "a|b|1/1|2|2/"); /* the last line does not end with a line feed */
    reads("\xef\xbb\xbf"
          "a,b\n",
          "a|b|1/");
    reads("", "");
    reads("\n\r\n\n", "");
    reads("a\n\n\r\n", "a|1/");
    reads(",\n , \n", "||1/ | |2/"); /* blanks are part of a field */
    reads("a,\nb,", "a||1/b||2/");
    reads_with(';', "a,b;c\n", "a,b|c|1/");
    reads_with('\t', "a\tb\n", "a|b|1/");
}

static void test_quotes(void **state)
{
    (void)state;
    reads("\"a\",\"b\"\n", "a|b|1/");
    reads("\"a,b\",\"c\"\"d\"\n", "a,b|c\"d|1/");
    reads("\"\",\"\"\"\"\n", "|\"|1/");
    reads("\"\"\n", "|1/");                                  /* an empty field, not an empty line */
    reads("\"a\nb\r\nc\",d\ne,f\n", "a\nb\r\nc|d|1/e|f|4/"); /* the count of lines includes those inside of quotes */
    reads("a,\"b\"", "a|b|1/");
    refuses("a,b\n1,\"2\n3,4\n", TEST_WORDS("line 2: expected a closing quote", "found the end of the file"));
    refuses("a,\"b\"c\n", TEST_WORDS("line 1: expected a separator or the end of the line after a closing quote"));
    refuses("a,\"b\" ,c\n", TEST_WORDS("line 1: expected a separator"));
    refuses("a\nb\"c\n", TEST_WORDS("line 2: expected quotes around a whole field, found one inside a field"));
}

static void test_records_that_are_wrong(void **state)
{
    (void)state;
    refuses("a,b\n1\n", TEST_WORDS("line 2: expected 2 fields as in the first line, found 1"));
    refuses("a,b\n\"1\n\",2\n1,2,3\n", TEST_WORDS("line 4: expected 2 fields", "found 3"));
    refuses("a\n\n\r\nb\n", TEST_WORDS("line 2: expected a record, found an empty line"));
    refuses("\na\n", TEST_WORDS("line 1: expected a record, found an empty line"));
    refuses("a\rb\n", TEST_WORDS("line 1: expected a line feed after a carriage return, found none"));
    refuses("a\nb\r", TEST_WORDS("line 2: expected a line feed"));
    refuses("a\n\r", TEST_WORDS("line 2: expected a line feed"));
    refuses_bytes("a\nb\0c\n", 6, TEST_WORDS("line 2: expected text, found a NUL byte"));
    refuses_bytes("a\n\"b\0c\"\n", 8, TEST_WORDS("line 2: expected text, found a NUL byte"));
    char path[TEST_PATH];
    cst_csv csv;
    cst_error error = {0};
    test_assert_failure(cst_csv_open(test_path("absent", path), ',', &csv, &error), CST_EIO, &error,
                        TEST_WORDS("/absent: cannot open"));
    test_folder("a_folder");
    assert_int_equal(cst_csv_open(test_path("a_folder", path), ',', &csv, &error), CST_OK);
    test_assert_failure(cst_csv_next(&csv, &error), CST_EIO, &error, TEST_WORDS("/a_folder: cannot read"));
    cst_csv_close(&csv);
}

/* Fields and records larger than the reader's buffer, whose edges meet every kind of byte. */
static void test_long_records(void **state)
{
    (void)state;
    enum { ROWS = 9000 };
    cst_text text = {0}, expected = {0}, out = {0};
    cst_error error;
    for (int i = 0; i < ROWS; i++) {
        cst_text_printf(&text, "%d,\"x\"\"%.*s\",\r\n", i, i % 17, "yyyyyyyyyyyyyyyyy");
        cst_text_printf(&expected, "%d|x\"%.*s||%d/", i, i % 17, "yyyyyyyyyyyyyyyyy", i + 1);
    }
    assert_int_equal(read_text(text.data, text.size, ',', &out, &error), CST_OK);
    assert_int_equal(out.size, expected.size);
    assert_memory_equal(out.data, expected.data, out.size);
    cst_text_cut(&text, 0);
    cst_text_cut(&out, 0);
    for (int i = 0; i < 200000; i++) cst_text_puts(&text, "z,");
    assert_int_equal(read_text(text.data, text.size, ',', &out, &error), CST_OK);
    assert_int_equal(out.size, 200000 * 2 + strlen("|1/"));
    cst_text_cut(&out, 0);
    for (size_t i = 1; i < text.size; i++) text.data[i] = 'z';
    assert_int_equal(read_text(text.data, text.size, ',', &out, &error), CST_OK);
    assert_int_equal(out.size, text.size + strlen("|1/"));
    free(text.data);
    free(expected.data);
    free(out.data);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0},
                {"-1", -1},
                {"+2.5", 2.5},
                {".5", 0.5},
                {"5.", 5},
                {"1e3", 1000},
                {"1E-3", 0.001},
                {"-1.25e+2", -125},
                {"007", 7},
                {"0.1", 0.1},
                {"1e-400", 0},
                {"1e309", (double)INFINITY},
                {"123456789012345678", 123456789012345678.0}};
    static const char *const bad[] = {"",      " ",    "x",   "1x",    "1 ",       " 1", "nan", "inf",
                                      "-inf",  "0x10", "1e",  "1e+",   "e5",       ".",  "+",   "-.e1",
                                      "1.2.3", "1,5",  "--1", "1e5.0", "infinity", "1_0"};
    double value;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!cst_csv_number(good[i].text, &value) || value != good[i].value)
            fail_msg("%s: expected %.17g, got %.17g", good[i].text, good[i].value, value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (cst_csv_number(bad[i], &value)) fail_msg("\"%s\" is taken for a number", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_records_that_are_wrong),
        cmocka_unit_test(test_long_records),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
