#include "datasets/ts.h"

#include "core/file.h"
#include "core/text.h"
#include "datasets/locate.h"
#include "formats/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef enum stamp { UNKNOWN, NUMBERS, DATES } stamp;

typedef struct class_name {
    const char *name;
    int32_t label;
} class_name;

/* A file under way. Its text is cut into pieces in place, by NULs. */
typedef struct reader {
    const char *path;
    char *next, *end; /* of the text */
    size_t line;      /* the one at hand, from 1 */
    cst_error *error;
    /* what the header says */
    bool timed, target;
    size_t dimensions;   /* 0: does not say */
    char *classes;       /* the rest of its line, or NULL */
    class_name *by_name; /* those that are known, in order */
    /* the series at hand: dimension d is starts[d] .. starts[d + 1] of these */
    size_t *starts, *heads;
    double *times;
    real *values;
    size_t n, room;
    stamp stamp;  /* what times are, in the whole file */
    size_t total; /* times of all series so far */
} reader;

static void reader_clear(reader *r)
{
    free(r->by_name);
    free(r->starts);
    free(r->heads);
    free(r->times);
    free(r->values);
}

static cst_status no_memory(const reader *r)
{
    return cst_fail(r->error, CST_ENOMEM, "%s: out of memory", r->path);
}

/* FILE: line N PLACE: expected WHAT, found "TEXT" */
static cst_status fail_found(const reader *r, const char *place, const char *what, const char *found)
{
    cst_text text = {0};
    cst_text_excerpt(&text, found);
    const cst_status status = text.failed ? no_memory(r)
                                          : cst_fail(r->error, CST_EFORMAT, "%s: line %zu%s: expected %s, found %s",
                                                     r->path, r->line, place, what, text.data);
    free(text.data);
    return status;
}

/* In dimension d, counted from 1, at the value that comes next. */
static cst_status fail_value(const reader *r, size_t d, const char *what, const char *found)
{
    char place[80];
    snprintf(place, sizeof place, ", dimension %zu, value %zu", d + 1, r->n - r->starts[d] + 1);
    return fail_found(r, place, what, found);
}

/* ---- text ---------------------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Without blanks at both ends. */
static char *trim(char *s)
{
    while (is_blank(*s)) s++;
    size_t n = strlen(s);
    while (n > 0 && is_blank(s[n - 1])) n--;
    s[n] = '\0';
    return s;
}

/* The next line that is neither empty nor a comment, trimmed; NULL at the end. */
static char *next_line(reader *r)
{
    while (r->next < r->end) {
        char *line = r->next, *end = memchr(line, '\n', (size_t)(r->end - line));
        r->next = end ? end + 1 : r->end;
        if (end) *end = '\0';
        r->line++;
        line = trim(line);
        if (*line && *line != '#') return line;
    }
    return NULL;
}

/* Cut s before the first `separator` outside parentheses: what is left, or NULL if there is no such. */
static char *cut(char *s, char separator)
{
    bool inside = false;
    for (; *s; s++) {
        if (*s == '(') inside = true;
        if (*s == ')') inside = false;
        if (*s != separator || inside) continue;
        *s = '\0';
        return s + 1;
    }
    return NULL;
}

/* ---- the header ---------------------------------------------------------------------------------------------- */

/* The rest of the line behind "@KEY", or NULL if it is another key. */
static char *value_of(char *line, const char *key)
{
    const size_t n = strlen(key);
    if (strncasecmp(line, key, n) != 0 || (line[n] && !is_blank(line[n]))) return NULL;
    return trim(line + n);
}

static cst_status read_bool(const reader *r, const char *key, const char *value, bool *result)
{
    char place[40];
    *result = strcasecmp(value, "true") == 0;
    if (*result || strcasecmp(value, "false") == 0) return CST_OK;
    snprintf(place, sizeof place, ", %s", key);
    return fail_found(r, place, "true or false", value);
}

static cst_status read_classes(reader *r, char *value)
{
    bool labelled;
    char *names = value + strcspn(value, " \t");
    if (*names) *names++ = '\0';
    CST_TRY(read_bool(r, "@classLabel", value, &labelled));
    r->classes = labelled ? trim(names) : NULL;
    if (!labelled || *r->classes) return CST_OK;
    return fail_found(r, ", @classLabel", "the names of the classes after \"true\"", names);
}

static cst_status read_dimensions(reader *r, const char *value)
{
    char *end;
    const unsigned long long n = strtoull(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || n < 1 || n >= SIZE_MAX)
        return fail_found(r, ", @dimensions", "a positive integer", value);
    r->dimensions = (size_t)n;
    return CST_OK;
}

