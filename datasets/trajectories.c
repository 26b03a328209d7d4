#include "datasets/trajectories.h"

#include "core/array.h"
#include "datasets/locate.h"
#include "formats/npy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- windows ------------------------------------------------------------------------------------------------- */

cst_status cst_trajectories_init(cst_split *split, size_t n, size_t n_points, size_t width, cst_error *error)
{
    const size_t size = cst_size_mul(n, cst_size_mul(n_points, width));
    *split = (cst_split){.n_trajectories = n, .n_points = n_points};
    split->trajectories = cst_array_new(size, sizeof *split->trajectories);
    if (split->trajectories) return CST_OK;
    return cst_fail(error, CST_ENOMEM, "out of memory for %zu trajectories of %zu points", n, n_points);
}

/* Make the rows of a split. The targets of a row are W D consecutive numbers of its trajectory, x is the first D of them. */
static cst_status cut_split(cst_split *split, size_t width, size_t window, cst_error *error)
{
    const size_t starts = split->n_points - window + 1, length = window * width, row = sizeof *split->values;
    const size_t n = cst_size_mul(split->n_trajectories, starts);
    split->values = cst_array_new(cst_size_mul(n, width), row);
    split->targets = cst_array_new(cst_size_mul(n, length), row);
    if (!split->values || !split->targets)
        return cst_fail(error, CST_ENOMEM, "out of memory for %zu windows of %zu points", n, window);
    /* Row i is window i mod `starts` of trajectory i / starts. */
    split->n = n;
    for (size_t i = 0; i < n; i++) {
        const real *first = split->trajectories + (i / starts * split->n_points + i % starts) * width;
        memcpy(split->values + i * width, first, width * row);
        memcpy(split->targets + i * length, first, length * row);
    }
    return CST_OK;
}

cst_status cst_trajectories_cut(cst_config section, const cst_window_options *options, uint64_t seed, cst_dataset *data,
                                cst_error *error)
{
    const size_t width = cst_shape_size(&data->x), window = options->window;
    cst_split *const splits[] = {&data->train, &data->validation, &data->test};
    /* Make the windows of each split. */
    for (size_t p = 0; p < 3; p++) {
        if (splits[p]->n_trajectories == 0) continue;
        if (window > splits[p]->n_points)
            return cst_config_fail(cst_config_get(section, "window"), error,
                                   "expected at most %zu, the points of a trajectory, got %zu", splits[p]->n_points,
                                   window);
        CST_TRY(cut_split(splits[p], width, window, error));
    }
    /* A split without trajectories must stay empty: windows drawn from the training split would overlap with those that
     * stay there. */
    const size_t sizes[] = {0, options->common.validation_size, options->common.test_size};
    const char *const keys[] = {NULL, "validation_size", "test_size"};
    for (size_t p = 1; p < 3; p++) {
        if (splits[p]->n == 0 && sizes[p] > 0)
            return cst_config_fail(cst_config_get(section, keys[p]), error,
                                   "expected 0, because this split has no trajectories, got %zu", sizes[p]);
    }
    /* Describe the rows, then keep as many as the options ask for. */
    data->n_targets = cst_size_mul(window, width);
    data->n_channels = options->common.normalize ? width : 0;
    CST_TRY(cst_dataset_split(section, &options->common, seed, data, error));
    return cst_dataset_normalize(data, options->common.normalize, error);
}

/* ---- the data set -------------------------------------------------------------------------------------------- */

enum { TRAIN, VALIDATION, TEST, N_SPLITS };

typedef struct trajectories_options {
    cst_window_options windows; /* first */
    const char *path;
    const char *file[N_SPLITS];
    double fraction[N_SPLITS]; /* share of the training file's trajectories, for a split without a file */
} trajectories_options;

#define FIELD(name) offsetof(trajectories_options, name)

static const cst_key keys[] = {
    CST_FOLDER_KEY(FIELD(path)),
    CST_PATH_KEY("file", FIELD(file[TRAIN]), NULL,
                 "trajectories (R, T, D), floats: R trajectories of T points of D numbers"),
    CST_PATH_KEY("validation_file", FIELD(file[VALIDATION]), "",
                 "the same for validation; without one, trajectories are taken by validation_fraction"),
    CST_PATH_KEY("test_file", FIELD(file[TEST]), "",
                 "the same for the test; without one, trajectories are taken by test_fraction"),
    {.name = "validation_fraction",
     .kind = CST_KEY_REAL,
     .offset = FIELD(fraction[VALIDATION]),
     .fallback = "0.15",
     .range = CST_BETWEEN(0, 1),
     .help = "share of the training file's trajectories used for validation, those before the test ones; rounded down"},
    {.name = "test_fraction",
     .kind = CST_KEY_REAL,
     .offset = FIELD(fraction[TEST]),
     .fallback = "0.15",
     .range = CST_BETWEEN(0, 1),
     .help = "share of the training file's trajectories used for the test, the last ones; rounded down"},
    CST_WINDOW_KEYS(NULL),
    {.name = NULL},
};

