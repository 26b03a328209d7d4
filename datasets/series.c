#include "datasets/series.h"

#include "core/array.h"
#include "core/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const cst_series_times[] = {[CST_SERIES_TIME_AUTO] = "auto",
                                        [CST_SERIES_TIME_NONE] = "none",
                                        [CST_SERIES_TIME_INDEX] = "index",
                                        [CST_SERIES_TIME_FILE] = "file",
                                        NULL};

/* ---- a file's series ----------------------------------------------------------------------------------------- */

void cst_series_clear(cst_series *s)
{
    free(s->lengths);
    free(s->times);
    free(s->values);
    free(s->labels);
    free(s->targets);
    *s = (cst_series){0};
}

/* `wanted`, or the capacity grown by half if that is more. */
static size_t grow(size_t capacity, size_t wanted)
{
    const size_t grown = capacity + capacity / 2;
    return wanted > grown ? wanted : grown;
}

cst_status cst_series_reserve(cst_series *s, size_t n, size_t n_times, cst_error *error)
{
    const bool more_series = !s->lengths || n > s->series_capacity,
               more_times = !s->values || n_times > s->times_capacity;
    if (!more_series && !more_times) return CST_OK;
    /* Both capacities; labels and targets have either. */
    const size_t rows = more_series ? grow(s->series_capacity, n) : s->series_capacity;
    const size_t times = more_times ? grow(s->times_capacity, n_times) : s->times_capacity;
    const size_t entries = s->stepwise ? times : rows;
    bool good = true;
    s->lengths = cst_array_resize(s->lengths, rows, sizeof *s->lengths, &good);
    s->values = cst_array_resize(s->values, cst_size_mul(times, s->channels), sizeof *s->values, &good);
    if (s->timed) s->times = cst_array_resize(s->times, times, sizeof *s->times, &good);
    if (s->labelled) s->labels = cst_array_resize(s->labels, entries, sizeof *s->labels, &good);
    if (s->n_targets > 0)
        s->targets = cst_array_resize(s->targets, cst_size_mul(entries, s->n_targets), sizeof *s->targets, &good);
    if (!good) return cst_fail(error, CST_ENOMEM, "%s: out of memory for %zu times of series", s->path, n_times);
    s->series_capacity = rows;
    s->times_capacity = times;
    return CST_OK;
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

/* How series become rows, and the state of that. */
typedef struct layout {
    const cst_series_options *o;
    cst_error *error;
    size_t steps, channels; /* T, C */
    size_t time;            /* number of time channels, 0 or 1 */
    size_t values;          /* number of value channels */
    bool from_file;         /* whether times are the file's time stamps */
    double origin;          /* the time stamp that is time 0 */
    cst_rng rng;            /* decides which values are removed; one stream per split */
    size_t *order;          /* (T), scratch */
    bool *dropped;          /* (T), of the current series */
} layout;

/* The number of times 0, k, 2 k, ... below `length`. */
static size_t steps_of(const layout *l, size_t length)
{
    return length / l->o->stride + (length % l->o->stride > 0);
}

/* Check that the series of a split are of the same kind as those of the training split. */
static cst_status check_alike(const cst_series *s, const cst_series *train, cst_error *error)
{
    if (s->channels != train->channels)
        return cst_fail(error, CST_EFORMAT, "%s: expected %zu channels as in %s, found %zu", s->path, train->channels,
                        train->path, s->channels);
    if (s->timed != train->timed)
        return cst_fail(error, CST_EFORMAT, "%s: expected series with%s time stamps as in %s", s->path,
                        train->timed ? "" : "out", train->path);
    if (s->labelled != train->labelled || s->stepwise != train->stepwise || s->n_targets != train->n_targets)
        return cst_fail(error, CST_EFORMAT, "%s: expected %s per %s as in %s", s->path,
                        train->labelled ? "a label" : "targets", train->stepwise ? "time" : "series", train->path);
    return CST_OK;
}

/* Whether a step between two time stamps can be wrong by more than 1 % in reals. The test is on the spacing of reals at t, not
 * on t itself, because numbers that are exact, such as integers, are rounded when they are normalized. */
static bool is_coarse(const cst_series *s)
{
    const double *t = s->times;
    for (size_t i = 0; i < s->n; t += s->lengths[i++]) {
        for (size_t k = 1; k < s->lengths[i]; k++) {
            if (fabs(t[k]) * (double)CST_REAL_EPSILON > 0.01 * (t[k] - t[k - 1])) return true;
        }
    }
    return false;
}

/* The time stamp that becomes 0: 0, or the earliest one of the training split if reals are too coarse. */
static double find_origin(const cst_series splits[3])
{
    if (!is_coarse(&splits[0]) && !is_coarse(&splits[1]) && !is_coarse(&splits[2])) return 0;
    double earliest = (double)INFINITY;
    for (size_t i = 0, first = 0; i < splits[0].n; first += splits[0].lengths[i++])
        earliest = fmin(earliest, splits[0].times[first]);
    return isfinite(earliest) ? earliest : 0;
}

/* Set the numbers of steps and channels, and how times are computed. */
static cst_status measure(layout *l, cst_config section, const cst_series splits[3], cst_error *error)
{
    const cst_series *train = &splits[0];
    /* All splits are alike, no series is empty, and T is the longest after `stride`. */
    for (size_t p = 0; p < 3; p++) {
        if (splits[p].n > 0) CST_TRY(check_alike(&splits[p], train, error));
        for (size_t i = 0; i < splits[p].n; i++) {
            const size_t length = splits[p].lengths[i];
            if (length == 0)
                return cst_fail(error, CST_EFORMAT, "%s: series %zu: expected at least one time, found none",
                                splits[p].path, i);
            if (steps_of(l, length) > l->steps) l->steps = steps_of(l, length);
        }
    }
    /* Time stamps are used if the file has them, unless the config says otherwise. */
    if (l->o->time == CST_SERIES_TIME_FILE && !train->timed)
        return cst_config_fail(cst_config_get(section, "time"), error,
                               "expected a file with time stamps, but %s has none", train->path);
    l->time = l->o->time == CST_SERIES_TIME_NONE ? 0 : 1;
    l->from_file = l->time > 0 && train->timed && l->o->time != CST_SERIES_TIME_INDEX;
    if (l->from_file) l->origin = find_origin(splits);
    /* The layout of a row: [time | values | intensity]. */
    l->values = train->channels;
    l->channels = cst_size_add(l->time, cst_size_mul(l->values, l->o->intensity ? 2 : 1));
    return CST_OK;
}

/* Choose the steps of a series that lose their values: the first ones of a permutation, with a margin for rounding errors in
 * their number. At least one step keeps its values. */
static void choose_dropped(const layout *l, size_t series, size_t steps)
{
    const size_t share = (size_t)(l->o->missing_rate * (double)steps + 1e-9);
    memset(l->dropped, 0, steps * sizeof *l->dropped);
    if (share == 0) return;
    cst_rng_permutation(cst_rng_split(l->rng, series), l->order, steps);
    for (size_t i = 0; i < share && i + 1 < steps; i++) l->dropped[l->order[i]] = true;
}

/* A time stamp as it is stored in a row. */
static real time_of(const layout *l, const cst_series *s, size_t place)
{
    return (real)(s->times[place] - l->origin);
}

/* Check that the times of each series are finite and increase, as reals. */
static cst_status check_times(const layout *l, const cst_series *s)
{
    for (size_t i = 0, place = 0; i < s->n; i++) {
        for (size_t k = 0; k < s->lengths[i]; k++, place++) {
            /* A number that is too large for a real is infinite. */
            if (!isfinite(time_of(l, s, place)))
                return cst_fail(l->error, CST_EFORMAT,
                                "%s: series %zu, time %zu: expected a finite number in the range of a " CST_REAL_NAME
                                ", found %g",
                                s->path, i, k, s->times[place]);
            /* Two different time stamps may be the same real. */
            if (k > 0 && !(time_of(l, s, place) > time_of(l, s, place - 1)))
                return cst_fail(l->error, CST_EFORMAT,
                                "%s: series %zu, time %zu: expected times that increase, found %.15g after %.15g "
                                "in a " CST_REAL_NAME "'s precision",
                                s->path, i, k, s->times[place], s->times[place - 1]);
        }
    }
    return CST_OK;
}

/* Fill the channels x of one time, which has the index `at` in its series and `place` in the file. The channels of the step
 * before precede x in memory; their counts are continued. */
static cst_status put_step(const layout *l, const cst_series *s, size_t series, size_t at, size_t place, bool dropped,
                           real *x)
{
    real *values = x + l->time, *counts = values + l->values;
    /* Channel 0 is the time. */
    if (l->time > 0) *x = l->from_file ? time_of(l, s, place) : (real)at;
    for (size_t c = 0; c < l->values; c++) {
        const real value = s->values[place * l->values + c];
        if (isinf(value))
            return cst_fail(l->error, CST_EFORMAT,
                            "%s: series %zu, time %zu, channel %zu: expected a number in the range of a " CST_REAL_NAME
                            ", found %g",
                            s->path, series, at, c, (double)value);
        /* A removed value is not counted either. */
        values[c] = dropped ? (real)NAN : value;
        if (l->o->intensity) counts[c] = (at > 0 ? *(counts + c - l->channels) : 0) + (isnan(values[c]) ? 0 : 1);
    }
    return CST_OK;
}

/* Copy the label or the targets of a time. */
static void put_target(const cst_series *s, size_t place, size_t step, cst_split *split)
{
    if (s->labelled) split->labels[step] = s->labels[place];
    if (s->n_targets > 0)
        memcpy(split->targets + step * s->n_targets, s->targets + place * s->n_targets,
               s->n_targets * sizeof *split->targets);
}

/* Fill row i of a split from the series that begins at `first`. The arrays have been filled with "missing" before. */
static cst_status put_series(const layout *l, const cst_series *s, size_t i, size_t first, cst_split *split)
{
    const size_t steps = steps_of(l, s->lengths[i]);
    choose_dropped(l, i, steps);
    for (size_t k = 0; k < steps; k++) {
        const size_t at = k * l->o->stride, step = i * l->steps + k;
        CST_TRY(put_step(l, s, i, at, first + at, l->dropped[k], split->values + step * l->channels));
        if (s->stepwise) put_target(s, first + at, step, split);
    }
    return CST_OK;
}

/* Fill with NaN. */
static void fill(real *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = (real)NAN;
}

/* Allocate the arrays of a split and fill them with "missing". Labels or targets per series are taken over instead. */
static cst_status allocate(const layout *l, const cst_series *s, cst_split *split)
{
    const size_t steps = cst_size_mul(s->n, l->steps), size = cst_size_mul(steps, l->channels);
    const size_t targets = cst_size_mul(steps, s->n_targets);
    split->values = cst_array_new(size, sizeof *split->values);
    if (s->stepwise && s->labelled) split->labels = cst_array_new(steps, sizeof *split->labels);
    if (s->stepwise && s->n_targets > 0) split->targets = cst_array_new(targets, sizeof *split->targets);
    if (!split->values || (s->stepwise && ((s->labelled && !split->labels) || (s->n_targets > 0 && !split->targets))))
        return cst_fail(l->error, CST_ENOMEM, "%s: out of memory for %zu series of %zu times", s->path, s->n, l->steps);
    /* -1 and NaN mean "missing". */
    fill(split->values, size);
    if (split->targets) fill(split->targets, targets);
    for (size_t i = 0; split->labels && i < steps; i++) split->labels[i] = -1;
    return CST_OK;
}

/* Make the rows of a split from its series. */
static cst_status make_split(const layout *l, cst_series *s, cst_split *split)
{
    if (s->n == 0) return CST_OK;
    if (l->from_file) CST_TRY(check_times(l, s));
    CST_TRY(allocate(l, s, split));
    for (size_t i = 0, first = 0; i < s->n; first += s->lengths[i++]) CST_TRY(put_series(l, s, i, first, split));
    /* Labels and targets per series need no copy: the split owns them from here on. */
    if (!s->stepwise) {
        split->labels = s->labels;
        split->targets = s->targets;
        s->labels = NULL;
        s->targets = NULL;
    }
    split->n = s->n;
    return CST_OK;
}

/* Make the rows of all splits. Series are cleared as soon as their rows exist, because both together take the most memory. */
static cst_status make_splits(layout *l, uint64_t seed, cst_series series[3], cst_dataset *data)
{
    cst_split *const splits[] = {&data->train, &data->validation, &data->test};
    /* Scratch memory for choose_dropped. */
    l->order = cst_array_new(l->steps, sizeof *l->order);
    l->dropped = cst_array_new(l->steps, sizeof *l->dropped);
    cst_status status = CST_OK;
    if (!l->order || !l->dropped) status = cst_fail(l->error, CST_ENOMEM, "out of memory for %zu times", l->steps);
    for (size_t p = 0; status == CST_OK && p < 3; p++) {
        l->rng = cst_rng_split(cst_rng_new(seed, CST_RNG_DATA), p);
        status = make_split(l, &series[p], splits[p]);
        cst_series_clear(&series[p]);
    }
    free(l->order);
    free(l->dropped);
    return status;
}

/* ---- the end of a loader ------------------------------------------------------------------------------------- */

/* A channel without values in the training split has no mean and std, and nothing can be learnt from it. */
static cst_status check_channels(const layout *l, const char *path, const cst_dataset *data)
{
    const size_t n = data->train.n * l->steps;
    for (size_t c = l->time; c < l->channels; c++) {
        size_t i = 0;
        while (i < n && isnan(data->train.values[i * l->channels + c])) i++;
        if (i == n)
            return cst_fail(l->error, CST_EFORMAT,
                            "%s: channel %zu: expected a value in the training split, found none", path, c - l->time);
    }
    return CST_OK;
}

cst_status cst_series_finish(cst_config section, const cst_series_options *options, uint64_t seed, cst_series splits[3],
                             cst_dataset *data, cst_error *error)
{
    /* The path is needed after the series have been cleared. */
    layout l = {.o = options, .error = error};
    const char *path = splits[0].path;
    CST_TRY(measure(&l, section, splits, error));
    data->x = (cst_shape){2, {l.steps, l.channels}};
    data->steps = splits[0].stepwise ? l.steps : 0;
    data->n_targets = cst_size_mul(splits[0].n_targets, splits[0].stepwise ? l.steps : 1);
    data->n_channels = l.channels;
    data->channels_last = true;
    CST_TRY(make_splits(&l, seed, splits, data));
    CST_TRY(cst_dataset_split(section, &options->common, seed, data, error));
    CST_TRY(check_channels(&l, path, data));
    return cst_dataset_normalize(data, options->common.normalize, error);
}
