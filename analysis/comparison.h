/* Variants of one experiment side by side: each value of what is varied, trained with several seeds, in runs of their own.
 *
 * A folder holds FOLDER/VARIANT/seed-N, each a run, and comparison.json, comparison.csv and comparison.md. Runs are made
 * seed by seed, all variants of a seed one after the other, so that a machine that slows down does so for all of them. A
 * run that is there already is gone on with, or, if it has ended, only read; one that another process is at work on is left to
 * it and waited for, so that the same comparison may be made by several processes at once. */
#ifndef CST_ANALYSIS_COMPARISON_H
#define CST_ANALYSIS_COMPARISON_H

#include "train/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One thing that is varied: a path as cst_document_set takes it, and its values, as text. */
typedef struct cst_varied {
    char *path, **values;
    size_t n;
} cst_varied;

/* Cut "PATH=VALUE,VALUE,..." at the commas that stand in no bracket and no quotes. CST_EARG. */
CST_MUST_CHECK cst_status cst_varied_parse(const char *text, cst_varied *varied, cst_error *error);
void cst_varied_clear(cst_varied *varied);

typedef struct cst_variant {
    char *label, *folder;   /* "norm=seminorm", "norm-seminorm" */
    cst_summary *summaries; /* (repeats) */
    bool *tried, *done;     /* (repeats): by whatever process; false where the run failed */
} cst_variant;

typedef struct cst_comparison {
    char *folder;
    cst_document *document; /* the caller's */
    const cst_varied *varied;
    size_t n_varied;
    size_t n_variants, repeats;
    uint64_t seed; /* of the first repeat */
    cst_variant *variants;
    bool written; /* the tables are in the folder */
} cst_comparison;

typedef struct cst_comparison_events {
    cst_run_events run;
    /* A run begins (number of total, from 1), ends, or fails; then the others go on. */
    void (*begin)(void *context, size_t number, size_t total, const char *label, const char *folder);
    /* Nothing is left but so many runs that other processes are at work on. */
    void (*waiting)(void *context, size_t runs);
    void (*failed)(void *context, const char *label, const cst_error *error);
} cst_comparison_events;

/* All combinations of what is varied. The document and `varied` must outlive the comparison. Every variant's config is
 * checked, so that a mistake shows before anything is trained; defaults are written into `document`, if a path needs them
 * to be there. CST_ECONFIG. */
CST_MUST_CHECK cst_status cst_comparison_init(cst_comparison *c, cst_document *document, const char *folder,
                                              const cst_varied *varied, size_t n_varied, size_t repeats,
                                              cst_error *error);
void cst_comparison_clear(cst_comparison *c);

/* Make all runs, and write the tables. The first failure of a run, once all have been tried and the tables are written, which
 * `written` then says; CST_EINTERRUPTED; CST_EIO where the comparison's own files cannot be written. */
CST_MUST_CHECK cst_status cst_comparison_run(cst_comparison *c, const cst_comparison_events *events, cst_error *error);

/* The table as text in aligned columns, as Markdown or as CSV, allocated, to be freed with free(); NULL if out of memory.
 * A column of the first two: mean and, of more than one run, the sample's standard deviation. */
typedef enum cst_table_format { CST_TABLE_TEXT, CST_TABLE_MARKDOWN, CST_TABLE_CSV } cst_table_format;
char *cst_comparison_table(const cst_comparison *c, cst_table_format format);

#ifdef __cplusplus
}
#endif
#endif
