#include "datasets/csv_table.h"

#include "core/shape.h"
#include "core/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_CLASSES = 1 << 16, /* a column with more names is not a column of classes */
    EXCERPT = 40           /* bytes of a name that a message shows */
};

enum { HEADER_AUTO, HEADER_YES, HEADER_NO };

const char *const cst_table_tasks[] = {[CST_CLASSIFICATION] = "classification", [CST_REGRESSION] = "regression", NULL};
const char *const cst_table_headers[] = {[HEADER_AUTO] = "auto", [HEADER_YES] = "yes", [HEADER_NO] = "no", NULL};

/* CST_ENOMEM with a file's name. */
static cst_status no_memory(const char *path, cst_error *error)
{
    return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
}

void cst_table_clear(cst_table *t)
{
    for (size_t i = 0; t->names && i < t->n_columns; i++) free(t->names[i]);
    for (size_t i = 0; i < t->n_classes; i++) free(t->classes[i].name);
    free(t->names);
    free(t->targets);
    free(t->taken);
    free(t->classes);
}

cst_status cst_table_fail(const cst_table *t, const cst_csv *csv, size_t column, const char *what, cst_error *error)
{
    /* Build the middle part: names and fields are shortened and escaped. */
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

/* Byte order of the strings that a and b point to. */
static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* CST_EFORMAT if two columns have the same name: neighbours once the names are sorted. */
static cst_status check_names(const cst_table *t, const cst_csv *csv, cst_error *error)
{
    char **sorted = malloc(t->n_columns * sizeof *sorted);
    if (!sorted) return no_memory(csv->path, error);
    memcpy(sorted, t->names, t->n_columns * sizeof *sorted);
    /* Sort pointers; the names keep their order. */
    qsort(sorted, t->n_columns, sizeof *sorted, by_name);
    cst_status status = CST_OK;
    for (size_t i = 1; status == CST_OK && i < t->n_columns; i++) {
        if (strcmp(sorted[i], sorted[i - 1]) != 0) continue;
        /* Two neighbours are equal. */
        cst_text text = {0};
        cst_text_excerpt(&text, sorted[i]);
        status = cst_fail(error, CST_EFORMAT, "%s: line %zu: expected a name for each column, found %s twice",
                          csv->path, csv->line, text.data ? text.data : "one");
        free(text.data);
    }
    free(sorted);
    return status;
}

/* Name the columns: by the first record if it is a header, by numbers otherwise. */
static cst_status read_names(cst_table *t, const cst_csv *csv, cst_error *error)
{
    /* Without a setting, a line with a number in it is not a header. */
    t->header = t->o->header != HEADER_NO;
    for (size_t i = 0; t->o->header == HEADER_AUTO && i < csv->n; i++) {
        double value;
        if (cst_csv_number(cst_csv_field(csv, i), &value)) t->header = false;
    }
    t->names = calloc(csv->n, sizeof *t->names);
    t->taken = calloc(csv->n, sizeof *t->taken);
    if (!t->names || !t->taken) return no_memory(csv->path, error);
    /* Set n_columns before the names: cst_table_clear frees those that exist. */
    t->n_columns = csv->n;
    for (size_t i = 0; i < csv->n; i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i + 1);
        t->names[i] = strdup(t->header ? cst_csv_field(csv, i) : number);
        if (!t->names[i]) return no_memory(csv->path, error);
    }
    return check_names(t, csv, error);
}

