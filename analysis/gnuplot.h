/* Pictures by gnuplot: the script, with its data in it, stays beside them, so that it can be changed and run again. */
#ifndef CST_ANALYSIS_GNUPLOT_H
#define CST_ANALYSIS_GNUPLOT_H

#include "core/status.h"
#include "core/text.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_GNUPLOT_STYLES = 8 }; /* line styles 1 .. 8: colours that colour-blind people can tell apart (Okabe, Ito) */

/* A number in a data block, after a space; NaN, which is then missing, if it is not finite. */
void cst_gnuplot_number(cst_text *text, double value);

/* A text that anybody may have written, as one string in double quotes, in which all that gnuplot would read as something else is an
 * octal number. Control characters in it are made visible (cst_text_visible). Every text in a script that is not the program's own goes
 * through this; no terminal has enhanced text, so that _, ^, {, }, & and @ in it are characters. */
void cst_gnuplot_text(cst_text *text, const char *string);

/* across x down panels, so many pixels each. */
typedef struct cst_gnuplot_grid {
    int across, down, width, height;
} cst_gnuplot_grid;

#define CST_GNUPLOT_CURVES(across, down) ((cst_gnuplot_grid){across, down, 560, 400})

/* Write STEM.gp: `data` (data blocks and settings), then for each terminal `panels`, which fill the grid. Run it:
 * STEM.png and STEM.svg, in whose places only plain files are written to: links are removed. STEM is any path; gnuplot takes it for a
 * file's name whatever is in it. CST_EUNSUPPORTED if there is no gnuplot: the script is there then. CST_EIO, CST_ENOMEM, which
 * also stands for texts that have failed. */
CST_MUST_CHECK cst_status cst_gnuplot_draw(const char *stem, const cst_text *data, const cst_text *panels,
                                           cst_gnuplot_grid grid, cst_error *error);

/* The same for STEM.gif: `panel` is drawn for frame = 0 .. frames - 1, a variable of the script, each shown for so many
 * hundredths of a second. */
CST_MUST_CHECK cst_status cst_gnuplot_animate(const char *stem, const cst_text *data, const cst_text *panel,
                                              size_t frames, int hundredths, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
