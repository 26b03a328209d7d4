/* Which texts are documents, and how documents are printed: every message with its place; texts cut and changed at
 * every byte. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "core/config.h"
#include "core/rng.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- helpers ------------------------------------------------------------------------------------------------- */

static cst_document *parse(const char *text)
{
    cst_document *document;
    cst_error error;
    if (cst_document_parse("a.json", text, strlen(text), &document, &error) != CST_OK) fail_msg("%s", error.message);
    return document;
}

static void expect_parse_error(const char *text, size_t size, const char *message)
{
    cst_document *document = NULL;
    cst_error error;
    assert_int_equal(cst_document_parse("a.json", text, size, &document, &error), CST_ECONFIG);
    assert_int_equal(error.status, CST_ECONFIG);
    assert_string_equal(error.message, message);
    assert_null(document);
}

static void expect_print(cst_config config, const char *expected)
{
    char *text = cst_config_print(config);
    assert_string_equal(text, expected);
    free(text);
}

/* ---- text ---------------------------------------------------------------------------------------------------- */

/* Texts that are not JSON, or not a document, and their messages. */
static const struct {
    const char *text, *message;
} malformed[] = {
    {"", "a.json:1:1: expected a value, got the end of the text"},
    {"  \n ", "a.json:2:2: expected a value, got the end of the text"},
    {"[1, 2]", "a.json: expected an object, got [1, 2]"},
    {"3", "a.json: expected an object, got 3"},
    {"{", "a.json:1:2: expected a key in double quotes, got the end of the text"},
    {"{\"a\": 1,}", "a.json:1:9: expected a key in double quotes, got '}'"},
    {"{\"a\": [1,]}", "a.json:1:10: expected a value, got ']'"},
    {"{\"a\": 1 \"b\": 2}", "a.json:1:9: expected ',' or '}', got '\"'"},
    {"{\"a\" 1}", "a.json:1:6: expected ':', got 1"},
    {"{\"a\": [1, 2}", "a.json:1:12: expected ',' or ']', got '}'"},
    {"{\"a\": 1} x", "a.json:1:10: expected the end of the text, got x"},
    {"{\"a\": 1}{}", "a.json:1:9: expected the end of the text, got '{'"},
    {"{'a': 1}", "a.json:1:2: expected a key in double quotes, got '''"},
    {"{a: 1}", "a.json:1:2: expected a key in double quotes, got a"},
    {"// no\n{}", "a.json:1:1: expected a value, got '/'"},
    {"{\"a\": NaN}", "a.json:1:7: expected a value, got NaN"},
    {"{\"a\": nan}", "a.json:1:7: expected a value, got nan"},
    {"{\"a\": Infinity}", "a.json:1:7: expected a value, got Infinity"},
    {"{\"a\": -Infinity}", "a.json:1:8: expected a digit, got Infinity"},
    {"{\n  \"a\": [0, 1e999]}", "a.json:2:12: a number too large for a double"},
    {"{\"a\": {\"b\": 1}, \"c\": -1e400}", "a.json:1:22: a number too large for a double"},
    {"{\"a\": 01}", "a.json:1:7: a number with a leading zero"},
    {"{\"a\": +1}", "a.json:1:7: expected a value, got '+'"},
    {"{\"a\": .5}", "a.json:1:7: expected a value, got '.'"},
    {"{\"a\": 1.}", "a.json:1:9: expected a digit, got '}'"},
    {"{\"a\": 1e}", "a.json:1:9: expected a digit, got '}'"},
    {"{\"a\": 0x10}", "a.json:1:8: expected ',' or '}', got x10"},
    {"{\"a\": True}", "a.json:1:7: expected a value, got True"},
    {"{\"a\": nul}", "a.json:1:7: expected a value, got nul"},
    {"{\"a\": \"b}", "a.json:1:7: a string without its closing quote"},
    {"{\"a\": \"b\nc\"}", "a.json:1:9: a control character in a string: escape it"},
    {"{\"a\": \"b\tc\"}", "a.json:1:9: a control character in a string: escape it"},
    {"{\"a\": \"b\x1f\"}", "a.json:1:9: a control character in a string: escape it"},
    {"{\"a\": \"\\x41\"}", "a.json:1:8: unknown escape in a string"},
    {"{\"a\": \"\\u12g4\"}", "a.json:1:8: expected four hexadecimal digits after \\u"},
    {"{\"a\": \"\\u0000\"}", "a.json:1:8: \\u0000 in a string"},
    {"{\"a\": \"\\ud83d\"}", "a.json:1:8: half of a surrogate pair in a string"},
    {"{\"a\": \"\\ude00\\ud83d\"}", "a.json:1:8: half of a surrogate pair in a string"},
    {"{\"\xc3\xa9\": \"\xc3\xa9\xff\"}", "a.json:1:9: malformed UTF-8 in a string"},
    {"{\"a\": \"\xc0\x80\"}", "a.json:1:8: malformed UTF-8 in a string"},
    {"{\"a\": \"\xe0\x9f\xbf\"}", "a.json:1:8: malformed UTF-8 in a string"},
    {"{\"a\": \"\xed\xa0\x80\"}", "a.json:1:8: malformed UTF-8 in a string"},
    {"{\"a\": \"\xf4\x90\x80\x80\"}", "a.json:1:8: malformed UTF-8 in a string"},
    {"{\"a\": \"\xf0\x9f\x98\"}", "a.json:1:8: malformed UTF-8 in a string"},
    {"\xef\xbb\xbf{}", "a.json:1:1: expected a value, got '\xef\xbb\xbf'"},
    {"{\"lr\": 1,\n \"b\": 2, \"lr\": 3}", "a.json:2:10: duplicate key \"lr\""},
    {"{\"a\": [{\"b\": 1, \"c:\": 2, \"c:\" : 3}], \"a\": 1}", "a.json:1:26: duplicate key \"c:\""},
    {"{\"lr\": 1, \"\\u006cr\": 3}", "a.json:1:11: duplicate key \"\\u006cr\""},
};

