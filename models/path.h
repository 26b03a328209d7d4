/* Paths X(t) through time series: what controls a neural CDE, z' = F(z) X'(t) (Kidger, Morrill, Foster, Lyons, "Neural
 * controlled differential equations for irregular time series", NeurIPS 2020).
 *
 * A batch has N series of T knots and C channels. The knots' times are shared by all series, or each series has its
 * own. A value may be missing (NaN). A series with its own times may end early: its times are NaN from then on, and X
 * stays at its last value. Between knots
 *
 *   linear    X is a straight line; X' jumps at every knot
 *   cubic     X is the natural cubic spline, X'' = 0 at both ends; X' is continuous
 *   hermite   X is the cubic whose slope at a knot is the slope of the line from the knot before it (at the first
 *             knot, of the line to the second): up to a knot X depends on nothing later; X' is continuous
 *
 * as in torchcde and diffrax. A rectilinear path is the linear path through other knots (cst_path_rectify).
 *
 * A missing value is interpolated between the observed values of its channel: by lines, or, for a cubic path, by the
 * spline through the observed values. Before the first and after the last observation a channel has the first and the
 * last observed value. A channel without any observation is 0. */
#ifndef CST_MODELS_PATH_H
#define CST_MODELS_PATH_H

#include "core/real.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cst_path_kind { CST_PATH_LINEAR, CST_PATH_CUBIC, CST_PATH_HERMITE } cst_path_kind;

/* A non-owning view of the knots of N series: t and x must outlive it. */
typedef struct cst_knots {
    size_t n, length, channels; /* N, T >= 2, C */
    bool own_times;             /* t is (N, T), not (T) */
    const double *t;            /* shared: (T), finite; own: (N, T), NaN after a series' end; increasing */
    const real *x;              /* (N, T, C), NaN where nothing is observed */
} cst_knots;

/* A non-owning view: the series' data and the memory that the path was made in must outlive it. */
typedef struct cst_path {
    cst_path_kind kind;
    cst_knots series;   /* the knots, with gaps filled in */
    const real *slopes; /* (N, T, C): X' at the knots; NULL for linear */
    double begin, end;  /* the earliest and the latest knot of all series */
    size_t first;       /* row of the batch that is the path's first series; cst_path_make sets 0 */
} cst_path;

/* Reals of memory that a path needs; saturates at SIZE_MAX. t and x of the series are not read. */
size_t cst_path_memory(cst_path_kind kind, const cst_knots *series);

/* Fill gaps and compute slopes in `memory`. A linear path without gaps refers to the series' own values instead.
 * Errors, with series and time: CST_EARG for too few times, and for times that are not finite or do not increase.
 * `error` may be NULL. */
CST_MUST_CHECK cst_status cst_path_make(cst_path_kind kind, const cst_knots *series, real *memory, cst_path *path,
                                        cst_error *error);

/* The path that cst_path_make has made of the same series in the same memory. */
cst_path cst_path_at(cst_path_kind kind, const cst_knots *series, const real *memory);

/* x (n, C) = X(t) or dx (n, C) = X'(t), overwritten, for rows row .. row + n - 1 of the batch. At a knot, X' is that of
 * the piece before it (as in torchcde); at the first knot, of the piece after it. A series that has not begun or has
 * already ended, while others run, stays at its first or last value. Outside of all knots the first and the last piece
 * are extrapolated. */
void cst_path_value(const cst_path *path, size_t row, size_t n, double t, real *x);
void cst_path_slope(const cst_path *path, size_t row, size_t n, double t, real *dx);

/* The gradient with respect to a series' values has two steps, because X' is linear in the knots' values and slopes,
 * and the slopes are linear in the values. Times are constants.
 *
 * First, for each cotangent g (n, C) of X'(t): gknots += scale times the cotangent of what X' is computed from. gknots
 * has cst_path_knot_reals reals per series, all series of the path.
 *
 * Then, once: gx (N, T, C) is overwritten with the cotangent of the series' values, 0 where a value is missing.
 * `memory` has the size of a path's and may be the path's own, which must not be used afterwards. */
size_t cst_path_knot_reals(cst_path_kind kind, const cst_knots *series);
void cst_path_slope_vjp(const cst_path *path, size_t row, size_t n, double t, real scale, const real *g, real *gknots);
void cst_path_values_vjp(cst_path_kind kind, const cst_knots *series, real *memory, const real *gknots, real *gx);

/* The knots of the rectilinear path: between two observations the channel `time` moves first, alone, and then all other
 * channels, so that nothing is known before it is observed. t (2 T - 1) and x (N, 2 T - 1, C) are overwritten. Knot 2 i
 * is observation i, knot 2 i + 1 lies halfway to the next. A missing value is the last observed value before it, 0 if
 * there is none. The series must share its times. */
void cst_path_rectify(const cst_knots *series, size_t time, double *t, real *x);

/* Its VJP: gx (N, T, C) is overwritten, from the cotangent gknots (N, 2 T - 1, C) of x. */
void cst_path_rectify_vjp(const cst_knots *series, size_t time, const real *gknots, real *gx);

#ifdef __cplusplus
}
#endif
#endif
