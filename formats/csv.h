/* Comma-separated values, read strictly by RFC 4180 (https://www.rfc-editor.org/rfc/rfc4180), a record at a time.
 *
 * A record ends with LF or CR LF, the last one also with the file. A field in quotes may have separators, line ends and,
 * doubled, quotes in it; one without has none of these, and its blanks are part of it. All records have as many fields
 * as the first. Empty lines may follow the last record. A byte order mark at the beginning is skipped. */
#ifndef CST_FORMATS_CSV_H
#define CST_FORMATS_CSV_H

#include "core/status.h"
#include "core/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_csv {
    const char *path; /* the caller's */
    char separator;
    size_t line; /* where the record begins, from 1 */
    size_t n;    /* its fields; 0: there are no more records */
    /* The rest is the reader's own. */
    FILE *stream;
    char *buffer; /* filled: bytes of the file, next: the one to look at */
    size_t filled, next;
    size_t current_line, columns;
    unsigned char stops[256]; /* by byte: where a run of a field's bytes ends, see csv.c */
    cst_text record;          /* the fields, a NUL behind each */
    size_t *starts, n_starts;
} cst_csv;

/* Errors: CST_EIO, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_csv_open(const char *path, char separator, cst_csv *csv, cst_error *error);
/* The next record, which replaces the one before. CST_EFORMAT with file and line for what is no CSV: a quote inside a
 * field or that is not closed, a carriage return alone, a NUL byte, an empty line before the end, another number of
 * fields. CST_EIO, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_csv_next(cst_csv *csv, cst_error *error);
/* Field i < n of the record, without quotes. */
const char *cst_csv_field(const cst_csv *csv, size_t i);
void cst_csv_close(cst_csv *csv); /* one that is zero-initialized is fine */

/* A decimal number that takes up the whole field: optional sign, digits with at most one point, optional exponent; not
 * "nan", "inf" or hexadecimal. Infinite if it is larger than a double can be. The point is what strtod takes for it: a
 * program that sets another locale than "C" for numbers finds that fields with points are no numbers. */
bool cst_csv_number(const char *field, double *value);

#ifdef __cplusplus
}
#endif
#endif
