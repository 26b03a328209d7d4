/* Pictures by gnuplot: the script, with its data in it, stays beside them, so that it can be changed and run again. */
#ifndef CST_TRAIN_GNUPLOT_H
#define CST_TRAIN_GNUPLOT_H

#include "core/status.h"
#include "core/text.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_GNUPLOT_STYLES = 8 }; /* line styles 1 .. 8: colours that colour-blind people can tell apart (Okabe, Ito) */

/* A number in a data block, after a space; NaN, which is then missing, if it is not finite. */
void cst_gnuplot_number(cst_text *text, double value);

/* Write STEM.gp: `data` (data blocks and settings), then for each terminal `panels`, which fill a grid of across x down. Run
 * it: STEM.png and STEM.svg. CST_EUNSUPPORTED if there is no gnuplot: the script is there then. CST_EIO, CST_ENOMEM, which
 * also stands for texts that have failed. */
CST_MUST_CHECK cst_status cst_gnuplot_draw(const char *stem, const cst_text *data, const cst_text *panels, int across,
                                           int down, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
