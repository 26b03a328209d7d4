#include "formats/csv.h"

#include "core/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER = 1 << 16, END = -1 };
enum { STOPS_PLAIN = 1, STOPS_QUOTED = 2 }; /* bits of cst_csv.stops: kinds of field that a byte stops */

/* ---- bytes --------------------------------------------------------------------------------------------------- */

/* Read the next part of the file into the buffer. */
static void refill(cst_csv *csv)
{
    csv->next = 0;
    csv->filled = fread(csv->buffer, 1, BUFFER, csv->stream);
}

/* The next byte, or END at the end of the file and after a failed read. cst_csv_next tells the two apart. */
static int peek(cst_csv *csv)
{
    if (csv->next == csv->filled) refill(csv);
    return csv->next < csv->filled ? (unsigned char)csv->buffer[csv->next] : END;
}

/* Consume the next byte and count lines. */
static int take(cst_csv *csv)
{
    const int c = peek(csv);
    if (c == END) return c;
    csv->next++;
    if (c == '\n') csv->current_line++;
    return c;
}

/* Append bytes to the record up to one that stops this kind of field, or to the end of the file. */
static void take_run(cst_csv *csv, int kind)
{
    while (peek(csv) != END) {
        const char *begin = csv->buffer + csv->next;
        size_t n = 0;
        while (csv->next + n < csv->filled && !(csv->stops[(unsigned char)begin[n]] & kind)) n++;
        cst_text_add(&csv->record, begin, n);
        csv->next += n;
        if (csv->next < csv->filled) return;
    }
}

/* Fail with "PATH: line N: expected ..., found ...". */
static cst_status fail(const cst_csv *csv, cst_error *error, const char *expected, const char *found)
{
    return cst_fail(error, CST_EFORMAT, "%s: line %zu: expected %s, found %s", csv->path, csv->current_line, expected,
                    found);
}

/* ---- fields -------------------------------------------------------------------------------------------------- */

/* Read a field in quotes. Two quotes in a row stand for one; any other quote closes the field. */
static cst_status read_quoted(cst_csv *csv, cst_error *error)
{
    const size_t line = csv->current_line;
    (void)take(csv);
    for (;;) {
        take_run(csv, STOPS_QUOTED);
        const int c = take(csv);
        if (c == END)
            return cst_fail(error, CST_EFORMAT,
                            "%s: line %zu: expected a closing quote for the one in this line, found the end of the "
                            "file",
                            csv->path, line);
        if (c == '\0') return fail(csv, error, "text", "a NUL byte");
        if (c == '\n') cst_text_add(&csv->record, "\n", 1);
        if (c != '"') continue;
        if (peek(csv) != '"') return CST_OK;
        (void)take(csv);
        cst_text_add(&csv->record, "\"", 1);
    }
}

/* Read a field without quotes, up to a separator or the end of the line. */
static cst_status read_plain(cst_csv *csv, cst_error *error)
{
    take_run(csv, STOPS_PLAIN);
    const int c = peek(csv);
    if (c == '"') return fail(csv, error, "quotes around a whole field", "one inside a field");
    if (c == '\0') return fail(csv, error, "text", "a NUL byte");
    return CST_OK;
}

/* Consume what ends a field: a separator, LF, CR LF, or the end of the file. *last: whether the record ends, too. */
static cst_status read_end(cst_csv *csv, bool *last, cst_error *error)
{
    const int c = peek(csv);
    *last = c != csv->separator;
    if (c == END) return CST_OK;
    if (*last && c != '\r' && c != '\n')
        return fail(csv, error, "a separator or the end of the line after a closing quote", "something else");
    (void)take(csv);
    if (c != '\r') return CST_OK;
    if (peek(csv) != '\n') return fail(csv, error, "a line feed after a carriage return", "none");
    (void)take(csv);
    return CST_OK;
}

/* Record where the next field begins. */
static cst_status begin_field(cst_csv *csv, cst_error *error)
{
    if (csv->n == csv->n_starts) {
        const size_t capacity = csv->n_starts > 0 ? 2 * csv->n_starts : 32;
        size_t *larger = realloc(csv->starts, capacity * sizeof *larger);
        if (!larger) return cst_fail(error, CST_ENOMEM, "%s: out of memory", csv->path);
        csv->starts = larger;
        csv->n_starts = capacity;
    }
    csv->starts[csv->n++] = csv->record.size;
    return CST_OK;
}