/* Find the column that a string of the config names, and mark it as taken: it is no feature. */
static cst_status take_column(cst_table *t, cst_config name, size_t *column, cst_error *error)
{
    const char *string = cst_config_string(name), *nearest = t->names[0];
    if (!string) return cst_config_expected(name, "the name of a column", error);
    /* Keep the most similar name for the message. */
    size_t i = 0;
    for (; i < t->n_columns && strcmp(t->names[i], string) != 0; i++) {
        if (cst_text_distance(string, t->names[i]) < cst_text_distance(string, nearest)) nearest = t->names[i];
    }
    /* No such column: say which ones there are. */
    if (i == t->n_columns) {
        char what[160];
        if (!t->header)
            snprintf(what, sizeof what, "a column of a table without a header, \"1\" to \"%zu\"", t->n_columns);
        else
            snprintf(what, sizeof what, "a column of the table (the nearest is \"%.*s\")",
                     (int)cst_utf8_cut(nearest, strlen(nearest), EXCERPT), nearest);
        return cst_config_expected(name, what, error);
    }
    if (t->taken[i]) return cst_config_fail(name, error, "expected another column, as this one has been named before");
    t->taken[i] = true;
    *column = i;
    return CST_OK;
}

/* The target columns: one name, or a list of them for a regression. */
static cst_status read_targets(cst_table *t, cst_error *error)
{
    const cst_config target = t->o->target;
    const bool list = cst_config_is_list(target);
    const size_t n = list ? cst_config_length(target) : 1;
    if (n == 0) return cst_config_expected(target, "the name of a column", error);
    if (n > 1 && t->o->task == CST_CLASSIFICATION)
        return cst_config_fail(target, error, "expected one column for a classification, got %zu", n);
    /* Keep the order of the config. */
    t->targets = malloc(n * sizeof *t->targets);
    if (!t->targets) return no_memory(t->train, error);
    for (cst_config item = list ? cst_config_item(target, 0) : target; t->n_targets < n; item = cst_config_next(item)) {
        CST_TRY(take_column(t, item, &t->targets[t->n_targets], error));
        t->n_targets++;
    }
    return CST_OK;
}

/* Take the columns with roles, the targets and the ignored ones. The rest are features, at least one. */
static cst_status choose_columns(cst_table *t, cst_error *error)
{
    for (size_t i = 0; i < t->n_roles; i++)
        CST_TRY(take_column(t, cst_config_get(t->section, t->roles[i].key), &t->roles[i].column, error));
    CST_TRY(read_targets(t, error));
    for (size_t i = 0; i < cst_config_length(t->o->ignore); i++) {
        size_t column;
        CST_TRY(take_column(t, cst_config_item(t->o->ignore, i), &column, error));
    }
    /* At least one feature must be left. */
    for (size_t i = 0; i < t->n_columns; i++) t->n_features += !t->taken[i];
    if (t->n_features > 0) return CST_OK;
    return cst_config_fail(t->section, error, "expected a table with other columns than those named here, got %s",
                           t->train);
}

/* Check that another file has the columns of the training file. */
static cst_status check_columns(const cst_table *t, const cst_csv *csv, cst_error *error)
{
    if (csv->n != t->n_columns)
        return cst_fail(error, CST_EFORMAT, "%s: line %zu: expected %zu fields as in %s, found %zu", csv->path,
                        csv->line, t->n_columns, t->train, csv->n);
    /* With a header the names must be the same, too, in the same order. */
    for (size_t i = 0; t->header && i < csv->n; i++) {
        if (strcmp(t->names[i], cst_csv_field(csv, i)) == 0) continue;
        char what[300];
        snprintf(what, sizeof what, "this name, as in %.200s", t->train);
        return cst_table_fail(t, csv, i, what, error);
    }
    return CST_OK;
}

/* ---- classes ------------------------------------------------------------------------------------------------- */

/* Binary search for a class by name. *place is its index, or the index where it must be inserted. */
static bool find_class(const cst_table *t, const char *name, size_t *place)
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

