/* Pictures drawn by gnuplot. A script that contains its data is written beside each picture, so that the picture can be
 * changed and drawn again.
 *
 * A script is built as text: `data` holds data blocks and settings, `panels` holds the plot commands. Any text that is
 * not the program's own must go through cst_gnuplot_text. */
#ifndef CST_ANALYSIS_GNUPLOT_H
#define CST_ANALYSIS_GNUPLOT_H

#include "core/status.h"
#include "core/text.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_GNUPLOT_STYLES = 8 }; /* line styles 1 .. 8, in the colours of Okabe and Ito for colour-blind readers */

/* Append a space and a number to a data block. A number that is not finite becomes NaN, which gnuplot leaves out. */
void cst_gnuplot_number(cst_text *text, double value);

/* Append untrusted text as a string in double quotes. Characters that mean something to gnuplot become octal escapes, and
 * control characters are made visible (cst_text_visible). All terminals are set to noenhanced, so that _, ^, {, }, & and
 * @ are printed as they are. */
void cst_gnuplot_text(cst_text *text, const char *string);

/* A grid of panels: `across` columns and `down` rows, each panel `width` x `height` pixels. */
typedef struct cst_gnuplot_grid {
    int across, down, width, height;
} cst_gnuplot_grid;

/* A grid for panels with curves. */
#define CST_GNUPLOT_CURVES(across, down) ((cst_gnuplot_grid){across, down, 560, 400})

/* Write STEM.gp and run it to draw STEM.png and STEM.svg. The script contains `data` once, and `panels`, which must fill
 * the grid, once for each of the two files. STEM may be any path; gnuplot treats it as a file name whatever characters it
 * has. Pictures are only written to plain files: a link of that name is removed first.
 * Errors: CST_EUNSUPPORTED if gnuplot is not installed, with the script already written; CST_EIO; CST_ENOMEM, also if
 * `data` or `panels` has failed. */
CST_MUST_CHECK cst_status cst_gnuplot_draw(const char *stem, const cst_text *data, const cst_text *panels,
                                           cst_gnuplot_grid grid, cst_error *error);

/* The same for the animation STEM.gif. `panel` is drawn once per frame, with the gnuplot variable `frame` running from 0
 * to frames - 1 (frames >= 1). Each frame is shown for `hundredths` hundredths of a second. */
CST_MUST_CHECK cst_status cst_gnuplot_animate(const char *stem, const cst_text *data, const cst_text *panel,
                                              size_t frames, int hundredths, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