/* ---- records ------------------------------------------------------------------------------------------------- */

/* Read the fields of one record. */
static cst_status read_record(cst_csv *csv, cst_error *error)
{
    bool last = false;
    cst_text_cut(&csv->record, 0);
    csv->n = 0;
    csv->line = csv->current_line;
    while (!last) {
        CST_TRY(begin_field(csv, error));
        CST_TRY(peek(csv) == '"' ? read_quoted(csv, error) : read_plain(csv, error));
        cst_text_add(&csv->record, "", 1);
        CST_TRY(read_end(csv, &last, error));
    }
    return csv->record.failed ? cst_fail(error, CST_ENOMEM, "%s: out of memory", csv->path) : CST_OK;
}

/* Skip empty lines. Only the end of the file may follow them. */
static cst_status skip_empty(cst_csv *csv, cst_error *error)
{
    size_t empty = 0; /* number of the first empty line */
    int c;
    while ((c = peek(csv)) == '\n' || c == '\r') {
        if (empty == 0) empty = csv->current_line;
        bool last;
        CST_TRY(read_end(csv, &last, error));
    }
    if (empty == 0 || c == END) return CST_OK;
    return cst_fail(error, CST_EFORMAT, "%s: line %zu: expected a record, found an empty line", csv->path, empty);
}

cst_status cst_csv_next(cst_csv *csv, cst_error *error)
{
    cst_status status = skip_empty(csv, error);
    csv->n = 0;
    if (status == CST_OK && peek(csv) != END) status = read_record(csv, error);
    /* A failed read looks like the end of the file: report it in place of any other error. */
    if (ferror(csv->stream)) return cst_fail_io(error, csv->path, "cannot read", errno);
    CST_TRY(status);
    /* All records have as many fields as the first one. */
    if (csv->columns == 0) csv->columns = csv->n;
    if (csv->n == 0 || csv->n == csv->columns) return CST_OK;
    return cst_fail(error, CST_EFORMAT, "%s: line %zu: expected %zu fields as in the first line, found %zu", csv->path,
                    csv->line, csv->columns, csv->n);
}

const char *cst_csv_field(const cst_csv *csv, size_t i)
{
    return csv->record.data + csv->starts[i];
}

cst_status cst_csv_open(const char *path, char separator, cst_csv *csv, cst_error *error)
{
    static const char mark[3] = {'\xef', '\xbb', '\xbf'};
    *csv = (cst_csv){.path = path, .separator = separator, .current_line = 1};
    CST_TRY(cst_file_open_stream(path, &csv->stream, error));
    csv->buffer = malloc(BUFFER);
    if (!csv->buffer) {
        cst_csv_close(csv);
        return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    }
    /* In quotes, a line feed stops a run only so that lines are counted. */
    csv->stops[(unsigned char)separator] = csv->stops['\r'] = STOPS_PLAIN;
    csv->stops['"'] = csv->stops['\0'] = STOPS_PLAIN | STOPS_QUOTED;
    csv->stops['\n'] = STOPS_PLAIN | STOPS_QUOTED;
    /* Skip a byte order mark. */
    refill(csv);
    if (csv->filled >= sizeof mark && memcmp(csv->buffer, mark, sizeof mark) == 0) csv->next = sizeof mark;
    return CST_OK;
}

void cst_csv_close(cst_csv *csv)
{
    if (csv->stream) fclose(csv->stream);
    free(csv->buffer);
    free(csv->starts);
    free(csv->record.data);
    *csv = (cst_csv){0};
}

/* ---- numbers ------------------------------------------------------------------------------------------------- */

/* The number of digits at s. */
static size_t digits(const char *s)
{
    return strspn(s, "0123456789");
}

bool cst_csv_number(const char *field, double *value)
{
    /* Check the syntax: sign, digits, point, digits, exponent. strtod alone would accept more. */
    const char *s = field + (*field == '+' || *field == '-');
    const size_t whole = digits(s);
    s += whole;
    size_t part = 0;
    if (*s == '.') {
        part = digits(s + 1);
        s += 1 + part;
    }
    if (whole + part == 0) return false;
    if (*s == 'e' || *s == 'E') {
        s += 1 + (s[1] == '+' || s[1] == '-');
        const size_t exponent = digits(s);
        if (exponent == 0) return false;
        s += exponent;
    }
    /* strtod must consume the same characters. */
    char *end;
    *value = strtod(field, &end);
    return *s == '\0' && end == s;
}
