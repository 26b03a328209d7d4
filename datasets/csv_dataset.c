#include "datasets/csv_dataset.h"

#include "core/array.h"
#include "datasets/csv_table.h"
#include "datasets/locate.h"

#include <stdlib.h>

typedef struct csv_options {
    cst_dataset_options common; /* first */
    const char *train, *test;
    cst_table_options table;
} csv_options;

static cst_status set_room(const cst_table *t, const cst_csv *csv, cst_part *part, size_t rows, cst_error *error)
{
    bool good = true;
    part->values = cst_array_resize(part->values, cst_size_mul(rows, t->n_features), sizeof *part->values, &good);
    if (t->o->task == CST_CLASSIFICATION)
        part->labels = cst_array_resize(part->labels, rows, sizeof *part->labels, &good);
    else
        part->targets = cst_array_resize(part->targets, cst_size_mul(rows, t->n_targets), sizeof *part->targets, &good);
    return good ? CST_OK : cst_fail(error, CST_ENOMEM, "%s: out of memory", csv->path);
}

static cst_status read_row(cst_table *t, const cst_csv *csv, cst_part *part, cst_error *error)
{
    real *x = part->values + part->n * t->n_features;
    for (size_t i = 0; i < t->n_columns; i++) {
        if (!t->taken[i]) CST_TRY(cst_table_number(t, csv, i, x++, error));
    }
    if (t->o->task == CST_CLASSIFICATION) CST_TRY(cst_table_label(t, csv, &part->labels[part->n], error));
    for (size_t i = 0; t->o->task == CST_REGRESSION && i < t->n_targets; i++)
        CST_TRY(cst_table_number(t, csv, t->targets[i], &part->targets[part->n * t->n_targets + i], error));
    part->n++;
    return CST_OK;
}

static cst_status read_rows(cst_table *t, cst_csv *csv, cst_part *part, cst_error *error)
{
    size_t room = 0;
    while (csv->n > 0) {
        if (part->n == room) {
            room = room > 0 ? 2 * room : 64;
            CST_TRY(set_room(t, csv, part, room, error));
        }
        CST_TRY(read_row(t, csv, part, error));
        CST_TRY(cst_csv_next(csv, error));
    }
    if (part->n == 0) return cst_fail(error, CST_EFORMAT, "%s: expected rows after the header, found none", csv->path);
    return set_room(t, csv, part, part->n, error); /* give back what is left */
}

static cst_status read_part(cst_table *t, const char *path, cst_part *part, cst_error *error)
{
    cst_csv csv;
    cst_status status = cst_table_open(t, path, &csv, error);
    if (status == CST_OK) status = read_rows(t, &csv, part, error);
    cst_csv_close(&csv);
    if (status == CST_OK && !t->ordered) status = cst_table_order(t, part->labels, part->n, error);
    return status;
}

/* ---- the data set -------------------------------------------------------------------------------------------- */

static const cst_key keys[] = {
    {.name = "train", .kind = CST_KEY_STRING, .offset = offsetof(csv_options, train), .help = "file"},
    {.name = "test",
     .kind = CST_KEY_STRING,
     .offset = offsetof(csv_options, test),
     .fallback = "",
     .help = "file; without one rows are drawn by test_size"},
    CST_TABLE_KEYS(csv_options, table),
    {.name = NULL},
};

static cst_status read_files(cst_config section, const csv_options *o, const char *train, const char *test,
                             uint64_t seed, cst_dataset *data, cst_error *error)
{
    cst_table t = {.section = section, .o = &o->table};
    cst_status status = read_part(&t, train, &data->train, error);
    if (status == CST_OK && test) status = read_part(&t, test, &data->test, error);
    data->x = cst_shape_1d(t.n_features);
    data->n_channels = t.n_features;
    data->n_classes = t.n_classes;
    data->n_targets = o->table.task == CST_REGRESSION ? t.n_targets : 0;
    cst_table_clear(&t);
    if (status == CST_OK) status = cst_dataset_cut(section, &o->common, seed, data, error);
    if (status == CST_OK) status = cst_dataset_normalize(data, o->common.normalize, error);
    return status;
}

static cst_status load(cst_config section, uint64_t seed, cst_dataset *data, cst_error *error)
{
    csv_options o = {0};
    CST_TRY(cst_dataset_read(section, keys, &o, data, error));
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
