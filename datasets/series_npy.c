#include "datasets/series_npy.h"

#include "datasets/npy_files.h"
#include "datasets/series.h"
#include "formats/npy.h"

#include <math.h>
#include <stdlib.h>

/* The values of the keys below. */
typedef struct options {
    cst_series_options series; /* first */
    cst_npy_files files;
    size_t classes;
} options;

static const cst_key keys[] = {
    CST_NPY_FILE_KEYS(options, files, "series (n, T, C), or (n, T) of one channel; NaN: missing", NULL,
                      "integers: labels (n) from 0, or (n, T), -1: none; floats: targets (n) or (n, k), or (n, T, k), "
                      "NaN: none"),
    CST_NPY_CLASSES_KEY(offsetof(options, classes)),
    CST_SERIES_KEYS,
    {.name = NULL},
};

/* ---- shapes -------------------------------------------------------------------------------------------------- */

/* The two arrays of a split. */
typedef struct pair {
    const char *x_path, *y_path;
    cst_npy x, y;
    size_t n, steps, width; /* x is (n, steps, width) */
    size_t k;               /* labels or targets in y, per series or per time */
    cst_error *error;
} pair;

/* CST_EFORMAT with the type and shape of an array. */
static cst_status fail_shape(const pair *p, const char *path, const cst_npy *array, const char *expected)
{
    char shape[CST_SHAPE_TEXT];
    return cst_fail(p->error, CST_EFORMAT, "%s: expected %s, found %s of shape %s", path, expected,
                    cst_npy_type_name(array->type), cst_shape_text(&array->shape, shape));
}

/* Check the shape of x, whose channel 0 is the time if `timed`, and describe the series. */
static cst_status check_x(pair *p, bool timed, cst_series *s)
{
    const cst_shape *shape = &p->x.shape;
    if ((shape->rank != 2 && shape->rank != 3) || cst_shape_size(shape) == 0)
        return fail_shape(p, p->x_path, &p->x, "series (n, T, C) or (n, T)");
    /* (n, T) is one channel. */
    p->n = shape->dim[0];
    p->steps = shape->dim[1];
    p->width = shape->rank == 3 ? shape->dim[2] : 1;
    if (timed && p->width == 1) return fail_shape(p, p->x_path, &p->x, "another channel beside the time");
    /* The time is no value channel. */
    s->path = p->x_path;
    s->timed = timed;
    s->channels = p->width - (timed ? 1 : 0);
    return CST_OK;
}

/* Check the shape of y, and describe the labels or targets. */
static cst_status check_y(pair *p, cst_series *s)
{
    const cst_shape *shape = &p->y.shape;
    const size_t rank = shape->rank;
    char found[CST_SHAPE_TEXT];
    if (rank == 0 || shape->dim[0] != p->n)
        return cst_fail(p->error, CST_EFORMAT,
                        "%s: expected labels or targets of %zu series, as many as %s has, found an array of shape %s",
                        p->y_path, p->n, p->x_path, cst_shape_text(shape, found));
    /* Integers are labels. An additional dimension means one per time. */
    s->labelled = !cst_npy_is_float(p->y.type);
    s->stepwise = rank == (s->labelled ? 2 : 3);
    p->k = !s->labelled && rank > 1 ? shape->dim[rank - 1] : 1;
    if (rank > (s->labelled ? 2 : 3) || p->k == 0)
        return fail_shape(p, p->y_path, &p->y,
                          s->labelled ? "labels (n) or (n, T)" : "targets (n), (n, k) or (n, T, k)");
    /* Labels or targets per time are for the same times as x. */
    if (s->stepwise && shape->dim[1] != p->steps)
        return cst_fail(p->error, CST_EFORMAT, "%s: expected %zu times as in %s, found an array of shape %s", p->y_path,
                        p->steps, p->x_path, cst_shape_text(shape, found));
    if (!s->labelled) s->n_targets = p->k;
    return CST_OK;
}

/* ---- series -------------------------------------------------------------------------------------------------- */

/* Whether one of `count` numbers is present: not NaN or, for labels, not -1. */
static bool any(const cst_npy *array, size_t first, size_t count, bool labels)
{
    for (size_t i = first; i < first + count; i++) {
        const double value = cst_npy_get(array, i);
        if (labels ? value != -1 : !isnan(value)) return true;
    }
    return false;
}

/* The length of series i: up to the last time at which a value or a label or target is present. */
static size_t length_of(const pair *p, const cst_series *s, size_t i)
{
    size_t length = p->steps;
    for (; length > 0; length--) {
        const size_t last = i * p->steps + length - 1;
        if (any(&p->x, last * p->width, p->width, false)) break;
        if (s->stepwise && any(&p->y, last * p->k, p->k, s->labelled)) break;
    }
    return length;
}

/* Copy a label; in a series with labels per time it may be -1. */
static cst_status put_label(const pair *p, size_t n_classes, size_t from, int32_t *label, bool stepwise)
{
    const double value = cst_npy_get(&p->y, from), least = stepwise ? -1 : 0;
    const double largest = n_classes > 0 && n_classes < INT32_MAX ? (double)n_classes - 1 : INT32_MAX - 1;
    /* The range depends on the number of classes if the config has one. */
    if (value >= least && value <= largest) {
        *label = (int32_t)value;
        return CST_OK;
    }
    return cst_fail(p->error, CST_EFORMAT, "%s: series %zu: expected a label from %.0f to %.0f, found %.0f", p->y_path,
                    stepwise ? from / p->steps : from, least, largest, value);
}

