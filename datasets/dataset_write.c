#include "datasets/dataset_write.h"

#include "core/file.h"

#include <stdio.h>
#include <stdlib.h>

/* The arguments of cst_dataset_write. */
typedef struct writer {
    const char *folder;
    cst_wrote wrote;
    void *context;
    cst_error *error;
} writer;

/* Write SPLIT_WHAT.npy, n rows of the shape `row`. A no-op if the array is NULL. */
static cst_status write_array(const writer *w, const char *split, const char *what, cst_npy_type type, size_t n,
                              const cst_shape *row, const void *array)
{
    if (!array) return CST_OK;
    char name[64];
    if (row->rank >= CST_MAX_RANK)
        return cst_fail(w->error, CST_EUNSUPPORTED, "expected rows of at most %d dimensions, got %zu", CST_MAX_RANK - 1,
                        row->rank);
    /* The file's shape is (n, row). */
    const cst_shape shape = cst_shape_rows(n, row);
    snprintf(name, sizeof name, "%s_%s.npy", split, what);
    char *path = cst_path_join(w->folder, name);
    if (!path) return cst_fail(w->error, CST_ENOMEM, "out of memory");
    const cst_status status = cst_npy_write(path, type, &shape, array, w->error);
    free(path);
    if (status == CST_OK && w->wrote) w->wrote(w->context, name, type, &shape);
    return status;
}

/* Write the arrays that a split has. */
static cst_status write_split(const writer *w, const char *name, const cst_dataset *data, const cst_split *split)
{
    /* Shapes of a row of labels, of targets, and of a trajectory. */
    const cst_shape label = {data->steps > 0 ? 1 : 0, {data->steps}};
    const cst_shape target =
        data->steps > 0 ? (cst_shape){2, {data->steps, data->n_targets / data->steps}} : cst_shape_1d(data->n_targets);
    const cst_shape trajectory = {2, {split->n_points, cst_shape_size(&data->x)}};
    /* A split has either bytes or values, and either labels or targets or neither. */
    CST_TRY(write_array(w, name, "x", CST_NPY_U1, split->n, &data->x, split->bytes));
    CST_TRY(write_array(w, name, "x", CST_NPY_REAL, split->n, &data->x, split->values));
    CST_TRY(write_array(w, name, "y", CST_NPY_I4, split->n, &label, split->labels));
    CST_TRY(write_array(w, name, "y", CST_NPY_REAL, split->n, &target, split->targets));
    return write_array(w, name, "trajectories", CST_NPY_REAL, split->n_trajectories, &trajectory, split->trajectories);
}

cst_status cst_dataset_write(const cst_dataset *data, const char *folder, cst_wrote wrote, void *context,
                             cst_error *error)
{
    const writer w = {folder, wrote, context, error};
    CST_TRY(write_split(&w, "train", data, &data->train));
    CST_TRY(write_split(&w, "validation", data, &data->validation));
    return write_split(&w, "test", data, &data->test);
}
