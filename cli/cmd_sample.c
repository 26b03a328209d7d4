#include "cli/cli.h"

#include "analysis/sample.h"
#include "core/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--n", "N", "samples; 100, and 5000 of points in the plane. RUN's data have to be there"},
    {"--out", "DIR", "folder for samples.npy and the pictures; RUN if not given"},
    {"--seed", "S", "of the samples; the run's if not given"},
    {"--part", "NAME",
     "train, validation or test: whose log-likelihoods are written, row by row; none; test if not given"},
    CLI_CONFIG_OPTIONS,
    {0},
};

static void print_file(void *context, const char *path)
{
    cli_progress_clear_line(context);
    cli_print("written: %s\n", path);
}

static bool print_progress(void *context, const char *what, size_t done, size_t total)
{
    return cli_progress_count(context, what, done, total);
}

typedef struct parts {
    const char *name; /* NULL: no likelihoods */
    const cst_part *part;
} parts;

/* The part asked for; without a wish the first that there is of test, validation, train. */
static bool choose(const cst_dataset *data, const char *wanted, parts *chosen)
{
    const parts all[] = {{"test", &data->test}, {"validation", &data->validation}, {"train", &data->train}};
    const bool none = wanted && strcmp(wanted, "none") == 0;
    for (size_t i = 0; i < 3; i++) {
        if (wanted && !none && strcmp(wanted, all[i].name) != 0) continue;
        *chosen = all[i];
        if (chosen->part->n > 0) break;
    }
    if (none) chosen->name = NULL;
    if (chosen->part->n > 0) return true;
    cli_complain("the data have no %s part", chosen->name);
    return false;
}

/* FOLDER/PART_logp.npy */
static cst_status write_likelihood(const cst_sampler *s, const parts *chosen, const char *folder, cst_error *error)
{
    const size_t n = chosen->part->n;
    const cst_shape shape = cst_shape_1d(n);
    char name[40];
    snprintf(name, sizeof name, "%s_logp.npy", chosen->name);
    real *logp = malloc(n * sizeof *logp);
    char *path = cst_path_join(folder, name);
    cst_status status = logp && path ? cst_sample_likelihood(s, chosen->part, logp, error)
                                     : cst_fail(error, CST_ENOMEM, "out of memory");
    if (status == CST_OK) status = cst_npy_write(path, CST_NPY_REAL, &shape, logp, error);
    if (status == CST_OK) {
        double sum = 0;
        for (size_t i = 0; i < n; i++) sum += (double)logp[i];
        print_file(s->events->context, path);
        cli_print("%s: log-likelihood %.6g, the mean of %zu rows\n", chosen->name, sum / (double)n, n);
    }
    free(logp);
    free(path);
    return status;
}

static cst_status sample_into(const cst_sampler *s, size_t n, const parts *chosen, const char *folder, cst_error *error)
{
    real *x = NULL;
    CST_TRY(cst_folder_create(folder, error));
    cst_status status = cst_sample_draw(s, n, &x, error);
    if (status == CST_OK) status = cst_sample_write(s, n, x, folder, error);
    if (status == CST_OK && chosen->name) status = write_likelihood(s, chosen, folder, error);
    const cst_status drawn = status == CST_OK ? cst_sample_picture(s, chosen->part, n, x, folder, error) : status;
    free(x);
    if (status != CST_OK || drawn != CST_EUNSUPPORTED) return drawn;
    cli_progress_clear_line(s->events->context);
    cli_complain("no pictures: %s", error->message); /* all else is there */
    return CST_OK;
}

static int sample_run(const cli_line *line, cst_run *run, size_t n)
{
    cli_progress progress;
    const char *out = cli_value(line, "--out");
    const cst_dataset *data = &run->experiment.data;
    size_t seed;
    parts chosen = {0};
    cst_error error;
    if (!cli_number(line, "--seed", 0, (size_t)1 << 53, (size_t)run->experiment.seed, &seed)) return CLI_WRONG;
    if (cst_sample_check(run, &error) != CST_OK) return cli_refuse(&error);
    if (!choose(data, cli_value(line, "--part"), &chosen)) return CLI_WRONG;
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
    const char *part = cli_value(line, "--part");
    size_t n, known = 0;
    cst_run run;
    cst_document *document;
    if (!cli_number(line, "--n", 1, 10000000, 0, &n)) return CLI_WRONG;
    while (part && known < 4 && strcmp(part, names[known]) != 0) known++;
    if (known == 4) {
        cli_complain("--part: expected train, validation, test or none, got \"%s\"", part);
        return CLI_WRONG;
    }
    int code = cli_open(line, line->arguments[0], &run, &document);
    if (code != CLI_DONE) return code;
    code = sample_run(line, &run, n);
    cst_run_clear(&run);
    cst_document_free(document);
    return code;
}

const cli_command cli_sample = {
    "sample", "RUN [OPTIONS]", "draw samples of a normalizing flow, and what it makes of the data", 1, 1,
    options,  sample};
