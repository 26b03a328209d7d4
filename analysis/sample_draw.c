/* The part of analysis/sample.h that draws. */
#include "analysis/gnuplot.h"
#include "analysis/sample.h"
#include "core/array.h"
#include "core/file.h"
#include "formats/png.h"
#include "models/cnf.h"
#include "models/flow.h"

#include <math.h>
#include <stdlib.h>

static const cst_dataset *data_of(const cst_sampler *s)
{
    return &s->run->experiment.data;
}

static void tell(const cst_sampler *s, const char *path)
{
    if (s->events && s->events->wrote) s->events->wrote(s->events->context, path);
}

/* Lowest and highest of n numbers, each `step` apart, added to what they were. */
static void add_range(const real *x, size_t n, size_t step, double range[2])
{
    for (size_t i = 0; i < n * step; i += step) {
        if (!isfinite(x[i])) continue;
        range[0] = fmin(range[0], (double)x[i]);
        range[1] = fmax(range[1], (double)x[i]);
    }
}

/* ---- images ------------------------------------------------------------------------------------------------------ */

enum { ACROSS = 10, MOST_IMAGES = 100, CELL = 56, GAP = 2, BACKGROUND = 96 };

/* So many pictures of that size fit beside each other, one at least. */
static size_t fitting(size_t side, size_t most)
{
    const size_t fit = (CST_PNG_LONGEST_SIDE - GAP) / (side + GAP);
    return fit < 1 ? 1 : cst_size_least(fit, most);
}

/* Each about CELL pixels high or wide, as many as fit into a picture. `range` is black and white. */
static cst_status draw_images(const cst_sampler *s, const char *name, size_t n, const real *x, const double range[2],
                              const char *folder, cst_error *error)
{
    const size_t *d = data_of(s)->x.dim, longer = cst_size_most(d[1], d[2]);
    const size_t zoom = longer < CELL ? (CELL + longer / 2) / longer : 1;
    const size_t across = fitting(d[2] * zoom, cst_size_least(ACROSS, n));
    n = cst_size_least(n, across * fitting(d[1] * zoom, MOST_IMAGES));
    const size_t size = n * d[0] * d[1] * d[2];
    const cst_png_grid grid = {across, GAP, zoom, BACKGROUND};
    const double scale = range[1] > range[0] ? 255 / (range[1] - range[0]) : 0;
    uint8_t *bytes = cst_array_new(size, 1);
    char *path = cst_path_join(folder, name);
    cst_status status = bytes && path ? CST_OK : cst_fail(error, CST_ENOMEM, "out of memory");
    for (size_t i = 0; status == CST_OK && i < size; i++) {
        const double level = scale * ((double)x[i] - range[0]);
        bytes[i] = (uint8_t)(level > 0 ? fmin(level + 0.5, 255) : 0); /* 0 for what is no number */
    }
    if (status == CST_OK) status = cst_png_write_grid(path, &grid, bytes, n, d[0], d[1], d[2], error);
    if (status == CST_OK) tell(s, path);
    free(bytes);
    free(path);
    return status;
}

static cst_status picture_images(const cst_sampler *s, const cst_part *part, size_t n, const real *x,
                                 const char *folder, cst_error *error)
{
    const size_t size = cst_shape_size(&data_of(s)->x), shown = cst_size_least(n, MOST_IMAGES);
    const size_t n_data = cst_size_least(part->n, MOST_IMAGES);
    double range[2] = {(double)INFINITY, -(double)INFINITY};
    real *data = cst_array_new(n_data * size, sizeof *data);
    if (!data) return cst_fail(error, CST_ENOMEM, "out of memory");
    cst_sample_data(data_of(s), part, n_data, data);
    add_range(data, n_data * size, 1, range);
    if (part->bytes) range[0] = 0, range[1] = 255;
    cst_status status = draw_images(s, "samples.png", shown, x, range, folder, error);
    if (status == CST_OK) status = draw_images(s, "data.png", n_data, data, range, folder, error);
    free(data);
    return status;
}

/* ---- points in the plane ----------------------------------------------------------------------------------------- */

/* What is shown of the plane: lowest and highest of both coordinates. */
typedef struct window {
    double range[2][2];
} window;