static cst_status read_key(reader *r, char *line)
{
    char *value;
    bool univariate;
    if ((value = value_of(line, "@timestamps"))) return read_bool(r, "@timeStamps", value, &r->timed);
    if ((value = value_of(line, "@targetlabel"))) return read_bool(r, "@targetLabel", value, &r->target);
    if ((value = value_of(line, "@classlabel"))) return read_classes(r, value);
    if ((value = value_of(line, "@dimensions"))) return read_dimensions(r, value);
    if ((value = value_of(line, "@dimension"))) return read_dimensions(r, value);
    if ((value = value_of(line, "@univariate"))) {
        CST_TRY(read_bool(r, "@univariate", value, &univariate));
        if (univariate) r->dimensions = 1;
    }
    return CST_OK;
}

static cst_status read_header(reader *r)
{
    char *line;
    while ((line = next_line(r))) {
        if (*line != '@') return fail_found(r, "", "a line with @ or # at its beginning before @data", line);
        if (value_of(line, "@data")) break;
        CST_TRY(read_key(r, line));
    }
    if (!line)
        return cst_fail(r->error, CST_EFORMAT, "%s: expected a line @data, found the end of the file after %zu lines",
                        r->path, r->line);
    if (!r->classes != !r->target) return CST_OK;
    return cst_fail(r->error, CST_EFORMAT,
                    "%s: line %zu: expected either of @classLabel true and @targetLabel true "
                    "before @data, found %s",
                    r->path, r->line, r->target ? "both" : "neither");
}

/* ---- classes ------------------------------------------------------------------------------------------------- */

/* The header's names, if none are known yet. */
static cst_status take_classes(const reader *r, cst_ts_classes *classes)
{
    if (!r->classes || classes->names) return CST_OK;
    classes->names = malloc(strlen(r->classes) + 2);
    if (!classes->names) return no_memory(r);
    char *to = classes->names;
    for (const char *s = r->classes; *s; classes->n++) {
        const size_t n = strcspn(s, " \t\r");
        memcpy(to, s, n);
        to[n] = '\0';
        to += n + 1;
        s += n;
        while (is_blank(*s)) s++;
    }
    return CST_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const class_name *)a)->name, ((const class_name *)b)->name);
}

/* So that looking for one of many takes no time. A name that is there twice is its first class's. */
static cst_status sort_classes(reader *r, const cst_ts_classes *classes)
{
    r->by_name = malloc(cst_size_mul(classes->n, sizeof *r->by_name));
    if (!r->by_name) return no_memory(r);
    const char *name = classes->names;
    for (size_t i = 0; i < classes->n; i++, name += strlen(name) + 1) r->by_name[i] = (class_name){name, (int32_t)i};
    class_name *c = r->by_name, *last = c + classes->n - 1;
    qsort(c, classes->n, sizeof *c, by_name);
    for (; c < last; c++) /* the smallest label goes to the end of its name's, and from there to all */
        if (by_name(c, c + 1) == 0 && c->label < c[1].label) c[1].label = c->label;
    for (; c > r->by_name; c--)
        if (by_name(c - 1, c) == 0) c[-1].label = c->label;
    return CST_OK;
}

static cst_status read_class(const reader *r, const cst_ts_classes *classes, const char *field, int32_t *label)
{
    const class_name wanted = {field, 0}, *found = bsearch(&wanted, r->by_name, classes->n, sizeof wanted, by_name);
    if (found) *label = found->label;
    return found ? CST_OK : fail_found(r, "", "a class that the training file's @classLabel names", field);
}

static cst_status read_answer(const reader *r, const cst_ts_classes *classes, char *field, cst_series *s)
{
    double value;
    field = trim(field);
    if (!r->target) return read_class(r, classes, field, &s->labels[s->n]);
    if (!cst_csv_number(field, &value) || !isfinite((real)value))
        return fail_found(r, "", "a number to learn, in the range of a " CST_REAL_NAME, field);
    s->targets[s->n] = (real)value;
    return CST_OK;
}

/* ---- values -------------------------------------------------------------------------------------------------- */

static cst_status add_value(reader *r, double time, double value)
{
    if (r->n == r->room) {
        const size_t room = r->room > 0 ? 2 * r->room : 256;
        double *times = realloc(r->times, cst_size_mul(room, sizeof *times));
        if (times) r->times = times;
        real *values = realloc(r->values, cst_size_mul(room, sizeof *values));
        if (values) r->values = values;
        if (!times || !values) return no_memory(r);
        r->room = room;
    }
    r->times[r->n] = time;
    r->values[r->n++] = (real)value;
    return CST_OK;
}

