#include "models/path.h"

#include "core/arena.h"
#include "core/shape.h"
#include "models/path_channel.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* ---- times ------------------------------------------------------------------------------------------------------ */

/* The times of the series in that row, (T). */
static const double *times_of(const cst_knots *s, size_t row)
{
    return s->own_times ? s->t + row * s->length : s->t;
}

/* Knots of a series: with times of its own, those before the first NaN. */
static size_t count_knots(const cst_knots *s, size_t row)
{
    const double *t = times_of(s, row);
    size_t n = s->own_times ? 0 : s->length;
    while (n < s->length && !isnan(t[n])) n++;
    return n;
}

/* Times must be enough, finite and increasing. */
static cst_status check_times(const cst_knots *s, cst_error *error)
{
    for (size_t row = 0; row < (s->own_times ? s->n : 1); row++) {
        const double *t = times_of(s, row);
        const size_t n = count_knots(s, row);
        const size_t least = s->own_times ? 1 : 2;
        if (n < least)
            return cst_fail(error, CST_EARG, "series %zu: expected at least %zu time%s, got %zu", row, least,
                            least == 1 ? "" : "s", n);
        for (size_t i = 0; i < n; i++) {
            if (!isfinite(t[i]))
                return cst_fail(error, CST_EARG, "series %zu: expected finite times, got t[%zu] = %g", row, i, t[i]);
            if (i > 0 && !(t[i] > t[i - 1]))
                return cst_fail(error, CST_EARG, "series %zu: expected times that increase, got t[%zu] = %g after %g",
                                row, i, t[i], t[i - 1]);
        }
    }
    return CST_OK;
}

/* ---- making a path ---------------------------------------------------------------------------------------------- */

/* A path's memory = [values without gaps (N, T, C) | slopes (N, T, C), but for linear | scratch of one channel] */
typedef struct memory_layout {
    size_t x, slopes; /* offsets */
    cst_curve k;      /* pointers; NULL if the memory is */
    size_t size;
} memory_layout;

static memory_layout cut_memory(cst_path_kind kind, const cst_knots *s, real *memory)
{
    memory_layout l = {0};
    const size_t values = cst_size_mul(s->n, cst_size_mul(s->length, s->channels));
    const size_t doubles = cst_size_add(s->length, 2);
    l.x = cst_place(&l.size, values);
    l.slopes = cst_place(&l.size, kind != CST_PATH_LINEAR ? values : 0);
    double **const arrays[] = {&l.k.t, &l.k.x, &l.k.slope, &l.k.factor};
    for (size_t i = 0; i < 4; i++) *arrays[i] = cst_cut_doubles(memory, &l.size, doubles);
    return l;
}

size_t cst_path_memory(cst_path_kind kind, const cst_knots *s)
{
    return cut_memory(kind, s, NULL).size;
}

/* Whether any value is missing before its series ends. */
static bool has_gaps(const cst_knots *s)
{
    for (size_t row = 0; row < s->n; row++) {
        const size_t knots = count_knots(s, row);
        const real *x = s->x + row * s->length * s->channels;
        for (size_t i = 0; i < knots * s->channels; i++)
            if (isnan(x[i])) return true;
    }
    return false;
}

cst_path cst_path_at(cst_path_kind kind, const cst_knots *s, const real *memory)
{
    cst_path path = {.kind = kind, .series = *s, .begin = (double)INFINITY, .end = (double)-INFINITY};
    /* begin and end: the earliest and the latest knot. */
    for (size_t row = 0; row < (s->own_times ? s->n : 1); row++) {
        const double *t = times_of(s, row);
        path.begin = fmin(path.begin, t[0]);
        path.end = fmax(path.end, t[count_knots(s, row) - 1]);
    }
    /* A linear path without gaps needs no values but the series' own. */
    if (kind == CST_PATH_LINEAR && !has_gaps(s)) return path;
    const memory_layout l = cut_memory(kind, s, NULL);
    path.series.x = memory + l.x;
    if (kind != CST_PATH_LINEAR) path.slopes = memory + l.slopes;
    return path;
}

/* A channel whose first value is at `observed`, up to the series' end. */
static cst_channel channel_of(cst_path_kind kind, const cst_knots *s, size_t row, size_t knots, const real *observed)
{
    return (cst_channel){kind, times_of(s, row), knots, s->channels, observed};
}

