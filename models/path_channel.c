#include "models/path_channel.h"

#include <math.h>

/* ---- a piece ----------------------------------------------------------------------------------------------------- */

size_t cst_find_piece(const double *t, size_t knots, double at)
{
    /* Bisection: t_low < at <= t_high, unless `at` lies outside. */
    size_t low = 0, high = knots - 1;
    while (high - low > 1) {
        const size_t middle = (low + high) / 2;
        *(t[middle] < at ? &low : &high) = middle;
    }
    return low;
}

cst_piece_weights cst_piece_weights_at(bool cubic, bool slope, double u, double h)
{
    const double v = 1 - u, share = cubic ? u * u * (3 - 2 * u) : u, rate = (cubic ? 6 * u * v : 1) / h;
    if (!cubic) return slope ? (cst_piece_weights){-rate, rate, 0, 0} : (cst_piece_weights){1 - share, share, 0, 0};
    return slope ? (cst_piece_weights){-rate, rate, v * (1 - 3 * u), u * (3 * u - 2)}
                 : (cst_piece_weights){1 - share, share, h * u * v * v, -h * u * u * v};
}

/* X (or X') at `at` of the line or the cubic through k. */
static double curve_at(const cst_curve *k, bool cubic, bool slope, double at)
{
    const size_t p = cst_find_piece(k->t, k->n, at);
    const double h = k->t[p + 1] - k->t[p];
    const cst_piece_weights w = cst_piece_weights_at(cubic, slope, (at - k->t[p]) / h, h);
    const double value = w.a * k->x[p] + w.b * k->x[p + 1];
    return cubic ? value + w.slope_a * k->slope[p] + w.slope_b * k->slope[p + 1] : value;
}

/* ---- slopes at the knots ----------------------------------------------------------------------------------------- */

/* The natural cubic spline has continuous X'', and X'' = 0 at both ends. With h_i the length of piece i and d_i the
 * slope of its line, this is the tridiagonal system
 *
 *   s_{i-1} / h_{i-1} + 2 (1 / h_{i-1} + 1 / h_i) s_i + s_{i+1} / h_i = 3 (d_{i-1} / h_{i-1} + d_i / h_i)
 *
 * for the slopes s, without the terms of a piece that does not exist. */

/* d_i */
static double line(const cst_curve *k, size_t i)
{
    return (k->x[i + 1] - k->x[i]) / (k->t[i + 1] - k->t[i]);
}

/* 1 / h_i */
static double inverse_step(const cst_curve *k, size_t i)
{
    return 1 / (k->t[i + 1] - k->t[i]);
}

/* Solve the system in place for a right-hand side in k->slope, by elimination. The diagonal dominates, so there is no
 * pivoting. */
static void solve_spline(const cst_curve *k)
{
    const size_t last = k->n - 1;
    /* Forward elimination, row by row. */
    for (size_t i = 0; i <= last; i++) {
        const double before = i > 0 ? inverse_step(k, i - 1) : 0, after = i < last ? inverse_step(k, i) : 0;
        double diagonal = 2 * (before + after);
        if (i > 0) diagonal -= before * k->factor[i - 1];
        if (i > 0) k->slope[i] -= before * k->slope[i - 1];
        k->factor[i] = after / diagonal;
        k->slope[i] /= diagonal;
    }
    /* Back substitution. */
    for (size_t i = last; i-- > 0;) k->slope[i] -= k->factor[i] * k->slope[i + 1];
}

/* k->slope: the slopes of the natural cubic spline through k->x. */
static void set_spline_slopes(const cst_curve *k)
{
    for (size_t i = 0; i < k->n; i++) {
        k->slope[i] = 0;
        if (i > 0) k->slope[i] += 3 * inverse_step(k, i - 1) * line(k, i - 1);
        if (i + 1 < k->n) k->slope[i] += 3 * inverse_step(k, i) * line(k, i);
    }
    solve_spline(k);
}

/* forward: A s = B x, where A is symmetric and B x has 3 (x_{i+1} - x_i) / h_i^2 in rows i and i + 1. With cotangent gs
 * of s in k->slope, k->x += B^T A^-1 gs. */
static void set_spline_slopes_vjp(const cst_curve *k)
{
    solve_spline(k);
    for (size_t i = 0; i + 1 < k->n; i++) {
        const double step = inverse_step(k, i), g = 3 * step * step * (k->slope[i] + k->slope[i + 1]);
        k->x[i] -= g;
        k->x[i + 1] += g;
    }
}

/* k->slope of a hermite path: that of the line before each knot, at the first knot of the line after it. */
static void set_backward_slopes(const cst_curve *k)
{
    for (size_t i = 0; i < k->n; i++) k->slope[i] = line(k, i > 0 ? i - 1 : 0);
}

/* ---- gaps -------------------------------------------------------------------------------------------------------- */

/* Collect the observed knots of a channel in k. Its first and last knot are always there: if they are not observed,
 * they have the first and the last observed value. False if nothing is observed. */
