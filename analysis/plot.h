/* Curves of runs over epochs, drawn by gnuplot: loss, accuracy, forward and backward evaluations of each group of runs; of a
 * group with several the mean and, as a band, one standard deviation on either side (the paper's figure 1). */
#ifndef CST_ANALYSIS_PLOT_H
#define CST_ANALYSIS_PLOT_H

#include "train/metrics.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_plot_run {
    char *folder;
    cst_metrics *rows;
    size_t n;
} cst_plot_run;

/* A curve: one run, or the same variant with several seeds. */
typedef struct cst_plot_group {
    char *label;
    cst_plot_run *runs;
    size_t n;
} cst_plot_group;

typedef struct cst_plot {
    cst_plot_group *groups;
    size_t n;
} cst_plot;

/* Add what is in a folder: a run's metrics.csv as one group, or every variant of a comparison; runs of it that are not there
 * yet are left out. Zero-initialize the plot before. CST_EIO, CST_EFORMAT; CST_ECONFIG where the folder is neither. */
CST_MUST_CHECK cst_status cst_plot_add(cst_plot *plot, const char *folder, cst_error *error);
void cst_plot_clear(cst_plot *plot);

/* Write STEM.gp, a script with the numbers in it, and have gnuplot make STEM.png and STEM.svg of it. CST_EUNSUPPORTED if
 * there is no gnuplot: the script is there then. */
CST_MUST_CHECK cst_status cst_plot_draw(const cst_plot *plot, const char *stem, cst_error *error);

/* The same of the runs' traces (train/trace.h): step sizes over t in the last iteration that was traced, and histograms over t
 * of evaluations and of rejected steps, means an iteration, forward and backward (the paper's figures 4 and 5). *drawn is false,
 * and nothing is written, if no run has a trace. An evaluation counts where its stage is; those that begin a solve, once. */
CST_MUST_CHECK cst_status cst_plot_draw_steps(const cst_plot *plot, const char *stem, bool *drawn, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
