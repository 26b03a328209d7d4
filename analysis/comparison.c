#include "analysis/comparison.h"

#include "core/file.h"
#include "core/text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- variants ------------------------------------------------------------------------------------------------ */

/* The value of option k in variant i. Variants count through all combinations; the last option varies fastest. */
static const char *value_in(const cst_comparison *c, size_t i, size_t k)
{
    for (size_t j = c->n_varied; j-- > k + 1;) i /= c->varied[j].n;
    return c->varied[k].values[i % c->varied[k].n];
}

/* The last key of a path: "model...gradient.norm" -> "norm". */
static const char *last_key(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

/* A copy of the base config, by way of its text. */
static cst_status copy_document(const cst_comparison *c, cst_document **to, cst_error *error)
{
    char *text = cst_document_print(c->document);
    if (!text) return cst_fail(error, CST_ENOMEM, "out of memory");
    const cst_status status = cst_document_parse(cst_document_name(c->document), text, strlen(text), to, error);
    free(text);
    return status;
}

/* The config of variant i, still with the base config's seed. */
static cst_status make_config(const cst_comparison *c, size_t i, cst_document **document, cst_error *error)
{
    CST_TRY(copy_document(c, document, error));
    cst_status status = CST_OK;
    for (size_t k = 0; status == CST_OK && k < c->n_varied; k++)
        status = cst_document_set(*document, c->varied[k].path, value_in(c, i, k), error);
    if (status == CST_OK) return CST_OK;
    cst_document_free(*document);
    *document = NULL;
    return status;
}

/* Turn a label into the name of a folder, in place: letters, digits and . _ + - stay, anything else becomes a dash. The
 * list of letters is written out because isalpha depends on the locale. */
static void to_folder_name(char *name)
{
    static const char kept[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";
    char *to = name;
    for (const char *from = name; *from; from++) {
        /* A name must not begin with a dot or a dash. */
        const bool allowed = to > name || !strchr(".-", *from);
        if (strchr(kept, *from) && allowed)
            *to++ = *from;
        else if (to > name && to[-1] != '-')
            *to++ = '-';
    }
    while (to > name && to[-1] == '-') to--;
    *to = '\0';
}

/* Set a variant's label, such as "norm=seminorm, rtol=1e-3", and its folder. */
static cst_status name_variant(const cst_comparison *c, size_t i, cst_variant *v, cst_error *error)
{
    cst_text label = {0};
    for (size_t k = 0; k < c->n_varied; k++)
        cst_text_printf(&label, "%s%s=%s", k > 0 ? ", " : "", last_key(c->varied[k].path), value_in(c, i, k));
    if (c->n_varied == 0) cst_text_puts(&label, "base");
    /* Folders must be valid names, and differ. */
    v->label = label.data;
    v->folder = label.failed ? NULL : strdup(label.data);
    if (!v->folder) return cst_fail(error, CST_ENOMEM, "out of memory");
    to_folder_name(v->folder);
    if (!cst_name_is_plain(v->folder))
        return cst_fail(error, CST_EARG, "expected " CST_NAME_RULE ", got the label \"%s\"", v->label);
    for (size_t j = 0; j < i; j++) {
        if (strcmp(v->folder, c->variants[j].folder) == 0)
            return cst_fail(error, CST_EARG, "two variants would have the same folder: \"%s\" and \"%s\"",
                            c->variants[j].label, v->label);
    }
    return CST_OK;
}

/* Name a variant and allocate the results of its repeats. */
static cst_status make_variant(cst_comparison *c, size_t i, cst_error *error)
{
    cst_variant *v = &c->variants[i];
    CST_TRY(name_variant(c, i, v, error));
    v->summaries = calloc(c->repeats, sizeof *v->summaries);
    v->done = calloc(c->repeats, sizeof *v->done);
    v->tried = calloc(c->repeats, sizeof *v->tried);
    return v->summaries && v->done && v->tried ? CST_OK : cst_fail(error, CST_ENOMEM, "out of memory");
}

/* Check a variant's whole config: load its data and build its model. */
static cst_status check_variant(const cst_comparison *c, size_t i, cst_error *error)
{
    cst_document *document;
    cst_experiment e;
    CST_TRY(make_config(c, i, &document, error));
    const cst_status status = cst_experiment_new(document, &e, error);
    if (status == CST_OK) cst_experiment_clear(&e);
    cst_document_free(document);
    return status;
}

/* A path such as "model...norm" finds only keys that the config has. If a path finds nothing, write the defaults into the
 * base config, so that it may find a key with its default. */
static cst_status resolve(cst_comparison *c, cst_error *error)
{
    cst_experiment e;
    cst_document *document;
    const cst_status status = make_config(c, 0, &document, error);
    if (status == CST_OK) cst_document_free(document);
    if (status != CST_ECONFIG) return status;
    /* Reading an experiment writes its defaults into the document. */
    CST_TRY(cst_experiment_new(c->document, &e, error));
    cst_experiment_clear(&e);
    return CST_OK;
}

/* Make all variants and check their configs. */
static cst_status make_variants(cst_comparison *c, cst_error *error)
{
    /* The seed belongs to the repeats. */
    double seed = 0;
    (void)cst_config_number(cst_config_get(cst_document_root(c->document), "seed"), &seed);
    c->seed = seed > 0 ? (uint64_t)seed : 0;
    for (size_t k = 0; k < c->n_varied; k++)
        if (strcmp(c->varied[k].path, "seed") == 0)
            return cst_fail(
                error, CST_ECONFIG,
                "seed: cannot be varied: all variants are trained with the same seeds, beginning with the config's");
    CST_TRY(resolve(c, error));
    /* One variant per combination of values. */
    size_t n = 1;
    for (size_t k = 0; k < c->n_varied; k++) n = cst_size_mul(n, c->varied[k].n);
    c->variants = calloc(n, sizeof *c->variants);
    if (!c->variants) return cst_fail(error, CST_ENOMEM, "out of memory");
    for (; c->n_variants < n; c->n_variants++) {
        const cst_status status = make_variant(c, c->n_variants, error);
        if (status != CST_OK) {
            c->n_variants++; /* cst_comparison_clear frees what this one has */
            return status;
        }
    }
    /* A mistake shows before anything is trained. */
    for (size_t i = 0; i < n; i++) CST_TRY(check_variant(c, i, error));
    return CST_OK;
}

cst_status cst_comparison_init(cst_comparison *c, cst_document *document, const char *folder, const cst_varied *varied,
                               size_t n_varied, size_t repeats, cst_error *error)
{
    *c = (cst_comparison){0};
    if (!*folder) return cst_fail(error, CST_ECONFIG, "expected the name of a folder for the comparison, got \"\"");
    *c = (cst_comparison){
        .folder = strdup(folder), .document = document, .varied = varied, .n_varied = n_varied, .repeats = repeats};
    if (!c->folder) return cst_fail(error, CST_ENOMEM, "out of memory");
    const cst_status status = make_variants(c, error);
    if (status != CST_OK) cst_comparison_clear(c);
    return status;
}

void cst_comparison_clear(cst_comparison *c)
{
    for (size_t i = 0; i < c->n_variants; i++) {
        free(c->variants[i].label);
        free(c->variants[i].folder);
        free(c->variants[i].summaries);
        free(c->variants[i].done);
        free(c->variants[i].tried);
    }
    free(c->variants);
    free(c->folder);
    *c = (cst_comparison){0};
}

/* ---- running ------------------------------------------------------------------------------------------------- */

/* One run of the comparison. */
typedef struct job {
    size_t variant, repeat;
    char *folder;
} job;

/* Train a run, or resume it, or only read its summary if it has ended. CST_EBUSY if another process is training it. */
static cst_status train(cst_comparison *c, const job *j, cst_document *document, const cst_comparison_events *events,
                        cst_error *error)
{
    cst_variant *v = &c->variants[j->variant];
    cst_run run;
    CST_TRY(cst_run_init(&run, document, j->folder, CST_RUN_RESUME, &events->run, error));
    /* Runs are numbered in the order in which they are trained. */
    if (events->begin)
        events->begin(events->run.context, j->repeat * c->n_variants + j->variant + 1, c->repeats * c->n_variants,
                      v->label, j->folder);
    const cst_status status = cst_run_train(&run, &v->summaries[j->repeat], error);
    cst_run_clear(&run);
    return status;
}

/* CST_EIO if a folder of the path, after its first n bytes, is a symbolic link: a run must not be written outside the
 * comparison's folder. The path is changed and restored. */
static cst_status refuse_links(char *path, size_t n, cst_error *error)
{
    cst_status status = CST_OK;
    /* Test each prefix that ends with a whole name. */
    for (char *end = path + n; status == CST_OK && *end;) {
        end += strspn(end, "/");
        end += strcspn(end, "/");
        const char rest = *end;
        *end = '\0';
        if (cst_path_is_link(path))
            status = cst_fail(error, CST_EIO,
                              "%s: expected a folder, got a symbolic link; no run is written through it", path);
        *end = rest;
    }
    return status;
}

/* Make a run's config and the path of its folder, train it, and record how it ended. */
static cst_status run_one(cst_comparison *c, size_t i, size_t repeat, const cst_comparison_events *events,
                          cst_error *error)
{
    cst_variant *v = &c->variants[i];
    const unsigned long long seed = c->seed + repeat;
    cst_document *document;
    cst_text folder = {0};
    /* The config with the repeat's seed, in VARIANT/seed-N. */
    char number[32];
    snprintf(number, sizeof number, "%llu", seed);
    CST_TRY(make_config(c, i, &document, error));
    cst_text_printf(&folder, "%s/%s/seed-%llu", c->folder, v->folder, seed);
    cst_status status = folder.failed ? cst_fail(error, CST_ENOMEM, "out of memory") : CST_OK;
    if (status == CST_OK) status = refuse_links(folder.data, strlen(c->folder), error);
    if (status == CST_OK) status = cst_config_put(cst_document_root(document), "seed", number, error);
    if (status == CST_OK) status = train(c, &(job){i, repeat, folder.data}, document, events, error);
    /* A run that another process is training has not been tried: it is looked at again later. */
    v->done[repeat] = status == CST_OK;
    v->tried[repeat] = status != CST_EBUSY;
    free(folder.data);
    cst_document_free(document);
    return status;
}

/* Write one of the tables to the comparison's folder. */
static cst_status write_table(const cst_comparison *c, const char *name, cst_table_format format, cst_error *error)
{
    char *text = cst_comparison_table(c, format), *path = cst_path_join(c->folder, name);
    const cst_status status =
        text && path ? cst_file_replace(path, text, strlen(text), error) : cst_fail(error, CST_ENOMEM, "out of memory");
    free(text);
    free(path);
    return status;
}

/* Write comparison.json, which `costate plot` reads: {"variants": [{"label": ..., "runs": [FOLDER, ...]}]}, with folders
 * relative to the comparison's. */
static cst_status write_index(const cst_comparison *c, cst_error *error)
{
    cst_text text = {0};
    cst_text_puts(&text, "{\"variants\": [");
    for (size_t i = 0; i < c->n_variants; i++) {
        cst_text_puts(&text, i > 0 ? ",\n  {\"label\": " : "\n  {\"label\": ");
        cst_text_quote(&text, c->variants[i].label);
        cst_text_puts(&text, ", \"runs\": [");
        for (size_t r = 0; r < c->repeats; r++)
            cst_text_printf(&text, "%s\"%s/seed-%llu\"", r > 0 ? ", " : "", c->variants[i].folder,
                            (unsigned long long)(c->seed + r));
        cst_text_puts(&text, "]}");
    }
    cst_text_puts(&text, "\n]}\n");
    /* Replace the file. */
    char *path = cst_path_join(c->folder, "comparison.json");
    const cst_status status = text.failed || !path ? cst_fail(error, CST_ENOMEM, "out of memory")
                                                   : cst_file_replace(path, text.data, text.size, error);
    free(text.data);
    free(path);
    return status;
}

/* Train all runs that have not been tried and that no other process is training. *busy becomes the number of the latter.
 * Returns the first failure. */
static cst_status run_all(cst_comparison *c, const cst_comparison_events *events, size_t *busy, cst_error *error)
{
    cst_status first = CST_OK;
    *busy = 0;
    for (size_t run = 0; run < c->repeats * c->n_variants; run++) {
        /* All variants of one seed before the next seed. */
        const size_t repeat = run / c->n_variants, i = run % c->n_variants;
        if (c->variants[i].tried[repeat]) continue;
        cst_error why = {0};
        const cst_status status = run_one(c, i, repeat, events, &why);
        *busy += status == CST_EBUSY;
        if (status == CST_OK || status == CST_EBUSY) continue;
        /* Keep the first error and continue; an interruption ends everything. */
        if (error && (first == CST_OK || status == CST_EINTERRUPTED)) *error = why;
        if (status == CST_EINTERRUPTED) return status;
        if (first == CST_OK) first = status;
        if (events->failed) events->failed(events->run.context, c->variants[i].label, &why);
    }
    return first;
}

/* Train all runs, and wait for those of other processes. A process that dies leaves its runs to this one. */
static cst_status run_and_wait(cst_comparison *c, const cst_comparison_events *events, cst_error *error)
{
    static const struct timespec a_second = {.tv_sec = 1};
    cst_status first = CST_OK;
    for (size_t busy = 1, told = 0;;) {
        cst_error why = {0};
        const cst_status status = run_all(c, events, &busy, &why);
        if (error && (first == CST_OK || status == CST_EINTERRUPTED)) *error = why;
        if (status == CST_EINTERRUPTED) return status;
        if (first == CST_OK) first = status;
        if (busy == 0) return first;
        /* Look again after a second. */
        if (busy != told && events->waiting) events->waiting(events->run.context, busy);
        told = busy;
        nanosleep(&a_second, NULL);
        if (events->run.interrupted && events->run.interrupted(events->run.context))
            return cst_fail(error, CST_EINTERRUPTED, "interrupted while waiting for other processes");
    }
}

cst_status cst_comparison_run(cst_comparison *c, const cst_comparison_events *events, cst_error *error)
{
    /* The index comes first, so that runs can be plotted while others are still training. */
    static const char *const files[] = {"comparison.json", "comparison.csv", "comparison.md", NULL};
    CST_TRY(cst_folder_create(c->folder, error));
    cst_folder_tidy(c->folder, files);
    CST_TRY(write_index(c, error));
    const cst_status status = run_and_wait(c, events, error);
    if (status == CST_EINTERRUPTED) return status;
    /* Tables are written even if runs have failed. */
    CST_TRY(write_table(c, "comparison.csv", CST_TABLE_CSV, error));
    CST_TRY(write_table(c, "comparison.md", CST_TABLE_MARKDOWN, error));
    c->written = true;
    return status;
}
