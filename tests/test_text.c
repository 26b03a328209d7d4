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
    /* what cannot be had is remembered, and what was there stays */
    text = (cst_text){0};
    cst_text_puts(&text, "abc");
    cst_text_add(&text, "", SIZE_MAX - 2);
    assert_true(text.failed);
    cst_text_puts(&text, "def");
    assert_string_equal(text.data, "abc");
    free(text.data);
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
        cmocka_unit_test(test_buffer),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_distance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
