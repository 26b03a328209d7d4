#include "train/metrics.h"

#include "core/file.h"
#include "core/renames.h"
#include "core/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const cst_metric_names[] = {
#define X(name) #name,
    CST_METRICS_LIST(X)
#undef X
        NULL};

enum { MAX_SIZE = 256 << 20, MAX_COLUMNS = 64 }; /* sanity limits: bytes of a file, columns */

/* ---- writing ------------------------------------------------------------------------------------------------- */

cst_status cst_metrics_write(const char *path, const cst_metrics *rows, size_t n, cst_error *error)
{
    /* The header. */
    cst_text text = {0};
    for (size_t i = 0; i < CST_N_METRICS; i++) cst_text_printf(&text, "%s%s", i > 0 ? "," : "", cst_metric_names[i]);
    cst_text_puts(&text, "\n");
    /* One line per row, with enough digits to read the same numbers back. */
    for (size_t row = 0; row < n; row++) {
        double values[CST_N_METRICS];
        memcpy(values, &rows[row], sizeof values);
        for (size_t i = 0; i < CST_N_METRICS; i++) {
            if (i > 0) cst_text_puts(&text, ",");
            if (isfinite(values[i])) cst_text_number(&text, values[i]);
        }
        cst_text_puts(&text, "\n");
    }
    /* Replace the file. */
    cst_new_file file;
    cst_status status = text.failed ? cst_fail(error, CST_ENOMEM, "%s: out of memory", path) : CST_OK;
    if (status == CST_OK) status = cst_new_file_create(path, &file, error);
    if (status == CST_OK) {
        cst_new_file_write(&file, text.data, text.size);
        status = cst_new_file_commit(&file, error);
    }
    free(text.data);
    return status;
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

/* Set columns[i] to the metric of column i, or to CST_N_METRICS if it is unknown, and *n to the number of columns.
 * CST_EFORMAT if there are too many columns, or for a renamed one, whose numbers would silently be lost. */
static cst_status read_header(const char *path, char *line, size_t columns[MAX_COLUMNS], size_t *n, cst_error *error)
{
    *n = 0;
    for (char *name = line; name; (*n)++) {
        char *comma = strchr(name, ',');
        if (comma) *comma = '\0';
        if (*n == MAX_COLUMNS)
            return cst_fail(error, CST_EFORMAT, "%s: line 1: expected at most %d columns", path, MAX_COLUMNS);
        const char *now = cst_new_name_among(name, cst_metric_names);
        if (now) return cst_fail(error, CST_EFORMAT, "%s: line 1: column \"%s\" is called \"%s\" now", path, name, now);
        /* Find the metric. */
        size_t metric = 0;
        while (metric < CST_N_METRICS && strcmp(name, cst_metric_names[metric]) != 0) metric++;
        columns[*n] = metric;
        name = comma ? comma + 1 : NULL;
    }
    return CST_OK;
}

/* Parse a line, which is cut up. False unless it has n_columns numbers or empty fields. values[CST_N_METRICS] takes the
 * unknown columns. */
static bool read_row(char *line, const size_t columns[MAX_COLUMNS], size_t n_columns, cst_metrics *row)
{
    /* An empty field stays NaN. */
    double values[CST_N_METRICS + 1];
    for (size_t i = 0; i <= CST_N_METRICS; i++) values[i] = (double)NAN;
    size_t n = 0;
    for (char *field = line; field; n++) {
        char *comma = strchr(field, ','), *end = field;
        if (comma) *comma = '\0';
        /* Too many fields, or one with anything but a number. */
        if (n == n_columns) return false;
        if (*field) values[columns[n]] = strtod(field, &end);
        if (*end) return false;
        field = comma ? comma + 1 : NULL;
    }
    memcpy(row, values, sizeof *row);
    return n == n_columns;
}

/* Parse all lines. Each must end with a newline: without it the last number of a file might have lost digits. */
static cst_status read_lines(const char *path, char *text, size_t size, cst_metrics **rows, size_t *n, cst_error *error)
{
    /* One row per line at most. */
    size_t lines = 0, columns[MAX_COLUMNS], n_columns = 0, number = 0;
    for (size_t i = 0; i < size; i++) lines += text[i] == '\n';
    *rows = malloc((lines + 1) * sizeof **rows);
    if (!*rows) return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    /* The first line is the header, the others are rows. */
    char *line = text;
    do {
        number++;
        char *end = line + strcspn(line, "\n");
        if (!*end) return cst_fail(error, CST_EFORMAT, "%s: line %zu: expected a newline at its end", path, number);
        *end = '\0';
        if (number == 1)
            CST_TRY(read_header(path, line, columns, &n_columns, error));
        else if (!read_row(line, columns, n_columns, &(*rows)[(*n)++]))
            return cst_fail(error, CST_EFORMAT, "%s: line %zu: expected %zu numbers", path, number, n_columns);
        line = end + 1;
    } while (line < text + size);
    return CST_OK;
}

cst_status cst_metrics_read(const char *path, cst_metrics **rows, size_t *n, cst_error *error)
{
    *rows = NULL;
    *n = 0;
    char *text;
    size_t size;
    CST_TRY(cst_file_read(path, MAX_SIZE, &text, &size, error));
    const cst_status status = read_lines(path, text, size, rows, n, error);
    free(text);
    if (status != CST_OK) {
        free(*rows);
        *rows = NULL;
        *n = 0;
    }
    return status;
}
