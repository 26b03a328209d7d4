#include "models/path.h"

#include "core/arena.h"
#include "core/shape.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* ---- times ------------------------------------------------------------------------------------------------------ */

static const double *times_of(const cst_knots *s, size_t row)
{
    return s->own_times ? s->t + row * s->length : s->t;
}

/* Of a series with own times those before the first that is NaN. */
static size_t count_knots(const cst_knots *s, size_t row)
{
    const double *t = times_of(s, row);
    size_t n = s->own_times ? 0 : s->length;
    while (n < s->length && !isnan(t[n])) n++;
    return n;
}

static cst_status check_times(const cst_knots *s, cst_error *error)
{
    for (size_t row = 0; row < (s->own_times ? s->n : 1); row++) {
        const double *t = times_of(s, row);
        const size_t n = count_knots(s, row);
        const size_t least = s->own_times ? 1 : 2;
        if (n < least)
            return cst_fail(error, CST_EARG, "series %zu: expected %s, got %zu", row,
                            least == 1 ? "a time" : "at least 2 times", n);
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

/* The piece from t_i to t_{i + 1} that `at` lies in, or the nearest; a knot is the end of the piece before it. */
static size_t find_piece(const double *t, size_t knots, double at)
{
    size_t low = 0, high = knots - 1;
    while (high - low > 1) {
        const size_t middle = (low + high) / 2;
        *(t[middle] < at ? &low : &high) = middle;
    }
    return low;
}

/* ---- a piece ----------------------------------------------------------------------------------------------------- */

/* Weights of values and slopes at both ends, for X (or X') at share u of a piece h long, a line or a cubic. */
typedef struct weights {
    double a, b, slope_a, slope_b;
} weights;

static weights weights_at(bool cubic, bool slope, double u, double h)
{
    const double v = 1 - u, share = cubic ? u * u * (3 - 2 * u) : u, rate = (cubic ? 6 * u * v : 1) / h;
    if (!cubic) return slope ? (weights){-rate, rate, 0, 0} : (weights){1 - share, share, 0, 0};
    return slope ? (weights){-rate, rate, v * (1 - 3 * u), u * (3 * u - 2)}
                 : (weights){1 - share, share, h * u * v * v, -h * u * u * v};
}

/* ---- gaps and slopes -------------------------------------------------------------------------------------------- */

/* One channel of one series, gathered; X' of a spline by the tridiagonal system (h the lengths of pieces, d the slopes of
 * their lines)
 *     s_{i-1} / h_{i-1} + 2 (1 / h_{i-1} + 1 / h_i) s_i + s_{i+1} / h_i = 3 (d_{i-1} / h_{i-1} + d_i / h_i) */
typedef struct curve {
    size_t n;
    double *t, *x, *slope, *factor;
} curve;

static double line(const curve *k, size_t i)
{
    return (k->x[i + 1] - k->x[i]) / (k->t[i + 1] - k->t[i]);
}

static double inverse_step(const curve *k, size_t i)
{
    return 1 / (k->t[i + 1] - k->t[i]);
}

/* Solve the system for a right-hand side in k->slope, in place. */
static void solve_spline(const curve *k)
{
    const size_t last = k->n - 1;
    for (size_t i = 0; i <= last; i++) {
        const double before = i > 0 ? inverse_step(k, i - 1) : 0, after = i < last ? inverse_step(k, i) : 0;
        double diagonal = 2 * (before + after);
        if (i > 0) diagonal -= before * k->factor[i - 1];
        if (i > 0) k->slope[i] -= before * k->slope[i - 1];
        k->factor[i] = after / diagonal;
        k->slope[i] /= diagonal;
    }
    for (size_t i = last; i-- > 0;) k->slope[i] -= k->factor[i] * k->slope[i + 1];
}

static void set_spline_slopes(const curve *k)
{
    for (size_t i = 0; i < k->n; i++) {
        k->slope[i] = 0;
        if (i > 0) k->slope[i] += 3 * inverse_step(k, i - 1) * line(k, i - 1);
        if (i + 1 < k->n) k->slope[i] += 3 * inverse_step(k, i) * line(k, i);
    }
    solve_spline(k);
}

/* Cotangents of slopes in k->slope become part of those of values in k->x: the system is symmetric, and its right-hand side
 * has 3 (x_{i+1} - x_i) / h_i^2 in rows i and i + 1. */
static void set_spline_slopes_vjp(const curve *k)
{
    solve_spline(k);
    for (size_t i = 0; i + 1 < k->n; i++) {
        const double step = inverse_step(k, i), g = 3 * step * step * (k->slope[i] + k->slope[i + 1]);
        k->x[i] -= g;
        k->x[i + 1] += g;
    }
}

static void set_backward_slopes(const curve *k)
{
    for (size_t i = 0; i < k->n; i++) k->slope[i] = line(k, i > 0 ? i - 1 : 0);
}

/* The observed knots of a channel whose values lie `step` apart, and both ends. False if none is observed. */
static bool gather(const double *t, const real *x, size_t length, size_t step, curve *k)
{
    k->n = 0;
    for (size_t i = 0; i < length; i++) {
        const double v = (double)x[i * step];
        if (isnan(v)) continue;
        if (k->n == 0 && i > 0) k->t[0] = t[0], k->x[0] = v, k->n = 1;
        k->t[k->n] = t[i];
        k->x[k->n++] = v;
    }
    if (k->n == 0) return false;
    if (k->t[k->n - 1] < t[length - 1]) k->t[k->n] = t[length - 1], k->x[k->n] = k->x[k->n - 1], k->n++;
    return true;
}

/* X (or X') at `at` of the line or the cubic through k. */
static double curve_at(const curve *k, bool cubic, bool slope, double at)
{
    const size_t p = find_piece(k->t, k->n, at);
    const double h = k->t[p + 1] - k->t[p];
    const weights w = weights_at(cubic, slope, (at - k->t[p]) / h, h);
    const double value = w.a * k->x[p] + w.b * k->x[p + 1];
    return cubic ? value + w.slope_a * k->slope[p] + w.slope_b * k->slope[p + 1] : value;
}

static void make_channel(cst_path_kind kind, const double *t, size_t length, size_t step, const real *observed, real *x,
                         real *slope, curve *k)
{
    if (length == 1) {
        x[0] = isnan(observed[0]) ? 0 : observed[0];
        if (slope) slope[0] = 0;
        return;
    }
    if (!gather(t, observed, length, step, k)) {
        for (size_t i = 0; i < length; i++) x[i * step] = 0;
        for (size_t i = 0; slope && i < length; i++) slope[i * step] = 0;
        return;
    }
    const bool cubic = kind == CST_PATH_CUBIC;
    if (cubic) set_spline_slopes(k);
    for (size_t i = 0; i < length; i++) x[i * step] = (real)curve_at(k, cubic, false, t[i]);
    for (size_t i = 0; cubic && i < length; i++) slope[i * step] = (real)curve_at(k, cubic, true, t[i]);
    if (kind != CST_PATH_HERMITE) return;
    for (k->n = 0; k->n < length; k->n++) k->t[k->n] = t[k->n], k->x[k->n] = (double)x[k->n * step];
    set_backward_slopes(k);
    for (size_t i = 0; i < length; i++) slope[i * step] = (real)k->slope[i];
}

/* Cotangents of a channel's x and slope at its knots to those of its observed values: make_channel backwards. */
static void make_channel_vjp(cst_path_kind kind, const double *t, size_t length, size_t step, const real *observed,
                             const real *gx, const real *gslope, real *gobserved, curve *k)
{
    const bool cubic = kind == CST_PATH_CUBIC, any = gather(t, observed, length, step, k);
    for (size_t i = 0; i < length; i++) gobserved[i * step] = length == 1 && any ? gx[0] : 0;
    if (!any || length == 1) return;
    for (size_t i = 0; i < k->n; i++) k->x[i] = k->slope[i] = 0;
    for (size_t i = 0; i < length; i++) {
        double g = (double)gx[i * step];
        if (kind == CST_PATH_HERMITE) { /* slope_i = (x_i - x_{i-1}) / h, the first one that of the second knot */
            if (i > 0) g += (double)gslope[i * step] / (t[i] - t[i - 1]);
            if (i == 1) g += (double)gslope[0] / (t[1] - t[0]);
            if (i == 0) g -= (double)gslope[0] / (t[1] - t[0]);
            if (i + 1 < length) g -= (double)gslope[(i + 1) * step] / (t[i + 1] - t[i]);
        }
        const size_t p = find_piece(k->t, k->n, t[i]);
        const double h = k->t[p + 1] - k->t[p], u = (t[i] - k->t[p]) / h;
        const weights w = weights_at(cubic, false, u, h), s = weights_at(cubic, true, u, h);
        const double gs = cubic ? (double)gslope[i * step] : 0;
        k->x[p] += w.a * g + s.a * gs;
        k->x[p + 1] += w.b * g + s.b * gs;
        k->slope[p] += w.slope_a * g + s.slope_a * gs;
        k->slope[p + 1] += w.slope_b * g + s.slope_b * gs;
    }
    if (cubic) set_spline_slopes_vjp(k);
    size_t knot = 0, last = 0;
    for (size_t i = 0; i < length; i++) {
        if (isnan(observed[i * step])) continue;
        double g = k->x[knot++];
        if (knot == 1 && i > 0) g += k->x[knot++]; /* the value before the first observation is that one's */
        gobserved[i * step] = (real)g;
        last = i;
    }
    if (knot < k->n) gobserved[last * step] += (real)k->x[knot];
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

typedef struct layout {
    size_t x, slopes; /* offsets, the latter of cubics */
    curve k;
    size_t size;
} layout;

static layout cut_memory(cst_path_kind kind, const cst_knots *s, real *memory)
{
    layout l = {0};
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
    for (size_t row = 0; row < (s->own_times ? s->n : 1); row++) {
        const double *t = times_of(s, row);
        path.begin = fmin(path.begin, t[0]);
        path.end = fmax(path.end, t[count_knots(s, row) - 1]);
    }
    if (kind == CST_PATH_LINEAR && !has_gaps(s)) return path;
    const layout l = cut_memory(kind, s, NULL);
    path.series.x = memory + l.x;
    if (kind != CST_PATH_LINEAR) path.slopes = memory + l.slopes;
    return path;
}

cst_status cst_path_make(cst_path_kind kind, const cst_knots *s, real *memory, cst_path *path, cst_error *error)
{
    CST_TRY(check_times(s, error));
    *path = cst_path_at(kind, s, memory);
    if (path->series.x == s->x) return CST_OK;
    layout l = cut_memory(kind, s, memory);
    real *x = memory + l.x, *slopes = kind != CST_PATH_LINEAR ? memory + l.slopes : NULL;
    for (size_t row = 0; row < s->n; row++) {
        const size_t knots = count_knots(s, row), at = row * s->length * s->channels;
        for (size_t c = at; c < at + s->channels; c++)
            make_channel(kind, times_of(s, row), knots, s->channels, s->x + c, x + c, slopes ? slopes + c : NULL, &l.k);
    }
    return CST_OK;
}

/* ---- evaluation -------------------------------------------------------------------------------------------------- */

/* A piece of a row's path: its first knot, how far its last is, and what values and slopes of both weigh at a time. */
typedef struct piece {
    size_t knot, next;
    weights w;
} piece;

/* That of series i at t; *hint is that of the series before it, where they share their times, SIZE_MAX at first. */
static piece piece_at(const cst_path *p, size_t i, double t, bool slope, size_t *hint)
{
    const cst_knots *s = &p->series;
    const double *times = times_of(s, i);
    if (s->own_times || *hint == SIZE_MAX) {
        const size_t knots = count_knots(s, i);
        const double last = times[knots - 1];
        *hint = find_piece(times, knots, t);
        if (knots == 1) return (piece){0, 0, {.a = slope ? 0 : 1}};
        /* Others go on, this one has ended, or has not begun. */
        const bool over = t > last && last < p->end, early = t < times[0] && times[0] > p->begin;
        if (over || early) return (piece){*hint, 1, slope ? (weights){0} : (weights){.a = early, .b = over}};
    }
    const double h = times[*hint + 1] - times[*hint];
    return (piece){*hint, 1, weights_at(p->slopes != NULL, slope, (t - times[*hint]) / h, h)};
}

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

/* Of a row [x (T, C) | slopes (T, C)], these for cubics. */
size_t cst_path_knot_reals(cst_path_kind kind, const cst_knots *s)
{
    return cst_size_mul(kind == CST_PATH_LINEAR ? 1 : 2, cst_size_mul(s->length, s->channels));
}

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

void cst_path_values_vjp(cst_path_kind kind, const cst_knots *s, real *memory, const real *gknots, real *gx)
{
    const size_t size = s->length * s->channels, width = cst_path_knot_reals(kind, s);
    layout l = cut_memory(kind, s, memory);
    for (size_t row = 0; row < s->n; row++, gknots += width, gx += size) {
        const size_t knots = count_knots(s, row);
        memset(gx, 0, size * sizeof *gx);
        for (size_t c = 0; c < s->channels; c++)
            make_channel_vjp(kind, times_of(s, row), knots, s->channels, s->x + row * size + c, gknots + c,
                             gknots + size + c, gx + c, &l.k);
    }
}

/* ---- rectilinear ------------------------------------------------------------------------------------------------- */

void cst_path_rectify(const cst_knots *s, size_t time, double *t, real *x)
{
    const size_t channels = s->channels;
    for (size_t i = 0; i < s->length; i++) {
        t[2 * i] = s->t[i];
        if (i + 1 < s->length) t[2 * i + 1] = (s->t[i] + s->t[i + 1]) / 2;
    }
    for (size_t row = 0; row < s->n; row++) {
        for (size_t i = 0; i < s->length; i++, x += channels) {
            const real *observed = s->x + (row * s->length + i) * channels;
            for (size_t c = 0; c < channels; c++)
                x[c] = !isnan(observed[c]) ? observed[c] : i > 0 ? (x - channels)[c] : 0;
            if (i + 1 == s->length) continue;
            memcpy(x + channels, x, channels * sizeof *x);
            x += channels;
            const real next = observed[channels + time];
            if (!isnan(next)) x[time] = next;
        }
    }
}

void cst_path_rectify_vjp(const cst_knots *s, size_t time, const real *g, real *gx)
{
    const size_t channels = s->channels;
    memset(gx, 0, s->n * s->length * channels * sizeof *gx);
    for (size_t row = 0; row < s->n; row++, gx += s->length * channels, g += (2 * s->length - 1) * channels) {
        const real *x = s->x + row * s->length * channels;
        for (size_t c = 0; c < channels; c++) {
            size_t last = SIZE_MAX; /* where the value at hand was observed */
            for (size_t knot = 0; knot < 2 * s->length - 1; knot++) {
                const size_t i = (knot + (c == time)) / 2; /* time moves half a step ahead of the others */
                if (!isnan(x[i * channels + c])) last = i;
                if (last != SIZE_MAX) gx[last * channels + c] += g[knot * channels + c];
            }
        }
    }
}