cst_status cst_path_make(cst_path_kind kind, const cst_knots *s, real *memory, cst_path *path, cst_error *error)
{
    CST_TRY(check_times(s, error));
    *path = cst_path_at(kind, s, memory);
    if (path->series.x == s->x) return CST_OK; /* nothing to fill in */
    memory_layout l = cut_memory(kind, s, memory);
    real *x = memory + l.x, *slopes = kind != CST_PATH_LINEAR ? memory + l.slopes : NULL;
    /* Each channel of each series by itself. */
    for (size_t row = 0; row < s->n; row++) {
        const size_t knots = count_knots(s, row), at = row * s->length * s->channels;
        for (size_t c = at; c < at + s->channels; c++) {
            const cst_channel channel = channel_of(kind, s, row, knots, s->x + c);
            cst_channel_fill(&channel, x + c, slopes ? slopes + c : NULL, &l.k);
        }
    }
    return CST_OK;
}

/* ---- evaluation -------------------------------------------------------------------------------------------------- */

/* The piece of a series that holds a time: its first knot, the distance to its last knot (1, or 0 for a series of one
 * knot), and the weights of values and slopes there. */
typedef struct piece {
    size_t knot, next;
    cst_piece_weights w;
} piece;

/* The piece of series i that holds t. *hint is SIZE_MAX at first; series with shared times share the search. */
static piece piece_at(const cst_path *p, size_t i, double t, bool slope, size_t *hint)
{
    const cst_knots *s = &p->series;
    const double *times = times_of(s, i);
    if (s->own_times || *hint == SIZE_MAX) {
        const size_t knots = count_knots(s, i);
        const double last = times[knots - 1];
        *hint = cst_find_piece(times, knots, t);
        if (knots == 1) return (piece){0, 0, {.a = slope ? 0 : 1}};
        /* This series has ended, or has not begun, while others run: X is constant. */
        const bool over = t > last && last < p->end, early = t < times[0] && times[0] > p->begin;
        if (over || early)
            return (piece){*hint, 1, slope ? (cst_piece_weights){0} : (cst_piece_weights){.a = early, .b = over}};
    }
    /* A line or a cubic, at the share u = (t - t_i) / h of the piece. */
    const double h = times[*hint + 1] - times[*hint];
    return (piece){*hint, 1, cst_piece_weights_at(p->slopes != NULL, slope, (t - times[*hint]) / h, h)};
}

/* to (n, C) = X(t) or X'(t): per channel, a weighted sum of the values and slopes at both ends of the piece. */
static void evaluate(const cst_path *p, size_t row, size_t n, double t, bool slope, real *to)
{
    const cst_knots *s = &p->series;
    const size_t channels = s->channels;
    size_t hint = SIZE_MAX;
    for (size_t i = row - p->first; i < row - p->first + n; i++, to += channels) {
        const piece at = piece_at(p, i, t, slope, &hint);
        const size_t knot = (i * s->length + at.knot) * channels, next = at.next * channels;
        const real *a = s->x + knot, *b = a + next, *da = p->slopes ? p->slopes + knot : NULL;
        const real wa = (real)at.w.a, wb = (real)at.w.b, wda = (real)at.w.slope_a, wdb = (real)at.w.slope_b;
        for (size_t c = 0; c < channels; c++) to[c] = wa * a[c] + wb * b[c];
        for (size_t c = 0; da && c < channels; c++) to[c] += wda * da[c] + wdb * da[next + c];
    }
}

void cst_path_value(const cst_path *path, size_t row, size_t n, double t, real *x)
{
    evaluate(path, row, n, t, false, x);
}

