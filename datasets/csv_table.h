/* A table in CSV files: which columns it has, what each is used for according to the keys of a config's section, and its classes
 * by name. The data sets `csv` and `series_csv` share it.
 *
 * The columns that are neither the target, nor ignored, nor have a role of their own are the features, in the order of the
 * file. Classes are first numbered as they occur, and once the training file has been read, in the byte order of their names.
 * Every other file must have the same columns and no other classes. */
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
extern const char *const cst_table_tasks[], *const cst_table_headers[]; /* the choices of "task" and "header" */

/* The options of a table. */
typedef struct cst_table_options {
    const char *separator; /* one character */
    cst_config target;     /* the name of a column, or a list of names */
    cst_config ignore;     /* a list of names */
    int task, header;      /* indices of the choices */
} cst_table_options;

/* Their keys. `table` is the cst_table_options in the struct `type`, which a section is read into. */
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
         .help = "whether the target is a class or numbers"},                                                          \
        {.name = "ignore",                                                                                             \
         .kind = CST_KEY_LIST,                                                                                         \
         .offset = offsetof(type, table.ignore),                                                                       \
         .fallback = "",                                                                                               \
         .help = "columns that are not used",                                                                          \
         .holds = "strings"},                                                                                          \
        {.name = "header",                                                                                             \
         .kind = CST_KEY_CHOICE,                                                                                       \
         .offset = offsetof(type, table.header),                                                                       \
         .fallback = "\"auto\"",                                                                                       \
         .choices = cst_table_headers,                                                                                 \
         .help = "whether the first line has the names of the columns; auto: if no field in it is a number"},          \
        {.name = "separator",                                                                                          \
         .kind = CST_KEY_STRING,                                                                                       \
         .offset = offsetof(type, table.separator),                                                                    \
         .fallback = "\",\"",                                                                                          \
         .help = "the character between fields"})

/* A class and its number. */
typedef struct cst_table_class {
    char *name;
    int32_t number;
} cst_table_class;

/* A column with a role of its own, such as the time of a series. */
typedef struct cst_table_role {
    const char *key; /* the key of the section that names the column */
    size_t column;   /* set when the training file is opened */
} cst_table_role;

/* A table. The caller initializes the first members, up to n_roles, and zeroes the others, which are set when the training
 * file is opened. */
typedef struct cst_table {
    cst_config section; /* for messages about its keys */
    const cst_table_options *o;
    cst_table_role *roles; /* (n_roles); NULL: none */
    size_t n_roles;
    const char *train; /* path of the training file, not owned */
    bool header;       /* whether files have a header */
    size_t n_columns, n_features, n_targets;
    char **names;             /* (n_columns) */
    size_t *targets;          /* (n_targets) columns, in the order of the config */
    bool *taken;              /* (n_columns), false for features */
    cst_table_class *classes; /* (n_classes), sorted by name */
    size_t n_classes, class_capacity;
    bool ordered; /* cst_table_order has been called */
} cst_table;

/* Free what the table has allocated. */
void cst_table_clear(cst_table *table);

/* Open a file and read its first record after the header; csv->n is 0 if there is none. The first file that is opened is the
 * training file, which defines the columns. The caller closes csv, on failure too. `path` must outlive the table. Errors:
 * CST_ECONFIG at a key of the section; CST_EIO; CST_EFORMAT with file, line and column; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_table_open(cst_table *table, const char *path, cst_csv *csv, cst_error *error);

/* The number in a column of the current record. Errors: CST_EFORMAT unless it is a number in the range of reals. */
CST_MUST_CHECK cst_status cst_table_number(const cst_table *table, const cst_csv *csv, size_t column, real *value,
                                           cst_error *error);

/* The number of the class in the target column of the current record. Until cst_table_order is called, a new class is added
 * with the next number. Errors: CST_EFORMAT for an empty field, and later for a class that the training file does not have;
 * CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_table_label(cst_table *table, const cst_csv *csv, int32_t *label, cst_error *error);
/* Renumber the classes in the order of their names, and the n labels accordingly. Call it after the training file has been
 * read. Negative labels ("no label") stay. `labels` may be NULL in a regression, which has no classes. Errors: CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_table_order(cst_table *table, int32_t *labels, size_t n, cst_error *error);

/* Fail with CST_EFORMAT and the message: FILE: line N, column "NAME": expected WHAT, got "FIELD". */
CST_MUST_CHECK cst_status cst_table_fail(const cst_table *table, const cst_csv *csv, size_t column, const char *what,
                                         cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
