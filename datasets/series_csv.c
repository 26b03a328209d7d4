#include "datasets/series_csv.h"

#include "core/array.h"
#include "core/text.h"
#include "datasets/csv_table.h"
#include "datasets/locate.h"
#include "datasets/series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PER_SERIES, PER_TIME };
enum { ID, TIME, N_ROLES }; /* the columns with roles of their own */

/* The name of a series and the line where it begins. */
typedef struct beginning {
    char *name;
    size_t line;
} beginning;

/* A file while it is read. */
typedef struct reader {
    cst_table *t;
    const cst_table_role *roles;
    cst_series *s;
    cst_csv csv;
    size_t total;     /* times of all series so far */
    beginning *begun; /* (s->n), one per series */
    size_t capacity;  /* of begun */
    cst_error *error;
} reader;

/* CST_ENOMEM with the file's name. */
static cst_status no_memory(const reader *r)
{
    return cst_fail(r->error, CST_ENOMEM, "%s: out of memory", r->s->path);
}

/* A field of the current line. */
static const char *field(const reader *r, size_t column)
{
    return cst_csv_field(&r->csv, column);
}

/* ---- series -------------------------------------------------------------------------------------------------- */

/* Set *first if the current line begins a new series, and add that series without times. Also reserves the line's time. */
static cst_status begin_series(reader *r, bool *first)
{
    const char *name = field(r, r->roles[ID].column);
    cst_series *s = r->s;
    if (!*name) return cst_table_fail(r->t, &r->csv, r->roles[ID].column, "the name of a series", r->error);
    *first = s->n == 0 || strcmp(name, r->begun[s->n - 1].name) != 0;
    CST_TRY(cst_series_reserve(s, s->n + *first, r->total + 1, r->error));
    if (!*first) return CST_OK;
    /* Double the capacity when it is reached. */
    if (s->n == r->capacity) {
        bool good = true;
        const size_t capacity = r->capacity > 0 ? 2 * r->capacity : 64;
        r->begun = cst_array_resize(r->begun, capacity, sizeof *r->begun, &good);
        if (!good) return no_memory(r);
        r->capacity = capacity;
    }
    /* Remember the name and the line, and start with no times. */
    r->begun[s->n] = (beginning){strdup(name), r->csv.line};
    if (!r->begun[s->n].name) return no_memory(r);
    s->lengths[s->n++] = 0;
    return CST_OK;
}