static void test_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        expect_parse_error(malformed[i].text, strlen(malformed[i].text), malformed[i].message);
    }
    expect_parse_error("{\"a\": 1}\0", 9, "a.json:1:9: expected the end of the text, got byte 0x00");
    expect_parse_error("{\"a\0\": 1}", 9, "a.json:1:4: a control character in a string: escape it");
}

static void test_numbers_too_long(void **state)
{
    (void)state;
    char text[128] = "{\"a\": 0.";
    memset(text + 8, '1', 61);
    strcpy(text + 8 + 61, "}");
    cst_document_free(parse(text)); /* 63 characters */
    strcpy(text + 8 + 61, "1}");
    expect_parse_error(text, strlen(text), "a.json:1:7: a number of more than 63 characters");
}

static void nested(char *text, size_t depth)
{
    strcpy(text, "{\"a\":");
    const size_t n = strlen(text);
    memset(text + n, '[', depth - 1);
    memset(text + n + depth - 1, ']', depth - 1);
    strcpy(text + n + 2 * (depth - 1), "}");
}

static void test_nesting(void **state)
{
    (void)state;
    char text[256];
    nested(text, 64);
    cst_document *document = parse(text);
    expect_print(cst_document_root(document), text);
    cst_document_free(document);
    nested(text, 65);
    expect_parse_error(text, strlen(text), "a.json:1:69: nested deeper than 64 lists and objects");
    /* far deeper than any recursion could go */
    enum { DEEP = 1 << 20 };
    char *deep = malloc(DEEP);
    memset(deep, '[', DEEP);
    expect_parse_error(deep, DEEP, "a.json:1:65: nested deeper than 64 lists and objects");
    free(deep);
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    static const char text[] = "{\"a\": [1, -2.5e-3, true, null], \"\\u00e9\": {\"b\": \"\\ud83d\\ude00 \xc3\xa9\"}}";
    for (size_t size = 0; size < sizeof text - 1; size++) {
        char *copy = malloc(size > 0 ? size : 1); /* exactly sized, so that a sanitizer sees a read beyond it */
        memcpy(copy, text, size);
        cst_document *document = NULL;
        assert_int_equal(cst_document_parse("a.json", copy, size, &document, NULL), CST_ECONFIG);
        free(copy);
    }
    for (size_t i = 0; i < sizeof text - 1; i++) {
        for (int bit = 0; bit < 8; bit++) {
            char *copy = malloc(sizeof text - 1);
            memcpy(copy, text, sizeof text - 1);
            copy[i] = (char)(copy[i] ^ (1 << bit));
            cst_document *document = NULL;
            const cst_status status = cst_document_parse("a.json", copy, sizeof text - 1, &document, NULL);
            assert_true(status == CST_OK || status == CST_ECONFIG);
            cst_document_free(document);
            free(copy);
        }
    }
}

