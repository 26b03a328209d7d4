/* The part of analysis/sample.h that draws pictures. */
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

/* Report a written file. */
static void report_file(const cst_sampler *s, const char *path)
{
    if (s->events && s->events->wrote) s->events->wrote(s->events->context, path);
}

/* Widen a range to n numbers that are `step` entries apart. Numbers that are not finite are ignored. */
static void add_range(const real *x, size_t n, size_t step, double range[2])
{
    for (size_t i = 0; i < n * step; i += step) {
        if (!isfinite(x[i])) continue;
        range[0] = fmin(range[0], (double)x[i]);
        range[1] = fmax(range[1], (double)x[i]);
    }
}

/* ---- images ------------------------------------------------------------------------------------------------------ */

/* Images per row and in all; pixels of an image's longer side and between images; grey level of the gaps. */
enum { ACROSS = 10, MOST_IMAGES = 100, CELL = 56, GAP = 2, BACKGROUND = 96 };

/* How many images with this side fit next to each other into a PNG: at least 1, and at most `most`. */
static size_t images_per_side(size_t side, size_t most)
{
    const size_t fit = (CST_PNG_LONGEST_SIDE - GAP) / (side + GAP);
    return fit < 1 ? 1 : cst_size_min(fit, most);
}

/* Draw n images as a grid, as many as fit. Small ones are enlarged to about CELL pixels. range[0] is black and range[1] is
 * white (or full colour). */
static cst_status draw_images(const cst_sampler *s, const char *name, size_t n, const real *x, const double range[2],
                              const char *folder, cst_error *error)
{
    /* The size of the grid. */
    const size_t *d = data_of(s)->x.dim, longer = cst_size_max(d[1], d[2]);
    const size_t zoom = longer < CELL ? (CELL + longer / 2) / longer : 1;
    const size_t across = images_per_side(d[2] * zoom, cst_size_min(ACROSS, n));
    n = cst_size_min(n, across * images_per_side(d[1] * zoom, MOST_IMAGES));
    /* Convert to bytes; NaN becomes 0. */
    const size_t size = n * d[0] * d[1] * d[2];
    const cst_png_grid grid = {across, GAP, zoom, BACKGROUND};
    const double scale = range[1] > range[0] ? 255 / (range[1] - range[0]) : 0;
    uint8_t *bytes = cst_array_new(size, 1);
    char *path = cst_path_join(folder, name);
    cst_status status = bytes && path ? CST_OK : cst_fail(error, CST_ENOMEM, "out of memory");
    for (size_t i = 0; status == CST_OK && i < size; i++) {
        const double level = scale * ((double)x[i] - range[0]);
        bytes[i] = (uint8_t)(level > 0 ? fmin(level + 0.5, 255) : 0);
    }
    if (status == CST_OK) status = cst_png_write_grid(path, &grid, bytes, n, &data_of(s)->x, error);
    if (status == CST_OK) report_file(s, path);
    free(bytes);
    free(path);
    return status;
}

/* samples.png and data.png. Both use the range of the data, so that they can be compared. */
static cst_status picture_images(const cst_sampler *s, const cst_split *split, size_t n, const real *x,
                                 const char *folder, cst_error *error)
{
    const size_t size = cst_shape_size(&data_of(s)->x), shown = cst_size_min(n, MOST_IMAGES);
    const size_t n_data = cst_size_min(split->n, MOST_IMAGES);
    double range[2] = {(double)INFINITY, -(double)INFINITY};
    real *data = cst_array_new(n_data * size, sizeof *data);
    if (!data) return cst_fail(error, CST_ENOMEM, "out of memory");
    /* Bytes have a fixed range. */
    cst_sample_data(data_of(s), split, n_data, data);
    add_range(data, n_data * size, 1, range);
    if (split->bytes) range[0] = 0, range[1] = 255;
    cst_status status = draw_images(s, "samples.png", shown, x, range, folder, error);
    if (status == CST_OK) status = draw_images(s, "data.png", n_data, data, range, folder, error);
    free(data);
    return status;
}

/* ---- points in the plane ----------------------------------------------------------------------------------------- */

/* The part of the plane that is shown: lowest and highest value of each coordinate. */
typedef struct window {
    double range[2][2];
} window;

/* Cells per side of the density's grid; points per panel; frames on the way from the base, and points in each. */
enum { SIDE = 120, MOST_POINTS = 4000, FRAMES = 8, FRAME_POINTS = 1500 };

/* Points in the plane, x (n, 2). */
typedef struct points {
    size_t n;
    const real *x;
} points;

