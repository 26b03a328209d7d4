#include "datasets/npy_dataset.h"

#include "datasets/npy_files.h"
#include "formats/npy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- arrays -------------------------------------------------------------------------------------------------- */

/* Take over the numbers of an array as reals, `row` per row. CST_EFORMAT for a number that is not finite as a real. */
static cst_status to_reals(const char *path, cst_npy *array, size_t row, real **reals, cst_error *error)
{
    const size_t n = cst_shape_size(&array->shape), i = cst_npy_first_nonfinite(array);
    if (i == n) return cst_npy_take_reals(path, array, reals, error);
    const double value = cst_npy_get(array, i);
    return cst_fail(error, CST_EFORMAT, "%s: row %zu: expected finite numbers%s, found %g", path, i / row,
                    isfinite(value) ? " in single precision's range" : "", value);
}

/* Read the rows of a split. *x is the shape of a row, of rank 0 while it is unknown. */
static cst_status read_x(const char *path, cst_shape *x, cst_split *split, cst_error *error)
{
    cst_npy array;
    char found[CST_SHAPE_TEXT], known[CST_SHAPE_TEXT];
    CST_TRY(cst_npy_read(path, &array, error));
    cst_shape shape = array.shape, row = cst_shape_1d(1); /* (n) is rows of one number */
    if (shape.rank > 1) {
        row.rank = shape.rank - 1;
        memcpy(row.dim, shape.dim + 1, row.rank * sizeof row.dim[0]);
    }
    /* The array has rows, like those of the training split. */
    cst_status status = CST_OK;
    if (shape.rank == 0 || cst_shape_size(&shape) == 0) {
        status = cst_fail(error, CST_EFORMAT, "%s: expected rows of numbers, (n, ...), found an array of shape %s",
                          path, cst_shape_text(&shape, found));
    } else if (x->rank > 0 && !cst_shape_equal(x, &row)) {
        status = cst_fail(error, CST_EFORMAT, "%s: expected rows of %s as in the training split, found %s", path,
                          cst_shape_text(x, known), cst_shape_text(&row, found));
    }
    /* Bytes stay bytes. */
    split->n = status == CST_OK ? shape.dim[0] : 0;
    if (status == CST_OK && array.type == CST_NPY_U1) {
        split->bytes = array.data; /* the split owns them from here on */
        array.data = NULL;
    } else if (status == CST_OK) {
        status = to_reals(path, &array, cst_shape_size(&row), &split->values, error);
    }
    *x = row;
    cst_npy_clear(&array);
    return status;
}

/* Labels (n) of integers from 0 to n_classes - 1; n_classes 0: any. */
static cst_status read_labels(const char *path, const cst_npy *array, size_t n_classes, cst_split *split,
                              cst_error *error)
{
    char found[CST_SHAPE_TEXT];
    if (array->shape.rank != 1)
        return cst_fail(error, CST_EFORMAT, "%s: expected labels of shape (n), found integers of shape %s", path,
                        cst_shape_text(&array->shape, found));
    /* No overflow: a file of at least n bytes has been read. */
    split->labels = malloc((split->n > 0 ? split->n : 1) * sizeof *split->labels);
    if (!split->labels) return cst_fail(error, CST_ENOMEM, "%s: out of memory for %zu labels", path, split->n);
    const double largest = n_classes > 0 && n_classes < INT32_MAX ? (double)n_classes - 1 : INT32_MAX - 1;
    for (size_t i = 0; i < split->n; i++) {
        const double label = cst_npy_get(array, i);
        if (!(label >= 0 && label <= largest))
            return cst_fail(error, CST_EFORMAT, "%s: row %zu: expected a label from 0 to %.0f, found %.0f", path, i,
                            largest, label);
        split->labels[i] = (int32_t)label;
    }
    return CST_OK;
}

/* Targets (n) or (n, k) of floats. *n_targets is k, 0 while it is unknown. */
static cst_status read_targets(const char *path, cst_npy *array, size_t *n_targets, cst_split *split, cst_error *error)
{
    char found[CST_SHAPE_TEXT];
    const cst_shape *shape = &array->shape;
    const size_t k = shape->rank == 2 ? shape->dim[1] : 1;
    if (shape->rank > 2 || k == 0)
        return cst_fail(error, CST_EFORMAT, "%s: expected targets of shape (n) or (n, k), found %s of shape %s", path,
                        cst_npy_type_name(array->type), cst_shape_text(shape, found));
    if (*n_targets > 0 && k != *n_targets)
        return cst_fail(error, CST_EFORMAT, "%s: expected %zu targets per row as in the training split, found %zu",
                        path, *n_targets, k);
    /* The training split determines k. */
    *n_targets = k;
    return to_reals(path, array, k, &split->targets, error);
}