static void test_load(void **state)
{
    (void)state;
    cst_document *document = NULL;
    cst_error error;
    assert_int_equal(cst_document_load("/nonexistent/a.json", &document, &error), CST_EIO);
    assert_string_equal(error.message, "/nonexistent/a.json: cannot open: No such file or directory");
    assert_int_equal(cst_document_load("/", &document, &error), CST_EIO);
    char path[] = "/tmp/costate_test_config_XXXXXX";
    const int handle = mkstemp(path);
    FILE *file = fdopen(handle, "w");
    fputs("{\"a\":\n 1}\n", file);
    fclose(file);
    assert_int_equal(cst_document_load(path, &document, &error), CST_OK);
    expect_print(cst_document_root(document), "{\"a\":1}");
    cst_document_free(document);
    remove(path);
    cst_document_free(NULL);
}

/* ---- printing ------------------------------------------------------------------------------------------------ */

static void test_numbers_round_trip(void **state)
{
    (void)state;
    static const double chosen[] = {
        0.1,       1.0 / 3,           1e-3, 5e-324, DBL_MIN, DBL_MAX, 9007199254740992.0, 1e15, 123456789012345,
        0.1 + 0.2, 1.0 + DBL_EPSILON, -0.0, 1e22,   2.0 / 3, 4.35e-5, 1 - DBL_EPSILON / 2};
    enum { CHOSEN = sizeof chosen / sizeof chosen[0], RANDOM = 3000 };
    const cst_rng rng = cst_rng_new(1, CST_RNG_TEST);
    for (size_t i = 0; i < CHOSEN + RANDOM; i++) {
        double value = i < CHOSEN ? chosen[i] : 0;
        if (i >= CHOSEN) {
            const uint64_t bits = cst_rng_bits(rng, i);
            memcpy(&value, &bits, sizeof value);
            if (!isfinite(value)) continue;
        }
        char text[64];
        snprintf(text, sizeof text, "{\"x\": %.17g}", value);
        cst_document *document = parse(text);
        char *printed = cst_document_print(document);
        cst_document_free(document);
        document = parse(printed);
        double back = 0;
        assert_true(cst_config_number(cst_config_get(cst_document_root(document), "x"), &back));
        if (memcmp(&back, &value, sizeof back) != 0) fail_msg("%.17g came back as %.17g from %s", value, back, printed);
        cst_document_free(document);
        free(printed);
    }
    cst_document *document = parse("{\"x\": [0.1, 1e-3, 128, 1.0, 1E2, -0.5, 0.30000000000000004]}");
    expect_print(cst_document_root(document), "{\"x\":[0.1,0.001,128,1,100,-0.5,0.30000000000000004]}");
    cst_document_free(document);
}

static void test_print(void **state)
{
    (void)state;
    cst_document *document =
        parse("{\"name\": \"a\\\"\\n\\u0001\\u00e9\\/\", \"t\": [0, 1], \"none\": {}, \"empty\": [], \"yes\": "
              "true, \"null\": null, \"model\": {\"layers\": [{\"type\": \"conv2d\", \"kernel\": 3, "
              "\"padding\": 1}, {\"type\": \"linear\", \"out_features\": 10, \"bias\": false}]}}");
    char *text = cst_document_print(document);
    assert_string_equal(text, "{\n"
                              "  \"name\": \"a\\\"\\n\\u0001\xc3\xa9/\",\n"
                              "  \"t\": [0, 1],\n"
                              "  \"none\": {},\n"
                              "  \"empty\": [],\n"
                              "  \"yes\": true,\n"
                              "  \"null\": null,\n"
                              "  \"model\": {\n"
                              "    \"layers\": [\n"
                              "      {\"type\": \"conv2d\", \"kernel\": 3, \"padding\": 1},\n"
                              "      {\"type\": \"linear\", \"out_features\": 10, \"bias\": false}\n"
                              "    ]\n"
                              "  }\n"
                              "}\n");
    cst_document *again = parse(text);
    char *twice = cst_document_print(again);
    assert_string_equal(twice, text);
    free(twice);
    free(text);
    cst_document_free(again);
    cst_document_free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed), cmocka_unit_test(test_numbers_too_long),
        cmocka_unit_test(test_nesting),   cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_load),      cmocka_unit_test(test_numbers_round_trip),
        cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
