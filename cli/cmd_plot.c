/* costate plot: draw the curves of runs or of a comparison with gnuplot (analysis/plot.h). */
#include "cli/cli.h"

#include "analysis/plot.h"
#include "core/text.h"

#include <stdlib.h>

static const cli_option options[] = {
    {"--out", "STEM", "write STEM.png, STEM.svg and STEM.gp (default: RUN/plot for one run, plot for several)"},
    {0},
};

cst_status cli_draw(const cst_plot *plot, const char *stem, cst_error *error)
{
    /* The curves, then the steps; `drawn` stays false if no run has a trace. */
    bool drawn = false;
    cst_text steps = {0};
    cst_text_printf(&steps, "%s-steps", stem);
    cst_status status = steps.failed ? cst_fail(error, CST_ENOMEM, "out of memory") : cst_plot_draw(plot, stem, error);
    if (status == CST_OK) cli_print("drawn: %s.png and .svg\n", stem);
    if (status == CST_OK) status = cst_plot_draw_steps(plot, steps.data, &drawn, error);
    if (status == CST_OK && drawn) cli_print("drawn: %s.png and .svg\n", steps.data);
    free(steps.data);
    return status;
}

static int plot_runs(const cli_line *line)
{
    cst_plot plot = {0};
    cst_text stem = {0};
    cst_error error;
    /* The stem of the file names. */
    const char *out = cli_value(line, "--out");
    if (out)
        cst_text_puts(&stem, out);
    else
        cst_text_printf(&stem, "%s%splot", line->n_arguments == 1 ? line->arguments[0] : "",
                        line->n_arguments == 1 ? "/" : "");

    /* Read all runs; a mistake in any of them is found before anything is drawn. */
    cst_status status = stem.failed ? cst_fail(&error, CST_ENOMEM, "out of memory") : CST_OK;
    for (size_t i = 0; status == CST_OK && i < line->n_arguments; i++)
        status = cst_plot_add(&plot, line->arguments[i], &error);

    /* Until here a mistake is one of the command line; drawing fails at run time. */
    int code = status == CST_OK ? CLI_DONE : cli_refuse(&error);
    if (code == CLI_DONE && cli_draw(&plot, stem.data, &error) != CST_OK) code = cli_fail(&error);
    cst_plot_clear(&plot);
    free(stem.data);
    return code;
}

const cli_command cli_plot = {
    .name = "plot",
    .arguments = "RUN... [OPTIONS]",
    .summary = "draw loss, accuracy and NFE of runs over epochs",
    .example = "costate plot runs/a runs/b --out runs/a-and-b",
    .least = 1,
    .most = 1000,
    .options = options,
    .run = plot_runs,
};
