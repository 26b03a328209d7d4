#include "train/trace.h"

#include "core/file.h"
#include "core/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static const char header[] = "iteration,block,direction,method,solve,t,dt,ratio,accepted,decided_by\n";
enum { FIELDS = 10, MAX_SIZE = 1 << 30 }; /* fields per row; sanity limit of a file's bytes */

/* ---- writing ------------------------------------------------------------------------------------------------- */

void cst_trace_write(FILE *stream, uint64_t iteration, const char *block, bool backward, const cst_solve_stats *stats)
{
    size_t solve = 0;
    for (size_t i = 0; i < stats->n_attempts; i++) {
        /* Move on to the solve that this attempt belongs to. */
        const cst_attempt *a = &stats->attempts[i];
        while (solve + 1 < stats->n_starts && stats->starts[solve + 1].first_attempt <= i) solve++;
        fprintf(stream, "%llu,%s,%s,%s,%zu,%.12g,%.12g,%.6g,%d,%s\n", (unsigned long long)iteration, block,
                backward ? "backward" : "forward", stats->method, solve, a->t, a->dt, a->ratio, a->accepted, a->block);
    }
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

/* The whole field must be a number. */
static bool parse_real(const char *field, double *value)
{
    char *end;
    *value = strtod(field, &end);
    return end != field && !*end;
}

/* The whole field must be an integer that is not negative. */
static bool parse_count(const char *field, unsigned long long *value)
{
    char *end;
    *value = strtoull(field, &end, 10);
    return end != field && !*end && *field != '-';
}

/* Parse a line without its newline. The line is cut up, and the row's strings point into it. */
static bool parse_row(char *line, cst_trace_row *row)
{
    /* Split it at the commas. */
    char *field[FIELDS];
    size_t n = 0;
    for (char *at = line; at; n++) {
        char *comma = strchr(at, ',');
        if (n == FIELDS) return false;
        field[n] = at;
        if (comma) *comma = '\0';
        at = comma ? comma + 1 : NULL;
    }
    /* Parse the fields. */
    unsigned long long iteration, solve, accepted;
    if (n != FIELDS || !parse_count(field[0], &iteration) || !parse_count(field[4], &solve) ||
        !parse_count(field[8], &accepted) || accepted > 1)
        return false;
    const bool backward = strcmp(field[2], "backward") == 0;
    if (!backward && strcmp(field[2], "forward") != 0) return false;
    *row = (cst_trace_row){.iteration = iteration,
                           .block = field[1],
                           .backward = backward,
                           .accepted = accepted == 1,
                           .method = field[3],
                           .solve = (size_t)solve,
                           .decided_by = field[9]};
    return parse_real(field[5], &row->t) && parse_real(field[6], &row->dt) && parse_real(field[7], &row->ratio) &&
           isfinite(row->t) && isfinite(row->dt);
}

/* Check the header and call `row` for each complete line. */
static cst_status read_rows(const char *path, char *text, size_t size, void (*row)(void *, const cst_trace_row *),
                            void *context, cst_error *error)
{
    const size_t n = sizeof header - 1;
    if (size < n || memcmp(text, header, n) != 0)
        return cst_fail(error, CST_EFORMAT, "%s: line 1: expected \"%.*s\"", path, (int)n - 1, header);
    size_t number = 2;
    for (char *line = text + n; line < text + size; number++) {
        char *end = memchr(line, '\n', (size_t)(text + size - line));
        cst_trace_row parsed;
        if (!end) break; /* a crashed run may leave an incomplete last line */
        *end = '\0';
        if (!parse_row(line, &parsed))
            return cst_fail(error, CST_EFORMAT, "%s: line %zu: expected a row of %d fields", path, number, FIELDS);
        row(context, &parsed);
        line = end + 1;
    }
    return CST_OK;
}

cst_status cst_trace_read(const char *path, void (*row)(void *context, const cst_trace_row *row), void *context,
                          cst_error *error)
{
    char *text;
    size_t size;
    CST_TRY(cst_file_read(path, MAX_SIZE, &text, &size, error));
    const cst_status status = read_rows(path, text, size, row, context, error);
    free(text);
    return status;
}

/* ---- resuming ------------------------------------------------------------------------------------------------ */

/* Move past the next newline. False if there is none before `end`. */
static bool skip_line(FILE *stream, off_t end)
{
    for (off_t at = ftello(stream); at < end; at++) {
        const int c = getc_unlocked(stream);
        if (c == '\n') return true;
        if (c == EOF) return false;
    }
    return false;
}

/* Read the digits of a row's first field. */
static uint64_t read_iteration(FILE *stream)
{
    uint64_t iteration = 0;
    int c;
    while (isdigit(c = getc_unlocked(stream))) iteration = 10 * iteration + (uint64_t)(c - '0');
    return iteration;
}

/* Set *end to the end of the rows of iterations before `iteration`. Iterations never decrease within a file, so that
 * bisection finds it. An incomplete last row is not counted. */
static bool find_end(FILE *stream, uint64_t iteration, off_t *end)
{
    if (fseeko(stream, 0, SEEK_END) != 0) return false;
    const off_t size = ftello(stream);
    off_t low = sizeof header - 1, high = size; /* the end is a row's beginning in [low, high] */
    while (low < high) {
        const off_t middle = low + (high - low) / 2;
        /* Look at the first row that begins at or after the middle. */
        if (fseeko(stream, middle - 1, SEEK_SET) != 0) return false;
        if (skip_line(stream, high - 1) && read_iteration(stream) < iteration && skip_line(stream, size))
            low = ftello(stream);
        else
            high = middle; /* no row to keep begins at or after the middle */
    }
    *end = low;
    return !ferror(stream);
}

/* True if the file begins with the header line. */
static bool has_header(FILE *stream)
{
    char first[sizeof header];
    rewind(stream);
    return fgets(first, sizeof first, stream) && strcmp(first, header) == 0;
}

/* Cut off the rows of `iteration` and later ones, and move to the end. */
static cst_status cut_rows(FILE *stream, const char *path, uint64_t iteration, cst_error *error)
{
    off_t end;
    /* Never change a file that is no trace. */
    if (!has_header(stream) && !ferror(stream))
        return cst_fail(error, CST_EFORMAT, "%s: line 1: expected \"%.*s\"", path, (int)sizeof header - 2, header);
    if (!find_end(stream, iteration, &end)) return cst_fail_io(error, path, "cannot read", errno);
    /* What follows is appended. */
    const bool done = ftruncate(fileno(stream), end) == 0 && fseeko(stream, 0, SEEK_END) == 0;
    return done ? CST_OK : cst_fail_io(error, path, "cannot write", errno);
}

cst_status cst_trace_open(const char *path, uint64_t iteration, FILE **stream, cst_error *error)
{
    /* A new trace replaces the file by the header; a resumed one continues it. */
    const bool resuming = iteration > 0 && cst_path_exists(path);
    if (!resuming) CST_TRY(cst_file_replace(path, header, sizeof header - 1, error));
    CST_TRY(cst_file_append(path, stream, error));
    const cst_status status = resuming ? cut_rows(*stream, path, iteration, error) : CST_OK;
    if (status == CST_OK) return CST_OK;
    fclose(*stream);
    *stream = NULL;
    return status;
}
