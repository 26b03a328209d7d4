/* costate control: bring the simulated double pendulum upright with the model of a run (analysis/control.h). */
#include "cli/cli.h"

#include "analysis/control.h"
#include "core/file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static const cli_option options[] = {
    {"--steps", "N", "number of control steps of 0.05 s each (default: 400)"},
    {"--start", "Q1,Q2", "initial angles in radians, at rest (default: 0,0, hanging)"},
    {"--out", "DIR", "folder for control.csv and the pictures (default: RUN)"},
    {0},
};

/* Parse "Q1,Q2" into start; start stays as it is if text is NULL. False, after an error, unless these are two finite
 * numbers. */
static bool read_start(const char *text, double start[2])
{
    char *end = NULL;
    if (!text) return true;
    errno = 0;
    start[0] = strtod(text, &end);
    const bool comma = end != text && *end == ',';
    /* If the comma is missing, this second call only sets `end`; the condition below refuses the text. */
    const char *second = comma ? end + 1 : end;
    start[1] = strtod(second, &end);
    if (comma && end != second && !*end && errno == 0 && isfinite(start[0]) && isfinite(start[1])) return true;
    cli_error("--start: expected two numbers, Q1,Q2, got \"%s\"", text);
    return false;
}

/* Print the result. CLI_FAILED if the pendulum is not upright at the end. */
static int print_result(const cst_control_options *o, const cst_control *control)
{
    const double end = control->points[control->n - 1].t;
    if (control->reached) {
        cli_print("upright from t = %.2f until the end, t = %.2f: within %g rad and %g rad/s\n", control->since, end,
                  o->angle, o->rate);
        return CLI_DONE;
    }
    cli_print("not upright at the end, t = %.2f%s%s: the smallest angle from upright was %.2f rad, at t = %.2f\n", end,
              control->why[0] ? "; " : "", control->why, control->closest, control->when);
    return CLI_FAILED;
}

/* Control the pendulum and write the results to `folder`. */
static int control_in(const cst_run *run, const cst_control_options *o, const char *folder)
{
    cst_control control;
    cst_error error;
    if (cst_control_run(run, o, &control, &error) != CST_OK) return cli_refuse(&error);

    /* Without a first torque there is nothing to write. */
    if (control.n == 0) {
        cli_error("cannot compute the first torque: %s", control.why);
        free(control.points);
        return CLI_FAILED;
    }

    /* A motion that does not end upright is written and drawn as well. */
    cst_status status = cst_folder_create(folder, &error);
    if (status == CST_OK) status = cst_control_write(&control, folder, &error);
    if (status == CST_OK) cli_print("written: %s/control.csv\n", folder);
    if (status == CST_OK) status = cst_control_draw(&control, folder, &error);
    if (status == CST_OK)
        cli_print("drawn: control.png and control-frames.png, also as .svg, and control-animation.gif\n");
    int code = status == CST_OK ? CLI_DONE : cli_fail(&error);
    if (print_result(o, &control) != CLI_DONE) code = CLI_FAILED;
    free(control.points);
    return code;
}

static int control(const cli_line *line)
{
    const char *folder = line->arguments[0], *out = cli_value(line, "--out");
    cst_control_options o;
    cst_run run;
    cst_document *document;
    cst_control_options_init(&o);
    if (!cli_number(line, "--steps", 1, 1000000, o.steps, &o.steps) || !read_start(cli_value(line, "--start"), o.start))
        return CLI_USAGE;
    int code = cli_open(line, folder, &run, &document);
    if (code != CLI_DONE) return code;
    code = control_in(&run, &o, out ? out : folder);
    cst_run_clear(&run);
    cst_document_free(document);
    return code;
}

const cli_command cli_control = {
    .name = "control",
    .arguments = "RUN [OPTIONS]",
    .summary = "bring the double pendulum upright with a run's model",
    .example = "costate control runs/acrobot --start 0.5,0 --out runs/acrobot/control",
    .least = 1,
    .most = 1,
    .options = options,
    .run = control,
};
