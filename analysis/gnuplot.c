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

/* Suffixes of the files that a script draws. */
static const char *const pictures[] = {"png", "svg", NULL}, *const animation[] = {"gif", NULL};

void cst_gnuplot_number(cst_text *text, double value)
{
    cst_text_puts(text, " ");
    if (isfinite(value))
        cst_text_number(text, value);
    else
        cst_text_puts(text, "NaN");
}

/* True if a character has a meaning to gnuplot inside a string. The macro processor runs before everything else. It counts '
 * within "..." and " within '...' as quotes too; once that has put it out of step, it expands @NAME inside a string. */
static bool is_special(unsigned char c)
{
    return c < 0x20 || c == 0x7f || strchr("'\"\\`@", c);
}

/* Append n bytes of the inside of a string in double quotes. A special character becomes an octal escape of four digits:
 * after a zero gnuplot reads exactly that many, whatever follows. */
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
    /* XML forbids U+FFFE and U+FFFF, and ]]> in text, but gnuplot would write them into the SVG: spell the first two out, and
     * put a space before the > of the third. */
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

/* Append STEM.END as a string of the script, byte for byte. A relative path begins with ./, because gnuplot would treat one
 * that begins with | as a command, and expand one that begins with ~. */
static void put_path(cst_text *text, const char *stem, const char *end)
{
    cst_text_puts(text, stem[0] == '/' ? "\"" : "\"./");
    put_quoted(text, stem, strlen(stem));
    cst_text_printf(text, ".%s\"", end);
}

/* The beginning of a script: settings, line styles, and the caller's data. */
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

/* The panels as a grid, once for PNG and once for SVG. */
static void put_panels(cst_text *text, const char *stem, const cst_text *panels, cst_gnuplot_grid grid)
{
    /* Terminal and output file, then the same panels. */
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

/* Delete existing outputs that are not plain files with a single name: gnuplot would write through a symbolic or hard link
 * to another file. */
static cst_status remove_links(const char *stem, const char *const *ends, cst_error *error)
{
    cst_status status = CST_OK;
    for (size_t i = 0; status == CST_OK && ends[i]; i++) {
        struct stat about;
        cst_text path = {0};
        cst_text_printf(&path, "%s.%s", stem, ends[i]);
        /* lstat does not follow a symbolic link; a hard link shows in the number of names. */
        if (path.failed)
            status = cst_fail(error, CST_ENOMEM, "out of memory");
        else if (lstat(path.data, &about) == 0 && !(S_ISREG(about.st_mode) && about.st_nlink == 1) &&
                 unlink(path.data) != 0)
            status = cst_fail_io(error, path.data, "cannot replace", errno);
        free(path.data);
    }
    return status;
}

/* Run gnuplot on a script. -d leaves out the user's settings. A relative path begins with ./ so that it is never read as an
 * option. `quiet` discards stderr, where gnuplot reports how many frames it has animated. */
static cst_status run_gnuplot(const char *script, bool quiet, cst_error *error)
{
    char program[] = "gnuplot", defaults[] = "-d";
    char *argument = script[0] == '/' ? strdup(script) : cst_path_join(".", script);
    if (!argument) return cst_fail(error, CST_ENOMEM, "out of memory");
    char *const arguments[] = {program, defaults, argument, NULL};
    /* Start the program, without a shell. */
    pid_t child;
    int result = 0;
    posix_spawn_file_actions_t actions;
    int number = posix_spawn_file_actions_init(&actions);
    if (number == 0 && quiet)
        number = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (number == 0) number = posix_spawnp(&child, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    /* Wait for it; a signal may interrupt the wait. */
    if (number == 0)
        while (waitpid(child, &result, 0) < 0 && errno == EINTR) {
        }
    free(argument);
    /* A missing program is an error of posix_spawnp, or, on systems where that cannot tell, the exit code 127. */
    if (number == ENOENT || (number == 0 && WIFEXITED(result) && WEXITSTATUS(result) == 127))
        return cst_fail(error, CST_EUNSUPPORTED, "gnuplot is not installed; install it and run it on the script %s",
                        script);
    if (number != 0) return cst_fail(error, CST_EIO, "cannot run gnuplot: %s", strerror(number));
    if (!WIFEXITED(result) || WEXITSTATUS(result) != 0)
        return cst_fail(error, CST_EIO, "gnuplot failed; run \"gnuplot %s\" to see why", script);
    return CST_OK;
}

/* Write the script as STEM.gp and run it. CST_ENOMEM if any of the texts has failed. */
static cst_status write_and_run(const char *stem, const cst_text *script, const cst_text *data, const cst_text *panels,
                                const char *const *ends, cst_error *error)
{
    /* Write the script. */
    cst_text path = {0};
    cst_text_printf(&path, "%s.gp", stem);
    cst_status status = data->failed || panels->failed || script->failed || path.failed
                            ? cst_fail(error, CST_ENOMEM, "out of memory")
                            : cst_file_replace(path.data, script->data, script->size, error);
    if (status == CST_OK) status = remove_links(stem, ends, error);
    /* gnuplot's messages contain the script's name without escapes: control characters in it would reach the terminal. */
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
    const cst_status status = write_and_run(stem, &script, data, panels, pictures, error);
    free(script.data);
    return status;
}

cst_status cst_gnuplot_animate(const char *stem, const cst_text *data, const cst_text *panel, size_t frames,
                               int hundredths, cst_error *error)
{
    /* One plot command per value of the variable `frame`. */
    cst_text script = {0};
    put_head(&script, data);
    cst_text_printf(&script, "set terminal gif noenhanced animate delay %d loop 0 size 400,420\nset output ",
                    hundredths);
    put_path(&script, stem, animation[0]);
    cst_text_printf(&script, "\ndo for [frame = 0:%zu] {\n", frames - 1);
    cst_text_add(&script, panel->data, panel->size);
    cst_text_puts(&script, "}\nunset output\n");
    const cst_status status = write_and_run(stem, &script, data, panel, animation, error);
    free(script.data);
    return status;
}
