#include "datasets/csv_dataset.h"

#include "core/text.h"
#include "datasets/csv.h"
#include "datasets/locate.h"
#include "datasets/part.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_CLASSES = 1 << 16, /* what has more names than that is no classification */
    EXCERPT = 40           /* bytes of a field shown in a message */
};

enum { HEADER_AUTO, HEADER_YES, HEADER_NO };
enum { CLASSIFICATION, REGRESSION };

typedef struct csv_options {
    cst_dataset_options common; /* first */
    const char *train, *test, *separator;
    cst_config target, ignore;
    int task, header;
} csv_options;

/* A class by its name, and its number in the order in which they came. */
typedef struct class
{
    char *name;
    int32_t number;
} class;

/* What is known of a table once its training file has been looked at. */
typedef struct table {
    const csv_options *o;
    const char *train; /* the file */
    bool header;
    size_t n_columns, n_features, n_targets;
    char **names;    /* (n_columns) */
    size_t *targets; /* (n_targets): columns, in the config's order */
    bool *taken;     /* (n_columns): a target or ignored, and so no feature */
    class *classes;  /* (n_classes), ordered by name */
    size_t n_classes, class_room;
} table;

static cst_status no_memory(const char *path, cst_error *error)
{
    return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
}

static void table_clear(table *t)
{
    for (size_t i = 0; t->names && i < t->n_columns; i++) free(t->names[i]);
    for (size_t i = 0; i < t->n_classes; i++) free(t->classes[i].name);
    free(t->names);
    free(t->targets);
    free(t->taken);
    free(t->classes);
}

/* ---- messages ------------------------------------------------------------------------------------------------ */

/* FILE: line N, column "NAME": expected WHAT, got "FIELD" */
static cst_status fail_field(const table *t, const cst_csv *csv, size_t column, const char *what, cst_error *error)
{
    cst_text text = {0};
    cst_text_puts(&text, "column ");
    cst_text_excerpt(&text, t->names[column]);
    cst_text_printf(&text, ": expected %s, got ", what);
    cst_text_excerpt(&text, cst_csv_field(csv, column));
    const cst_status status = text.failed
                                  ? no_memory(csv->path, error)
                                  : cst_fail(error, CST_EFORMAT, "%s: line %zu, %s", csv->path, csv->line, text.data);
    free(text.data);
    return status;
}

/* ---- columns ------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static cst_status check_names(const table *t, const cst_csv *csv, cst_error *error)
{
    char **sorted = malloc(t->n_columns * sizeof *sorted);
    if (!sorted) return no_memory(csv->path, error);
    memcpy(sorted, t->names, t->n_columns * sizeof *sorted);
    qsort(sorted, t->n_columns, sizeof *sorted, by_name);
    cst_status status = CST_OK;
    for (size_t i = 1; status == CST_OK && i < t->n_columns; i++) {
        if (strcmp(sorted[i], sorted[i - 1]) != 0) continue;
        cst_text text = {0};
        cst_text_excerpt(&text, sorted[i]);
        status = cst_fail(error, CST_EFORMAT, "%s: line %zu: expected a name for each column, found %s twice",
                          csv->path, csv->line, text.data ? text.data : "one");
        free(text.data);
    }
    free(sorted);
    return status;
}

/* Names from the first record, if it is a header, or numbers. */
static cst_status read_names(table *t, const cst_csv *csv, cst_error *error)
{
    t->header = t->o->header != HEADER_NO;
    for (size_t i = 0; t->o->header == HEADER_AUTO && i < csv->n; i++) {
        double value;
        if (cst_csv_number(cst_csv_field(csv, i), &value)) t->header = false;
    }
    t->names = calloc(csv->n, sizeof *t->names);
    t->taken = calloc(csv->n, sizeof *t->taken);
    if (!t->names || !t->taken) return no_memory(csv->path, error);
    t->n_columns = csv->n;
    for (size_t i = 0; i < csv->n; i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i + 1);
        t->names[i] = strdup(t->header ? cst_csv_field(csv, i) : number);
        if (!t->names[i]) return no_memory(csv->path, error);
    }
    return check_names(t, csv, error);
}