/* Gaps in targets (n, T) suggest that targets per time were meant; the message says how to store them. */
static cst_status fail_target(const pair *p, size_t from, bool stepwise, double value)
{
    const bool per_time = !stepwise && isnan(value) && p->y.shape.rank == 2 && p->k == p->steps;
    return cst_fail(p->error, CST_EFORMAT, "%s: series %zu: expected %s, found %g%s", p->y_path,
                    stepwise ? from / p->steps : from,
                    stepwise ? "numbers in the range of a " CST_REAL_NAME ", or NaN"
                             : "finite numbers in the range of a " CST_REAL_NAME,
                    value, per_time ? "; targets per time are (n, T, k)" : "");
}

/* Copy the label or the targets at index `from` of y to index `to` of the series. */
static cst_status put_target(const pair *p, size_t n_classes, size_t from, size_t to, cst_series *s)
{
    if (s->labelled) return put_label(p, n_classes, from, &s->labels[to], s->stepwise);
    for (size_t j = 0; j < p->k; j++) {
        const double value = cst_npy_get(&p->y, from * p->k + j);
        s->targets[to * p->k + j] = (real)value;
        if (!isfinite((real)value) && !(s->stepwise && isnan(value))) return fail_target(p, from, s->stepwise, value);
    }
    return CST_OK;
}

/* Copy one time: its time stamp and its channels. */
static void put_step(const pair *p, size_t from, size_t to, cst_series *s)
{
    const size_t first = s->timed ? 1 : 0;
    if (s->timed) s->times[to] = cst_npy_get(&p->x, from * p->width);
    for (size_t c = 0; c < s->channels; c++)
        s->values[to * s->channels + c] = (real)cst_npy_get(&p->x, from * p->width + first + c);
}

/* Copy all series of a split, one after the other. */
static cst_status put_series(const pair *p, size_t n_classes, cst_series *s)
{
    /* The lengths first: they tell how many times to reserve. */
    size_t times = 0, place = 0;
    CST_TRY(cst_series_reserve(s, p->n, 0, p->error));
    for (size_t i = 0; i < p->n; i++) times += s->lengths[i] = length_of(p, s, i);
    CST_TRY(cst_series_reserve(s, p->n, times, p->error));
    /* Then the contents; the padding at the end of a series is left out. */
    for (size_t i = 0; i < p->n; i++) {
        if (!s->stepwise) CST_TRY(put_target(p, n_classes, i, i, s));
        for (size_t k = 0; k < s->lengths[i]; k++, place++) {
            const size_t from = i * p->steps + k;
            put_step(p, from, place, s);
            if (s->stepwise) CST_TRY(put_target(p, n_classes, from, place, s));
        }
    }
    s->n = p->n;
    return CST_OK;
}

/* ---- the data set -------------------------------------------------------------------------------------------- */

/* Read the two files of a split. */
static cst_status read_split(pair *p, const options *o, cst_series *s)
{
    CST_TRY(cst_npy_read(p->x_path, &p->x, p->error));
    CST_TRY(cst_npy_read(p->y_path, &p->y, p->error));
    CST_TRY(check_x(p, o->series.time == CST_SERIES_TIME_FILE, s));
    CST_TRY(check_y(p, s));
    return put_series(p, o->classes, s);
}

/* The largest label of a split plus one, at least 1. */
static size_t count_classes(const cst_series *s)
{
    size_t n = 0, classes = 1;
    for (size_t i = 0; i < s->n; i++) n += s->stepwise ? s->lengths[i] : 1;
    for (size_t i = 0; i < n; i++) {
        if (s->labels[i] >= 0 && (size_t)s->labels[i] >= classes) classes = (size_t)s->labels[i] + 1;
    }
    return classes;
}

/* Read all splits. The number of classes is that of the config, or the largest label of all splits plus one. */
static cst_status read_files(cst_config section, const options *o, char *const path[CST_NPY_FILES],
                             cst_series splits[3], cst_dataset *data, cst_error *error)
{
    for (size_t i = 0; i < 3; i++) {
        if (!path[2 * i]) continue;
        pair p = {.x_path = path[2 * i], .y_path = path[2 * i + 1], .error = error};
        const cst_status status = read_split(&p, o, &splits[i]);
        cst_npy_clear(&p.x);
        cst_npy_clear(&p.y);
        CST_TRY(status);
        /* The largest label of all splits determines the number of classes. */
        const size_t classes = splits[i].labelled ? count_classes(&splits[i]) : 0;
        if (classes > data->n_classes) data->n_classes = classes;
    }
    if (o->classes == 0) return CST_OK;
    if (!splits[0].labelled)
        return cst_config_fail(cst_config_get(section, "classes"), error, "expected labels with it, but %s has floats",
                               path[1]);
    data->n_classes = o->classes;
    return CST_OK;
}

static cst_status load(const cst_dataset_type *type, cst_config section, uint64_t seed, cst_dataset *data,
                       cst_error *error)
{
    options o = {0};
    char *path[CST_NPY_FILES] = {0};
    cst_series splits[3] = {0};
    CST_TRY(cst_dataset_read(section, type->keys, &o, data, error));
    /* Find the files, read them, and make rows of their series. */
    cst_status status = cst_npy_files_locate(section, &o.files, path, error);
    if (status == CST_OK) status = read_files(section, &o, path, splits, data, error);
    if (status == CST_OK) status = cst_series_finish(section, &o.series, seed, splits, data, error);
    for (size_t i = 0; i < 3; i++) cst_series_clear(&splits[i]);
    for (size_t i = 0; i < CST_NPY_FILES; i++) free(path[i]);
    return status;
}

const cst_dataset_type cst_series_npy_type = {"series_npy", "time series in NumPy's .npy files, with gaps or without",
                                              keys, load};
