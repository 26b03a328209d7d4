/* One channel of one series, as models/path.h interpolates it: pieces of lines or cubics, gaps that are filled in, and
 * the slopes at the knots. Used by models/path.c alone.
 *
 * On a piece of length h from knot a to knot b, at u = (t - t_a) / h and v = 1 - u, a cubic with values x and slopes s
 * is
 *
 *   X  = (1 - w) x_a + w x_b + h u v^2 s_a - h u^2 v s_b,    w = u^2 (3 - 2 u)
 *   X' = 6 u v (x_b - x_a) / h + v (1 - 3 u) s_a + u (3 u - 2) s_b
 *
 * and a line is X = v x_a + u x_b, X' = (x_b - x_a) / h. */
#ifndef CST_MODELS_PATH_CHANNEL_H
#define CST_MODELS_PATH_CHANNEL_H

#include "models/path.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The coefficients of x_a, x_b, s_a, s_b in X, or in X'. */
typedef struct cst_piece_weights {
    double a, b, slope_a, slope_b;
} cst_piece_weights;

/* The coefficients at u for a piece of length h: of X', if `slope` is set, or of X. */
cst_piece_weights cst_piece_weights_at(bool cubic, bool slope, double u, double h);

/* The piece from knot i to i + 1 that holds time `at`, or the nearest piece; i is returned. A knot belongs to the piece
 * before it. t (knots) increases; knots is at least 2. */
size_t cst_find_piece(const double *t, size_t knots, double at);

/* Scratch for one channel: each array has room for `length` + 2 doubles. */
typedef struct cst_curve {
    size_t n; /* knots in use */
    double *t, *x, *slope, *factor;
} cst_curve;

/* The knots of a channel: their values lie `step` reals apart in each array. */
typedef struct cst_channel {
    cst_path_kind kind;
    const double *t; /* (length), increasing */
    size_t length, step;
    const real *observed; /* NaN where nothing was observed */
} cst_channel;

/* x: the channel without gaps. slope: X' at the knots, NULL for a linear path. Both are overwritten, with the channel's
 * step. */
void cst_channel_fill(const cst_channel *c, real *x, real *slope, cst_curve *k);

/* The VJP of cst_channel_fill with cotangents gx and gslope (not read for a linear path): gobserved is overwritten at
 * the first `length` knots. */
void cst_channel_fill_vjp(const cst_channel *c, const real *gx, const real *gslope, real *gobserved, cst_curve *k);

#ifdef __cplusplus
}
#endif
#endif