/* CST_EFORMAT at the first number that is not finite as a real. */
static cst_status check_finite(const char *path, const cst_npy *array, cst_error *error)
{
    const size_t *dim = array->shape.dim, i = cst_npy_first_nonfinite(array), point = i / dim[2];
    if (i == cst_shape_size(&array->shape)) return CST_OK;
    /* Name the trajectory, the point and the entry. */
    const double value = cst_npy_get(array, i);
    return cst_fail(
        error, CST_EFORMAT, "%s: trajectory %zu, point %zu, entry %zu: expected a finite number%s, found %g", path,
        point / dim[1], point % dim[1], i % dim[2], isfinite(value) ? " in single precision's range" : "", value);
}

/* Check the type and shape of a file's array. x is the shape of a point, of rank 0 while it is unknown. */
static cst_status check_array(const char *path, const char *train, const cst_npy *array, size_t window,
                              const cst_shape *x, cst_error *error)
{
    char found[CST_SHAPE_TEXT];
    const cst_shape *shape = &array->shape;
    cst_shape_text(shape, found);
    if (shape->rank != 3 || cst_shape_size(shape) == 0 || !cst_npy_is_float(array->type))
        return cst_fail(error, CST_EFORMAT,
                        "%s: expected trajectories, floats of shape (R, T, D), found %s of shape %s", path,
                        cst_npy_type_name(array->type), found);
    /* At least one window must fit, and points must be those of the training file. */
    if (shape->dim[1] < window)
        return cst_fail(error, CST_EFORMAT, "%s: expected trajectories of at least %zu points, a window, found %zu",
                        path, window, shape->dim[1]);
    if (x->rank > 0 && shape->dim[2] != x->dim[0])
        return cst_fail(error, CST_EFORMAT, "%s: expected points of %zu numbers as in %s, found %zu", path, x->dim[0],
                        train, shape->dim[2]);
    return check_finite(path, array, error);
}

/* Read the trajectories of one split. */
static cst_status read_split(const char *path, const char *train, size_t window, cst_shape *x, cst_split *split,
                             cst_error *error)
{
    cst_npy array;
    CST_TRY(cst_npy_read(path, &array, error));
    /* The split takes over the numbers. */
    const cst_shape shape = array.shape;
    cst_status status = check_array(path, train, &array, window, x, error);
    if (status == CST_OK) status = cst_npy_take_reals(path, &array, &split->trajectories, error);
    if (status == CST_OK) {
        split->n_trajectories = shape.dim[0];
        split->n_points = shape.dim[1];
        *x = cst_shape_1d(shape.dim[2]);
    }
    cst_npy_clear(&array);
    return status;
}

/* Move the last n trajectories of the training split to another split. */
static cst_status move_last(cst_split *train, size_t n, size_t width, cst_split *to, cst_error *error)
{
    const size_t length = train->n_points * width;
    if (n == 0) return CST_OK;
    CST_TRY(cst_trajectories_init(to, n, train->n_points, width, error));
    train->n_trajectories -= n;
    memcpy(to->trajectories, train->trajectories + train->n_trajectories * length, n * length * sizeof(real));
    return CST_OK;
}

/* fraction * n, rounded down, with a margin for rounding errors: 0.29 * 100 is 29. */
static size_t share(double fraction, size_t n)
{
    return (size_t)(fraction * (double)n + 1e-9);
}

static cst_status load_files(cst_config section, const trajectories_options *o, char *const path[N_SPLITS],
                             uint64_t seed, cst_dataset *data, cst_error *error)
{
    /* The splits that have files of their own. */
    cst_split *const splits[] = {&data->train, &data->validation, &data->test};
    for (size_t p = 0; p < N_SPLITS; p++) {
        if (path[p]) CST_TRY(read_split(path[p], path[TRAIN], o->windows.window, &data->x, splits[p], error));
    }
    /* The others get trajectories from the end of the training split. */
    const size_t n = data->train.n_trajectories;
    const size_t validation = path[VALIDATION] ? 0 : share(o->fraction[VALIDATION], n);
    const size_t test = path[TEST] ? 0 : share(o->fraction[TEST], n);
    if (validation + test >= n)
        return cst_config_fail(section, error,
                               "expected a trajectory of %s that is left to train on, found %zu of %zu for validation "
                               "and %zu for the test",
                               path[TRAIN], validation, n, test);
    /* The test split gets the very last ones. */
    CST_TRY(move_last(&data->train, test, data->x.dim[0], &data->test, error));
    CST_TRY(move_last(&data->train, validation, data->x.dim[0], &data->validation, error));
    return cst_trajectories_cut(section, &o->windows, seed, data, error);
}

static cst_status load(const cst_dataset_type *type, cst_config section, uint64_t seed, cst_dataset *data,
                       cst_error *error)
{
    trajectories_options o = {0};
    char *path[N_SPLITS] = {0};
    CST_TRY(cst_dataset_read(section, type->keys, &o, data, error));
    /* Find the files, then read them. */
    cst_status status = cst_locate_files(o.path, o.file, N_SPLITS, path, error);
    if (status == CST_OK) status = load_files(section, &o, path, seed, data, error);
    for (size_t p = 0; p < N_SPLITS; p++) free(path[p]);
    return status;
}

const cst_dataset_type cst_trajectories_type = {"trajectories", "windows of trajectories in NumPy's .npy files", keys,
                                                load};