/* The column that a string of the config names; it is then no feature. */
static cst_status take_column(table *t, cst_config name, size_t *column, cst_error *error)
{
    const char *string = cst_config_string(name), *nearest = t->names[0];
    if (!string) return cst_config_expected(name, "the name of a column", error);
    size_t i = 0;
    for (; i < t->n_columns && strcmp(t->names[i], string) != 0; i++) {
        if (cst_text_distance(string, t->names[i]) < cst_text_distance(string, nearest)) nearest = t->names[i];
    }
    if (i == t->n_columns) {
        char what[160];
        if (!t->header)
            snprintf(what, sizeof what, "a column of a table without a header, \"1\" to \"%zu\"", t->n_columns);
        else
            snprintf(what, sizeof what, "a column of the table (the nearest is \"%.*s\")",
                     (int)cst_utf8_cut(nearest, strlen(nearest), EXCERPT), nearest);
        return cst_config_expected(name, what, error);
    }
    if (t->taken[i]) return cst_config_fail(name, error, "this column has been named before");
    t->taken[i] = true;
    *column = i;
    return CST_OK;
}

static cst_status read_targets(table *t, cst_error *error)
{
    const cst_config target = t->o->target;
    const bool list = cst_config_is_list(target);
    const size_t n = list ? cst_config_length(target) : 1;
    if (n == 0) return cst_config_expected(target, "the name of a column", error);
    if (n > 1 && t->o->task == CLASSIFICATION)
        return cst_config_fail(target, error, "expected one column, whose classes are to be told, got %zu", n);
    t->targets = malloc(n * sizeof *t->targets);
    if (!t->targets) return no_memory(t->train, error);
    for (cst_config item = list ? cst_config_item(target, 0) : target; t->n_targets < n; item = cst_config_next(item)) {
        CST_TRY(take_column(t, item, &t->targets[t->n_targets], error));
        t->n_targets++;
    }
    return CST_OK;
}

static cst_status choose_columns(table *t, cst_config section, cst_error *error)
{
    CST_TRY(read_targets(t, error));
    for (size_t i = 0; i < cst_config_length(t->o->ignore); i++) {
        size_t column;
        CST_TRY(take_column(t, cst_config_item(t->o->ignore, i), &column, error));
    }
    for (size_t i = 0; i < t->n_columns; i++) t->n_features += !t->taken[i];
    if (t->n_features > 0) return CST_OK;
    return cst_config_fail(section, error, "expected a table with a column beside those named here, got %s", t->train);
}

/* That a test file has the training file's columns. */
static cst_status check_columns(const table *t, const cst_csv *csv, cst_error *error)
{
    if (csv->n != t->n_columns)
        return cst_fail(error, CST_EFORMAT, "%s: line %zu: expected %zu fields as in %s, found %zu", csv->path,
                        csv->line, t->n_columns, t->train, csv->n);
    for (size_t i = 0; t->header && i < csv->n; i++) {
        if (strcmp(t->names[i], cst_csv_field(csv, i)) == 0) continue;
        char what[300];
        snprintf(what, sizeof what, "this name, as in %.200s", t->train);
        return fail_field(t, csv, i, what, error);
    }
    return CST_OK;
}

/* ---- classes ------------------------------------------------------------------------------------------------- */

/* Where a class is among the ordered ones, or would be. */
static bool find_class(const table *t, const char *name, size_t *place)
{
    size_t low = 0, high = t->n_classes;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(t->classes[middle].name, name);
        *place = middle;
        if (order == 0) return true;
        if (order < 0) low = middle + 1;
        if (order > 0) high = middle;
    }
    *place = low;
    return false;
}

static cst_status add_class(table *t, const cst_csv *csv, size_t column, size_t place, cst_error *error)
{
    if (t->n_classes == MAX_CLASSES)
        return cst_fail(error, CST_EFORMAT,
                        "%s: line %zu: expected at most %d classes, found more; for a column of values set \"task\": "
                        "\"regression\"",
                        csv->path, csv->line, MAX_CLASSES);
    if (t->n_classes == t->class_room) {
        const size_t room = t->class_room > 0 ? 2 * t->class_room : 16;
        class *larger = realloc(t->classes, room * sizeof *larger);
        if (!larger) return no_memory(csv->path, error);
        t->classes = larger;
        t->class_room = room;
    }
    char *name = strdup(cst_csv_field(csv, column));
    if (!name) return no_memory(csv->path, error);
    memmove(t->classes + place + 1, t->classes + place, (t->n_classes - place) * sizeof *t->classes);
    t->classes[place] = (class){name, (int32_t)t->n_classes};
    t->n_classes++;
    return CST_OK;
}