void cst_path_slope(const cst_path *path, size_t row, size_t n, double t, real *dx)
{
    evaluate(path, row, n, t, true, dx);
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

/* Per series: [gx (T, C) | gslopes (T, C)], the latter unless the path is linear. */
size_t cst_path_knot_reals(cst_path_kind kind, const cst_knots *s)
{
    return cst_size_mul(kind == CST_PATH_LINEAR ? 1 : 2, cst_size_mul(s->length, s->channels));
}

/* forward (evaluate): X' = w_a x_a + w_b x_b + w_slope_a s_a + w_slope_b s_b per channel. So each term gets its weight
 * times the cotangent g of X'. */
void cst_path_slope_vjp(const cst_path *p, size_t row, size_t n, double t, real scale, const real *g, real *gknots)
{
    const cst_knots *s = &p->series;
    const size_t channels = s->channels, width = cst_path_knot_reals(p->kind, s);
    size_t hint = SIZE_MAX;
    for (size_t i = row - p->first; i < row - p->first + n; i++, g += channels) {
        const piece at = piece_at(p, i, t, true, &hint);
        const size_t next = at.next * channels;
        real *a = gknots + i * width + at.knot * channels, *b = a + next, *da = a + s->length * channels;
        const real wa = scale * (real)at.w.a, wb = scale * (real)at.w.b;
        const real wda = scale * (real)at.w.slope_a, wdb = scale * (real)at.w.slope_b;
        for (size_t c = 0; c < channels; c++) a[c] += wa * g[c], b[c] += wb * g[c];
        for (size_t c = 0; p->slopes && c < channels; c++) da[c] += wda * g[c], da[next + c] += wdb * g[c];
    }
}

/* forward: cst_path_make fills in each channel of each series by itself (cst_channel_fill). */
void cst_path_values_vjp(cst_path_kind kind, const cst_knots *s, real *memory, const real *gknots, real *gx)
{
    const size_t size = s->length * s->channels, width = cst_path_knot_reals(kind, s);
    memory_layout l = cut_memory(kind, s, memory);
    for (size_t row = 0; row < s->n; row++, gknots += width, gx += size) {
        const size_t knots = count_knots(s, row);
        memset(gx, 0, size * sizeof *gx);
        for (size_t c = 0; c < s->channels; c++) {
            const cst_channel channel = channel_of(kind, s, row, knots, s->x + row * size + c);
            cst_channel_fill_vjp(&channel, gknots + c, gknots + size + c, gx + c, &l.k);
        }
    }
}

/* ---- rectilinear ------------------------------------------------------------------------------------------------- */

void cst_path_rectify(const cst_knots *s, size_t time, double *t, real *x)
{
    const size_t channels = s->channels;
    /* A knot at each time, and one halfway to the next. */
    for (size_t i = 0; i < s->length; i++) {
        t[2 * i] = s->t[i];
        if (i + 1 < s->length) t[2 * i + 1] = (s->t[i] + s->t[i + 1]) / 2;
    }
    for (size_t row = 0; row < s->n; row++) {
        for (size_t i = 0; i < s->length; i++, x += channels) {
            /* Knot 2 i: the observation, or the knot before it where nothing is observed. */
            const real *observed = s->x + (row * s->length + i) * channels;
            for (size_t c = 0; c < channels; c++)
                x[c] = !isnan(observed[c]) ? observed[c] : i > 0 ? (x - channels)[c] : 0;
            if (i + 1 == s->length) continue;
            /* Knot 2 i + 1: the same, but the time is already that of the next observation. */
            memcpy(x + channels, x, channels * sizeof *x);
            x += channels;
            const real next = observed[channels + time];
            if (!isnan(next)) x[time] = next;
        }
    }
}

/* forward: a knot's value is the last observed one of its channel, where the channel `time` looks half a step ahead. So
 * an observed value gets the sum of the cotangents of all knots that repeat it. */
void cst_path_rectify_vjp(const cst_knots *s, size_t time, const real *g, real *gx)
{
    const size_t channels = s->channels;
    memset(gx, 0, s->n * s->length * channels * sizeof *gx);
    for (size_t row = 0; row < s->n; row++, gx += s->length * channels, g += (2 * s->length - 1) * channels) {
        const real *x = s->x + row * s->length * channels;
        for (size_t c = 0; c < channels; c++) {
            size_t last = SIZE_MAX; /* where the current value was observed; SIZE_MAX: nowhere yet */
            for (size_t knot = 0; knot < 2 * s->length - 1; knot++) {
                const size_t i = (knot + (c == time)) / 2; /* the observation that this knot takes */
                if (!isnan(x[i * channels + c])) last = i;
                if (last != SIZE_MAX) gx[last * channels + c] += g[knot * channels + c];
            }
        }
    }
}
