#include "datasets/csv_dataset.h"

#include "core/array.h"
#include "datasets/csv_table.h"
#include "datasets/locate.h"

#include <stdlib.h>

/* The values of the keys below. */
typedef struct csv_options {
    cst_dataset_options common; /* first */
    const char *train, *test;
    cst_table_options table;
} csv_options;

/* Resize the arrays of a split to `rows` rows. */
static cst_status set_capacity(const cst_table *t, const cst_csv *csv, cst_split *split, size_t rows, cst_error *error)
{
    bool good = true;
    split->values = cst_array_resize(split->values, cst_size_mul(rows, t->n_features), sizeof *split->values, &good);
    if (t->o->task == CST_CLASSIFICATION)
        split->labels = cst_array_resize(split->labels, rows, sizeof *split->labels, &good);
    else
        split->targets =
            cst_array_resize(split->targets, cst_size_mul(rows, t->n_targets), sizeof *split->targets, &good);
    return good ? CST_OK : cst_fail(error, CST_ENOMEM, "%s: out of memory", csv->path);
}

/* Append the current record as a row: its features, and its label or targets. */
static cst_status read_row(cst_table *t, const cst_csv *csv, cst_split *split, cst_error *error)
{
    real *x = split->values + split->n * t->n_features;
    /* All columns that are not taken are features. */
    for (size_t i = 0; i < t->n_columns; i++) {
        if (!t->taken[i]) CST_TRY(cst_table_number(t, csv, i, x++, error));
    }
    if (t->o->task == CST_CLASSIFICATION) CST_TRY(cst_table_label(t, csv, &split->labels[split->n], error));
    for (size_t i = 0; t->o->task == CST_REGRESSION && i < t->n_targets; i++)
        CST_TRY(cst_table_number(t, csv, t->targets[i], &split->targets[split->n * t->n_targets + i], error));
    split->n++;
    return CST_OK;
}

/* Read all records of a file. The capacity doubles when it is reached. */
static cst_status read_rows(cst_table *t, cst_csv *csv, cst_split *split, cst_error *error)
{
    size_t capacity = 0;
    while (csv->n > 0) {
        if (split->n == capacity) {
            capacity = capacity > 0 ? 2 * capacity : 64;
            CST_TRY(set_capacity(t, csv, split, capacity, error));
        }
        CST_TRY(read_row(t, csv, split, error));
        CST_TRY(cst_csv_next(csv, error));
    }
    if (split->n == 0) return cst_fail(error, CST_EFORMAT, "%s: expected rows after the header, found none", csv->path);
    return set_capacity(t, csv, split, split->n, error); /* free the rest */
}

/* Read the file of a split. After the training file the classes get their final numbers. */
static cst_status read_split(cst_table *t, const char *path, cst_split *split, cst_error *error)
{
    cst_csv csv;
    cst_status status = cst_table_open(t, path, &csv, error);
    if (status == CST_OK) status = read_rows(t, &csv, split, error);
    cst_csv_close(&csv);
    if (status == CST_OK && !t->ordered) status = cst_table_order(t, split->labels, split->n, error);
    return status;
}

/* ---- the data set -------------------------------------------------------------------------------------------- */

static const cst_key keys[] = {
    CST_PATH_KEY("train", offsetof(csv_options, train), NULL, "training file"),
    CST_PATH_KEY("test", offsetof(csv_options, test), "", "test file; without one, rows are drawn by test_size"),
    CST_TABLE_KEYS(csv_options, table),
    {.name = NULL},
};

/* Read the splits with one table, so that they have the same columns and classes. `test` may be NULL. */
static cst_status read_files(cst_config section, const csv_options *o, const char *train, const char *test,
                             uint64_t seed, cst_dataset *data, cst_error *error)
{
    cst_table t = {.section = section, .o = &o->table};
    cst_status status = read_split(&t, train, &data->train, error);
    if (status == CST_OK && test) status = read_split(&t, test, &data->test, error);
    /* The table knows the dimensions. */
    data->x = cst_shape_1d(t.n_features);
    data->n_channels = t.n_features;
    data->n_classes = t.n_classes;
    data->n_targets = o->table.task == CST_REGRESSION ? t.n_targets : 0;
    cst_table_clear(&t);
    if (status == CST_OK) status = cst_dataset_split(section, &o->common, seed, data, error);
    if (status == CST_OK) status = cst_dataset_normalize(data, o->common.normalize, error);
    return status;
}

static cst_status load(const cst_dataset_type *type, cst_config section, uint64_t seed, cst_dataset *data,
                       cst_error *error)
{
    csv_options o = {0};
    CST_TRY(cst_dataset_read(section, type->keys, &o, data, error));
    /* Find the files, then read them. */
    char *train = NULL, *test = NULL;
    CST_TRY(cst_locate(&(cst_data_location){.path = o.train}, &train, error));
    /* The test file is optional. */
    cst_status status = CST_OK;
    if (o.test) status = cst_locate(&(cst_data_location){.path = o.test}, &test, error);
    if (status == CST_OK) status = read_files(section, &o, train, test, seed, data, error);
    free(train);
    free(test);
    return status;
}

const cst_dataset_type cst_csv_dataset_type = {"csv", "a table of numbers and a target in a CSV file", keys, load};
