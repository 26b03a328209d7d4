/* Comma-separated values, read strictly by RFC 4180 (https://www.rfc-editor.org/rfc/rfc4180), one record at a time.
 *
 * A record ends with LF or CR LF; the last one may end with the file instead. A field in quotes may contain separators,
 * line ends and doubled quotes. A field without quotes contains none of these, and blanks at its ends are part of it.
 * All records have as many fields as the first one. Empty lines may follow the last record only. A byte order mark at
 * the beginning is skipped. */
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

/* A file being read, and its current record. A zero-initialized struct is closed. */
typedef struct cst_csv {
    const char *path; /* not copied: it must outlive the reader */
    char separator;
    size_t line; /* the line where the record begins, from 1 */
    size_t n;    /* the number of its fields; 0 at the end of the file */
    /* All other members are private to csv.c. */
    FILE *stream;
    char *buffer; /* `filled` bytes of the file; byte number `next` is read next */
    size_t filled, next;
    size_t current_line, columns; /* columns: fields of the first record, 0 before it */
    unsigned char stops[256];     /* per byte value: bits for the kinds of field in which this byte is not ordinary */
    cst_text record;              /* the fields, each followed by a NUL */
    size_t *starts, n_starts;     /* where each field begins in the record, and the capacity of that array */
} cst_csv;

/* Open a file. The caller closes it with cst_csv_close. Errors: CST_EIO, CST_ENOMEM; then *csv is closed, and closing
 * it again is harmless. */
CST_MUST_CHECK cst_status cst_csv_open(const char *path, char separator, cst_csv *csv, cst_error *error);

/* Read the next record, which replaces the previous one. Errors: CST_EFORMAT with file and line for a quote inside a
 * field, a quote that is not closed, a carriage return without a line feed, a NUL byte, an empty line before the
 * end, or another number of fields than in the first record; CST_EIO; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_csv_next(cst_csv *csv, cst_error *error);

/* Returns field i < n of the current record, without its quotes. The string is valid until the next record is read. */
const char *cst_csv_field(const cst_csv *csv, size_t i);

/* Close the file and free the record. Closing twice is fine. */
void cst_csv_close(cst_csv *csv);

/* Convert a field that consists of one decimal number: an optional sign, digits with at most one point, an optional
 * exponent. Returns false for anything else, such as "nan", "inf", hexadecimal digits or blanks. A number that is too
 * large for a double becomes infinite. The decimal point is that of strtod: in a program that sets a locale with a
 * decimal comma, fields with a point are not accepted. *value may be written even if the result is false. */
bool cst_csv_number(const char *field, double *value);

#ifdef __cplusplus
}
#endif
#endif
