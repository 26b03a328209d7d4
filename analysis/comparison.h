/* A comparison: variants of one experiment, each trained with several seeds, and tables of their results.
 *
 * The folder holds FOLDER/VARIANT/seed-N, each of them a run (train/run.h), and comparison.json, comparison.csv and
 * comparison.md. Runs are trained seed by seed, all variants of a seed in a row, so that a machine that slows down
 * affects all variants alike. An existing run is resumed; a finished one is only read. A run that another process is
 * training is left to that process and waited for: several processes may work on the same comparison. */
#ifndef CST_ANALYSIS_COMPARISON_H
#define CST_ANALYSIS_COMPARISON_H

#include "train/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One option that is varied: its path, as cst_document_set takes it, and its values (n), as JSON text or plain words. */
typedef struct cst_varied {
    char *path, **values;
    size_t n;
} cst_varied;

/* Split "PATH=VALUE,VALUE,..." at the commas that are outside brackets and quotes. Free the result with
 * cst_varied_clear. Errors: CST_EARG, CST_ENOMEM; nothing stays allocated then. */
CST_MUST_CHECK cst_status cst_varied_parse(const char *text, cst_varied *varied, cst_error *error);
/* Free path and values. A structure that is all zeros is a no-op. */
void cst_varied_clear(cst_varied *varied);

/* One combination of values. All members are owned. */
typedef struct cst_variant {
    char *label;            /* for tables: "norm=seminorm" */
    char *folder;           /* below the comparison's folder: "norm-seminorm" */
    cst_summary *summaries; /* (repeats) */
    bool *tried;            /* (repeats): the run has been trained, by this process or another, or has failed */
    bool *done;             /* (repeats): the run has ended and its summary is valid */
} cst_variant;

typedef struct cst_comparison {
    char *folder;
    cst_document *document;   /* the base config; not owned */
    const cst_varied *varied; /* (n_varied); not owned */
    size_t n_varied;
    size_t n_variants, repeats;
    uint64_t seed;         /* of the first repeat; repeat r has seed + r */
    cst_variant *variants; /* (n_variants): the last option varies fastest */
    bool written;          /* the tables have been written */
} cst_comparison;

/* Callbacks of a comparison; each may be NULL. `run.context` is passed to all of them. */
typedef struct cst_comparison_events {
    cst_run_events run; /* those of each run */
    /* Called when a run begins: its number, from 1, and the total number of runs. */
    void (*begin)(void *context, size_t number, size_t total, const char *label, const char *folder);
    /* Called when only `runs` runs are left and other processes are training all of them. */
    void (*waiting)(void *context, size_t runs);
    /* Called when a run has failed. The comparison continues with the next run. */
    void (*failed)(void *context, const char *label, const cst_error *error);
} cst_comparison_events;

/* List all combinations of the varied options and check each variant's config, so that a mistake shows before anything
 * is trained. Without varied options there is one variant, "base". If a path needs it, defaults are written into
 * `document`. The document and `varied` must outlive the comparison; `folder` is copied. Errors: CST_ECONFIG with the
 * place; CST_EARG if two variants would have the same folder; those of cst_experiment_new. On failure the comparison is
 * cleared. */
CST_MUST_CHECK cst_status cst_comparison_init(cst_comparison *c, cst_document *document, const char *folder,
                                              const cst_varied *varied, size_t n_varied, size_t repeats,
                                              cst_error *error);
/* Free everything. A comparison that is all zeros is a no-op. */
void cst_comparison_clear(cst_comparison *c);

/* Train all runs and write the tables. A run that fails does not stop the others; its error is returned at the end, and
 * `written` says whether the tables were written. Other errors: CST_EINTERRUPTED, at once; CST_EIO if the comparison's
 * own files cannot be written; CST_ENOMEM. `events` must not be NULL. */
CST_MUST_CHECK cst_status cst_comparison_run(cst_comparison *c, const cst_comparison_events *events, cst_error *error);

typedef enum cst_table_format { CST_TABLE_TEXT, CST_TABLE_MARKDOWN, CST_TABLE_CSV } cst_table_format;

/* The results as a table: text in aligned columns, Markdown or CSV. A cell of the first two shows the mean and, for
 * several runs, the sample standard deviation; CSV has a column for each. The text is allocated: free it with free().
 * NULL if out of memory. */
char *cst_comparison_table(const cst_comparison *c, cst_table_format format);

#ifdef __cplusplus
}
#endif
#endif