enum { SIDE = 120, MOST_POINTS = 4000, FRAMES = 8, FRAME_POINTS = 1500 };

static void put_points(cst_text *text, const char *name, size_t n, const real *x)
{
    cst_text_printf(text, "$%s << END\n", name);
    for (size_t i = 0; i < n; i++) cst_text_printf(text, "%.5g %.5g\n", (double)x[2 * i], (double)x[2 * i + 1]);
    cst_text_puts(text, "END\n");
}

static void put_panel(cst_text *text, const char *title, const char *name)
{
    cst_text_printf(text,
                    "\nset title \"%s\"\nplot $%s with points pointtype 7 pointsize 0.25 linecolor rgb \"#600072b2\"\n",
                    title, name);
}

static void put_settings(cst_text *text, const window *w)
{
    cst_text_printf(text,
                    "set size square\nset xrange [%.5g:%.5g]\nset yrange [%.5g:%.5g]\nunset key\nunset grid\n"
                    "unset colorbox\nset palette defined (0 \"#ffffff\", 0.25 \"#9ad0ef\", 0.6 \"#0072b2\", 1 "
                    "\"#001a33\")\n",
                    w->range[0][0], w->range[0][1], w->range[1][0], w->range[1][1]);
}

/* $density: the middles of SIDE x SIDE cells, and p there. */
static cst_status put_density(const cst_sampler *s, const window *w, cst_text *text, cst_error *error)
{
    const size_t n = (size_t)SIDE * SIDE;
    real *x = cst_array_new(2 * n, sizeof *x), *logp = cst_array_new(n, sizeof *logp);
    cst_status status = x && logp ? CST_OK : cst_fail(error, CST_ENOMEM, "out of memory");
    for (size_t i = 0; status == CST_OK && i < n; i++) {
        const size_t cell[2] = {i % SIDE, i / SIDE};
        for (size_t k = 0; k < 2; k++)
            x[2 * i + k] = (real)(w->range[k][0] + (w->range[k][1] - w->range[k][0]) * ((double)cell[k] + 0.5) / SIDE);
    }
    if (status == CST_OK) status = cst_sample_log_likelihood(s, n, x, logp, error);
    if (status == CST_OK) cst_text_puts(text, "$density << END\n");
    for (size_t i = 0; status == CST_OK && i < n; i++)
        cst_text_printf(text, "%.5g %.5g %.4g\n", (double)x[2 * i], (double)x[2 * i + 1], exp((double)logp[i]));
    if (status == CST_OK) cst_text_puts(text, "END\n");
    free(x);
    free(logp);
    return status;
}

/* All data and a margin: a square, unless one coordinate's numbers are far smaller than the other's. Not beyond where there is a
 * density, which is up to `end` from 0 where that is not 0. */
static window frame(size_t n, const real *data, double end)
{
    enum { MOST_UNLIKE = 5 };
    window w;
    double span[2];
    for (size_t k = 0; k < 2; k++) {
        double *r = w.range[k];
        r[0] = (double)INFINITY, r[1] = -(double)INFINITY;
        add_range(data + k, n, 2, r);
        const double margin = r[1] > r[0] ? 0.05 * (r[1] - r[0]) : 1;
        r[0] -= margin, r[1] += margin;
        span[k] = r[1] - r[0];
    }
    if (fmax(span[0], span[1]) < MOST_UNLIKE * fmin(span[0], span[1])) {
        for (size_t i = 0; i < 2; i++) {
            const double both = (i == 0 ? fmin : fmax)(w.range[0][i], w.range[1][i]);
            w.range[0][i] = w.range[1][i] = both;
        }
    }
    for (size_t k = 0; end > 0 && k < 2; k++) {
        w.range[k][0] = fmax(w.range[k][0], 0);
        w.range[k][1] = fmin(w.range[k][1], end);
    }
    return w;
}

static cst_status draw(const cst_sampler *s, const char *folder, const char *name, const cst_text *data,
                       const cst_text *panels, cst_gnuplot_grid grid, cst_error *error)
{
    char *stem = cst_path_join(folder, name);
    cst_status status =
        stem ? cst_gnuplot_draw(stem, data, panels, grid, error) : cst_fail(error, CST_ENOMEM, "out of memory");
    static const char *const ends[] = {"png", "svg"};
    for (size_t i = 0; status == CST_OK && i < 2; i++) {
        cst_text path = {0};
        cst_text_printf(&path, "%s.%s", stem, ends[i]);
        if (!path.failed) tell(s, path.data);
        free(path.data);
    }
    free(stem);
    return status;
}

