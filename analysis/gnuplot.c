#include "analysis/gnuplot.h"

#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char *const pictures[] = {"png", "svg", NULL}, *const animation[] = {"gif", NULL};

void cst_gnuplot_number(cst_text *text, double value)
{
    cst_text_puts(text, " ");
    if (isfinite(value))
        cst_text_number(text, value);
    else
        cst_text_puts(text, "NaN");
}

/* Whether a character ends a string of gnuplot's or makes something else of it. The macro processor, which runs before anything
 * else, counts ' within "..." and " within '...' as well, and once it is out of step expands @NAME in the midst of a string. */
static bool is_special(unsigned char c)
{
    return c < 0x20 || c == 0x7f || strchr("'\"\\`@", c);
}

/* The inside of a string in double quotes. What is special stands as an octal number of four digits: gnuplot reads as many after
 * a zero, whatever follows. */
static void put_quoted(cst_text *text, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)s[i];
        if (is_special(c))
            cst_text_printf(text, "\\0%03o", c);
        else
            cst_text_add(text, s + i, 1);
    }
}

void cst_gnuplot_text(cst_text *text, const char *string)
{
    cst_text visible = {0};
    cst_text_visible(&visible, string);
    text->failed = text->failed || visible.failed;
    cst_text_puts(text, "\"");
    /* gnuplot writes into SVG what XML forbids: U+FFFE and U+FFFF, and ]]>, in which a space stands then. */
    for (const char *s = visible.data; !visible.failed && *s; s++) {
        if (strncmp(s, "\xef\xbf\xbe", 3) == 0 || strncmp(s, "\xef\xbf\xbf", 3) == 0) {
            put_quoted(text, s[2] == '\xbe' ? "\\ufffe" : "\\uffff", 6);
            s += 2;
        } else {
            if (*s == '>' && s - visible.data >= 2 && s[-1] == ']' && s[-2] == ']') cst_text_puts(text, " ");
            put_quoted(text, s, 1);
        }
    }
    cst_text_puts(text, "\"");
    free(visible.data);
}

/* STEM.END as a string of the script, byte for byte. A name is no command: one that begins with | or ~ or - begins with ./
 * instead. */
static void put_path(cst_text *text, const char *stem, const char *end)
{
    cst_text_puts(text, stem[0] == '/' ? "\"" : "\"./");
    put_quoted(text, stem, strlen(stem));
    cst_text_printf(text, ".%s\"", end);
}

static void put_head(cst_text *text, const cst_text *data)
{
    static const char *const colors[CST_GNUPLOT_STYLES] = {"0072b2", "d55e00", "009e73", "cc79a7",
                                                           "e69f00", "56b4e9", "000000", "999999"};
    cst_text_puts(text, "# gnuplot draws this.\nset datafile missing \"NaN\"\nset grid linecolor rgb \"#dddddd\"\n"
                        "set border 3 linecolor rgb \"#444444\"\nset tics nomirror\nset format y \"%g\"\n");
    for (int i = 0; i < CST_GNUPLOT_STYLES; i++)
        cst_text_printf(text, "set style line %d linecolor rgb \"#%s\" linewidth 2 pointsize 0.8\n", i + 1, colors[i]);
    cst_text_add(text, data->data, data->size);
}

static void put_panels(cst_text *text, const char *stem, const cst_text *panels, cst_gnuplot_grid grid)
{
    for (int svg = 0; svg < 2; svg++) {
        cst_text_printf(
            text, "\nset terminal %s noenhanced size %d,%d font \"%s\" background rgb \"white\"\nset output ",
            svg ? "svg" : "pngcairo", grid.across * grid.width, grid.down * grid.height, svg ? "sans,11" : "sans,10");
        put_path(text, stem, pictures[svg]);
        cst_text_printf(text, "\nset multiplot layout %d,%d\n", grid.down, grid.across);
        cst_text_add(text, panels->data, panels->size);
        cst_text_puts(text, "unset multiplot\nunset output\n");
    }
}