/* A data block with these points. */
static void put_points(cst_text *text, const char *name, points p)
{
    cst_text_printf(text, "$%s << END\n", name);
    for (size_t i = 0; i < p.n; i++) cst_text_printf(text, "%.5g %.5g\n", (double)p.x[2 * i], (double)p.x[2 * i + 1]);
    cst_text_puts(text, "END\n");
}

/* A panel with the points of a data block. */
static void put_panel(cst_text *text, const char *title, const char *name)
{
    cst_text_printf(text,
                    "\nset title \"%s\"\nplot $%s with points pointtype 7 pointsize 0.25 linecolor rgb \"#600072b2\"\n",
                    title, name);
}

/* Settings of all panels: equal windows, no legend, and the density's colours from white to dark blue. */
static void put_settings(cst_text *text, const window *w)
{
    cst_text_printf(text,
                    "set size square\nset xrange [%.5g:%.5g]\nset yrange [%.5g:%.5g]\nunset key\nunset grid\n"
                    "unset colorbox\nset palette defined (0 \"#ffffff\", 0.25 \"#9ad0ef\", 0.6 \"#0072b2\", 1 "
                    "\"#001a33\")\n",
                    w->range[0][0], w->range[0][1], w->range[1][0], w->range[1][1]);
}

/* The data block $density: the middles of SIDE x SIDE cells, and p there. */
static cst_status put_density(const cst_sampler *s, const window *w, cst_text *text, cst_error *error)
{
    const size_t n = (size_t)SIDE * SIDE;
    /* The middles of the cells, row by row. */
    real *x = cst_array_new(2 * n, sizeof *x), *logp = cst_array_new(n, sizeof *logp);
    cst_status status = x && logp ? CST_OK : cst_fail(error, CST_ENOMEM, "out of memory");
    for (size_t i = 0; status == CST_OK && i < n; i++) {
        const size_t cell[2] = {i % SIDE, i / SIDE};
        for (size_t k = 0; k < 2; k++)
            x[2 * i + k] = (real)(w->range[k][0] + (w->range[k][1] - w->range[k][0]) * ((double)cell[k] + 0.5) / SIDE);
    }
    /* log p of all of them, then the block. */
    if (status == CST_OK) status = cst_sample_log_likelihood(s, n, x, logp, error);
    if (status == CST_OK) cst_text_puts(text, "$density << END\n");
    for (size_t i = 0; status == CST_OK && i < n; i++)
        cst_text_printf(text, "%.5g %.5g %.4g\n", (double)x[2 * i], (double)x[2 * i + 1], exp((double)logp[i]));
    if (status == CST_OK) cst_text_puts(text, "END\n");
    free(x);
    free(logp);
    return status;
}

/* The window of the pictures: the bounding box of the data plus a margin of 5 %. It is a square unless one coordinate spans
 * at least MOST_UNLIKE times as much as the other. With end > 0 the flow's density lives on [0, end] per coordinate, and the
 * window is clipped to that. */
static window window_of(size_t n, const real *data, double end)
{
    enum { MOST_UNLIKE = 5 };
    window w;
    double span[2];
    /* The bounding box with its margin. */
    for (size_t k = 0; k < 2; k++) {
        double *r = w.range[k];
        r[0] = (double)INFINITY, r[1] = -(double)INFINITY;
        add_range(data + k, n, 2, r);
        const double margin = r[1] > r[0] ? 0.05 * (r[1] - r[0]) : 1;
        r[0] -= margin, r[1] += margin;
        span[k] = r[1] - r[0];
    }
    /* A square: both coordinates get the union of their ranges. */
    if (fmax(span[0], span[1]) < MOST_UNLIKE * fmin(span[0], span[1])) {
        for (size_t i = 0; i < 2; i++) {
            const double both = (i == 0 ? fmin : fmax)(w.range[0][i], w.range[1][i]);
            w.range[0][i] = w.range[1][i] = both;
        }
    }
    /* Clip. */
    for (size_t k = 0; end > 0 && k < 2; k++) {
        w.range[k][0] = fmax(w.range[k][0], 0);
        w.range[k][1] = fmin(w.range[k][1], end);
    }
    return w;
}