static cst_status read_value(const reader *r, size_t d, const char *field, double *value)
{
    *value = (double)NAN;
    if (strcmp(field, "?") == 0 || strcasecmp(field, "nan") == 0) return CST_OK;
    if (!cst_csv_number(field, value)) return fail_value(r, d, "a number, \"?\" or \"NaN\"", field);
    if (isfinite((real)*value)) return CST_OK;
    return fail_value(r, d, "a number in the range of a " CST_REAL_NAME, field);
}

/* Numbers between commas. */
static cst_status read_numbers(reader *r, size_t d, char *field)
{
    while (field) {
        double value;
        char *rest = cut(field, ',');
        CST_TRY(read_value(r, d, trim(field), &value));
        CST_TRY(add_value(r, (double)(r->n - r->starts[d]), value));
        field = rest;
    }
    return CST_OK;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar: years begin in March, so that a leap day is a year's last. */
static double days_of(int year, int month, int day)
{
    const int y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
    const int before = 365 * y + y / 4 - y / 100 + y / 400; /* days of whole years since March of the year 0 */
    return before + (153 * m + 2) / 5 + day - 719469;
}

/* "2004-08-10 18:00:00" */
static bool read_date(const char *field, double *time)
{
    static const char form[] = "0000-00-00 00:00:00";
    int number[6] = {0}, part = 0;
    for (size_t i = 0; i < sizeof form; i++) {
        const bool digit = form[i] == '0';
        if (digit ? field[i] < '0' || field[i] > '9' : field[i] != form[i]) return false;
        if (digit)
            number[part] = 10 * number[part] + (field[i] - '0');
        else
            part++;
    }
    const int *n = number;
    if (n[1] < 1 || n[1] > 12 || n[2] < 1 || n[2] > 31 || n[3] > 23 || n[4] > 59 || n[5] > 60) return false;
    *time = 86400 * days_of(n[0], n[1], n[2]) + 3600 * n[3] + 60 * n[4] + n[5];
    return true;
}

static cst_status read_time(reader *r, size_t d, const char *field, double *time)
{
    const stamp found = cst_csv_number(field, time) ? NUMBERS : read_date(field, time) ? DATES : UNKNOWN;
    if (r->stamp == UNKNOWN) r->stamp = found;
    if (found == UNKNOWN || found != r->stamp)
        return fail_value(r, d,
                          r->stamp == DATES     ? "a date YYYY-MM-DD HH:MM:SS for its time"
                          : r->stamp == NUMBERS ? "a number for its time"
                                                : "a number or a date YYYY-MM-DD HH:MM:SS for its time",
                          field);
    if (r->n == r->starts[d] || *time > r->times[r->n - 1]) return CST_OK;
    return fail_value(r, d, "a time after the one before", field);
}

/* Pairs (time,value) between commas. */
static cst_status read_pairs(reader *r, size_t d, char *field)
{
    field = trim(field);
    if (!*field) return CST_OK; /* nothing is observed */
    while (field) {
        double time, value;
        char *rest = cut(field, ','), *pair = trim(field), *comma = strrchr(pair, ',');
        const size_t n = strlen(pair);
        if (*pair != '(' || pair[n - 1] != ')' || !comma) return fail_value(r, d, "(time,value)", pair);
        pair[n - 1] = *comma = '\0';
        CST_TRY(read_time(r, d, trim(pair + 1), &time));
        CST_TRY(read_value(r, d, trim(comma + 1), &value));
        CST_TRY(add_value(r, time, value));
        field = rest;
    }
    return CST_OK;
}

/* ---- series -------------------------------------------------------------------------------------------------- */

/* So many as the header says, or as the first series has: colons outside of pairs, the last one being the answer's. */
static cst_status count_dimensions(reader *r, const char *line)
{
    size_t n = 0;
    bool inside = false;
    for (const char *c = line; *c; c++) {
        if (*c == '(') inside = true;
        if (*c == ')') inside = false;
        n += *c == ':' && !inside;
    }
    if (r->dimensions == 0) r->dimensions = n;
    if (n > 0 && n == r->dimensions) return CST_OK;
    return cst_fail(r->error, CST_EFORMAT,
                    "%s: line %zu: expected %zu dimensions and what is to be learnt, found %zu "
                    "colons",
                    r->path, r->line, r->dimensions, n);
}

static cst_status read_line(reader *r, char *line, char **answer)
{
    CST_TRY(count_dimensions(r, line));
    if (!r->starts) r->starts = calloc(r->dimensions + 1, sizeof *r->starts);
    if (!r->heads) r->heads = calloc(r->dimensions, sizeof *r->heads);
    if (!r->starts || !r->heads) return no_memory(r);
    r->n = 0;
    for (size_t d = 0; d < r->dimensions; d++) {
        char *rest = cut(line, ':');
        r->starts[d] = r->n;
        CST_TRY(r->timed ? read_pairs(r, d, line) : read_numbers(r, d, line));
        if (!r->timed && r->n - r->starts[d] != r->starts[1] && d > 0)
            return cst_fail(r->error, CST_EFORMAT,
                            "%s: line %zu, dimension %zu: expected %zu values as in the first, found %zu", r->path,
                            r->line, d + 1, r->starts[1], r->n - r->starts[d]);
        r->starts[d + 1] = r->n;
        line = rest;
    }
    *answer = line;
    return CST_OK;
}

/* The earliest of the times that the dimensions' heads stand at; false if all have come to their ends. */
static bool next_time(const reader *r, double *time)
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

/* The union of the dimensions' times: at each the values of those that have it. */
static cst_status merge(reader *r, cst_series *s)
{
    double time = 0, origin = 0;
    size_t length = 0;
    memcpy(r->heads, r->starts, r->dimensions * sizeof *r->heads);
    if (r->stamp == DATES && next_time(r, &time)) origin = time;
    for (; next_time(r, &time); length++) {
        const size_t place = r->total + length;
        CST_TRY(cst_series_reserve(s, s->n + 1, place + 1, r->error));
        if (s->timed) s->times[place] = time - origin;
        for (size_t d = 0; d < r->dimensions; d++) {
            const size_t head = r->heads[d];
            const bool there = head < r->starts[d + 1] && r->times[head] == time;
            s->values[place * s->channels + d] = there ? r->values[head] : (real)NAN;
            r->heads[d] += there;
        }
    }
    CST_TRY(cst_series_reserve(s, s->n + 1, r->total + length, r->error));
    s->lengths[s->n] = length;
    r->total += length;
    return CST_OK;
}

static cst_status read_text(reader *r, cst_ts_classes *classes, cst_series *s)
{
    char *line, *answer = NULL;
    if (memchr(r->next, '\0', (size_t)(r->end - r->next)))
        return cst_fail(r->error, CST_EFORMAT, "%s: expected text, found a NUL byte", r->path);
    CST_TRY(read_header(r));
    CST_TRY(take_classes(r, classes));
    if (r->classes) CST_TRY(sort_classes(r, classes));
    s->timed = r->timed;
    s->labelled = !r->target;
    s->n_targets = r->target ? 1 : 0;
    while ((line = next_line(r))) {
        CST_TRY(read_line(r, line, &answer));
        s->channels = r->dimensions;
        CST_TRY(merge(r, s));
        CST_TRY(read_answer(r, classes, answer, s));
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
    reader r = {.path = path, .next = text, .end = text + size, .error = error};
    s->path = path;
    const cst_status status = read_text(&r, classes, s);
    reader_clear(&r);
    free(text);
    return status;
}

/* ---- the data set -------------------------------------------------------------------------------------------- */

typedef struct options {
    cst_series_options series; /* first */
    cst_series_files files;
} options;

static const cst_key keys[] = {
    CST_SERIES_FILE_KEYS(options, files),
    CST_SERIES_KEYS,
    {0},
};

static cst_status load(cst_config section, uint64_t seed, cst_dataset *data, cst_error *error)
{
    options o = {0};
    char *path[3] = {0};
    cst_series parts[3] = {0};
    cst_ts_classes classes = {0};
    CST_TRY(cst_dataset_read(section, keys, &o, data, error));
    cst_status status = cst_locate_files(o.files.path, o.files.names, 3, path, error);
    for (size_t i = 0; status == CST_OK && i < 3; i++) {
        if (path[i]) status = cst_ts_read(path[i], &classes, &parts[i], error);
    }
    data->n_classes = classes.n;
    if (status == CST_OK) status = cst_series_finish(section, &o.series, seed, parts, data, error);
    free(classes.names);
    for (size_t i = 0; i < 3; i++) {
        cst_series_clear(&parts[i]);
        free(path[i]);
    }
    return status;
}

const cst_dataset_type cst_ts_type = {"ts", "time series in sktime's .ts files, as of the UEA archive", keys, load};
