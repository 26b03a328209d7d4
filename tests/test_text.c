/* The text buffer, UTF-8 and the distance of names. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "core/text.h"

#include <stdlib.h>
#include <string.h>

static void test_buffer(void **state)
{
    (void)state;
    cst_text text = {0};
    for (int i = 0; i < 1000; i++) cst_text_printf(&text, "%d,", i % 10);
    assert_false(text.failed);
    assert_int_equal(text.size, 2000);
    assert_int_equal(strlen(text.data), 2000);
    cst_text_cut(&text, 4);
    cst_text_cut(&text, 10); /* nothing to cut */
    cst_text_quote(&text, "a\"\\\n\t\x7f\x01");
    cst_text_add(&text, "xyz", 2);
    assert_string_equal(text.data, "0,1,\"a\\\"\\\\\\n\\t\\u007f\\u0001\"xy");
    free(text.data);
    /* a failed allocation is recorded, and the text before it stays */
    text = (cst_text){0};
    cst_text_puts(&text, "abc");
    cst_text_add(&text, "", SIZE_MAX - 2);
    assert_true(text.failed);
    cst_text_puts(&text, "def");
    assert_string_equal(text.data, "abc");
    free(text.data);
}

static void test_visible(void **state)
{
    (void)state;
    static const struct {
        const char *text, *visible, *quoted;
    } cases[] = {
        {"", "", "\"\""},
        {"plain \\ `x` \"y\" 'z' {a}_b^c", "plain \\ `x` \"y\" 'z' {a}_b^c", NULL},
        {"\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x99\x82 \xc2\xa0", "\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x99\x82 \xc2\xa0",
         "\"\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x99\x82 \xc2\xa0\""},
        {"\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07", "\"\\u001b[31mred\\u001b]0;title\\u0007\""},
        {"a\rb\bc\nd\te\x7f", "a\\rb\\x08c\\nd\\te\\x7f", "\"a\\u000db\\u0008c\\nd\\te\\u007f\""},
        {"\xc2\x80\xc2\x9b"
         "2J\xc2\x9f",
         "\\u0080\\u009b2J\\u009f", "\"\\u0080\\u009b2J\\u009f\""},
        {"\x9b"
         "2J\xff\xc3(\xe2\x82",
         "\\x9b2J\\xff\\xc3(\\xe2\\x82", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cst_text text = {0}, twice = {0}, quoted = {0};
        cst_text_visible(&text, cases[i].text);
        assert_string_equal(text.data, cases[i].visible);
        cst_text_visible(&twice, text.data);
        assert_string_equal(twice.data, cases[i].visible);
        assert_int_equal(cst_text_is_visible(cases[i].text), strcmp(cases[i].text, cases[i].visible) == 0);
        cst_text_quote(&quoted, cases[i].text);
        if (cases[i].quoted) assert_string_equal(quoted.data, cases[i].quoted);
        free(text.data), free(twice.data), free(quoted.data);
    }
}

/* A text cut at any place ends with a whole character, and loses no other character. */
static void test_whole(void **state)
{
    (void)state;
    static const char text[] = "a\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x99\x82z";
    static const size_t whole[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
    for (size_t n = 0; n < sizeof text; n++) assert_int_equal(cst_utf8_whole(text, n), whole[n]);
    assert_int_equal(cst_utf8_whole("\x80\x80", 2), 2);
    cst_error error;
    char name[600];
    for (size_t shift = 0; shift < 3;
         shift++) { /* two bytes each, so that one of the two shifts cuts a character in two */
        memset(name, 'x', shift);
        for (size_t i = shift; i + 2 < sizeof name; i += 2) memcpy(name + i, "\xc3\xa9", 3);
        cst_fail(&error, CST_EARG, "%s", name);
        const size_t n = strlen(error.message);
        assert_in_range(n, sizeof error.message - 2, sizeof error.message - 1);
        assert_int_equal(n % 2, shift % 2);
        assert_memory_equal(error.message, name, n);
    }
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
    } cases[] = {
        {"a", 1},
        {"\x7f", 1},
        {"\x80", 0},
        {"\xc1\xbf", 0},
        {"\xc2\x80", 2},
        {"\xdf\xbf", 2},
        {"\xe0\x9f\xbf", 0},
        {"\xe0\xa0\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xed\xa0\x80", 0},
        {"\xed\xbf\xbf", 0},
        {"\xee\x80\x80", 3},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\xf4\x90\x80\x80", 0},
        {"\xf5\x80\x80\x80", 0},
        {"\xff", 0},
        {"\xc3", 0},
        {"\xc3(", 0},
        {"\xe2\x82", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(cst_utf8_size(cases[i].text, strlen(cases[i].text)), cases[i].size);
    }
    assert_int_equal(cst_utf8_size("a", 0), 0);
    assert_int_equal(cst_utf8_cut("a\xc3\xa9z", 4, 4), 4);
    assert_int_equal(cst_utf8_cut("a\xc3\xa9z", 4, 3), 3);
    assert_int_equal(cst_utf8_cut("a\xc3\xa9z", 4, 2), 1);
}

static void test_distance(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        size_t distance;
    } cases[] = {
        {"", "", 0},
        {"kernel", "kernel", 0},
        {"kernel", "kernle", 1},
        {"kernel", "kerne", 1},
        {"kernel", "Kernel", 1},
        {"kitten", "sitting", 3},
        {"", "abc", 3},
        {"abcd", "badc", 2},
        {"ca", "abc", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(cst_text_distance(cases[i].a, cases[i].b), cases[i].distance);
        assert_int_equal(cst_text_distance(cases[i].b, cases[i].a), cases[i].distance);
    }
    char a[200], b[200];
    memset(a, 'a', sizeof a), memset(b, 'b', sizeof b);
    a[199] = b[199] = '\0';
    assert_int_equal(cst_text_distance(a, b), 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buffer), cmocka_unit_test(test_visible),  cmocka_unit_test(test_whole),
        cmocka_unit_test(test_utf8),   cmocka_unit_test(test_distance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