static cst_status draw_density(const cst_sampler *s, size_t n_data, const real *data, size_t n, const real *x,
                               const window *w, const char *folder, cst_error *error)
{
    cst_text text = {0}, panels = {0};
    put_settings(&text, w);
    put_points(&text, "data", n_data, data);
    put_points(&text, "samples", cst_size_least(n, n_data), x); /* as many, so that both look alike */
    cst_status status = put_density(s, w, &text, error);
    put_panel(&panels, "data", "data");
    put_panel(&panels, "samples", "samples");
    cst_text_puts(&panels, "\nset title \"density\"\nplot $density using 1:2:3 with image\n");
    if (status == CST_OK)
        status = draw(s, folder, "samples", &text, &panels, (cst_gnuplot_grid){3, 1, 400, 420}, error);
    free(text.data);
    free(panels.data);
    return status;
}

/* From the base, t = 1 of a cnf of [0, 1], to the data; the title says how much of the way is behind. */
static cst_status draw_path(const cst_sampler *s, const window *data, const char *folder, cst_error *error)
{
    const size_t n = FRAME_POINTS;
    window w = *data;
    cst_text text = {0}, panels = {0};
    real *path = cst_array_new(cst_size_mul(FRAMES * n, 2), sizeof *path);
    cst_status status =
        path ? cst_sample_path(s, n, FRAMES, path, error) : cst_fail(error, CST_ENOMEM, "out of memory");
    for (size_t k = 0; status == CST_OK && k < 2; k++) add_range(path + k, n, 2, w.range[k]); /* the base's points */
    put_settings(&text, &w);
    for (size_t f = 0; status == CST_OK && f < FRAMES; f++) {
        char name[16], title[40];
        snprintf(name, sizeof name, "f%zu", f);
        snprintf(title, sizeof title, "%s%.0f %%",
                 f == 0            ? "base, "
                 : f + 1 == FRAMES ? "samples, "
                                   : "",
                 100.0 * (double)f / (FRAMES - 1));
        put_points(&text, name, n, path + f * 2 * n);
        put_panel(&panels, title, name);
    }
    free(path);
    if (status == CST_OK)
        status = draw(s, folder, "flow", &text, &panels, (cst_gnuplot_grid){FRAMES / 2, 2, 300, 320}, error);
    free(text.data);
    free(panels.data);
    return status;
}

static bool has_path(const cst_module *flow)
{
    for (size_t i = 0; i < flow->n_children; i++)
        if (!cst_is_cnf(flow->children[i].module)) return false;
    return true;
}

static cst_status picture_points(const cst_sampler *s, const cst_part *part, size_t n, const real *x,
                                 const char *folder, cst_error *error)
{
    const size_t n_data = cst_size_least(part->n, MOST_POINTS);
    real *data = cst_array_new(2 * n_data, sizeof *data);
    if (!data) return cst_fail(error, CST_ENOMEM, "out of memory");
    cst_sample_data(data_of(s), part, n_data, data);
    const bool unit = cst_flow_wants_unit_interval(s->run->experiment.model);
    const window w = frame(n_data, data, !unit ? 0 : part->bytes ? 255 : 1);
    cst_status status = draw_density(s, n_data, data, n, x, &w, folder, error);
    free(data);
    if (status == CST_OK && has_path(s->run->experiment.model)) status = draw_path(s, &w, folder, error);
    return status;
}

cst_status cst_sample_picture(const cst_sampler *s, const cst_part *part, size_t n, const real *x, const char *folder,
                              cst_error *error)
{
    const cst_shape *row = &data_of(s)->x;
    CST_TRY(cst_sample_check(s->run, error));
    if (n == 0 || part->n == 0) return CST_OK;
    if (row->rank == 3 && (row->dim[0] == 1 || row->dim[0] == 3)) return picture_images(s, part, n, x, folder, error);
    if (row->rank == 1 && row->dim[0] == 2) return picture_points(s, part, n, x, folder, error);
    return CST_OK;
}
