/* A table in CSV files: which columns there are and what they are for, by the keys of a config's section; classes by their
 * names. What the data sets `csv` and `series_csv` have in common.
 *
 * The columns that are neither the target, nor ignored, nor have a role of their own are the features, in the file's order.
 * Classes are numbered in the order of their names' bytes once the training file has been read; another file has no other
 * columns, and no other classes. */
#ifndef CST_DATASETS_CSV_TABLE_H
#define CST_DATASETS_CSV_TABLE_H

#include "core/config.h"
#include "core/real.h"
#include "formats/csv.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_CLASSIFICATION, CST_REGRESSION };
extern const char *const cst_table_tasks[], *const cst_table_headers[];

typedef struct cst_table_options {
    const char *separator;
    cst_config target, ignore;
    int task, header;
} cst_table_options;

/* Their keys: `table` is a cst_table_options in the struct `type`. */
#define CST_TABLE_KEYS(type, table)                                                                                    \
    CST_INIT(                                                                                                          \
        {.name = "target",                                                                                             \
         .kind = CST_KEY_ANY,                                                                                          \
         .offset = offsetof(type, table.target),                                                                       \
         .help =                                                                                                       \
             "column to learn, or a list of columns for a regression; without a header columns are \"1\", \"2\", ...", \
         .holds = "string_or_strings"},                                                                                \
        {.name = "task",                                                                                               \
         .kind = CST_KEY_CHOICE,                                                                                       \
         .offset = offsetof(type, table.task),                                                                         \
         .fallback = "\"classification\"",                                                                             \
         .choices = cst_table_tasks,                                                                                   \
         .help = "what the target is"},                                                                                \
        {.name = "ignore",                                                                                             \
         .kind = CST_KEY_LIST,                                                                                         \
         .offset = offsetof(type, table.ignore),                                                                       \
         .fallback = "",                                                                                               \
         .help = "columns that are not to be used",                                                                    \
         .holds = "strings"},                                                                                          \
        {.name = "header",                                                                                             \
         .kind = CST_KEY_CHOICE,                                                                                       \
         .offset = offsetof(type, table.header),                                                                       \
         .fallback = "\"auto\"",                                                                                       \
         .choices = cst_table_headers,                                                                                 \
         .help = "whether the first line has names; auto: if no field in it is a number"},                             \
        {.name = "separator",                                                                                          \
         .kind = CST_KEY_STRING,                                                                                       \
         .offset = offsetof(type, table.separator),                                                                    \
         .fallback = "\",\"",                                                                                          \
         .help = "between fields, one character"})

/* A class by its name, and its number in the order in which they came. */
typedef struct cst_table_class {
    char *name;
    int32_t number;
} cst_table_class;

/* A column with a role of its own, by the key that names it. */
typedef struct cst_table_role {
    const char *key;
    size_t column;
} cst_table_role;

/* What is known of a table once its training file has been opened. Initialize what comes first, zero the rest. */
typedef struct cst_table {
    cst_config section;
    const cst_table_options *o;
    cst_table_role *roles;
    size_t n_roles;
    const char *train; /* the training file, the caller's */
    bool header;
    size_t n_columns, n_features, n_targets;
    char **names;             /* (n_columns) */
    size_t *targets;          /* (n_targets): columns, in the config's order */
    bool *taken;              /* (n_columns): has a role, is a target or ignored, and so is no feature */
    cst_table_class *classes; /* (n_classes), ordered by name */
    size_t n_classes, class_room;
    bool ordered;
} cst_table;

void cst_table_clear(cst_table *table);

/* Open a file, and go to its first row: csv->n is 0 if it has none. The first file is the training file, which defines the
 * columns. The caller closes it, on failure too. CST_ECONFIG at the section's keys, CST_EIO, CST_EFORMAT with file, line and
 * column, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_table_open(cst_table *table, const char *path, cst_csv *csv, cst_error *error);

/* A column's number in the range of reals. CST_EFORMAT. */
CST_MUST_CHECK cst_status cst_table_number(const cst_table *table, const cst_csv *csv, size_t column, real *value,
                                           cst_error *error);

/* The class that the target's column names. Until cst_table_order has been called a new one is added, and numbers are those in
 * which they came. CST_EFORMAT for none, or one that the training file has not. */
CST_MUST_CHECK cst_status cst_table_label(cst_table *table, const cst_csv *csv, int32_t *label, cst_error *error);
/* The classes are all there: number them by their names, and so n labels; negative ones stay. CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_table_order(cst_table *table, int32_t *labels, size_t n, cst_error *error);

/* FILE: line N, column "NAME": expected WHAT, got "FIELD": CST_EFORMAT. */
CST_MUST_CHECK cst_status cst_table_fail(const cst_table *table, const cst_csv *csv, size_t column, const char *what,
                                         cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
