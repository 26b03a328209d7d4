/* costate compare: train variants of a config with several seeds and print one table of results. */
#include "cli/cli.h"

#include "analysis/comparison.h"
#include "analysis/plot.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_VARIED = 8 }; /* how many --vary are allowed */

static const cli_option options[] = {
    {"--vary", "PATH=A,B,...",
     "values to compare; PATH as for --set. Several --vary: all combinations of their values"},
    {"--repeats", "N", "number of seeds per variant, counted up from the config's seed (default: 1)"},
    {"--out", "DIR", "folder for all runs and tables (default: runs/NAME-compare)"},
    {"--plot", NULL, "draw the curves as DIR/comparison.png and .svg, and the solver steps if there are traces"},
    {"--quiet", NULL, "print only the table"},
    CLI_CONFIG_OPTIONS,
    {0},
};

/* ---- callbacks during the comparison ------------------------------------------------------------------------- */

static void print_begin(void *context, size_t number, size_t total, const char *label, const char *folder)
{
    cli_progress *p = context;
    if (p->quiet) return;
    cli_progress_clear_line(p);
    cli_print("\n[%zu/%zu] %s, in %s\n", number, total, label, folder);
}

static void print_waiting(void *context, size_t runs)
{
    const cli_progress *p = context;
    if (!p->quiet) cli_print("\nwaiting for %zu run%s that other processes are training\n", runs, runs == 1 ? "" : "s");
    fflush(stdout);
}

static void print_failed(void *context, const char *label, const cst_error *error)
{
    cli_progress_clear_line(context);
    cli_error("%s: %s", label, error->message);
}

/* ---- the comparison ------------------------------------------------------------------------------------------ */

/* Draw all runs of the comparison in `folder` as FOLDER/comparison.png and .svg. */
static cst_status draw(const char *folder, cst_error *error)
{
    cst_plot plot = {0};
    cst_text stem = {0};
    cst_text_printf(&stem, "%s/comparison", folder);
    cst_status status = stem.failed ? cst_fail(error, CST_ENOMEM, "out of memory") : cst_plot_add(&plot, folder, error);
    if (status == CST_OK) status = cli_draw(&plot, stem.data, error);
    cst_plot_clear(&plot);
    free(stem.data);
    return status;
}

/* Train what is not trained yet, then print the table and draw it. The exit code is CLI_FAILED if any run failed. */
static int run_comparison(cst_comparison *c, const cli_line *line)
{
    cli_progress progress;
    cst_error error;
    cli_progress_init(&progress, cli_flag(line, "--quiet"));
    const cst_comparison_events events = {
        .run = cli_progress_events(&progress), .begin = print_begin, .waiting = print_waiting, .failed = print_failed};
    const cst_status status = cst_comparison_run(c, &events, &error);
    cli_progress_clear_line(&progress);

    /* Without tables there is nothing to print but the reason. */
    if (!c->written) {
        const int code = cli_fail(&error);
        if (status == CST_EINTERRUPTED) cli_error("run the same command again to continue");
        return code;
    }

    char *table = cst_comparison_table(c, CST_TABLE_TEXT);
    cli_print("\n%s\nNFE (number of function evaluations) and rejected steps: means per iteration.%s\n"
              "The table is in %s/comparison.csv and comparison.md\n",
              table ? table : "", c->repeats > 1 ? " +-: std over seeds." : "", c->folder);
    free(table);
    if (cli_flag(line, "--plot") && draw(c->folder, &error) != CST_OK) return cli_fail(&error);
    return status == CST_OK ? CLI_DONE : CLI_FAILED;
}

/* ---- the command --------------------------------------------------------------------------------------------- */

/* Parse every --vary into varied[0 .. *n). The caller clears these also after an error. */
static cst_status read_varied(const cli_line *line, cst_varied varied[MAX_VARIED], size_t *n, cst_error *error)
{
    size_t i = 0;
    for (const char *text; (text = cli_next(line, "--vary", &i));) {
        if (*n == MAX_VARIED) return cst_fail(error, CST_EARG, "--vary: expected at most %d of them", MAX_VARIED);
        cst_error why;
        const cst_status status = cst_varied_parse(text, &varied[*n], &why);
        if (status != CST_OK) return cst_fail(error, status, "--vary: %s", why.message);
        ++*n;
    }
    return CST_OK;
}

/* Compare in `folder`. The comparison keeps pointers to `varied` and the document: both are released after it. */
static int compare_in(const cli_line *line, cst_document *document, const char *folder)
{
    cst_varied varied[MAX_VARIED];
    size_t n = 0, repeats;
    cst_comparison c;
    cst_error error;
    int code = CLI_USAGE;
    if (!cli_number(line, "--repeats", 1, 10000, 1, &repeats)) return CLI_USAGE;
    if (read_varied(line, varied, &n, &error) != CST_OK ||
        cst_comparison_init(&c, document, folder, varied, n, repeats, &error) != CST_OK) {
        code = cli_refuse(&error);
    } else {
        code = run_comparison(&c, line);
        cst_comparison_clear(&c);
    }
    for (size_t i = 0; i < n; i++) cst_varied_clear(&varied[i]);
    return code;
}

static int compare(const cli_line *line)
{
    int code = CLI_FAILED;
    cst_document *document = cli_load(line, line->arguments[0], &code);
    if (!document) return code;

    /* The folder: --out, or runs/NAME-compare. A config without a name is refused later, when it is read. */
    const char *out = cli_value(line, "--out");
    const char *name = cst_config_string(cst_config_get(cst_document_root(document), "name"));
    cst_text folder = {0};
    if (out)
        cst_text_puts(&folder, out);
    else
        cst_text_printf(&folder, "runs/%s-compare", name ? name : "unnamed");

    if (!folder.failed)
        code = compare_in(line, document, folder.data);
    else
        cli_error("out of memory");
    free(folder.data);
    cst_document_free(document);
    return code;
}

const cli_command cli_compare = {
    .name = "compare",
    .arguments = "CONFIG --vary PATH=A,B ...",
    .summary = "train variants of a config and print their results in one table",
    .example = "costate compare configs/spiral.json --vary model...norm=default,seminorm --repeats 3 --plot",
    .least = 1,
    .most = 1,
    .options = options,
    .run = compare,
};
