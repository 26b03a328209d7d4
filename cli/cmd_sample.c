/* costate sample: samples of a normalizing flow and the log-likelihood of its data (analysis/sample.h). */
#include "cli/cli.h"

#include "analysis/sample.h"
#include "core/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--n", "N", "number of samples (default: 5000 for points in the plane, otherwise 100)"},
    {"--out", "DIR", "folder for samples.npy and the pictures (default: RUN)"},
    {"--seed", "S", "seed of the samples (default: the run's seed)"},
    {"--split", "NAME",
     "write the log-likelihood of each row of train, validation or test; none: write none (default: test)"},
    CLI_CONFIG_OPTIONS,
    {0},
};

/* ---- callbacks: their context is the cli_progress ------------------------------------------------------------ */

static void print_file(void *context, const char *path)
{
    cli_progress_clear_line(context);
    cli_print("written: %s\n", path);
}

static bool print_progress(void *context, const char *what, size_t done, size_t total)
{
    return cli_progress_count(context, what, done, total);
}

/* ---- the split ----------------------------------------------------------------------------------------------- */

/* The split that is drawn beside the samples, and whose log-likelihood is written. */
typedef struct chosen_split {
    const char *name; /* NULL: write no log-likelihood */
    const cst_split *split;
} chosen_split;

/* Choose the split called `wanted`, or if that is NULL or "none" the first one that has rows of test, validation,
 * train. False, after an error, if there is none. */
static bool choose(const cst_dataset *data, const char *wanted, chosen_split *chosen)
{
    const chosen_split all[] = {{"test", &data->test}, {"validation", &data->validation}, {"train", &data->train}};
    const bool none = wanted && strcmp(wanted, "none") == 0;
    for (size_t i = 0; i < 3; i++) {
        if (wanted && !none && strcmp(wanted, all[i].name) != 0) continue;
        *chosen = all[i];
        if (chosen->split->n > 0) break;
    }
    if (none) chosen->name = NULL;
    if (chosen->split->n > 0) return true;
    cli_error("the data have no %s split", chosen->name);
    return false;
}

/* ---- the command --------------------------------------------------------------------------------------------- */

/* Write FOLDER/SPLIT_logp.npy (n), the log-likelihood of each row in nats, and print the mean. */
static cst_status write_likelihood(const cst_sampler *s, const chosen_split *chosen, const char *folder,
                                   cst_error *error)
{
    const size_t n = chosen->split->n;
    const cst_shape shape = cst_shape_1d(n);
    char name[40];
    snprintf(name, sizeof name, "%s_logp.npy", chosen->name);
    real *logp = malloc(n * sizeof *logp);
    char *path = cst_path_join(folder, name);
    cst_status status = logp && path ? cst_sample_likelihood(s, chosen->split, logp, error)
                                     : cst_fail(error, CST_ENOMEM, "out of memory");
    if (status == CST_OK) status = cst_npy_write(path, CST_NPY_REAL, &shape, logp, error);
    if (status == CST_OK) {
        double sum = 0;
        for (size_t i = 0; i < n; i++) sum += (double)logp[i];
        print_file(s->events->context, path);
        cli_print("%s: mean log-likelihood %.6g over %zu rows\n", chosen->name, sum / (double)n, n);
    }
    free(logp);
    free(path);
    return status;
}

/* Draw n samples and write them, the likelihoods and the pictures to `folder`. */
static cst_status sample_into(const cst_sampler *s, size_t n, const chosen_split *chosen, const char *folder,
                              cst_error *error)
{
    real *x = NULL;
    CST_TRY(cst_folder_create(folder, error));
    cst_status status = cst_sample_draw(s, n, &x, error);
    if (status == CST_OK) status = cst_sample_write(s, n, x, folder, error);
    if (status == CST_OK && chosen->name) status = write_likelihood(s, chosen, folder, error);

    /* Pictures come last. If gnuplot is missing, everything else has been written: that is a warning. */
    const cst_status drawn = status == CST_OK ? cst_sample_picture(s, chosen->split, n, x, folder, error) : status;
    free(x);
    if (status != CST_OK || drawn != CST_EUNSUPPORTED) return drawn;
    cli_progress_clear_line(s->events->context);
    cli_error("no pictures: %s", error->message);
    return CST_OK;
}

/* Sample from an opened run. n = 0: the default number. */
static int sample_run(const cli_line *line, cst_run *run, size_t n)
{
    cli_progress progress;
    const char *out = cli_value(line, "--out");
    const cst_dataset *data = &run->experiment.data;
    size_t seed;
    chosen_split chosen = {0};
    cst_error error;
    if (!cli_number(line, "--seed", 0, (size_t)1 << 53, (size_t)run->experiment.seed, &seed)) return CLI_USAGE;
    if (cst_sample_check(run, &error) != CST_OK) return cli_refuse(&error);
    if (!choose(data, cli_value(line, "--split"), &chosen)) return CLI_USAGE;

    cli_progress_init(&progress, false);
    const cst_sample_events events = {&progress, print_progress, print_file};
    const cst_sampler sampler = {run, seed, &events};
    if (n == 0) n = data->x.rank == 1 && data->x.dim[0] == 2 ? 5000 : 100;
    const cst_status status = sample_into(&sampler, n, &chosen, out ? out : line->arguments[0], &error);
    cli_progress_clear_line(&progress);
    return status == CST_OK ? CLI_DONE : cli_fail(&error);
}

static int sample(const cli_line *line)
{
    static const char *const names[] = {"train", "validation", "test", "none"};
    const char *split = cli_value(line, "--split");
    size_t n, known = 0;
    cst_run run;
    cst_document *document;
    /* Check the options before the data are loaded. */
    if (!cli_number(line, "--n", 1, 10000000, 0, &n)) return CLI_USAGE;
    while (split && known < 4 && strcmp(split, names[known]) != 0) known++;
    if (known == 4) {
        cli_error("--split: expected train, validation, test or none, got \"%s\"", split);
        return CLI_USAGE;
    }

    int code = cli_open(line, line->arguments[0], &run, &document);
    if (code != CLI_DONE) return code;
    code = sample_run(line, &run, n);
    cst_run_clear(&run);
    cst_document_free(document);
    return code;
}

const cli_command cli_sample = {
    .name = "sample",
    .arguments = "RUN [OPTIONS]",
    .summary = "draw samples from a normalizing flow; write log-likelihoods of its data",
    .example = "costate sample runs/cnf_moons --n 1000 --split validation",
    .least = 1,
    .most = 1,
    .options = options,
    .run = sample,
};