/* Read the labels or targets of a split, as the array's type tells. */
static cst_status read_y(const char *path, const char *x_path, size_t n_classes, cst_split *split, size_t *n_targets,
                         cst_error *error)
{
    cst_npy array;
    CST_TRY(cst_npy_read(path, &array, error));
    cst_status status = CST_OK;
    /* One entry per row of x; floats are targets, all other types labels. */
    if (array.shape.rank == 0 || array.shape.dim[0] != split->n) {
        char found[CST_SHAPE_TEXT];
        status = cst_fail(error, CST_EFORMAT, "%s: expected %zu rows, as many as %s has, found an array of shape %s",
                          path, split->n, x_path, cst_shape_text(&array.shape, found));
    } else if (cst_npy_is_float(array.type)) {
        status = read_targets(path, &array, n_targets, split, error);
    } else {
        status = read_labels(path, &array, n_classes, split, error);
    }
    cst_npy_clear(&array);
    return status;
}

/* ---- the data set -------------------------------------------------------------------------------------------- */

/* The values of the keys below. */
typedef struct npy_options {
    cst_dataset_options common; /* first */
    cst_npy_files files;
    size_t classes;
} npy_options;

static const cst_key keys[] = {
    CST_NPY_FILE_KEYS(npy_options, files, "rows (n, ...); bytes are scaled by 1/255", "",
                      "integers: labels (n) from 0; floats: targets (n) or (n, k) of a regression; none: rows alone, "
                      "for models of densities"),
    CST_NPY_CLASSES_KEY(offsetof(npy_options, classes)),
    {.name = NULL},
};

/* Check that a split has labels if the training split has them, and targets otherwise. */
static cst_status check_kind(char *const path[CST_NPY_FILES], size_t y, const cst_split *split, const cst_split *train,
                             cst_error *error)
{
    if (!split->labels == !train->labels) return CST_OK;
    return cst_fail(error, CST_EFORMAT, "%s: expected %s as in %s, found %s", path[y],
                    train->labels ? "integers, labels," : "floats, targets,", path[1],
                    split->labels ? "integers" : "floats");
}

/* 0 for a split without rows. */
static size_t largest_label(const cst_split *split)
{
    int32_t largest = 0;
    for (size_t i = 0; i < split->n; i++) largest = split->labels[i] > largest ? split->labels[i] : largest;
    return (size_t)largest;
}

static cst_status load_files(cst_config section, const npy_options *o, char *const path[CST_NPY_FILES], uint64_t seed,
                             cst_dataset *data, cst_error *error)
{
    /* Read the splits that have files; the training split comes first. */
    cst_split *const splits[] = {&data->train, &data->validation, &data->test};
    size_t largest = 0;
    for (size_t x = 0; x < CST_NPY_FILES; x += 2) {
        cst_split *split = splits[x / 2];
        const size_t y = x + 1;
        if (!path[x]) continue;
        CST_TRY(read_x(path[x], &data->x, split, error));
        if (!path[y]) continue;
        CST_TRY(read_y(path[y], path[x], o->classes, split, &data->n_targets, error));
        CST_TRY(check_kind(path, y, split, &data->train, error));
        if (split->labels && largest_label(split) > largest) largest = largest_label(split);
    }
    /* The number of classes: from the config, or the largest label of all splits plus one. */
    if (o->classes > 0 && !data->train.labels)
        return cst_config_fail(cst_config_get(section, "classes"), error, "expected labels with it, but %s%s",
                               path[1] ? path[1] : "train_y is missing", path[1] ? " has floats" : "");
    if (data->train.labels) data->n_classes = o->classes > 0 ? o->classes : 1 + largest;
    /* Normalized per column, per channel, or as a whole. */
    data->n_channels = data->x.rank == 1 || data->x.rank == 3 ? data->x.dim[0] : 1;
    CST_TRY(cst_dataset_split(section, &o->common, seed, data, error));
    return cst_dataset_normalize(data, o->common.normalize, error);
}

static cst_status load(const cst_dataset_type *type, cst_config section, uint64_t seed, cst_dataset *data,
                       cst_error *error)
{
    npy_options o = {0};
    char *path[CST_NPY_FILES] = {0};
    CST_TRY(cst_dataset_read(section, type->keys, &o, data, error));
    /* Find the files, then read them. */
    cst_status status = cst_npy_files_locate(section, &o.files, path, error);
    if (status == CST_OK) status = load_files(section, &o, path, seed, data, error);
    for (size_t i = 0; i < CST_NPY_FILES; i++) free(path[i]);
    return status;
}

const cst_dataset_type cst_npy_dataset_type = {"npy", "rows, with labels, targets or neither, in NumPy's .npy files",
                                               keys, load};
