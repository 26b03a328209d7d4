/* The part of analysis/control.h that draws. */
#include "analysis/control.h"
#include "analysis/gnuplot.h"

#include "core/file.h"

#include <math.h>
#include <stdlib.h>

enum { ACROSS = 5, DOWN = 2, FRAMES = ACROSS * DOWN }; /* of the picture with frames */

/* The ends of the two links, which have length 1: hinge, elbow, tip. */
static void put_links(cst_text *data, const real y[4])
{
    const double q1 = (double)y[0], q12 = q1 + (double)y[1];
    cst_text_printf(data, "0 0\n%.6g %.6g\n%.6g %.6g\n", sin(q1), -cos(q1), sin(q1) + sin(q12), -cos(q1) - cos(q12));
}

/* The data block $c: t, angles (not reduced modulo 2 pi), rates, torques. */
static void put_curves(cst_text *data, const cst_control *control)
{
    cst_text_puts(data, "$c << END\n");
    for (size_t i = 0; i < control->n; i++) {
        const cst_control_point *p = &control->points[i];
        cst_text_printf(data, "%.6g", p->t);
        for (size_t j = 0; j < 4; j++) cst_gnuplot_number(data, (double)p->y[j]);
        for (size_t j = 0; j < 2; j++) cst_gnuplot_number(data, (double)p->u[j]);
        cst_text_puts(data, "\n");
    }
    cst_text_puts(data, "END\nset xlabel \"t\"\n");
}

/* Three panels with two curves each. */
static cst_status draw_curves(const cst_control *control, const char *stem, cst_error *error)
{
    static const char *const titles[3] = {"angles", "rates", "torques"};
    static const char *const names[3] = {"q", "q'", "u"};
    /* Columns 2 to 7 of $c are three pairs. */
    cst_text data = {0}, panels = {0};
    put_curves(&data, control);
    for (int i = 0; i < 3; i++)
        cst_text_printf(&panels,
                        "\nset title \"%s\"\nplot $c using 1:%d with lines linestyle 1 title \"%s_1\", \\\n"
                        "  $c using 1:%d with lines linestyle 2 title \"%s_2\"\n",
                        titles[i], 2 + 2 * i, names[i], 3 + 2 * i, names[i]);
    const cst_status status = cst_gnuplot_draw(stem, &data, &panels, CST_GNUPLOT_CURVES(3, 1), error);
    free(data.data);
    free(panels.data);
    return status;
}

/* Settings for panels that show the links: equal scales, no axes. */
static void put_frame_settings(cst_text *text)
{
    cst_text_puts(text, "set size ratio -1\nset xrange [-2.3:2.3]\nset yrange [-2.3:2.3]\nunset tics\nset border 0\n"
                        "unset key\nunset xlabel\nunset grid\nset margins 0, 0, 0, 2\n");
}

/* Ten panels at equal intervals, from the start until a little after the pendulum is upright, or else to the end. */
static cst_status draw_frames(const cst_control *control, const char *stem, cst_error *error)
{
    cst_text data = {0}, panels = {0};
    const double end = control->points[control->n - 1].t;
    const double last = control->reached ? fmin(1.2 * control->since + 0.5, end) : end;
    put_frame_settings(&data);
    /* Each frame shows the last point at or before its time. */
    for (size_t f = 0, i = 0; f < FRAMES; f++) {
        const double t = last * (double)f / (FRAMES - 1);
        while (i + 1 < control->n && control->points[i + 1].t <= t + 1e-9) i++;
        cst_text_printf(&data, "$f%zu << END\n", f);
        put_links(&data, control->points[i].y);
        cst_text_puts(&data, "END\n");
        cst_text_printf(&panels,
                        "\nset title \"t = %.2f\"\nplot $f%zu with linespoints linestyle 1 linewidth 4 pointtype 7\n",
                        control->points[i].t, f);
    }
    const cst_status status = cst_gnuplot_draw(stem, &data, &panels, (cst_gnuplot_grid){ACROSS, DOWN, 220, 240}, error);
    free(data.data);
    free(panels.data);
    return status;
}

/* An animation of every second point; blank lines separate the frames in the data block. */
static cst_status animate(const cst_control *control, const char *stem, cst_error *error)
{
    enum { EVERY = 2, HUNDREDTHS = 10 }; /* points per frame; hundredths of a second per frame */
    cst_text data = {0}, frame = {0};
    size_t frames = 0;
    put_frame_settings(&data);
    cst_text_puts(&data, "$links << END\n");
    for (size_t i = 0; i < control->n; i += EVERY, frames++) {
        cst_text_puts(&data, frames > 0 ? "\n\n" : "");
        put_links(&data, control->points[i].y);
    }
    cst_text_puts(&data, "END\n");
    /* The title counts time by frames. */
    const double dt = control->n > 1 ? EVERY * control->points[1].t : 0;
    cst_text_printf(&frame,
                    "set title sprintf(\"t = %%.1f\", %.9g * frame)\n"
                    "plot $links index frame with linespoints linestyle 1 linewidth 4 pointtype 7\n",
                    dt);
    const cst_status status = cst_gnuplot_animate(stem, &data, &frame, frames, HUNDREDTHS, error);
    free(data.data);
    free(frame.data);
    return status;
}

cst_status cst_control_draw(const cst_control *control, const char *folder, cst_error *error)
{
    /* Draw each picture under its name in the folder. */
    static cst_status (*const draw[3])(const cst_control *, const char *, cst_error *) = {draw_curves, draw_frames,
                                                                                          animate};
    static const char *const names[3] = {"control", "control-frames", "control-animation"};
    for (int i = 0; i < 3; i++) {
        char *stem = cst_path_join(folder, names[i]);
        const cst_status status = stem ? draw[i](control, stem, error) : cst_fail(error, CST_ENOMEM, "out of memory");
        free(stem);
        CST_TRY(status);
    }
    return CST_OK;
}