/* By name, then by line. */
static int by_name(const void *a, const void *b)
{
    const beginning *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

/* CST_EFORMAT if a series begins twice: neighbours once the beginnings are sorted. */
static cst_status check_beginnings(reader *r)
{
    qsort(r->begun, r->s->n, sizeof *r->begun, by_name);
    for (size_t i = 1; i < r->s->n; i++) {
        if (strcmp(r->begun[i].name, r->begun[i - 1].name) != 0) continue;
        /* The same name begins at two lines: name both. */
        cst_text name = {0};
        cst_text_excerpt(&name, r->begun[i].name);
        const cst_status status =
            name.failed ? no_memory(r)
                        : cst_fail(r->error, CST_EFORMAT,
                                   "%s: line %zu: expected the lines of a series to be consecutive, but %s also has "
                                   "lines from line %zu on",
                                   r->s->path, r->begun[i].line, name.data, r->begun[i - 1].line);
        free(name.data);
        return status;
    }
    return CST_OK;
}

/* ---- lines --------------------------------------------------------------------------------------------------- */

/* A number, or NaN for an empty field. */
static cst_status read_number(const reader *r, size_t column, real *value)
{
    *value = (real)NAN;
    return *field(r, column) ? cst_table_number(r->t, &r->csv, column, value, r->error) : CST_OK;
}

/* The time of the current line, later than that of the line before in its series. */
static cst_status read_time(reader *r, bool first)
{
    const size_t column = r->roles[TIME].column;
    double *time = r->s->times + r->total;
    if (!cst_csv_number(field(r, column), time)) return cst_table_fail(r->t, &r->csv, column, "a number", r->error);
    if (!isfinite(*time)) return cst_table_fail(r->t, &r->csv, column, "a number in the range of a double", r->error);
    if (first || *time > time[-1]) return CST_OK;
    return cst_table_fail(r->t, &r->csv, column, "a time later than on the series' previous line", r->error);
}

/* The class of the series, the same on each of its lines, or the class of the time, which may be missing. */
static cst_status read_class(reader *r, bool first)
{
    cst_series *s = r->s;
    int32_t label = -1;
    const bool none = s->stepwise && !*field(r, r->t->targets[0]);
    if (!none) CST_TRY(cst_table_label(r->t, &r->csv, &label, r->error));
    /* The class of a series must be the same on each line. */
    if (!s->stepwise && !first && label != s->labels[s->n - 1])
        return cst_table_fail(r->t, &r->csv, r->t->targets[0], "the class on the series' previous lines", r->error);
    s->labels[s->stepwise ? r->total : s->n - 1] = label;
    return CST_OK;
}

/* The same for targets. */
static cst_status read_targets(reader *r, bool first)
{
    cst_series *s = r->s;
    real *to = s->targets + (s->stepwise ? r->total : s->n - 1) * s->n_targets;
    for (size_t i = 0; i < s->n_targets; i++) {
        const size_t column = r->t->targets[i];
        real value;
        /* A target per time may be missing. */
        if (s->stepwise) {
            CST_TRY(read_number(r, column, &to[i]));
            continue;
        }
        CST_TRY(cst_table_number(r->t, &r->csv, column, &value, r->error));
        /* A target per series must be the same on each line. */
        if (!first && value != to[i])
            return cst_table_fail(r->t, &r->csv, column, "the number on the series' previous lines", r->error);
        to[i] = value;
    }
    return CST_OK;
}

/* One time of a series: its time, its channels and its target. */
static cst_status read_line(reader *r)
{
    bool first;
    CST_TRY(begin_series(r, &first));
    CST_TRY(read_time(r, first));
    /* All columns that are not taken are channels. */
    real *x = r->s->values + r->total * r->s->channels;
    for (size_t i = 0; i < r->t->n_columns; i++) {
        if (!r->t->taken[i]) CST_TRY(read_number(r, i, x++));
    }
    CST_TRY(r->s->labelled ? read_class(r, first) : read_targets(r, first));
    r->s->lengths[r->s->n - 1]++;
    r->total++;
    return CST_OK;
}

/* All lines of the file. After the training file the classes get their final numbers. */
static cst_status read_lines(reader *r)
{
    while (r->csv.n > 0) {
        CST_TRY(read_line(r));
        CST_TRY(cst_csv_next(&r->csv, r->error));
    }
    if (r->s->n == 0)
        return cst_fail(r->error, CST_EFORMAT, "%s: expected lines after the header, found none", r->s->path);
    CST_TRY(check_beginnings(r));
    if (r->t->ordered) return CST_OK;
    return cst_table_order(r->t, r->s->labels, r->s->stepwise ? r->total : r->s->n, r->error);
}

static cst_status read_file(cst_table *t, const cst_table_role *roles, const char *path, bool stepwise, cst_series *s,
                            cst_error *error)
{
    reader r = {.t = t, .roles = roles, .s = s, .error = error};
    cst_status status = cst_table_open(t, path, &r.csv, error);
    /* The columns of the table determine the kind of the series. */
    *s = (cst_series){.path = path, .timed = true, .stepwise = stepwise, .channels = t->n_features};
    s->labelled = t->o->task == CST_CLASSIFICATION;
    s->n_targets = s->labelled ? 0 : t->n_targets;
    if (status == CST_OK) status = read_lines(&r);
    for (size_t i = 0; i < s->n; i++) free(r.begun[i].name);
    free(r.begun);
    cst_csv_close(&r.csv);
    return status;
}

/* ---- the data set -------------------------------------------------------------------------------------------- */

/* The values of the keys below. */
typedef struct options {
    cst_series_options series; /* first */
    cst_series_files files;
    cst_table_options table;
    const char *id_column, *time_column;
    int target_per;
} options;

static const char *const target_choices[] = {[PER_SERIES] = "series", [PER_TIME] = "time", NULL};

static const cst_key keys[] = {
    CST_SERIES_FILE_KEYS(options, files),
    {.name = "id_column",
     .kind = CST_KEY_STRING,
     .offset = offsetof(options, id_column),
     .help = "column with the name of the series that a line belongs to"},
    {.name = "time_column",
     .kind = CST_KEY_STRING,
     .offset = offsetof(options, time_column),
     .help = "column of the times, which increase from line to line of a series"},
    {.name = "target_per",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(options, target_per),
     .fallback = "\"series\"",
     .choices = target_choices,
     .help = "series: one target, the same on each line of a series; time: each time has its own, or none"},
    CST_TABLE_KEYS(options, table),
    CST_SERIES_KEYS,
    {.name = NULL},
};

/* Read the files of all splits with one table, so that they have the same columns and classes. */
static cst_status read_files(cst_config section, const options *o, char *const path[3], cst_series splits[3],
                             cst_dataset *data, cst_error *error)
{
    cst_table_role roles[N_ROLES] = {[ID] = {"id_column", 0}, [TIME] = {"time_column", 0}};
    cst_table t = {.section = section, .o = &o->table, .roles = roles, .n_roles = N_ROLES};
    cst_status status = CST_OK;
    for (size_t i = 0; status == CST_OK && i < 3; i++) {
        if (path[i]) status = read_file(&t, roles, path[i], o->target_per == PER_TIME, &splits[i], error);
    }
    data->n_classes = t.n_classes;
    cst_table_clear(&t);
    return status;
}

static cst_status load(const cst_dataset_type *type, cst_config section, uint64_t seed, cst_dataset *data,
                       cst_error *error)
{
    options o = {0};
    char *path[3] = {0};
    cst_series splits[3] = {0};
    CST_TRY(cst_dataset_read(section, type->keys, &o, data, error));
    /* Find the files, read them, and make rows of their series. */
    cst_status status = cst_locate_files(o.files.path, o.files.names, 3, path, error);
    if (status == CST_OK) status = read_files(section, &o, path, splits, data, error);
    if (status == CST_OK) status = cst_series_finish(section, &o.series, seed, splits, data, error);
    for (size_t i = 0; i < 3; i++) {
        cst_series_clear(&splits[i]);
        free(path[i]);
    }
    return status;
}

const cst_dataset_type cst_series_csv_type = {"series_csv", "time series in CSV files, one line per time", keys, load};
