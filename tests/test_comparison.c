/* Tables of a comparison: a label is plain text in each of them, whatever it contains. */
#include "helpers.h"

#include "analysis/comparison.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The line of the variant with this label; the caller frees it. */
static char *line_of(const char *label, cst_table_format format, bool failed)
{
    char text[200];
    bool done[2] = {true, !failed}, tried[2] = {true, true};
    cst_summary summaries[2] = {{.test_loss = 0.5}, {.test_loss = 0.5}};
    snprintf(text, sizeof text, "%s", label);
    cst_variant variant = {.label = text, .summaries = summaries, .tried = tried, .done = done};
    const cst_comparison c = {.n_variants = 1, .repeats = 2, .variants = &variant};
    char *table = cst_comparison_table(&c, format);
    assert_non_null(table);
    const char *start = strchr(table, '\n') + 1;
    if (format == CST_TABLE_MARKDOWN) start = strchr(start, '\n') + 1;
    char *line = strdup(start);
    free(table);
    assert_non_null(line);
    return line;
}

static void check(const char *label, cst_table_format format, bool failed, const char *begin)
{
    char *line = line_of(label, format, failed);
    if (strncmp(line, begin, strlen(begin)) != 0) fail_msg("%s: expected %s, got %s", label, begin, line);
    if (format != CST_TABLE_CSV && strchr(line, '\n') != line + strlen(line) - 1) fail_msg("%s: %s", label, line);
    free(line);
}

static void test_labels(void **state)
{
    (void)state;
    static const struct {
        const char *label, *text, *markdown, *csv;
    } cases[] = {
        {"lr=0.1, norm=seminorm", "lr=0.1, norm=seminorm  ", "| lr=0.1, norm=seminorm |",
         "\"lr=0.1, norm=seminorm\",2,0,"},
        {"a|b", "a|b  ", "| a\\|b |", "\"a|b\",2,0,"},
        {"a\\|b\\", "a\\|b\\  ", "| a\\\\\\|b\\\\ |", "\"a\\|b\\\",2,0,"},
        {"<b>&lt;", "<b>&lt;  ", "| \\<b\\>\\&lt; |", "\"<b>&lt;\",2,0,"},
        {"`x` *y* _z_ [a](b) ~~c~~ $d$ #e !f {g}", "`x` *y* _z_ [a](b) ~~c~~ $d$ #e !f {g}  ",
         "| \\`x\\` \\*y\\* \\_z\\_ \\[a\\](b) \\~\\~c\\~\\~ \\$d\\$ \\#e \\!f \\{g\\} |",
         "\"`x` *y* _z_ [a](b) ~~c~~ $d$ #e !f {g}\",2,0,"},
        {"a\nb", "a\\nb  ", "| a\\\\nb |", "\"a\nb\",2,0,"},
        {"a\x1b[31m", "a\\x1b[31m  ", "| a\\\\x1b\\[31m |", "\"a\x1b[31m\",2,0,"},
        {"say \"hi\", you", "say \"hi\", you  ", "| say \"hi\", you |", "\"say \"\"hi\"\", you\",2,0,"},
        {"\xc3\xa9", "\xc3\xa9  ", "| \xc3\xa9 |", "\"\xc3\xa9\",2,0,"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check(cases[i].label, CST_TABLE_TEXT, false, cases[i].text);
        check(cases[i].label, CST_TABLE_MARKDOWN, false, cases[i].markdown);
        check(cases[i].label, CST_TABLE_CSV, false, cases[i].csv);
    }
    check("a|b", CST_TABLE_TEXT, true, "a|b (1 of 2 failed)  ");
    check("a|b", CST_TABLE_MARKDOWN, true, "| a\\|b (1 of 2 failed) |");
    check("a|b", CST_TABLE_CSV, true, "\"a|b\",1,1,");
}

/* A table prints a label of any length in full. Columns are as wide as they look, also with letters beyond ASCII. */
static void test_widths(void **state)
{
    (void)state;
    char label[181], expected[190];
    memset(label, 'x', 180);
    label[180] = '\0';
    snprintf(expected, sizeof expected, "| %s |", label);
    check(label, CST_TABLE_MARKDOWN, false, expected);
    bool done = true;
    cst_summary summary = {.test_loss = 0.5};
    char narrow[] = "\xc3\xa9\xc3\xbc", wide[] = "abc";
    cst_variant variants[2] = {{.label = narrow, .summaries = &summary, .tried = &done, .done = &done},
                               {.label = wide, .summaries = &summary, .tried = &done, .done = &done}};
    const cst_comparison c = {.n_variants = 2, .repeats = 1, .variants = variants};
    char *table = cst_comparison_table(&c, CST_TABLE_MARKDOWN);
    assert_non_null(strstr(table, "\n| \xc3\xa9\xc3\xbc  |"));
    assert_non_null(strstr(table, "\n| abc |"));
    free(table);
}

/* Means, standard deviations with n - 1, and the change of backward evaluations relative to the first variant. */
static void test_figures(void **state)
{
    (void)state;
    char first[] = "a", second[] = "b";
    bool done[3] = {true, true, false};
    const cst_summary base = {.iterations = 10, .test_loss = 0.5, .nfe = {200, 1000}, .test_bits_per_dim = (double)NAN};
    cst_summary one[3] = {base, base, base}, other[3] = {base, base, base};
    one[1].test_loss = 0.8; /* mean 0.65, deviation 0.3 / sqrt(2); unfinished runs do not count */
    one[2].test_loss = 100;
    for (size_t r = 0; r < 3; r++) other[r].nfe[CST_BACKWARD] = 700;
    cst_variant variants[2] = {{.label = first, .summaries = one, .tried = done, .done = done},
                               {.label = second, .summaries = other, .tried = done, .done = done}};
    const cst_comparison c = {.n_variants = 2, .repeats = 3, .variants = variants};
    char *table = cst_comparison_table(&c, CST_TABLE_MARKDOWN);
    static const char *const expected[] = {"0.65 +- 0.2121", " 100.0 +- 0.0 |", " 70.0 +- 0.0 (-30 %) |"};
    for (size_t i = 0; i < 3; i++)
        if (!strstr(table, expected[i])) fail_msg("expected %s in\n%s", expected[i], table);
    free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