static cst_status read_label(table *t, const cst_csv *csv, bool training, int32_t *label, cst_error *error)
{
    const size_t column = t->targets[0];
    const char *name = cst_csv_field(csv, column);
    size_t place = 0;
    if (!*name) return fail_field(t, csv, column, "the name of a class", error);
    if (!find_class(t, name, &place)) {
        if (!training) return fail_field(t, csv, column, "a class that the training file has", error);
        CST_TRY(add_class(t, csv, column, place, error));
    }
    *label = t->classes[place].number;
    return CST_OK;
}

/* From numbers in the order in which classes came to those in the order of their names. */
static cst_status order_classes(table *t, cst_part *part, cst_error *error)
{
    if (t->n_classes == 0) return CST_OK;
    int32_t *number = malloc(t->n_classes * sizeof *number);
    if (!number) return no_memory(t->train, error);
    for (size_t i = 0; i < t->n_classes; i++) {
        number[t->classes[i].number] = (int32_t)i;
        t->classes[i].number = (int32_t)i;
    }
    for (size_t i = 0; i < part->n; i++) part->labels[i] = number[part->labels[i]];
    free(number);
    return CST_OK;
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

/* The array with room for `rows` rows of `row` elements of `size` bytes; the old one, and *good false, if there is none. */
static void *resized(void *array, size_t rows, size_t row, size_t size, bool *good)
{
    const size_t bytes = cst_size_mul(rows, cst_size_mul(row, size));
    void *larger = bytes < PTRDIFF_MAX ? realloc(array, bytes) : NULL;
    if (!larger) *good = false;
    return larger ? larger : array;
}

static cst_status set_room(const table *t, const cst_csv *csv, cst_part *part, size_t rows, cst_error *error)
{
    bool good = true;
    part->values = resized(part->values, rows, t->n_features, sizeof *part->values, &good);
    if (t->o->task == CLASSIFICATION)
        part->labels = resized(part->labels, rows, 1, sizeof *part->labels, &good);
    else
        part->targets = resized(part->targets, rows, t->n_targets, sizeof *part->targets, &good);
    return good ? CST_OK : no_memory(csv->path, error);
}

static cst_status read_number(const table *t, const cst_csv *csv, size_t column, real *value, cst_error *error)
{
    double number;
    if (!cst_csv_number(cst_csv_field(csv, column), &number)) return fail_field(t, csv, column, "a number", error);
    *value = (real)number;
    if (isfinite(*value)) return CST_OK;
    return fail_field(t, csv, column, "a number in the range of a " CST_REAL_NAME, error);
}

static cst_status read_row(table *t, const cst_csv *csv, bool training, cst_part *part, cst_error *error)
{
    real *x = part->values + part->n * t->n_features;
    for (size_t i = 0; i < t->n_columns; i++) {
        if (!t->taken[i]) CST_TRY(read_number(t, csv, i, x++, error));
    }
    if (t->o->task == CLASSIFICATION) CST_TRY(read_label(t, csv, training, &part->labels[part->n], error));
    for (size_t i = 0; t->o->task == REGRESSION && i < t->n_targets; i++)
        CST_TRY(read_number(t, csv, t->targets[i], &part->targets[part->n * t->n_targets + i], error));
    part->n++;
    return CST_OK;
}

static cst_status read_rows(table *t, cst_csv *csv, bool training, cst_part *part, cst_error *error)
{
    size_t room = 0;
    if (t->header) CST_TRY(cst_csv_next(csv, error));
    while (csv->n > 0) {
        if (part->n == room) {
            room = room > 0 ? 2 * room : 64;
            CST_TRY(set_room(t, csv, part, room, error));
        }
        CST_TRY(read_row(t, csv, training, part, error));
        CST_TRY(cst_csv_next(csv, error));
    }
    if (part->n == 0) return cst_fail(error, CST_EFORMAT, "%s: expected rows after the header, found none", csv->path);
    return set_room(t, csv, part, part->n, error); /* give back what is left */
}

static cst_status read_part(table *t, const char *path, bool training, cst_config section, cst_part *part,
                            cst_error *error)
{
    cst_csv csv;
    CST_TRY(cst_csv_open(path, *t->o->separator, &csv, error));
    cst_status status = cst_csv_next(&csv, error);
    if (status == CST_OK && csv.n == 0)
        status = cst_fail(error, CST_EFORMAT, "%s: expected a table, found no line", path);
    if (status == CST_OK && training) {
        status = read_names(t, &csv, error);
        if (status == CST_OK) status = choose_columns(t, section, error);
    } else if (status == CST_OK) {
        status = check_columns(t, &csv, error);
    }
    if (status == CST_OK) status = read_rows(t, &csv, training, part, error);
    cst_csv_close(&csv);
    if (status == CST_OK && training) status = order_classes(t, part, error);
    return status;
}

/* ---- the data set -------------------------------------------------------------------------------------------- */

static const char *const tasks[] = {[CLASSIFICATION] = "classification", [REGRESSION] = "regression", NULL};
static const char *const headers[] = {[HEADER_AUTO] = "auto", [HEADER_YES] = "yes", [HEADER_NO] = "no", NULL};

#define FIELD(name) offsetof(csv_options, name)
static const cst_key keys[] = {
    {"train", CST_KEY_STRING, FIELD(train), NULL, 0, 0, NULL, "file"},
    {"test", CST_KEY_STRING, FIELD(test), "", 0, 0, NULL, "file; without one rows are drawn by test_size"},
    {"target", CST_KEY_ANY, FIELD(target), NULL, 0, 0, NULL,
     "column to learn, or a list of columns for a regression; without a header columns are \"1\", \"2\", ...",
     "string_or_strings"},
    {"task", CST_KEY_CHOICE, FIELD(task), "\"classification\"", 0, 0, tasks, "what the target is"},
    {"ignore", CST_KEY_LIST, FIELD(ignore), "", 0, 0, NULL, "columns that are not to be used", "strings"},
    {"header", CST_KEY_CHOICE, FIELD(header), "\"auto\"", 0, 0, headers,
     "whether the first line has names; auto: if no field in it is a number"},
    {"separator", CST_KEY_STRING, FIELD(separator), "\",\"", 0, 0, NULL, "between fields, one character"},
    {0},
};

static cst_status read_files(cst_config section, const csv_options *o, const char *train, const char *test,
                             uint64_t seed, cst_dataset *data, cst_error *error)
{
    table t = {.o = o, .train = train};
    cst_status status = read_part(&t, train, true, section, &data->train, error);
    if (status == CST_OK && test) status = read_part(&t, test, false, section, &data->test, error);
    data->x = cst_shape_1d(t.n_features);
    data->n_channels = t.n_features;
    data->n_classes = t.n_classes;
    data->n_targets = o->task == REGRESSION ? t.n_targets : 0;
    table_clear(&t);
    if (status == CST_OK) status = cst_dataset_cut(section, &o->common, seed, data, error);
    if (status == CST_OK) status = cst_dataset_normalize(data, o->common.normalize, error);
    return status;
}

static cst_status load(cst_config section, uint64_t seed, cst_dataset *data, cst_error *error)
{
    csv_options o = {0};
    CST_TRY(cst_dataset_read(section, keys, &o, data, error));
    const unsigned char separator = (unsigned char)o.separator[0];
    if (strlen(o.separator) != 1 || separator >= 0x80 || strchr("\"\r\n+-.eE0123456789", separator))
        return cst_config_expected(cst_config_get(section, "separator"), "a character that no number has", error);
    char *train = NULL, *test = NULL;
    CST_TRY(cst_locate(&(cst_whereabouts){.path = o.train}, &train, error));
    cst_status status = CST_OK;
    if (o.test) status = cst_locate(&(cst_whereabouts){.path = o.test}, &test, error);
    if (status == CST_OK) status = read_files(section, &o, train, test, seed, data, error);
    free(train);
    free(test);
    return status;
}

const cst_dataset_type cst_csv_dataset_type = {"csv", "a table of numbers and a target in a CSV file", keys, load};
