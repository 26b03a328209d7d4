#include "ode/path.h"

#include "core/arena.h"
#include "core/shape.h"

#include <math.h>
#include <string.h>

/* ---- times ------------------------------------------------------------------------------------------------------ */

static const double *times_of(const cst_series *s, size_t row)
{
    return s->own_times ? s->t + row * s->length : s->t;
}

/* Of a series with own times those before the first that is NaN. */
static size_t count_knots(const cst_series *s, size_t row)
{
    const double *t = times_of(s, row);
    size_t n = s->own_times ? 0 : s->length;
    while (n < s->length && !isnan(t[n])) n++;
    return n;
}

static cst_status check_times(const cst_series *s, cst_error *error)
{
    for (size_t row = 0; row < (s->own_times ? s->n : 1); row++) {
        const double *t = times_of(s, row);
        const size_t n = count_knots(s, row);
        if (n < 2) return cst_fail(error, CST_EARG, "series %zu: expected at least 2 times, got %zu", row, n);
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

static void set_spline_slopes(const curve *k)
{
    const size_t last = k->n - 1;
    for (size_t i = 0; i <= last; i++) {
        const double before = i > 0 ? 1 / (k->t[i] - k->t[i - 1]) : 0;
        const double after = i < last ? 1 / (k->t[i + 1] - k->t[i]) : 0;
        double diagonal = 2 * (before + after), right = 0;
        if (i > 0) right += 3 * before * line(k, i - 1);
        if (i < last) right += 3 * after * line(k, i);
        if (i > 0) diagonal -= before * k->factor[i - 1];
        if (i > 0) right -= before * k->slope[i - 1];
        k->factor[i] = after / diagonal;
        k->slope[i] = right / diagonal;
    }
    for (size_t i = last; i-- > 0;) k->slope[i] -= k->factor[i] * k->slope[i + 1];
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

/* ---- making ------------------------------------------------------------------------------------------------------ */

typedef struct layout {
    real *x, *slopes;
    curve k;
    size_t size;
} layout;

static layout cut_memory(cst_path_kind kind, const cst_series *s, real *memory)
{
    layout l = {0};
    const size_t values = cst_size_mul(s->n, cst_size_mul(s->length, s->channels));
    const size_t doubles = cst_reals_for_doubles(cst_size_add(s->length, 2));
    l.x = cst_cut(memory, &l.size, values);
    if (kind != CST_PATH_LINEAR) l.slopes = cst_cut(memory, &l.size, values);
    double **const arrays[] = {&l.k.t, &l.k.x, &l.k.slope, &l.k.factor};
    for (size_t i = 0; i < 4; i++) *arrays[i] = (double *)(void *)cst_cut(memory, &l.size, doubles);
    return l;
}

size_t cst_path_memory(cst_path_kind kind, const cst_series *s)
{
    return cut_memory(kind, s, NULL).size;
}

static bool has_gaps(const cst_series *s)
{
    for (size_t row = 0; row < s->n; row++) {
        const size_t knots = count_knots(s, row);
        const real *x = s->x + row * s->length * s->channels;
        for (size_t i = 0; i < knots * s->channels; i++)
            if (isnan(x[i])) return true;
    }
    return false;
}

cst_status cst_path_make(cst_path_kind kind, const cst_series *s, real *memory, cst_path *path, cst_error *error)
{
    CST_TRY(check_times(s, error));
    *path = (cst_path){.kind = kind, .series = *s, .end = (double)-INFINITY};
    for (size_t row = 0; row < (s->own_times ? s->n : 1); row++)
        path->end = fmax(path->end, times_of(s, row)[count_knots(s, row) - 1]);
    if (kind == CST_PATH_LINEAR && !has_gaps(s)) return CST_OK;
    layout l = cut_memory(kind, s, memory);
    for (size_t row = 0; row < s->n; row++) {
        const size_t knots = count_knots(s, row), at = row * s->length * s->channels;
        for (size_t c = at; c < at + s->channels; c++)
            make_channel(kind, times_of(s, row), knots, s->channels, s->x + c, l.x + c, l.slopes ? l.slopes + c : NULL,
                         &l.k);
    }
    path->series.x = l.x;
    path->slopes = l.slopes;
    return CST_OK;
}

/* ---- evaluation -------------------------------------------------------------------------------------------------- */

static void evaluate(const cst_path *p, size_t row, size_t n, double t, bool slope, real *to)
{
    const cst_series *s = &p->series;
    const size_t channels = s->channels;
    size_t piece = 0;
    for (size_t i = 0; i < n; i++, to += channels) {
        const double *times = times_of(s, row + i);
        const size_t knots = count_knots(s, row + i);
        if (i == 0 || s->own_times) piece = find_piece(times, knots, t);
        const double h = times[piece + 1] - times[piece], last = times[knots - 1];
        const bool over = t > last && last < p->end; /* it has ended, others have not */
        const double u = over ? 1 : (t - times[piece]) / h;
        const size_t at = ((row + i) * s->length + piece) * channels;
        const real *a = s->x + at, *b = a + channels, *da = p->slopes ? p->slopes + at : NULL;
        const weights w = over && slope ? (weights){0} : weights_at(da != NULL, slope, u, h);
        const real wa = (real)w.a, wb = (real)w.b, wda = (real)w.slope_a, wdb = (real)w.slope_b;
        for (size_t c = 0; c < channels; c++) to[c] = wa * a[c] + wb * b[c];
        for (size_t c = 0; da && c < channels; c++) to[c] += wda * da[c] + wdb * da[channels + c];
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

void cst_path_rectify(const cst_series *s, size_t time, double *t, real *x)
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
