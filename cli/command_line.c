/* The part of cli.h about options, errors, configs and runs. */
#include "cli/cli.h"

#include "core/file.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- options ------------------------------------------------------------------------------------------------- */

bool cli_flag(const cli_line *line, const char *name)
{
    return cli_value(line, name) != NULL;
}

const char *cli_value(const cli_line *line, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < line->n_given; i++)
        if (strcmp(line->given[i].name, name) == 0) value = line->given[i].value;
    return value;
}

const char *cli_next(const cli_line *line, const char *name, size_t *i)
{
    while (*i < line->n_given) {
        const struct cli_given *given = &line->given[(*i)++];
        if (strcmp(given->name, name) == 0) return given->value;
    }
    return NULL;
}

bool cli_number(const cli_line *line, const char *name, size_t min, size_t max, size_t fallback, size_t *number)
{
    const char *value = cli_value(line, name);
    *number = fallback;
    if (!value) return true;
    /* Digits only, and few enough that strtoul cannot overflow: no sign, no blank, no exponent. */
    if (*value && strlen(value) <= 18 && strspn(value, "0123456789") == strlen(value)) {
        *number = (size_t)strtoul(value, NULL, 10);
        if (*number >= min && *number <= max) return true;
    }
    cli_error("%s: expected an integer from %zu to %zu, got \"%s\"", name, min, max, value);
    return false;
}

/* ---- errors -------------------------------------------------------------------------------------------------- */

int cli_refuse(const cst_error *error)
{
    cli_error("%s", error->message);
    return error->status == CST_ENOMEM || error->status == CST_EBUSY ? CLI_FAILED : CLI_USAGE;
}

int cli_fail(const cst_error *error)
{
    cli_error("%s", error->message);
    return CLI_FAILED;
}

/* ---- configs and runs ---------------------------------------------------------------------------------------- */

/* Apply --set and --threads to a config. */
static cst_status apply_options(const cli_line *line, cst_document *document, cst_error *error)
{
    /* Each --set is cut at its first "=": paths have none, values may. */
    size_t i = 0;
    for (const char *set; (set = cli_next(line, "--set", &i));) {
        const char *equals = strchr(set, '=');
        if (!equals || equals == set) return cst_fail(error, CST_EARG, "--set: expected PATH=VALUE, got \"%s\"", set);
        char *path = strdup(set);
        if (!path) return cst_fail(error, CST_ENOMEM, "out of memory");
        path[equals - set] = '\0';
        const cst_status status = cst_document_set(document, path, equals + 1, error);
        free(path);
        CST_TRY(status);
    }
    /* --threads N is --set threads=N, but the value must be a number. */
    const char *threads = cli_value(line, "--threads");
    if (!threads) return CST_OK;
    size_t n;
    if (strspn(threads, "0123456789") != strlen(threads) || sscanf(threads, "%5zu", &n) != 1)
        return cst_fail(error, CST_EARG, "--threads: expected a number, got \"%s\"", threads);
    return cst_document_set(document, "threads", threads, error);
}

cst_document *cli_load(const cli_line *line, const char *path, int *code)
{
    cst_error error;
    cst_document *document = NULL;
    cst_status status = cst_document_load(path, &document, &error);
    if (status == CST_OK) status = apply_options(line, document, &error);
    if (status == CST_OK) return document;
    cst_document_free(document);
    *code = cli_refuse(&error);
    return NULL;
}

int cli_open(const cli_line *line, const char *folder, cst_run *run, cst_document **document)
{
    /* The config of a run is in its folder, with all defaults written out. */
    int code = CLI_FAILED;
    cst_error error;
    char *config = cst_path_join(folder, "config.json");
    if (!config) {
        cli_error("out of memory");
        return CLI_FAILED;
    }
    *document = cli_load(line, config, &code);
    free(config);
    if (!*document) return code;

    /* Build the model and load the data and the weights. */
    if (cst_run_init(run, *document, folder, CST_RUN_OPEN, NULL, &error) == CST_OK) return CLI_DONE;
    cst_document_free(*document);
    return cli_refuse(&error);
}
