#include "train/gnuplot.h"

#include "core/file.h"

#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

void cst_gnuplot_number(cst_text *text, double value)
{
    cst_text_puts(text, " ");
    if (isfinite(value))
        cst_text_number(text, value);
    else
        cst_text_puts(text, "NaN");
}

static void put_script(cst_text *text, const char *stem, const cst_text *data, const cst_text *panels, int across,
                       int down)
{
    static const char *const colors[CST_GNUPLOT_STYLES] = {"0072b2", "d55e00", "009e73", "cc79a7",
                                                           "e69f00", "56b4e9", "000000", "999999"};
    cst_text_puts(text, "# gnuplot draws this.\nset datafile missing \"NaN\"\nset grid linecolor rgb \"#dddddd\"\n"
                        "set border 3 linecolor rgb \"#444444\"\nset tics nomirror\nset format y \"%g\"\n");
    for (int i = 0; i < CST_GNUPLOT_STYLES; i++)
        cst_text_printf(text, "set style line %d linecolor rgb \"#%s\" linewidth 2 pointsize 0.8\n", i + 1, colors[i]);
    cst_text_add(text, data->data, data->size);
    for (int svg = 0; svg < 2; svg++) {
        cst_text_printf(text, "\nset terminal %s size %d,%d font \"%s\" background rgb \"white\"\nset output ",
                        svg ? "svg" : "pngcairo", across * 560, down * 400, svg ? "sans,11" : "sans,10");
        cst_text_quote(text, stem);
        cst_text_printf(text, ".\".%s\"\nset multiplot layout %d,%d\n", svg ? "svg" : "png", down, across);
        cst_text_add(text, panels->data, panels->size);
        cst_text_puts(text, "unset multiplot\nunset output\n");
    }
}

static cst_status run_gnuplot(const char *script, cst_error *error)
{
    char program[] = "gnuplot";
    char *argument = strdup(script);
    if (!argument) return cst_fail(error, CST_ENOMEM, "out of memory");
    char *const arguments[] = {program, argument, NULL};
    pid_t child;
    int result = 0;
    const int number = posix_spawnp(&child, program, NULL, NULL, arguments, environ);
    if (number == 0)
        while (waitpid(child, &result, 0) < 0 && errno == EINTR) {
        }
    free(argument);
    /* Where posix_spawnp cannot tell by itself, the child ends with 127. */
    if (number == ENOENT || (number == 0 && WIFEXITED(result) && WEXITSTATUS(result) == 127))
        return cst_fail(error, CST_EUNSUPPORTED, "gnuplot is not installed; what it would draw is in %s", script);
    if (number != 0) return cst_fail(error, CST_EIO, "cannot run gnuplot: %s", strerror(number));
    if (!WIFEXITED(result) || WEXITSTATUS(result) != 0)
        return cst_fail(error, CST_EIO, "gnuplot failed; its script is %s", script);
    return CST_OK;
}

cst_status cst_gnuplot_draw(const char *stem, const cst_text *data, const cst_text *panels, int across, int down,
                            cst_error *error)
{
    cst_text text = {0}, script = {0};
    put_script(&text, stem, data, panels, across, down);
    cst_text_printf(&script, "%s.gp", stem);
    cst_status status = data->failed || panels->failed || text.failed || script.failed
                            ? cst_fail(error, CST_ENOMEM, "out of memory")
                            : cst_file_replace(script.data, text.data, text.size, error);
    if (status == CST_OK) status = run_gnuplot(script.data, error);
    free(text.data);
    free(script.data);
    return status;
}