/* Draw FOLDER/NAME.png and .svg, and report both files. */
static cst_status draw(const cst_sampler *s, const char *folder, const char *name, const cst_text *data,
                       const cst_text *panels, cst_gnuplot_grid grid, cst_error *error)
{
    char *stem = cst_path_join(folder, name);
    cst_status status =
        stem ? cst_gnuplot_draw(stem, data, panels, grid, error) : cst_fail(error, CST_ENOMEM, "out of memory");
    /* Report the two files. */
    static const char *const ends[] = {"png", "svg"};
    for (size_t i = 0; status == CST_OK && i < 2; i++) {
        cst_text path = {0};
        cst_text_printf(&path, "%s.%s", stem, ends[i]);
        if (!path.failed) report_file(s, path.data);
        free(path.data);
    }
    free(stem);
    return status;
}

/* samples.png and .svg: data, samples and density side by side. */
static cst_status draw_density(const cst_sampler *s, points data, points samples, const window *w, const char *folder,
                               cst_error *error)
{
    cst_text text = {0}, panels = {0};
    put_settings(&text, w);
    samples.n = cst_size_min(samples.n, data.n); /* no more than data: equal densities look alike */
    put_points(&text, "data", data);
    put_points(&text, "samples", samples);
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

/* flow.png and .svg: samples on their way from the base (t = 1 of a cnf on [0, 1]) to the data (t = 0). Each title says which
 * part of the way is done. */
static cst_status draw_path(const cst_sampler *s, const window *data, const char *folder, cst_error *error)
{
    const size_t n = FRAME_POINTS;
    window w = *data;
    cst_text text = {0}, panels = {0};
    real *path = cst_array_new(cst_size_mul(FRAMES * n, 2), sizeof *path);
    cst_status status =
        path ? cst_sample_path(s, n, FRAMES, path, error) : cst_fail(error, CST_ENOMEM, "out of memory");
    /* The window must also show the base's points. */
    for (size_t k = 0; status == CST_OK && k < 2; k++) add_range(path + k, n, 2, w.range[k]);
    /* One panel per frame. */
    put_settings(&text, &w);
    for (size_t f = 0; status == CST_OK && f < FRAMES; f++) {
        char name[16], title[40];
        snprintf(name, sizeof name, "f%zu", f);
        snprintf(title, sizeof title, "%s%.0f %%",
                 f == 0            ? "base, "
                 : f + 1 == FRAMES ? "samples, "
                                   : "",
                 100.0 * (double)f / (FRAMES - 1));
        put_points(&text, name, (points){n, path + f * 2 * n});
        put_panel(&panels, title, name);
    }
    free(path);
    if (status == CST_OK)
        status = draw(s, folder, "flow", &text, &panels, (cst_gnuplot_grid){FRAMES / 2, 2, 300, 320}, error);
    free(text.data);
    free(panels.data);
    return status;
}

/* True if all layers are cnfs, which have states between base and data. */
static bool has_path(const cst_module *flow)
{
    for (size_t i = 0; i < flow->n_children; i++)
        if (!cst_is_cnf(flow->children[i].module)) return false;
    return true;
}

/* The pictures of points in the plane. */
static cst_status picture_points(const cst_sampler *s, const cst_split *split, size_t n, const real *x,
                                 const char *folder, cst_error *error)
{
    const size_t n_data = cst_size_min(split->n, MOST_POINTS);
    real *data = cst_array_new(2 * n_data, sizeof *data);
    if (!data) return cst_fail(error, CST_ENOMEM, "out of memory");
    cst_sample_data(data_of(s), split, n_data, data);
    /* A flow that begins with pixels has its density on [0, 1], which bytes call 0 .. 255. */
    const bool unit = cst_flow_wants_unit_interval(s->run->experiment.model);
    const window w = window_of(n_data, data, !unit ? 0 : split->bytes ? 255 : 1);
    cst_status status = draw_density(s, (points){n_data, data}, (points){n, x}, &w, folder, error);
    free(data);
    if (status == CST_OK && has_path(s->run->experiment.model)) status = draw_path(s, &w, folder, error);
    return status;
}

cst_status cst_sample_picture(const cst_sampler *s, const cst_split *split, size_t n, const real *x, const char *folder,
                              cst_error *error)
{
    /* The shape of a row decides what it is: an image (1 or 3, H, W), a point (2), or neither. */
    const cst_shape *row = &data_of(s)->x;
    CST_TRY(cst_sample_check(s->run, error));
    if (n == 0 || split->n == 0) return CST_OK;
    if (row->rank == 3 && (row->dim[0] == 1 || row->dim[0] == 3)) return picture_images(s, split, n, x, folder, error);
    if (row->rank == 1 && row->dim[0] == 2) return picture_points(s, split, n, x, folder, error);
    return CST_OK;
}
