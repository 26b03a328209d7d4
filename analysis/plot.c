#include "analysis/plot.h"

#include "analysis/gnuplot.h"
#include "core/config.h"
#include "core/file.h"
#include "core/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- collecting ---------------------------------------------------------------------------------------------- */

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

static cst_status add_run(cst_plot_group *group, const char *folder, const char *path, cst_error *error)
{
    cst_plot_run *runs = realloc(group->runs, (group->n + 1) * sizeof *runs);
    if (runs) group->runs = runs;
    char *copy = runs ? strdup(folder) : NULL;
    if (!copy) return cst_fail(error, CST_ENOMEM, "out of memory");
    cst_plot_run *run = &runs[group->n++];
    *run = (cst_plot_run){.folder = copy};
    return cst_metrics_read(path, &run->rows, &run->n, error);
}

/* The runs of one variant of a comparison. */
static cst_status add_variant(cst_plot *plot, const char *folder, cst_config variant, cst_error *error)
{
    cst_plot_group *group = NULL;
    const char *label = cst_config_string(cst_config_get(variant, "label"));
    const cst_config runs = cst_config_get(variant, "runs");
    if (!label || !cst_config_is_list(runs))
        return cst_config_expected(variant, "a variant with label and runs", error);
    CST_TRY(add_group(plot, label, &group, error));
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

static cst_status add_comparison(cst_plot *plot, const char *folder, const char *index, cst_error *error)
{
    cst_document *document;
    CST_TRY(cst_document_load(index, &document, error));
    const cst_config variants = cst_config_get(cst_document_root(document), "variants");
    cst_status status = CST_OK;
    for (cst_config v = cst_config_item(variants, 0); status == CST_OK && v.node; v = cst_config_next(v))
        status = add_variant(plot, folder, v, error);
    cst_document_free(document);
    return status;
}

static cst_status add_single(cst_plot *plot, const char *folder, const char *metrics, cst_error *error)
{
    cst_plot_group *group = NULL;
    CST_TRY(add_group(plot, folder, &group, error));
    return add_run(group, folder, metrics, error);
}

cst_status cst_plot_add(cst_plot *plot, const char *folder, cst_error *error)
{
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

/* ---- the script ---------------------------------------------------------------------------------------------- */

/* What is drawn, and where in the data it stands: a mean and a deviation each, after the epoch. */
enum { TRAIN_LOSS, HELD_LOSS, TRAIN_ACCURACY, HELD_ACCURACY, FORWARD_NFE, BACKWARD_NFE, N_SERIES };

/* The held-out part: validation where there is one, test otherwise. */
static double value_of(const cst_metrics *m, int series)
{
    switch (series) {
    case TRAIN_LOSS:
        return m->train_loss;
    case HELD_LOSS:
        return isfinite(m->validation_loss) ? m->validation_loss : m->test_loss;
    case TRAIN_ACCURACY:
        return 100 * m->train_accuracy;
    case HELD_ACCURACY:
        return 100 * (isfinite(m->validation_accuracy) ? m->validation_accuracy : m->test_accuracy);
    case FORWARD_NFE:
        return m->forward_nfe;
    default:
        return m->backward_nfe;
    }
}

static size_t longest(const cst_plot_group *g)
{
    size_t n = 0;
    for (size_t r = 0; r < g->n; r++)
        if (g->runs[r].n > n) n = g->runs[r].n;
    return n;
}

/* Over the runs that have got that far; NaN if there is none. */
static void moments(const cst_plot_group *g, size_t epoch, int series, double *mean, double *deviation)
{
    double sum = 0, squares = 0, n = 0;
    for (size_t r = 0; r < g->n; r++) {
        if (epoch >= g->runs[r].n) continue;
        sum += value_of(&g->runs[r].rows[epoch], series);
        n++;
    }
    *mean = sum / n;
    for (size_t r = 0; r < g->n; r++) {
        if (epoch >= g->runs[r].n) continue;
        const double d = value_of(&g->runs[r].rows[epoch], series) - *mean;
        squares += d * d;
    }
    *deviation = n > 1 ? sqrt(squares / (n - 1)) : 0;
}

static bool has_series(const cst_plot *plot, int series)
{
    for (size_t i = 0; i < plot->n; i++) {
        for (size_t epoch = 0; epoch < longest(&plot->groups[i]); epoch++) {
            double mean, deviation;
            moments(&plot->groups[i], epoch, series, &mean, &deviation);
            if (isfinite(mean) && (series < FORWARD_NFE || mean > 0)) return true;
        }
    }
    return false;
}

static void put_data(cst_text *text, const cst_plot_group *g, size_t index)
{
    cst_text_printf(text, "$g%zu << END\n", index);
    for (size_t epoch = 0; epoch < longest(g); epoch++) {
        cst_text_printf(text, "%zu", epoch + 1);
        for (int series = 0; series < N_SERIES; series++) {
            double mean, deviation;
            moments(g, epoch, series, &mean, &deviation);
            cst_gnuplot_number(text, mean);
            cst_gnuplot_number(text, deviation);
        }
        cst_text_puts(text, "\n");
    }
    cst_text_puts(text, "END\n");
}

/* One curve of a group: its band if it has one, then its line, with a title in the legend where `title`. */
static void put_curve(cst_text *text, const cst_plot *plot, size_t i, int series, bool dashed, bool title)
{
    const cst_plot_group *g = &plot->groups[i];
    const int mean = 2 + 2 * series, deviation = mean + 1, color = (int)(i % CST_GNUPLOT_STYLES) + 1;
    if (g->n > 1)
        cst_text_printf(text,
                        "  $g%zu using 1:($%d-$%d):($%d+$%d) with filledcurves linestyle %d fillstyle transparent "
                        "solid 0.15 noborder notitle, \\\n",
                        i, mean, deviation, mean, deviation, color);
    const bool points = longest(g) < 20;
    cst_text_printf(text, "  $g%zu using 1:%d with %s linestyle %d dashtype %d ", i, mean,
                    points ? "linespoints" : "lines", color, dashed ? 2 : 1);
    if (points) cst_text_printf(text, "pointtype %d ", dashed ? 6 : 7);
    if (title) {
        cst_text_puts(text, "title ");
        cst_gnuplot_text(text, g->label);
    }
    cst_text_puts(text, title ? ", \\\n" : "notitle, \\\n");
}

static bool drawn(const cst_plot *plot, const int series[2])
{
    return has_series(plot, series[0]) || (series[1] >= 0 && has_series(plot, series[1]));
}

/* Widen [low, high] to the values of a series and their bands. */
static void widen(const cst_plot *plot, int series, double *low, double *high)
{
    for (size_t i = 0; series >= 0 && i < plot->n; i++) {
        for (size_t epoch = 0; epoch < longest(&plot->groups[i]); epoch++) {
            double mean, deviation;
            moments(&plot->groups[i], epoch, series, &mean, &deviation);
            if (!isfinite(mean)) continue;
            *low = fmin(*low, mean - deviation);
            *high = fmax(*high, mean + deviation);
        }
    }
}

/* Evaluations from zero; a loss that spans decades on a logarithmic scale; a little room everywhere, as gnuplot wants a range
 * that is not empty. */
static void put_range(cst_text *text, const cst_plot *plot, const int series[2])
{
    double low = HUGE_VAL, high = -HUGE_VAL;
    widen(plot, series[0], &low, &high);
    widen(plot, series[1], &low, &high);
    const bool logarithmic = series[0] == TRAIN_LOSS && low > 0 && high > 20 * low;
    if (series[0] >= FORWARD_NFE) low = 0;
    if (logarithmic) low /= 1.3, high *= 1.3;
    const double room = logarithmic ? 0 : fmax(0.05 * (high - low), 1e-3 * fabs(high)) + 1e-9;
    cst_text_printf(text, "%s logscale y\nset yrange [%.6g:%.6g]\n", logarithmic ? "set" : "unset",
                    series[0] >= FORWARD_NFE ? 0 : low - room, high + room);
}

static void put_panel(cst_text *text, const cst_plot *plot, const char *title, const int series[2], bool legend)
{
    cst_text_printf(text, "\nset title \"%s\"\nset key %s\n", title, legend ? "top right" : "off");
    put_range(text, plot, series);
    cst_text_puts(text, "plot \\\n");
    for (size_t i = 0; i < plot->n; i++) {
        if (longest(&plot->groups[i]) == 0) continue;
        if (has_series(plot, series[0])) put_curve(text, plot, i, series[0], series[1] >= 0, series[1] < 0);
        if (series[1] >= 0 && has_series(plot, series[1])) put_curve(text, plot, i, series[1], false, true);
    }
    cst_text_puts(text, "  NaN notitle\n");
}

static const struct {
    const char *title;
    int series[2]; /* the first dashed, the second solid; second -1: the first alone, solid */
} panels[] = {
    {"loss (dashed: training, solid: held out)", {TRAIN_LOSS, HELD_LOSS}},
    {"accuracy, % (dashed: training, solid: held out)", {TRAIN_ACCURACY, HELD_ACCURACY}},
    {"forward evaluations an iteration", {FORWARD_NFE, -1}},
    {"backward evaluations an iteration", {BACKWARD_NFE, -1}},
};
enum { N_PANELS = sizeof panels / sizeof panels[0] };

static void put_data_and_settings(cst_text *text, const cst_plot *plot)
{
    size_t epochs = 1;
    cst_text_puts(
        text, "# Data: epoch, then mean and standard deviation of train loss, held-out loss, train accuracy, held-out\n"
              "# accuracy, forward NFE, backward NFE.\n");
    for (size_t i = 0; i < plot->n; i++) {
        put_data(text, &plot->groups[i], i);
        if (longest(&plot->groups[i]) > epochs) epochs = longest(&plot->groups[i]);
    }
    cst_text_printf(text, "set xlabel \"epoch\"\nset xrange [%.6g:%.6g]\n%s", 1 - 0.02 * (double)epochs,
                    1.02 * (double)epochs, epochs < 12 ? "set xtics 1\n" : "");
}

cst_status cst_plot_draw(const cst_plot *plot, const char *stem, cst_error *error)
{
    size_t epochs = 0;
    for (size_t i = 0; i < plot->n; i++) epochs += longest(&plot->groups[i]);
    if (epochs == 0) return cst_fail(error, CST_EARG, "nothing to draw: no epoch has ended yet");
    cst_text data = {0}, text = {0};
    int n = 0;
    put_data_and_settings(&data, plot);
    for (int i = 0; i < N_PANELS; i++) {
        if (!drawn(plot, panels[i].series)) continue;
        put_panel(&text, plot, panels[i].title, panels[i].series, n == 0);
        n++;
    }
    const int across = n > 1 ? 2 : 1;
    const cst_gnuplot_grid grid = CST_GNUPLOT_CURVES(across, (n + across - 1) / across);
    const cst_status status = n > 0 ? cst_gnuplot_draw(stem, &data, &text, grid, error)
                                    : cst_fail(error, CST_EARG, "nothing to draw: no value is finite");
    free(data.data);
    free(text.data);
    return status;
}