/* gnuplot would write through a link to wherever it leads: what is no plain file of one name makes room for a new one. */
static cst_status make_room(const char *stem, const char *const *ends, cst_error *error)
{
    cst_status status = CST_OK;
    for (size_t i = 0; status == CST_OK && ends[i]; i++) {
        struct stat about;
        cst_text path = {0};
        cst_text_printf(&path, "%s.%s", stem, ends[i]);
        if (path.failed)
            status = cst_fail(error, CST_ENOMEM, "out of memory");
        else if (lstat(path.data, &about) == 0 && !(S_ISREG(about.st_mode) && about.st_nlink == 1) &&
                 unlink(path.data) != 0)
            status = cst_fail_io(error, path.data, "cannot replace", errno);
        free(path.data);
    }
    return status;
}

/* A script's name is no option; nothing but the script says what is drawn (-d: no settings of the user's).
 * `quiet`: gnuplot tells how many pictures it has animated, on stderr. */
static cst_status run_gnuplot(const char *script, bool quiet, cst_error *error)
{
    char program[] = "gnuplot", defaults[] = "-d";
    char *argument = script[0] == '/' ? strdup(script) : cst_path_join(".", script);
    if (!argument) return cst_fail(error, CST_ENOMEM, "out of memory");
    char *const arguments[] = {program, defaults, argument, NULL};
    pid_t child;
    int result = 0;
    posix_spawn_file_actions_t actions;
    int number = posix_spawn_file_actions_init(&actions);
    if (number == 0 && quiet)
        number = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (number == 0) number = posix_spawnp(&child, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (number == 0)
        while (waitpid(child, &result, 0) < 0 && errno == EINTR) {
        }
    free(argument);
    /* Where posix_spawnp cannot tell by itself, the child ends with 127. */
    if (number == ENOENT || (number == 0 && WIFEXITED(result) && WEXITSTATUS(result) == 127))
        return cst_fail(error, CST_EUNSUPPORTED, "gnuplot is not installed; what it would draw is in %s", script);
    if (number != 0) return cst_fail(error, CST_EIO, "cannot run gnuplot: %s", strerror(number));
    if (!WIFEXITED(result) || WEXITSTATUS(result) != 0)
        return cst_fail(error, CST_EIO, "gnuplot failed; \"gnuplot %s\" says why", script);
    return CST_OK;
}

/* Keep the script as STEM.gp, unless it or what it is made of has failed, and run it. */
static cst_status finish(const char *stem, const cst_text *script, const cst_text *data, const cst_text *panels,
                         const char *const *ends, cst_error *error)
{
    cst_text path = {0};
    cst_text_printf(&path, "%s.gp", stem);
    cst_status status = data->failed || panels->failed || script->failed || path.failed
                            ? cst_fail(error, CST_ENOMEM, "out of memory")
                            : cst_file_replace(path.data, script->data, script->size, error);
    if (status == CST_OK) status = make_room(stem, ends, error);
    /* gnuplot names the script in its messages as it is: a terminal would obey what is in the name. */
    const bool quiet = ends == animation || !cst_text_is_visible(stem);
    if (status == CST_OK) status = run_gnuplot(path.data, quiet, error);
    free(path.data);
    return status;
}

cst_status cst_gnuplot_draw(const char *stem, const cst_text *data, const cst_text *panels, cst_gnuplot_grid grid,
                            cst_error *error)
{
    cst_text script = {0};
    put_head(&script, data);
    put_panels(&script, stem, panels, grid);
    const cst_status status = finish(stem, &script, data, panels, pictures, error);
    free(script.data);
    return status;
}

cst_status cst_gnuplot_animate(const char *stem, const cst_text *data, const cst_text *panel, size_t frames,
                               int hundredths, cst_error *error)
{
    cst_text script = {0};
    put_head(&script, data);
    cst_text_printf(&script, "set terminal gif noenhanced animate delay %d loop 0 size 400,420\nset output ",
                    hundredths);
    put_path(&script, stem, animation[0]);
    cst_text_printf(&script, "\ndo for [frame = 0:%zu] {\n", frames - 1);
    cst_text_add(&script, panel->data, panel->size);
    cst_text_puts(&script, "}\nunset output\n");
    const cst_status status = finish(stem, &script, data, panel, animation, error);
    free(script.data);
    return status;
}
