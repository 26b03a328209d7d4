/* Text and paths in gnuplot's scripts are printed as they are, whatever they contain: nothing in them is executed. */
#include "tests/data_files.h"

#include "analysis/gnuplot.h"
#include "core/file.h"

#include <sys/stat.h>

#define RUNS "touch INJECTED"

static void test_quotes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *quoted;
    } cases[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"it's", "\"it\\0047s\""},
        {"'", "\"\\0047\""},
        {"@run", "\"\\0100run\""},
        {"`" RUNS "`7", "\"\\0140" RUNS "\\01407\""},
        {"a\"b\\n", "\"a\\0042b\\0134n\""},
        {"a\nb\x1b[31m", "\"a\\0134nb\\0134x1b[31m\""},
        {"\xc3\xa9\xff", "\"\xc3\xa9\\0134xff\""},
        {"a]]>b]]]>", "\"a]] >b]]] >\""},
        {"]>]", "\"]>]\""},
        {"a\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd", "\"a\\0134ufffe\\0134uffff\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cst_text text = {0};
        cst_gnuplot_text(&text, cases[i].text);
        assert_string_equal(text.data, cases[i].quoted);
        free(text.data);
    }
}

/* ---- gnuplot's result -------------------------------------------------------------------------------------------- */

/* Run gnuplot in test_root, where it draws the picture STEM. Skips the test if gnuplot is not installed. */
static void draw(const char *stem, const cst_text *data, const cst_text *panels)
{
    cst_error error;
    const cst_gnuplot_grid grid = {1, 1, 700, 600}; /* leaves space for a legend */
    const cst_status status = cst_gnuplot_draw(stem, data, panels, grid, &error);
    if (status == CST_EUNSUPPORTED) skip();
    if (status != CST_OK) fail_msg("%s: %s", stem, error.message);
}

static char *read_text(const char *name)
{
    char *text;
    size_t size;
    cst_error error;
    if (cst_file_read(name, 1 << 20, &text, &size, &error) != CST_OK) fail_msg("%s", error.message);
    return text;
}

static int enter(void **state)
{
    if (test_make_root(state) != 0 || chdir(test_root) != 0) return -1;
    test_write(".gnuplot", "system '" RUNS "'\n", strlen("system '" RUNS "'\n"));
    return setenv("HOME", test_root, 1);
}

static int leave(void **state)
{
    return chdir("/") == 0 ? test_remove_root(state) : -1;
}

/* Texts that gnuplot, a shell or a browser would execute or format if they were not escaped. */
static const char *const hostile_texts[] = {
    "`" RUNS "`",
    "it's `" RUNS "`",
    "'.system('" RUNS "').'",
    "''; system '" RUNS "' #",
    "a''.system('" RUNS "').''b",
    "'''' ; system '" RUNS "'",
    "' ; system '" RUNS "' #",
    "\\'.system('" RUNS "').'",
    "\".system(\"" RUNS "\").\"",
    "@run @@run",
    "it's @run",
    "''@run '\"@run \"'@run",
    "\\'@run \\\"@run",
    "$run ${run} %s %d %n",
    "a\\",
    "a\\n\\t\\101",
    "{/Bold x}_2^3 &{x} ~x{y}",
    "# not a comment",
    "EOD\nEND\n`" RUNS "`",
    "] ] > <script>alert(1)</script> &amp;",
    "\xc3\xa9\xc3\xbc",
    "\x1b[31m\xff",
};

