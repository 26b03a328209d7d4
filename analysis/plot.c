#include "analysis/plot.h"

#include "analysis/gnuplot.h"
#include "core/config.h"
#include "core/file.h"
#include "core/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Append a group without runs. *group points to it until the next call. */
static cst_status add_group(cst_plot *plot, const char *label, cst_plot_group **group, cst_error *error)
{
    cst_plot_group *groups = realloc(plot->groups, (plot->n + 1) * sizeof *groups);
    if (groups) plot->groups = groups;
    char *copy = groups ? strdup(label) : NULL;
    if (!copy) return cst_fail(error, CST_ENOMEM, "out of memory");
    *group = &plot->groups[plot->n++];
    **group = (cst_plot_group){.label = copy};
    return CST_OK;
}

/* Append a run to a group, with the metrics in `path`. */
static cst_status add_run(cst_plot_group *group, const char *folder, const char *path, cst_error *error)
{
    cst_plot_run *runs = realloc(group->runs, (group->n + 1) * sizeof *runs);
    if (runs) group->runs = runs;
    char *copy = runs ? strdup(folder) : NULL;
    if (!copy) return cst_fail(error, CST_ENOMEM, "out of memory");
    /* Count the run before reading, so that it is freed whatever happens. */
    cst_plot_run *run = &runs[group->n++];
    *run = (cst_plot_run){.folder = copy};
    return cst_metrics_read(path, &run->rows, &run->n, error);
}

/* Add a variant of a comparison as one group. `folder` is the comparison's. */
static cst_status add_variant(cst_plot *plot, const char *folder, cst_config variant, cst_error *error)
{
    cst_plot_group *group = NULL;
    const char *label = cst_config_string(cst_config_get(variant, "label"));
    const cst_config runs = cst_config_get(variant, "runs");
    if (!label || !cst_config_is_list(runs))
        return cst_config_expected(variant, "a variant with label and runs", error);
    CST_TRY(add_group(plot, label, &group, error));
    /* Runs without metrics have not begun. A path that leaves the folder is refused: the file may come from anywhere. */
    for (cst_config run = cst_config_item(runs, 0); run.node; run = cst_config_next(run)) {
        const char *name = cst_config_string(run);
        if (!name || !cst_path_stays_below(name))
            return cst_config_expected(run, "the name of a folder below the comparison's", error);
        char *of_run = cst_path_join(folder, name), *path = of_run ? cst_path_join(of_run, "metrics.csv") : NULL;
        cst_status status = path ? CST_OK : cst_fail(error, CST_ENOMEM, "out of memory");
        if (path && cst_path_exists(path)) status = add_run(group, of_run, path, error);
        free(of_run);
        free(path);
        CST_TRY(status);
    }
    return CST_OK;
}

/* Add all variants of comparison.json. */
static cst_status add_comparison(cst_plot *plot, const char *folder, const char *index, cst_error *error)
{
    cst_document *document;
    CST_TRY(cst_document_load(index, &document, error));
    /* One group per variant. */
    const cst_config variants = cst_config_get(cst_document_root(document), "variants");
    cst_status status = CST_OK;
    for (cst_config v = cst_config_item(variants, 0); status == CST_OK && v.node; v = cst_config_next(v))
        status = add_variant(plot, folder, v, error);
    cst_document_free(document);
    return status;
}

/* Add a run as a group of its own, with its folder as label. */
static cst_status add_single(cst_plot *plot, const char *folder, const char *metrics, cst_error *error)
{
    cst_plot_group *group = NULL;
    CST_TRY(add_group(plot, folder, &group, error));
    return add_run(group, folder, metrics, error);
}

cst_status cst_plot_add(cst_plot *plot, const char *folder, cst_error *error)
{
    /* The files in the folder say what it is. */
    char *index = cst_path_join(folder, "comparison.json"), *metrics = cst_path_join(folder, "metrics.csv");
    cst_status status;
    if (!index || !metrics)
        status = cst_fail(error, CST_ENOMEM, "out of memory");
    else if (cst_path_exists(index))
        status = add_comparison(plot, folder, index, error);
    else if (cst_path_exists(metrics))
        status = add_single(plot, folder, metrics, error);
    else
        status = cst_fail(error, CST_ECONFIG, "%s: expected a run or a comparison, with metrics.csv or comparison.json",
                          folder);
    free(index);
    free(metrics);
    return status;
}

void cst_plot_clear(cst_plot *plot)
{
    for (size_t i = 0; i < plot->n; i++) {
        for (size_t r = 0; r < plot->groups[i].n; r++) {
            free(plot->groups[i].runs[r].folder);
            free(plot->groups[i].runs[r].rows);
        }
        free(plot->groups[i].runs);
        free(plot->groups[i].label);
    }
    free(plot->groups);
    *plot = (cst_plot){0};
}
