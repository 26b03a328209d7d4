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

/* `wanted`, or half as much again as there is. */
static size_t more_room(size_t room, size_t wanted)
{
    const size_t grown = room + room / 2;
    return wanted > grown ? wanted : grown;
}

cst_status cst_series_reserve(cst_series *s, size_t n, size_t n_times, cst_error *error)
{
    const bool more_series = !s->lengths || n > s->series_room, more_times = !s->values || n_times > s->times_room;
    if (!more_series && !more_times) return CST_OK;
    const size_t rows = more_series ? more_room(s->series_room, n) : s->series_room;
    const size_t times = more_times ? more_room(s->times_room, n_times) : s->times_room;
    const size_t answers = s->stepwise ? times : rows;
    bool good = true;
    s->lengths = cst_array_resize(s->lengths, rows, sizeof *s->lengths, &good);
    s->values = cst_array_resize(s->values, cst_size_mul(times, s->channels), sizeof *s->values, &good);
    if (s->timed) s->times = cst_array_resize(s->times, times, sizeof *s->times, &good);
    if (s->labelled) s->labels = cst_array_resize(s->labels, answers, sizeof *s->labels, &good);
    if (s->n_targets > 0)
        s->targets = cst_array_resize(s->targets, cst_size_mul(answers, s->n_targets), sizeof *s->targets, &good);
    if (!good) return cst_fail(error, CST_ENOMEM, "%s: out of memory for %zu times of series", s->path, n_times);
    s->series_room = rows;
    s->times_room = times;
    return CST_OK;
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

/* How the series of all parts become rows. */
typedef struct layout {
    const cst_series_options *o;
    cst_error *error;
    size_t steps, channels; /* T, C */
    size_t time;            /* channels of time, 0 or 1, and behind them: */
    size_t values;          /* those of a file's values */
    bool from_file;         /* the time is the file's */
    double origin;          /* what it is counted from */
    cst_rng rng;            /* of what is dropped; the part's */
    size_t *order;          /* (T), scratch */
    bool *dropped;          /* (T) of the series at hand */
} layout;

static size_t steps_of(const layout *l, size_t length)
{
    return length / l->o->stride + (length % l->o->stride > 0);
}

/* That a part's series are of the kind that the training part's are. */
static cst_status check_alike(const cst_series *s, const cst_series *train, cst_error *error)
{
    if (s->channels != train->channels)
        return cst_fail(error, CST_EFORMAT, "%s: expected %zu channels as in %s, found %zu", s->path, train->channels,
                        train->path, s->channels);
    if (s->timed != train->timed)
        return cst_fail(error, CST_EFORMAT, "%s: expected series with%s times as in %s", s->path,
                        train->timed ? "" : "out", train->path);
    if (s->labelled != train->labelled || s->stepwise != train->stepwise || s->n_targets != train->n_targets)
        return cst_fail(error, CST_EFORMAT, "%s: expected %s of each %s as in %s", s->path,
                        train->labelled ? "a label" : "targets", train->stepwise ? "time" : "series", train->path);
    return CST_OK;
}

/* Whether the step between two of the file's times may be off by more than 1 % as reals have it. It need not be: what is
 * exact, such as whole numbers, is rounded once it is normalized. */
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

/* What the file's times are counted from: 0, or the training part's earliest. */
static double find_origin(const cst_series parts[3])
{
    if (!is_coarse(&parts[0]) && !is_coarse(&parts[1]) && !is_coarse(&parts[2])) return 0;
    double earliest = (double)INFINITY;
    for (size_t i = 0, first = 0; i < parts[0].n; first += parts[0].lengths[i++])
        earliest = fmin(earliest, parts[0].times[first]);
    return isfinite(earliest) ? earliest : 0;
}

static cst_status measure(layout *l, cst_config section, const cst_series parts[3], cst_error *error)
{
    const cst_series *train = &parts[0];
    for (size_t p = 0; p < 3; p++) {
        if (parts[p].n > 0) CST_TRY(check_alike(&parts[p], train, error));
        for (size_t i = 0; i < parts[p].n; i++) {
            const size_t length = parts[p].lengths[i];
            if (length == 0)
                return cst_fail(error, CST_EFORMAT, "%s: series %zu: expected at least one time, found none",
                                parts[p].path, i);
            if (steps_of(l, length) > l->steps) l->steps = steps_of(l, length);
        }
    }
    if (l->o->time == CST_SERIES_TIME_FILE && !train->timed)
        return cst_config_fail(cst_config_get(section, "time"), error, "expected a file with times, but %s has none",
                               train->path);
    l->time = l->o->time == CST_SERIES_TIME_NONE ? 0 : 1;
    l->from_file = l->time > 0 && train->timed && l->o->time != CST_SERIES_TIME_INDEX;
    if (l->from_file) l->origin = find_origin(parts);
    l->values = train->channels;
    l->channels = cst_size_add(l->time, cst_size_mul(l->values, l->o->intensity ? 2 : 1));
    return CST_OK;
}

/* Which of a series' steps lose their values: the first of a permutation. What falls short of a whole number by rounding
 * errors is one; one step at least stays. */
static void choose_dropped(const layout *l, size_t series, size_t steps)
{
    const size_t share = (size_t)(l->o->missing_rate * (double)steps + 1e-9);
    memset(l->dropped, 0, steps * sizeof *l->dropped);
    if (share == 0) return;
    cst_rng_permutation(cst_rng_split(l->rng, series), l->order, steps);
    for (size_t i = 0; i < share && i + 1 < steps; i++) l->dropped[l->order[i]] = true;
}

static real time_of(const layout *l, const cst_series *s, size_t place)
{
    return (real)(s->times[place] - l->origin);
}

/* The file's times, which increase within each series as reals do. */
static cst_status check_times(const layout *l, const cst_series *s)
{
    for (size_t i = 0, place = 0; i < s->n; i++) {
        for (size_t k = 0; k < s->lengths[i]; k++, place++) {
            if (!isfinite(time_of(l, s, place)))
                return cst_fail(l->error, CST_EFORMAT,
                                "%s: series %zu, time %zu: expected a finite number in the range of a " CST_REAL_NAME
                                ", found %g",
                                s->path, i, k, s->times[place]);
            if (k > 0 && !(time_of(l, s, place) > time_of(l, s, place - 1)))
                return cst_fail(l->error, CST_EFORMAT,
                                "%s: series %zu, time %zu: expected times that increase, found %.15g after %.15g "
                                "in a " CST_REAL_NAME "'s precision",
                                s->path, i, k, s->times[place], s->times[place - 1]);
        }
    }
    return CST_OK;
}

/* The channels x of one time of a series, index `at` in it and `place` in the file; those of the time before stand right
 * before them. */
static cst_status put_step(const layout *l, const cst_series *s, size_t series, size_t at, size_t place, bool dropped,
                           real *x)
{
    real *values = x + l->time, *counts = values + l->values;
    if (l->time > 0) *x = l->from_file ? time_of(l, s, place) : (real)at;
    for (size_t c = 0; c < l->values; c++) {
        const real value = s->values[place * l->values + c];
        if (isinf(value))
            return cst_fail(l->error, CST_EFORMAT,
                            "%s: series %zu, time %zu, channel %zu: expected a number in the range of a " CST_REAL_NAME
                            ", found %g",
                            s->path, series, at, c, (double)value);
        values[c] = dropped ? (real)NAN : value;
        if (l->o->intensity) counts[c] = (at > 0 ? *(counts + c - l->channels) : 0) + (isnan(values[c]) ? 0 : 1);
    }
    return CST_OK;
}

/* What is to be learnt at a time. */
static void put_answer(const cst_series *s, size_t place, size_t step, cst_part *part)
{
    if (s->labelled) part->labels[step] = s->labels[place];
    if (s->n_targets > 0)
        memcpy(part->targets + step * s->n_targets, s->targets + place * s->n_targets,
               s->n_targets * sizeof *part->targets);
}

/* Row i of the part from the series that begins at `first`; the arrays are filled with what stands for nothing. */
static cst_status put_series(const layout *l, const cst_series *s, size_t i, size_t first, cst_part *part)
{
    const size_t steps = steps_of(l, s->lengths[i]);
    choose_dropped(l, i, steps);
    for (size_t k = 0; k < steps; k++) {
        const size_t at = k * l->o->stride, step = i * l->steps + k;
        CST_TRY(put_step(l, s, i, at, first + at, l->dropped[k], part->values + step * l->channels));
        if (s->stepwise) put_answer(s, first + at, step, part);
    }
    return CST_OK;
}

static void fill(real *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = (real)NAN;
}

static cst_status allocate(const layout *l, const cst_series *s, cst_part *part)
{
    const size_t steps = cst_size_mul(s->n, l->steps), size = cst_size_mul(steps, l->channels);
    const size_t targets = cst_size_mul(steps, s->n_targets);
    part->values = cst_array_new(size, sizeof *part->values);
    if (s->stepwise && s->labelled) part->labels = cst_array_new(steps, sizeof *part->labels);
    if (s->stepwise && s->n_targets > 0) part->targets = cst_array_new(targets, sizeof *part->targets);
    if (!part->values || (s->stepwise && ((s->labelled && !part->labels) || (s->n_targets > 0 && !part->targets))))
        return cst_fail(l->error, CST_ENOMEM, "%s: out of memory for %zu series of %zu times", s->path, s->n, l->steps);
    fill(part->values, size);
    if (part->targets) fill(part->targets, targets);
    for (size_t i = 0; part->labels && i < steps; i++) part->labels[i] = -1;
    return CST_OK;
}

/* A part's rows from its series, which are given up: all series at once take more memory than anything else here. */
static cst_status make_part(const layout *l, cst_series *s, cst_part *part)
{
    if (s->n == 0) return CST_OK;
    if (l->from_file) CST_TRY(check_times(l, s));
    CST_TRY(allocate(l, s, part));
    for (size_t i = 0, first = 0; i < s->n; first += s->lengths[i++]) CST_TRY(put_series(l, s, i, first, part));
    if (!s->stepwise) { /* handed over */
        part->labels = s->labels;
        part->targets = s->targets;
        s->labels = NULL;
        s->targets = NULL;
    }
    part->n = s->n;
    return CST_OK;
}

static cst_status make_parts(layout *l, uint64_t seed, cst_series series[3], cst_dataset *data)
{
    cst_part *const parts[] = {&data->train, &data->validation, &data->test};
    l->order = cst_array_new(l->steps, sizeof *l->order);
    l->dropped = cst_array_new(l->steps, sizeof *l->dropped);
    cst_status status = CST_OK;
    if (!l->order || !l->dropped) status = cst_fail(l->error, CST_ENOMEM, "out of memory for %zu times", l->steps);
    for (size_t p = 0; status == CST_OK && p < 3; p++) {
        l->rng = cst_rng_split(cst_rng_new(seed, CST_RNG_DATA), p);
        status = make_part(l, &series[p], parts[p]);
        cst_series_clear(&series[p]);
    }
    free(l->order);
    free(l->dropped);
    return status;
}

/* ---- the end of a loader ------------------------------------------------------------------------------------- */

/* A channel of which nothing is known has no moments, and nothing could be learnt from it. */
static cst_status check_channels(const layout *l, const char *path, const cst_dataset *data)
{
    const size_t n = data->train.n * l->steps;
    for (size_t c = l->time; c < l->channels; c++) {
        size_t i = 0;
        while (i < n && isnan(data->train.values[i * l->channels + c])) i++;
        if (i == n)
            return cst_fail(l->error, CST_EFORMAT, "%s: channel %zu: expected a value in the training part, found none",
                            path, c - l->time);
    }
    return CST_OK;
}

cst_status cst_series_finish(cst_config section, const cst_series_options *options, uint64_t seed, cst_series parts[3],
                             cst_dataset *data, cst_error *error)
{
    layout l = {.o = options, .error = error};
    const char *path = parts[0].path;
    CST_TRY(measure(&l, section, parts, error));
    data->x = (cst_shape){2, {l.steps, l.channels}};
    data->steps = parts[0].stepwise ? l.steps : 0;
    data->n_targets = cst_size_mul(parts[0].n_targets, parts[0].stepwise ? l.steps : 1);
    data->n_channels = l.channels;
    data->channels_last = true;
    CST_TRY(make_parts(&l, seed, parts, data));
    CST_TRY(cst_dataset_cut(section, &options->common, seed, data, error));
    CST_TRY(check_channels(&l, path, data));
    return cst_dataset_normalize(data, options->common.normalize, error);
}
