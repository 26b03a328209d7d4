/* The part of analysis/plot.h that draws the runs' traces: step sizes, evaluations and rejected steps over t. */
#include "analysis/plot.h"

#include "analysis/gnuplot.h"
#include "core/file.h"
#include "ode/tableau.h"
#include "train/trace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = 60, FORWARD = 0, BACKWARD = 1 };

/* An accepted step: its start and its length without sign. */
typedef struct step {
    double t, dt;
} step;

/* A group's traces, summed over all its runs. The first index is the direction. */
typedef struct picture {
    double evaluations[2][BINS], rejected[2][BINS]; /* histograms over t */
    double iterations;                              /* traced ones */
    step *steps[2];                                 /* accepted steps of the last traced iteration */
    size_t n_steps[2], capacity[2];
} picture;

/* The state between the rows of a trace. */
typedef struct reader {
    picture *p;         /* NULL: only widen the range */
    double low, high;   /* the range of t */
    uint64_t iteration; /* of the last row, like the next three; UINT64_MAX: no row yet */
    size_t solve;
    int direction;
    char block[160];
    bool failed; /* out of memory */
} reader;

/* ---- reading ------------------------------------------------------------------------------------------------- */

/* Add 1 to the bin of t. Times outside the range are ignored. */
static void count(const reader *r, double histogram[BINS], double t)
{
    const double at = BINS * (t - r->low) / (r->high - r->low);
    if (!(at >= 0 && at <= BINS)) return;
    histogram[at < BINS ? (size_t)at : BINS - 1]++;
}

/* Append an accepted step. */
static void keep_step(reader *r, int direction, const cst_trace_row *row)
{
    picture *p = r->p;
    if (p->n_steps[direction] == p->capacity[direction]) {
        /* Grow; without memory the step is lost, and the reader has failed. */
        const size_t capacity = 2 * p->capacity[direction] + 64;
        step *steps = realloc(p->steps[direction], capacity * sizeof *steps);
        r->failed = r->failed || !steps;
        if (!steps) return;
        p->steps[direction] = steps;
        p->capacity[direction] = capacity;
    }
    p->steps[direction][p->n_steps[direction]++] = (step){row->t, fabs(row->dt)};
}

/* Callback of cst_trace_read: widen the range, or add the row to the picture. */
static void read_row(void *context, const cst_trace_row *row)
{
    reader *r = context;
    const int direction = row->backward ? BACKWARD : FORWARD;
    if (!r->p) {
        r->low = fmin(r->low, fmin(row->t, row->t + row->dt));
        r->high = fmax(r->high, fmax(row->t, row->t + row->dt));
        return;
    }
    /* Find out whether this row begins an iteration or a solve. */
    const bool new_iteration = row->iteration != r->iteration;
    const bool new_solve =
        new_iteration || row->solve != r->solve || direction != r->direction || strcmp(row->block, r->block) != 0;
    /* Steps are only kept of the last iteration. */
    if (new_iteration) {
        r->p->iterations++;
        r->p->n_steps[FORWARD] = r->p->n_steps[BACKWARD] = 0;
    }
    r->iteration = row->iteration;
    r->solve = row->solve;
    r->direction = direction;
    snprintf(r->block, sizeof r->block, "%s", row->block);
    /* Evaluations: one at the start of a solve, then one per stage but the first, which is the last one of the step before. */
    if (new_solve) count(r, r->p->evaluations[direction], row->t);
    const cst_tableau *tableau = cst_tableau_find(row->method);
    for (size_t i = 1; tableau && i < tableau->stages; i++)
        count(r, r->p->evaluations[direction], row->t + tableau->c[i] * row->dt);
    /* The step itself. */
    if (row->accepted)
        keep_step(r, direction, row);
    else
        count(r, r->p->rejected[direction], row->t);
}

/* Read the traces of all runs of a group. Adds their number to *found. */
static cst_status read_group(const cst_plot_group *g, reader *r, size_t *found, cst_error *error)
{
    for (size_t i = 0; i < g->n; i++) {
        /* A run without trace.csv has none. */
        char *path = cst_path_join(g->runs[i].folder, "trace.csv");
        if (!path) return cst_fail(error, CST_ENOMEM, "out of memory");
        cst_status status = CST_OK;
        if (cst_path_exists(path)) {
            ++*found;
            r->iteration = UINT64_MAX;
            status = cst_trace_read(path, read_row, r, error);
        }
        free(path);
        CST_TRY(status);
    }
    return r->failed ? cst_fail(error, CST_ENOMEM, "out of memory") : CST_OK;
}

/* ---- drawing ------------------------------------------------------------------------------------------------- */

/* The largest values of all groups, from which the axes get their ranges. */
typedef struct peaks {
    double of[2][2];                /* [evaluations, rejected][direction] */
    double shortest[2], longest[2]; /* sizes of steps [direction]; both 0: no step */
} peaks;

static void add_step(peaks *peak, int d, double dt)
{
    peak->shortest[d] = peak->longest[d] > 0 ? fmin(peak->shortest[d], dt) : dt;
    peak->longest[d] = fmax(peak->longest[d], dt);
}

/* A number of a histogram. */
static void put_bin(cst_text *data, double value, double *peak)
{
    cst_gnuplot_number(data, value);
    *peak = fmax(*peak, value);
}

/* The data blocks of group `index`. $hI: the middle of a bin, then evaluations and rejected steps per iteration, forward
 * and backward. $sI0 and $sI1: t and step size, forward and backward. */