/* Insert a class at its place in the sorted array. */
static cst_status add_class(cst_table *t, const cst_csv *csv, size_t column, size_t place, cst_error *error)
{
    if (t->n_classes == MAX_CLASSES)
        return cst_fail(error, CST_EFORMAT,
                        "%s: line %zu: expected at most %d classes, found more; for a column of values set \"task\": "
                        "\"regression\"",
                        csv->path, csv->line, MAX_CLASSES);
    /* Double the capacity when it is reached. */
    if (t->n_classes == t->class_capacity) {
        const size_t capacity = t->class_capacity > 0 ? 2 * t->class_capacity : 16;
        cst_table_class *larger = realloc(t->classes, capacity * sizeof *larger);
        if (!larger) return no_memory(csv->path, error);
        t->classes = larger;
        t->class_capacity = capacity;
    }
    /* Make room at the place and number the class in the order of occurrence. */
    char *name = strdup(cst_csv_field(csv, column));
    if (!name) return no_memory(csv->path, error);
    memmove(t->classes + place + 1, t->classes + place, (t->n_classes - place) * sizeof *t->classes);
    t->classes[place].name = name;
    t->classes[place].number = (int32_t)t->n_classes;
    t->n_classes++;
    return CST_OK;
}

cst_status cst_table_label(cst_table *t, const cst_csv *csv, int32_t *label, cst_error *error)
{
    const size_t column = t->targets[0];
    const char *name = cst_csv_field(csv, column);
    size_t place = 0;
    if (!*name) return cst_table_fail(t, csv, column, "the name of a class", error);
    /* A new class is added while the training file is read. */
    if (!find_class(t, name, &place)) {
        if (t->ordered) return cst_table_fail(t, csv, column, "a class that the training file has", error);
        CST_TRY(add_class(t, csv, column, place, error));
    }
    *label = t->classes[place].number;
    return CST_OK;
}

cst_status cst_table_order(cst_table *t, int32_t *labels, size_t n, cst_error *error)
{
    t->ordered = true;
    if (t->n_classes == 0) return CST_OK;
    /* number[old] = new: the place in the sorted array. */
    int32_t *number = malloc(t->n_classes * sizeof *number);
    if (!number) return no_memory(t->train, error);
    for (size_t i = 0; i < t->n_classes; i++) {
        number[t->classes[i].number] = (int32_t)i;
        t->classes[i].number = (int32_t)i;
    }
    /* Negative labels mean none. */
    for (size_t i = 0; i < n; i++) {
        if (labels[i] >= 0) labels[i] = number[labels[i]];
    }
    free(number);
    return CST_OK;
}

/* ---- files --------------------------------------------------------------------------------------------------- */

cst_status cst_table_number(const cst_table *t, const cst_csv *csv, size_t column, real *value, cst_error *error)
{
    double number;
    if (!cst_csv_number(cst_csv_field(csv, column), &number)) return cst_table_fail(t, csv, column, "a number", error);
    /* A double that no real can hold becomes infinite. */
    *value = (real)number;
    if (isfinite(*value)) return CST_OK;
    return cst_table_fail(t, csv, column, "a number in the range of a " CST_REAL_NAME, error);
}

/* One ASCII character that is neither a quote, nor a line end, nor part of a number. */
static cst_status check_separator(const cst_table *t, cst_error *error)
{
    const unsigned char separator = (unsigned char)t->o->separator[0];
    if (strlen(t->o->separator) == 1 && separator < 0x80 && !strchr("\"\r\n+-.eE0123456789", separator)) return CST_OK;
    return cst_config_expected(cst_config_get(t->section, "separator"), "one character that is not part of a number",
                               error);
}

cst_status cst_table_open(cst_table *t, const char *path, cst_csv *csv, cst_error *error)
{
    const bool training = !t->train;
    *csv = (cst_csv){0};
    CST_TRY(check_separator(t, error));
    CST_TRY(cst_csv_open(path, *t->o->separator, csv, error));
    CST_TRY(cst_csv_next(csv, error));
    if (csv->n == 0) return cst_fail(error, CST_EFORMAT, "%s: expected a table, found no line", path);
    /* The training file defines the columns; every other file must have the same ones. */
    if (training) {
        t->train = path;
        CST_TRY(read_names(t, csv, error));
        CST_TRY(choose_columns(t, error));
    } else {
        CST_TRY(check_columns(t, csv, error));
    }
    return t->header ? cst_csv_next(csv, error) : CST_OK;
}
