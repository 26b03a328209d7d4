/* costate eval: loss and accuracy of a run on the splits of its data. */
#include "cli/cli.h"

#include "core/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--split", "NAME", "train, validation or test (default: every split that has rows)"},
    CLI_CONFIG_OPTIONS,
    {0},
};

/* Evaluate one split and print one line. Bits per dimension and accuracy are NaN where they have no meaning. */
static int evaluate(cst_run *run, const char *name, const cst_split *split)
{
    cst_evaluation r;
    cst_error error;
    if (cst_trainer_evaluate(&run->trainer, split, &r, &error) != CST_OK) return cli_fail(&error);
    cli_print("%-10s  %llu rows  loss %.6g", name, (unsigned long long)r.rows, r.loss);
    const double bits = cst_experiment_bits(&run->experiment, r.loss);
    if (isfinite(bits)) cli_print("  %.4f bits/dim", bits);
    if (isfinite(r.accuracy)) cli_print("  accuracy %.2f %%", 100 * r.accuracy);
    if (r.nfe > 0) cli_print("  nfe %.1f per batch", r.nfe);
    if (r.skipped > 0) cli_print("  %llu rows skipped", (unsigned long long)r.skipped);
    cli_print("  %.2f s\n", r.seconds);
    return CLI_DONE;
}

/* Evaluate the split called `wanted`, or if it is NULL all splits that have rows. */
static int evaluate_splits(cst_run *run, const char *wanted)
{
    const cst_dataset *data = &run->experiment.data;
    const struct {
        const char *name;
        const cst_split *split;
    } splits[] = {{"train", &data->train}, {"validation", &data->validation}, {"test", &data->test}};
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < sizeof splits / sizeof splits[0]; i++) {
        const bool asked = wanted && strcmp(wanted, splits[i].name) == 0;
        if (wanted && !asked) continue;
        /* A split without rows is skipped silently, unless it was asked for. */
        if (splits[i].split->n > 0)
            code = evaluate(run, splits[i].name, splits[i].split);
        else if (asked) {
            cli_error("the data have no %s split", wanted);
            code = CLI_USAGE;
        }
    }
    return code;
}

static int eval(const cli_line *line)
{
    /* Check the option before the data are loaded. */
    const char *folder = line->arguments[0], *split = cli_value(line, "--split");
    if (split && strcmp(split, "train") != 0 && strcmp(split, "validation") != 0 && strcmp(split, "test") != 0) {
        cli_error("--split: expected train, validation or test, got \"%s\"", split);
        return CLI_USAGE;
    }

    cst_run run;
    cst_document *document;
    int code = cli_open(line, folder, &run, &document);
    if (code != CLI_DONE) return code;
    code = evaluate_splits(&run, split);
    cst_run_clear(&run);
    cst_document_free(document);
    return code;
}

const cli_command cli_eval = {
    .name = "eval",
    .arguments = "RUN [OPTIONS]",
    .summary = "evaluate the weights of a run",
    .example = "costate eval runs/spiral --split test",
    .least = 1,
    .most = 1,
    .options = options,
    .run = eval,
};
