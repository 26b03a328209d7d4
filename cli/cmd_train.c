/* costate train: train one model in a run folder (train/run.h), or continue a run. */
#include "cli/cli.h"

#include "core/text.h"

#include <stdlib.h>

static const cli_option options[] = {
    {"--out", "DIR", "folder of the run (default: runs/NAME)"},
    {"--resume", NULL, "continue the run in the folder from its last checkpoint"},
    {"--quiet", NULL, "print only errors"},
    CLI_CONFIG_OPTIONS,
    {0},
};

/* --out, or runs/NAME; allocated, NULL if memory ran out. A config without a name is refused later, when it is read. */
static char *choose_folder(const cli_line *line, cst_document *document)
{
    const char *out = cli_value(line, "--out");
    const char *name = cst_config_string(cst_config_get(cst_document_root(document), "name"));
    cst_text text = {0};
    cst_text_printf(&text, "%s%s", out ? "" : "runs/", out ? out : name ? name : "unnamed");
    return text.data;
}

/* Train in `folder` and print where the run is. */
static int train_in(const cli_line *line, cst_document *document, const char *folder)
{
    cli_progress progress;
    cst_run run;
    cst_error error;
    cst_summary summary;
    cli_progress_init(&progress, cli_flag(line, "--quiet"));
    const cst_run_events events = cli_progress_events(&progress);

    /* Check everything and load the data; nothing is written yet. */
    const cst_run_mode mode = cli_flag(line, "--resume") ? CST_RUN_RESUME : CST_RUN_NEW;
    if (cst_run_init(&run, document, folder, mode, &events, &error) != CST_OK) return cli_refuse(&error);

    /* Train, and evaluate the resulting weights. */
    const cst_status status = cst_run_train(&run, &summary, &error);
    cst_run_clear(&run);
    cli_progress_clear_line(&progress);

    if (status == CST_OK) {
        if (!progress.quiet) cli_print("the run is in %s\n", folder);
        return CLI_DONE;
    }

    /* After Ctrl-C a checkpoint has been saved: say how to resume the run. */
    const int code = cli_fail(&error);
    if (status == CST_EINTERRUPTED) cli_error("to resume it, add --resume --out %s to its train command", folder);
    return code;
}

static int train(const cli_line *line)
{
    int code = CLI_FAILED;
    cst_document *document = cli_load(line, line->arguments[0], &code);
    if (!document) return code;
    char *folder = choose_folder(line, document);
    if (folder)
        code = train_in(line, document, folder);
    else
        cli_error("out of memory");
    free(folder);
    cst_document_free(document);
    return code;
}

const cli_command cli_train = {
    .name = "train",
    .arguments = "CONFIG [OPTIONS]",
    .summary = "train a model",
    .example = "costate train configs/spiral.json --set optimizer.lr=3e-3 --out runs/spiral",
    .least = 1,
    .most = 1,
    .options = options,
    .run = train,
};