static void put_picture(cst_text *data, const picture *p, size_t index, double low, double high, peaks *peak)
{
    cst_text_printf(data, "$h%zu << END\n", index);
    for (size_t b = 0; b < BINS; b++) {
        cst_text_printf(data, "%.9g", low + (high - low) * ((double)b + 0.5) / BINS);
        for (int d = 0; d < 2; d++) {
            put_bin(data, p->evaluations[d][b] / p->iterations, &peak->of[0][d]);
            put_bin(data, p->rejected[d][b] / p->iterations, &peak->of[1][d]);
        }
        cst_text_puts(data, "\n");
    }
    cst_text_puts(data, "END\n");
    /* A block without steps has one line, since gnuplot refuses an empty one. */
    for (int d = 0; d < 2; d++) {
        cst_text_printf(data, "$s%zu%d << END\n", index, d);
        for (size_t i = 0; i < p->n_steps[d]; i++) {
            cst_text_printf(data, "%.9g %.9g\n", p->steps[d][i].t, p->steps[d][i].dt);
            add_step(peak, d, p->steps[d][i].dt);
        }
        cst_text_puts(data, p->n_steps[d] ? "END\n" : "NaN NaN\nEND\n");
    }
}

/* The legend's entry of a curve. */
static void put_title(cst_text *panels, const char *label, bool legend)
{
    if (!legend) {
        cst_text_puts(panels, "notitle");
        return;
    }
    cst_text_puts(panels, "title ");
    cst_gnuplot_text(panels, label);
}

/* One panel of the grid. Row 0 shows step sizes, rows 1 and 2 show histograms; column d is the direction. */
static void put_panel(cst_text *panels, const cst_plot *plot, const bool *traced, int row, int d, const peaks *peak)
{
    static const char *const passes[2] = {"forward", "backward"};
    static const char *const titles[3] = {"steps of the last iteration traced: size over t",
                                          "evaluations per iteration, over t", "rejected steps per iteration, over t"};
    const bool legend = row == 0 && d == 0;
    cst_text_printf(panels, "\nset title \"%s %s\"\nset key %s\n", passes[d], titles[row],
                    legend ? "bottom right" : "off");
    /* The y axis. gnuplot refuses an empty range: steps of a single size get a range around it. */
    const double size = peak->longest[d], shortest = peak->shortest[d];
    if (row == 0 && size > 0 && shortest > (1 - 1e-6) * size)
        cst_text_printf(panels, "set logscale y\nset yrange [%.6g:%.6g]\nplot \\\n", shortest / 2, 2 * size);
    else if (row == 0)
        cst_text_puts(panels, "set logscale y\nset yrange [*:*]\nplot \\\n");
    else
        cst_text_printf(panels, "unset logscale y\nset yrange [0:%.6g]\nplot \\\n",
                        peak->of[row - 1][d] > 0 ? 1.05 * peak->of[row - 1][d] : 1);
    /* The curves of all groups with a trace. */
    for (size_t i = 0; i < plot->n; i++) {
        if (!traced[i]) continue;
        const int style = (int)(i % CST_GNUPLOT_STYLES) + 1;
        if (row == 0)
            cst_text_printf(panels, "  $s%zu%d using 1:2 with linespoints linestyle %d pointtype 7 ", i, d, style);
        else
            cst_text_printf(panels, "  $h%zu using 1:%d with steps linestyle %d ", i, 1 + row + 2 * d, style);
        put_title(panels, plot->groups[i].label, legend);
        cst_text_puts(panels, ", \\\n");
    }
    cst_text_puts(panels, "  NaN notitle\n");
}

/* Read all traces again, now that the range of t is known, and draw them. */
static cst_status draw(const cst_plot *plot, const char *stem, const bool *traced, double low, double high,
                       cst_error *error)
{
    cst_text data = {0}, panels = {0};
    peaks peak = {0};
    cst_status status = CST_OK;
    for (size_t i = 0; status == CST_OK && i < plot->n; i++) {
        /* Read a group, and write its data. */
        picture p = {0};
        reader r = {.p = &p, .low = low, .high = high};
        size_t found = 0;
        status = read_group(&plot->groups[i], &r, &found, error);
        if (status == CST_OK && traced[i]) put_picture(&data, &p, i, low, high, &peak);
        free(p.steps[FORWARD]);
        free(p.steps[BACKWARD]);
    }
    cst_text_printf(&data, "set xlabel \"t\"\nset xrange [%.9g:%.9g]\n", low, high);
    /* The panels come after all data, since their ranges depend on the largest values. */
    for (int row = 0; row < 3; row++)
        for (int d = 0; d < 2; d++) put_panel(&panels, plot, traced, row, d, &peak);
    if (status == CST_OK) status = cst_gnuplot_draw(stem, &data, &panels, CST_GNUPLOT_CURVES(2, 3), error);
    free(data.data);
    free(panels.data);
    return status;
}

cst_status cst_plot_draw_steps(const cst_plot *plot, const char *stem, bool *drawn, cst_error *error)
{
    /* Read all traces once for the range of t. */
    bool *traced = calloc(plot->n + 1, sizeof *traced);
    reader range = {.low = HUGE_VAL, .high = -HUGE_VAL};
    cst_status status = traced ? CST_OK : cst_fail(error, CST_ENOMEM, "out of memory");
    for (size_t i = 0; status == CST_OK && i < plot->n; i++) {
        size_t found = 0;
        status = read_group(&plot->groups[i], &range, &found, error);
        if (traced) traced[i] = found > 0;
    }
    *drawn = status == CST_OK && range.low < range.high;
    if (*drawn) status = draw(plot, stem, traced, range.low, range.high, error);
    free(traced);
    return status;
}
