/* Curves of runs over epochs, drawn by gnuplot: loss, accuracy, and forward and backward evaluations per iteration. A group
 * of several runs is drawn as its mean with a band of one standard deviation on either side, as in figure 1 of Kidger,
 * Chen, Lyons, "Hey, that's not an ODE" (ICML 2021). */
#ifndef CST_ANALYSIS_PLOT_H
#define CST_ANALYSIS_PLOT_H

#include "train/metrics.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One run: its folder and its metrics (n), one row per epoch. Both are owned. */
typedef struct cst_plot_run {
    char *folder;
    cst_metrics *rows;
    size_t n;
} cst_plot_run;

/* One curve: a single run, or a variant's runs (n) with different seeds. Label and runs are owned. */
typedef struct cst_plot_group {
    char *label;
    cst_plot_run *runs;
    size_t n;
} cst_plot_group;

/* All curves (n). Initialize it with zeros. */
typedef struct cst_plot {
    cst_plot_group *groups;
    size_t n;
} cst_plot;

/* Add the curves of a folder: one group for a run, and one per variant for a comparison (analysis/comparison.h). Runs of a
 * comparison that have not begun are left out. Errors: CST_ECONFIG if the folder is neither; CST_EIO; CST_EFORMAT;
 * CST_ENOMEM. After an error the plot still has to be cleared. */
CST_MUST_CHECK cst_status cst_plot_add(cst_plot *plot, const char *folder, cst_error *error);
/* Free all groups. A plot that is all zeros is a no-op. */
void cst_plot_clear(cst_plot *plot);

/* Write the script STEM.gp, and run gnuplot to draw STEM.png and STEM.svg. Quantities that no run has are left out.
 * Errors: CST_EARG if there is nothing to draw; CST_EUNSUPPORTED if gnuplot is not installed, with the script already
 * written; CST_EIO; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_plot_draw(const cst_plot *plot, const char *stem, cst_error *error);

/* Draw the runs' traces (train/trace.h) in the same way, as in the paper's figures 4 and 5: step sizes over t in the last
 * traced iteration, and histograms over t of evaluations and of rejected steps per iteration, forward and backward. An
 * evaluation counts at the time of its stage. *drawn becomes false, and nothing is written, if no run has a trace. Errors:
 * those of cst_plot_draw, and CST_EFORMAT for a damaged trace. */
CST_MUST_CHECK cst_status cst_plot_draw_steps(const cst_plot *plot, const char *stem, bool *drawn, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