static bool gather(const cst_channel *c, cst_curve *k)
{
    k->n = 0;
    for (size_t i = 0; i < c->length; i++) {
        const double v = (double)c->observed[i * c->step];
        if (isnan(v)) continue;
        if (k->n == 0 && i > 0) k->t[0] = c->t[0], k->x[0] = v, k->n = 1;
        k->t[k->n] = c->t[i];
        k->x[k->n++] = v;
    }
    if (k->n == 0) return false;
    const double end = c->t[c->length - 1];
    if (k->t[k->n - 1] < end) k->t[k->n] = end, k->x[k->n] = k->x[k->n - 1], k->n++;
    return true;
}

void cst_channel_fill(const cst_channel *c, real *x, real *slope, cst_curve *k)
{
    const size_t length = c->length, step = c->step;
    /* A single knot: X is constant. */
    if (length == 1) {
        x[0] = isnan(c->observed[0]) ? 0 : c->observed[0];
        if (slope) slope[0] = 0;
        return;
    }
    /* No observation at all: X = 0. */
    if (!gather(c, k)) {
        for (size_t i = 0; i < length; i++) x[i * step] = 0;
        for (size_t i = 0; slope && i < length; i++) slope[i * step] = 0;
        return;
    }
    /* Evaluate the curve through the observed knots at all knots. */
    const bool cubic = c->kind == CST_PATH_CUBIC;
    if (cubic) set_spline_slopes(k);
    for (size_t i = 0; i < length; i++) x[i * step] = (real)curve_at(k, cubic, false, c->t[i]);
    for (size_t i = 0; cubic && i < length; i++) slope[i * step] = (real)curve_at(k, cubic, true, c->t[i]);
    if (c->kind != CST_PATH_HERMITE) return;
    /* Hermite: gaps are filled by lines, and the slopes follow from the filled values. */
    for (k->n = 0; k->n < length; k->n++) k->t[k->n] = c->t[k->n], k->x[k->n] = (double)x[k->n * step];
    set_backward_slopes(k);
    for (size_t i = 0; i < length; i++) slope[i * step] = (real)k->slope[i];
}

/* The cotangent of x_i: gx_i and, for hermite, what the slopes give it. forward: slope_i = (x_i - x_{i-1}) / h, where
 * the first slope is that of the second knot. */
static double value_cotangent(const cst_channel *c, const real *gx, const real *gslope, size_t i)
{
    const double *t = c->t;
    double g = (double)gx[i * c->step];
    if (c->kind != CST_PATH_HERMITE) return g;
    if (i > 0) g += (double)gslope[i * c->step] / (t[i] - t[i - 1]);
    if (i == 1) g += (double)gslope[0] / (t[1] - t[0]);
    if (i == 0) g -= (double)gslope[0] / (t[1] - t[0]);
    if (i + 1 < c->length) g -= (double)gslope[(i + 1) * c->step] / (t[i + 1] - t[i]);
    return g;
}

/* forward (gather): k->x holds the observed values, and copies of the first and last one at unobserved ends. So each
 * observed value gets the cotangent of its knot, and the copies' cotangents as well. */
static void gather_vjp(const cst_channel *c, const cst_curve *k, real *gobserved)
{
    size_t knot = 0, last = 0;
    for (size_t i = 0; i < c->length; i++) {
        if (isnan(c->observed[i * c->step])) continue;
        double g = k->x[knot++];
        if (knot == 1 && i > 0) g += k->x[knot++]; /* knot 0 was a copy of this value */
        gobserved[i * c->step] = (real)g;
        last = i;
    }
    if (knot < k->n) gobserved[last * c->step] += (real)k->x[knot];
}

void cst_channel_fill_vjp(const cst_channel *c, const real *gx, const real *gslope, real *gobserved, cst_curve *k)
{
    const size_t length = c->length, step = c->step;
    const bool cubic = c->kind == CST_PATH_CUBIC, any = gather(c, k);
    /* Constants have no gradient; the single value of a series of one knot has gx's. */
    for (size_t i = 0; i < length; i++) gobserved[i * step] = length == 1 && any ? gx[0] : 0;
    if (!any || length == 1) return;
    /* forward: x_i and slope_i are linear in the values and slopes at both ends of the piece that holds knot i. From
     * here on k->x and k->slope are the cotangents of those. */
    for (size_t i = 0; i < k->n; i++) k->x[i] = k->slope[i] = 0;
    for (size_t i = 0; i < length; i++) {
        const double g = value_cotangent(c, gx, gslope, i), gs = cubic ? (double)gslope[i * step] : 0;
        const size_t p = cst_find_piece(k->t, k->n, c->t[i]);
        const double h = k->t[p + 1] - k->t[p], u = (c->t[i] - k->t[p]) / h;
        const cst_piece_weights w = cst_piece_weights_at(cubic, false, u, h),
                                s = cst_piece_weights_at(cubic, true, u, h);
        k->x[p] += w.a * g + s.a * gs;
        k->x[p + 1] += w.b * g + s.b * gs;
        k->slope[p] += w.slope_a * g + s.slope_a * gs;
        k->slope[p + 1] += w.slope_b * g + s.slope_b * gs;
    }
    if (cubic) set_spline_slopes_vjp(k);
    gather_vjp(c, k, gobserved);
}
