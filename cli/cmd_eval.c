#include "cli/cli.h"

#include "core/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--part", "NAME", "train, validation or test; all that there are if not given"},
    CLI_CONFIG_OPTIONS,
    {0},
};

static int evaluate(cst_run *run, const char *name, const cst_part *part)
{
    cst_evaluation r;
    cst_error error;
    if (cst_trainer_evaluate(&run->trainer, part, &r, &error) != CST_OK) return cli_fail(&error);
    cli_print("%-10s  %llu rows  loss %.6g", name, (unsigned long long)r.rows, r.loss);
    const double bits = cst_experiment_bits(&run->experiment, r.loss);
    if (isfinite(bits)) cli_print("  %.4f bits/dim", bits);
    if (isfinite(r.accuracy)) cli_print("  accuracy %.2f %%", 100 * r.accuracy);
    if (r.nfe > 0) cli_print("  nfe %.1f a batch", r.nfe);
    if (r.skipped > 0) cli_print("  %llu rows skipped", (unsigned long long)r.skipped);
    cli_print("  %.2f s\n", r.seconds);
    return CLI_DONE;
}

static int evaluate_parts(cst_run *run, const char *wanted)
{
    const cst_dataset *data = &run->experiment.data;
    const struct {
        const char *name;
        const cst_part *part;
    } parts[] = {{"train", &data->train}, {"validation", &data->validation}, {"test", &data->test}};
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < sizeof parts / sizeof parts[0]; i++) {
        const bool asked = wanted && strcmp(wanted, parts[i].name) == 0;
        if (wanted && !asked) continue;
        if (parts[i].part->n > 0)
            code = evaluate(run, parts[i].name, parts[i].part);
        else if (asked) {
            cli_complain("the data have no %s part", wanted);
            code = CLI_WRONG;
        }
    }
    return code;
}

static int eval(const cli_line *line)
{
    const char *folder = line->arguments[0], *part = cli_value(line, "--part");
    if (part && strcmp(part, "train") != 0 && strcmp(part, "validation") != 0 && strcmp(part, "test") != 0) {
        cli_complain("--part: expected train, validation or test, got \"%s\"", part);
        return CLI_WRONG;
    }
    cst_run run;
    cst_document *document;
    int code = cli_open(line, folder, &run, &document);
    if (code != CLI_DONE) return code;
    code = evaluate_parts(&run, part);
    cst_run_clear(&run);
    cst_document_free(document);
    return code;
}

const cli_command cli_eval = {"eval", "RUN [OPTIONS]", "evaluate the weights of a run", 1, 1, options, eval};