static void test_text_is_text(void **state)
{
    (void)state;
    enum { N = sizeof hostile_texts / sizeof hostile_texts[0] };
    cst_text data = {0}, panels = {0}, expected = {0};
    cst_text_puts(&data, "run = \"system '" RUNS "'\"\nset print './printed'\n");
    cst_text_puts(&panels, "plot ");
    for (size_t i = 0; i < N; i++) {
        cst_text_puts(&data, "print ");
        cst_gnuplot_text(&data, hostile_texts[i]);
        cst_text_puts(&data, "\n");
        cst_text_visible(&expected, hostile_texts[i]);
        cst_text_puts(&expected, "\n");
        cst_text_printf(&panels, "%zu * x title ", i);
        cst_gnuplot_text(&panels, hostile_texts[i]);
        cst_text_puts(&panels, i + 1 < N ? ", \\\n" : "\n");
    }
    cst_text_puts(&data, "unset print\n");
    draw("texts", &data, &panels);
    char *printed = read_text("printed"), *svg = read_text("texts.svg");
    assert_string_equal(printed, expected.data);
    assert_null(strstr(svg, "<script"));
    assert_non_null(strstr(svg, "&lt;script>alert(1)&lt;/script> &amp;amp;"));
    assert_non_null(strstr(svg, ">{/Bold x}_2^3 &amp;{x} ~x{y}<"));
    assert_non_null(strstr(svg, ">`" RUNS "`<"));
    assert_false(cst_path_exists("INJECTED"));
    free(data.data), free(panels.data), free(expected.data), free(printed), free(svg);
}

static void test_paths(void **state)
{
    (void)state;
    static const char *const stems[] = {
        "plain",
        "-e",
        "-",
        "|" RUNS "; cat ",
        "< " RUNS,
        "~",
        "a'b",
        "''",
        "''; system '" RUNS "' #",
        "a' . system('" RUNS "') . 'b",
        "`" RUNS "`",
        "a\"`" RUNS "`\"",
        "a\nsystem '" RUNS "'\n",
        "a'\nsystem '" RUNS "' #",
        "\x1b[31m\x7f\t",
        "\xff\xc3\xa9",
        "@run",
        "a'@run",
        "a\"'@run",
        "\n'@run",
        "a\\",
        "%s{x}_#",
    };
    static const char *const ends[] = {"gp", "png", "svg"};
    cst_text data = {0}, panels = {0};
    cst_text_puts(&data, "run = \"system '" RUNS "'\"\n");
    cst_text_puts(&panels, "plot x\n");
    for (size_t i = 0; i < sizeof stems / sizeof stems[0]; i++) {
        draw(stems[i], &data, &panels);
        for (size_t k = 0; k < 3; k++) {
            char name[100];
            snprintf(name, sizeof name, "%s.%s", stems[i], ends[k]);
            if (!cst_path_exists(name)) fail_msg("no %s", name);
        }
        if (cst_path_exists("INJECTED")) fail_msg("%s: runs", stems[i]);
    }
    cst_error error;
    assert_int_equal(cst_gnuplot_animate("a' `" RUNS "`", &data, &panels, 2, 10, &error), CST_OK);
    assert_true(cst_path_exists("a' `" RUNS "`.gif"));
    assert_false(cst_path_exists("INJECTED"));
    free(data.data), free(panels.data);
}

/* A link in place of a picture does not make gnuplot write to the link's target. */
static void test_links(void **state)
{
    (void)state;
    cst_text data = {0}, panels = {0};
    struct stat about;
    cst_text_puts(&panels, "plot x\n");
    test_write("precious", "kept", 4);
    assert_int_equal(symlink("precious", "linked.png"), 0);
    assert_int_equal(link("precious", "linked.svg"), 0);
    assert_int_equal(symlink("precious", "linked.gp"), 0);
    draw("linked", &data, &panels);
    char *kept = read_text("precious");
    assert_string_equal(kept, "kept");
    free(kept);
    for (size_t i = 0; i < 3; i++) {
        static const char *const names[] = {"linked.png", "linked.svg", "linked.gp"};
        assert_int_equal(lstat(names[i], &about), 0);
        assert_true(S_ISREG(about.st_mode) && about.st_nlink == 1);
    }
    cst_error error;
    test_folder("full.svg");
    const cst_status status = cst_gnuplot_draw("full", &data, &panels, (cst_gnuplot_grid){1, 1, 400, 200}, &error);
    assert_int_equal(status, CST_EIO);
    assert_string_equal(error.message, "full.svg: cannot replace: Is a directory");
    free(panels.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_text_is_text),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_links),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
