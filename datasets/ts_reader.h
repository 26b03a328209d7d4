/* Inside datasets/ts.h: a .ts file while it is read. ts_header.c has the lines and the header, ts_classes.c the lookup of
 * classes, ts_values.c the numbers and time stamps of a dimension, and ts.c puts series together. */
#ifndef CST_DATASETS_TS_READER_H
#define CST_DATASETS_TS_READER_H

#include "datasets/ts.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cst_ts_times { CST_TS_UNKNOWN, CST_TS_NUMBERS, CST_TS_DATES } cst_ts_times;

/* A class and its number, for lookup by name. */
typedef struct cst_ts_class {
    const char *name; /* in a cst_ts_classes, which must outlive it */
    int32_t label;
} cst_ts_class;

/* The text is cut in place: a NUL replaces each separator that has been passed. */
typedef struct cst_ts_reader {
    const char *path;
    char *next, *end; /* the rest of the text */
    size_t line;      /* number of the current line, from 1 */
    cst_error *error;
    /* from the header */
    bool timed, target;    /* whether values have time stamps; whether there are targets instead of classes */
    size_t dimensions;     /* 0: the header does not say */
    char *classes;         /* the names, separated by blanks, in the text; NULL: none */
    cst_ts_class *by_name; /* the known classes, sorted by name */
    /* the current series: dimension d has the entries starts[d] to starts[d + 1] - 1 of times and values */
    size_t *starts, *heads; /* (dimensions + 1), (dimensions); heads: the next entry of each when they are merged */
    double *times;
    real *values;
    size_t n, capacity;
    cst_ts_times time_format; /* of all time stamps of the file */
    size_t total;             /* times of all series so far */
} cst_ts_reader;

/* Free what the reader has allocated. */
void cst_ts_reader_clear(cst_ts_reader *r);

/* ---- errors -------------------------------------------------------------------------------------------------- */

/* Fail with CST_ENOMEM and the message "out of memory". */
cst_status cst_ts_no_memory(const cst_ts_reader *r);

/* Fail with CST_EFORMAT and the message "FILE: line NPLACE: expected WHAT, found "FOUND"": `place` is empty or begins with a
 * comma. */
cst_status cst_ts_fail(const cst_ts_reader *r, const char *place, const char *what, const char *found);

/* ---- text ---------------------------------------------------------------------------------------------------- */

/* Returns the string without blanks at its ends. It is cut in place. */
char *cst_ts_trim(char *s);

/* The next line that is neither empty nor a comment, trimmed; NULL at the end of the file. */
char *cst_ts_next_line(cst_ts_reader *r);

/* Cut s at the first `separator` outside parentheses. Returns the rest after it, or NULL if there is none. */
char *cst_ts_cut(char *s, char separator);

/* ---- parts of a file ----------------------------------------------------------------------------------------- */

/* Read the lines up to @data. Errors: CST_EFORMAT. */
CST_MUST_CHECK cst_status cst_ts_read_header(cst_ts_reader *r);

/* Store the header's classes in `classes` if none are known yet, and prepare the lookup. A no-op for a file with targets.
 * Errors: CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_ts_use_classes(cst_ts_reader *r, cst_ts_classes *classes);

/* Set *label to the number of the class called `name`. Errors: CST_EFORMAT if no class has this name. */
CST_MUST_CHECK cst_status cst_ts_find_class(const cst_ts_reader *r, const cst_ts_classes *classes, const char *name,
                                            int32_t *label);

/* Append the entries of dimension d, the text `field`, to the current series. Without time stamps the times are 0, 1, 2, ...
 * Errors: CST_EFORMAT, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_ts_read_dimension(cst_ts_reader *r, size_t d, char *field);

#ifdef __cplusplus
}
#endif
#endif
