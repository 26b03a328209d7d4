#include "datasets/ts.h"

#include "core/file.h"
#include "datasets/locate.h"
#include "datasets/ts_reader.h"
#include "formats/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- a line -------------------------------------------------------------------------------------------------- */

/* The class or the target at the end of a line. */
static cst_status read_label(const cst_ts_reader *r, const cst_ts_classes *classes, char *field, cst_series *s)
{
    double value;
    field = cst_ts_trim(field);
    if (!r->target) return cst_ts_find_class(r, classes, field, &s->labels[s->n]);
    if (!cst_csv_number(field, &value) || !isfinite((real)value))
        return cst_ts_fail(r, "", "a number to learn, in the range of a " CST_REAL_NAME, field);
    s->targets[s->n] = (real)value;
    return CST_OK;
}

/* Check the number of dimensions against the header or, if that does not say, the first series. Each dimension ends with a
 * colon, and colons inside parentheses (dates) do not count. */
static cst_status count_dimensions(cst_ts_reader *r, const char *line)
{
    size_t n = 0;
    bool inside = false;
    for (const char *c = line; *c; c++) {
        if (*c == '(') inside = true;
        if (*c == ')') inside = false;
        n += *c == ':' && !inside;
    }
    /* The first series decides if the header does not. */
    if (r->dimensions == 0) r->dimensions = n;
    if (n > 0 && n == r->dimensions) return CST_OK;
    return cst_fail(r->error, CST_EFORMAT,
                    "%s: line %zu: expected %zu dimensions, each followed by a colon, found %zu colons", r->path,
                    r->line, r->dimensions, n);
}

/* Read the dimensions of a line into the reader's current series; *label becomes the text after them. */
static cst_status read_line(cst_ts_reader *r, char *line, char **label)
{
    CST_TRY(count_dimensions(r, line));
    if (!r->starts) r->starts = calloc(r->dimensions + 1, sizeof *r->starts);
    if (!r->heads) r->heads = calloc(r->dimensions, sizeof *r->heads);
    if (!r->starts || !r->heads) return cst_ts_no_memory(r);
    /* Each dimension ends at a colon. */
    r->n = 0;
    for (size_t d = 0; d < r->dimensions; d++) {
        char *rest = cst_ts_cut(line, ':');
        r->starts[d] = r->n;
        CST_TRY(cst_ts_read_dimension(r, d, line));
        /* Without time stamps all dimensions have the same times. */
        if (!r->timed && r->n - r->starts[d] != r->starts[1] && d > 0)
            return cst_fail(r->error, CST_EFORMAT,
                            "%s: line %zu, dimension %zu: expected %zu values as in the first, found %zu", r->path,
                            r->line, d + 1, r->starts[1], r->n - r->starts[d]);
        r->starts[d + 1] = r->n;
        line = rest;
    }
    *label = line;
    return CST_OK;
}

/* Set *time to the earliest time among the heads of the dimensions. False if all dimensions are at their ends. */
static bool next_time(const cst_ts_reader *r, double *time)
{
    bool any = false;
    for (size_t d = 0; d < r->dimensions; d++) {
        if (r->heads[d] == r->starts[d + 1]) continue;
        const double t = r->times[r->heads[d]];
        if (!any || t < *time) *time = t;
        any = true;
    }
    return any;
}

/* Append the current series to s, at the union of the dimensions' times. A dimension without one of these times is missing
 * there. */
static cst_status merge(cst_ts_reader *r, cst_series *s)
{
    double time = 0, origin = 0;
    size_t length = 0;
    memcpy(r->heads, r->starts, r->dimensions * sizeof *r->heads);
    /* Dates are counted from the first one of the series. */
    if (r->time_format == CST_TS_DATES && next_time(r, &time)) origin = time;
    /* Merge: at the earliest time of all heads, take the values of the dimensions that have it. */
    for (; next_time(r, &time); length++) {
        const size_t place = r->total + length;
        CST_TRY(cst_series_reserve(s, s->n + 1, place + 1, r->error));
        if (s->timed) s->times[place] = time - origin;
        for (size_t d = 0; d < r->dimensions; d++) {
            const size_t head = r->heads[d];
            const bool present = head < r->starts[d + 1] && r->times[head] == time;
            s->values[place * s->channels + d] = present ? r->values[head] : (real)NAN;
            r->heads[d] += present;
        }
    }
    /* A series without any time is added as well: cst_series_finish reports it. */
    CST_TRY(cst_series_reserve(s, s->n + 1, r->total + length, r->error));
    s->lengths[s->n] = length;
    r->total += length;
    return CST_OK;
}

/* ---- a file -------------------------------------------------------------------------------------------------- */

static cst_status read_text(cst_ts_reader *r, cst_ts_classes *classes, cst_series *s)
{
    char *line, *label = NULL;
    if (memchr(r->next, '\0', (size_t)(r->end - r->next)))
        return cst_fail(r->error, CST_EFORMAT, "%s: expected text, found a NUL byte", r->path);
    CST_TRY(cst_ts_read_header(r));
    CST_TRY(cst_ts_use_classes(r, classes));
    /* The header determines the kind of the series. */
    s->timed = r->timed;
    s->labelled = !r->target;
    s->n_targets = r->target ? 1 : 0;
    /* One series per line. */
    while ((line = cst_ts_next_line(r))) {
        CST_TRY(read_line(r, line, &label));
        s->channels = r->dimensions;
        CST_TRY(merge(r, s));
        CST_TRY(read_label(r, classes, label, s));
        s->n++;
    }
    if (s->n > 0) return CST_OK;
    return cst_fail(r->error, CST_EFORMAT, "%s: expected series after @data, found none", r->path);
}

cst_status cst_ts_read(const char *path, cst_ts_classes *classes, cst_series *s, cst_error *error)
{
    char *text;
    size_t size;
    CST_TRY(cst_file_read(path, PTRDIFF_MAX - 1, &text, &size, error));
    /* The reader cuts the text in place, so the text lives as long as the reader. */
    cst_ts_reader r = {.path = path, .next = text, .end = text + size, .error = error};
    s->path = path;
    const cst_status status = read_text(&r, classes, s);
    cst_ts_reader_clear(&r);
    free(text);
    return status;
}

/* ---- the data set -------------------------------------------------------------------------------------------- */

/* The values of the keys below. */
typedef struct options {
    cst_series_options series; /* first */
    cst_series_files files;
} options;

static const cst_key keys[] = {
    CST_SERIES_FILE_KEYS(options, files),
    CST_SERIES_KEYS,
    {.name = NULL},
};

static cst_status load(const cst_dataset_type *type, cst_config section, uint64_t seed, cst_dataset *data,
                       cst_error *error)
{
    options o = {0};
    char *path[3] = {0};
    cst_series splits[3] = {0};
    cst_ts_classes classes = {0};
    CST_TRY(cst_dataset_read(section, type->keys, &o, data, error));
    /* Find the files, read them, and make rows of their series. */
    cst_status status = cst_locate_files(o.files.path, o.files.names, 3, path, error);
    for (size_t i = 0; status == CST_OK && i < 3; i++) {
        if (path[i]) status = cst_ts_read(path[i], &classes, &splits[i], error);
    }
    data->n_classes = classes.n;
    if (status == CST_OK) status = cst_series_finish(section, &o.series, seed, splits, data, error);
    free(classes.names);
    for (size_t i = 0; i < 3; i++) {
        cst_series_clear(&splits[i]);
        free(path[i]);
    }
    return status;
}

const cst_dataset_type cst_ts_type = {"ts", "time series in sktime's .ts files, the format of the UEA archive", keys,
                                      load};
