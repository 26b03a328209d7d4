/* The part of analysis/plot.h that draws metrics over epochs. */
#include "analysis/plot.h"

#include "analysis/gnuplot.h"
#include "core/text.h"

#include <math.h>
#include <stdlib.h>

/* ---- statistics ---------------------------------------------------------------------------------------------- */

/* The quantities, in the order of the data's columns: epoch, then mean and standard deviation of each. */
enum { TRAIN_LOSS, HELD_LOSS, TRAIN_ACCURACY, HELD_ACCURACY, FORWARD_NFE, BACKWARD_NFE, N_SERIES };

/* A quantity of one epoch. Held out means the validation split, or the test split if there is no validation split. */
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

/* The largest number of epochs of a group's runs. */
static size_t most_epochs(const cst_plot_group *g)
{
    size_t n = 0;
    for (size_t r = 0; r < g->n; r++)
        if (g->runs[r].n > n) n = g->runs[r].n;
    return n;
}

/* Mean and sample standard deviation over the runs that have finished the epoch. A single run has deviation 0. */
static void moments(const cst_plot_group *g, size_t epoch, int series, double *mean, double *deviation)
{
    /* Two passes: the mean, then the squared distances from it. */
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

/* True if a quantity has a finite value anywhere. Evaluations must also not all be 0. */
static bool has_series(const cst_plot *plot, int series)
{
    for (size_t i = 0; i < plot->n; i++) {
        for (size_t epoch = 0; epoch < most_epochs(&plot->groups[i]); epoch++) {
            double mean, deviation;
            moments(&plot->groups[i], epoch, series, &mean, &deviation);
            if (isfinite(mean) && (series < FORWARD_NFE || mean > 0)) return true;
        }
    }
    return false;
}

/* ---- the script ---------------------------------------------------------------------------------------------- */

/* The data block $gINDEX of a group. */
static void put_data(cst_text *text, const cst_plot_group *g, size_t index)
{
    cst_text_printf(text, "$g%zu << END\n", index);
    for (size_t epoch = 0; epoch < most_epochs(g); epoch++) {
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

/* Group i's part of a plot command: the band, if it has several runs, and the line. `title`: with an entry in the legend. */
static void put_curve(cst_text *text, const cst_plot *plot, size_t i, int series, bool dashed, bool title)
{
    const cst_plot_group *g = &plot->groups[i];
    const int mean = 2 + 2 * series, deviation = mean + 1, color = (int)(i % CST_GNUPLOT_STYLES) + 1;
    if (g->n > 1)
        cst_text_printf(text,
                        "  $g%zu using 1:($%d-$%d):($%d+$%d) with filledcurves linestyle %d fillstyle transparent "
                        "solid 0.15 noborder notitle, \\\n",
                        i, mean, deviation, mean, deviation, color);
    /* Few epochs are marked with points. */
    const bool points = most_epochs(g) < 20;
    cst_text_printf(text, "  $g%zu using 1:%d with %s linestyle %d dashtype %d ", i, mean,
                    points ? "linespoints" : "lines", color, dashed ? 2 : 1);
    if (points) cst_text_printf(text, "pointtype %d ", dashed ? 6 : 7);
    if (title) {
        cst_text_puts(text, "title ");
        cst_gnuplot_text(text, g->label);
    }
    cst_text_puts(text, title ? ", \\\n" : "notitle, \\\n");
}

/* True if a panel has anything to draw. */
static bool has_panel(const cst_plot *plot, const int series[2])
{
    return has_series(plot, series[0]) || (series[1] >= 0 && has_series(plot, series[1]));
}

/* Widen [low, high] to the values of a quantity and their bands. Series -1 is a no-op. */
static void widen(const cst_plot *plot, int series, double *low, double *high)
{
    for (size_t i = 0; series >= 0 && i < plot->n; i++) {
        for (size_t epoch = 0; epoch < most_epochs(&plot->groups[i]); epoch++) {
            double mean, deviation;
            moments(&plot->groups[i], epoch, series, &mean, &deviation);
            if (!isfinite(mean)) continue;
            *low = fmin(*low, mean - deviation);
            *high = fmax(*high, mean + deviation);
        }
    }
}

/* Set the range and scale of the y axis. Evaluations begin at 0; a loss that spans more than a factor of 20 is logarithmic. The
 * margin also keeps the range from being empty, which gnuplot refuses. */
static void put_range(cst_text *text, const cst_plot *plot, const int series[2])
{
    /* The range of the values, then the scale. */
    double low = HUGE_VAL, high = -HUGE_VAL;
    widen(plot, series[0], &low, &high);
    widen(plot, series[1], &low, &high);
    const bool logarithmic = series[0] == TRAIN_LOSS && low > 0 && high > 20 * low;
    if (series[0] >= FORWARD_NFE) low = 0;
    if (logarithmic) low /= 1.3, high *= 1.3;
    const double margin = logarithmic ? 0 : fmax(0.05 * (high - low), 1e-3 * fabs(high)) + 1e-9;
    cst_text_printf(text, "%s logscale y\nset yrange [%.6g:%.6g]\n", logarithmic ? "set" : "unset",
                    series[0] >= FORWARD_NFE ? 0 : low - margin, high + margin);
}

/* One panel: title, legend, range, and the plot command with the curves of all groups. */
static void put_panel(cst_text *text, const cst_plot *plot, const char *title, const int series[2], bool legend)
{
    cst_text_printf(text, "\nset title \"%s\"\nset key %s\n", title, legend ? "top right" : "off");
    put_range(text, plot, series);
    cst_text_puts(text, "plot \\\n");
    for (size_t i = 0; i < plot->n; i++) {
        if (most_epochs(&plot->groups[i]) == 0) continue;
        if (has_series(plot, series[0])) put_curve(text, plot, i, series[0], series[1] >= 0, series[1] < 0);
        if (series[1] >= 0 && has_series(plot, series[1])) put_curve(text, plot, i, series[1], false, true);
    }
    /* The list of curves ends with one that draws nothing, since each of them ends with a comma. */
    cst_text_puts(text, "  NaN notitle\n");
}

/* The panels. The first quantity is dashed and the second solid; with -1 as second the first is alone and solid. */
static const struct {
    const char *title;
    int series[2];
} panels[] = {
    {"loss (dashed: training, solid: held out)", {TRAIN_LOSS, HELD_LOSS}},
    {"accuracy, % (dashed: training, solid: held out)", {TRAIN_ACCURACY, HELD_ACCURACY}},
    {"forward evaluations per iteration", {FORWARD_NFE, -1}},
    {"backward evaluations per iteration", {BACKWARD_NFE, -1}},
};
enum { N_PANELS = sizeof panels / sizeof panels[0] };

/* The data of all groups, and the x axis. */
static void put_data_and_settings(cst_text *text, const cst_plot *plot)
{
    size_t epochs = 1;
    cst_text_puts(
        text, "# Data: epoch, then mean and standard deviation of train loss, held-out loss, train accuracy, held-out\n"
              "# accuracy, forward NFE, backward NFE.\n");
    for (size_t i = 0; i < plot->n; i++) {
        put_data(text, &plot->groups[i], i);
        if (most_epochs(&plot->groups[i]) > epochs) epochs = most_epochs(&plot->groups[i]);
    }
    cst_text_printf(text, "set xlabel \"epoch\"\nset xrange [%.6g:%.6g]\n%s", 1 - 0.02 * (double)epochs,
                    1.02 * (double)epochs, epochs < 12 ? "set xtics 1\n" : "");
}

cst_status cst_plot_draw(const cst_plot *plot, const char *stem, cst_error *error)
{
    /* Without an epoch there is nothing to draw. */
    size_t epochs = 0;
    for (size_t i = 0; i < plot->n; i++) epochs += most_epochs(&plot->groups[i]);
    if (epochs == 0) return cst_fail(error, CST_EARG, "nothing to draw: no epoch has ended yet");
    /* Panels without data are left out; the first one has the legend. */
    cst_text data = {0}, text = {0};
    int n = 0;
    put_data_and_settings(&data, plot);
    for (int i = 0; i < N_PANELS; i++) {
        if (!has_panel(plot, panels[i].series)) continue;
        put_panel(&text, plot, panels[i].title, panels[i].series, n == 0);
        n++;
    }
    /* Two columns. */
    const int across = n > 1 ? 2 : 1;
    const cst_gnuplot_grid grid = CST_GNUPLOT_CURVES(across, (n + across - 1) / across);
    const cst_status status = n > 0 ? cst_gnuplot_draw(stem, &data, &text, grid, error)
                                    : cst_fail(error, CST_EARG, "nothing to draw: no value is finite");
    free(data.data);
    free(text.data);
    return status;
}
