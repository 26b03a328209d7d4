/* Paths X(t) through data: what controls a neural CDE, z' = F(z) X'(t) (Kidger, Morrill, Foster, Lyons, "Neural
 * controlled differential equations for irregular time series", NeurIPS 2020).
 *
 * N series of T knots and C channels, at times that all share or each has of its own; values may be missing (NaN), and a
 * series of its own times may end early (its times are NaN from there on), after which it stays where it is. Between knots
 *
 *   linear    X is a straight line; X' jumps at every knot
 *   cubic     X is the natural cubic spline, X'' = 0 at both ends; X' does not jump
 *   hermite   X is the cubic whose slope at a knot is that of the line that leads to it (at the first one, from it): up to
 *             a knot it depends on nothing later; X' does not jump
 *
 * as in torchcde and diffrax. A rectilinear path is the linear one through other knots (cst_path_rectify). A missing value
 * is interpolated between the observed ones of its channel: by lines, for a cubic by the spline through those. Before the
 * first and after the last of them a channel has their values; one without any is 0. */
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

typedef struct cst_knots {
    size_t n, length, channels; /* N, T >= 2, C */
    bool own_times;
    const double *t; /* (T), or (N, T): increasing, at least 2, or 1 of a series' own: X stays */
    const real *x;   /* (N, T, C) */
} cst_knots;

/* A view of a series and of memory, both the caller's, who keeps them. */
typedef struct cst_path {
    cst_path_kind kind;
    cst_knots series;   /* without gaps */
    const real *slopes; /* (N, T, C): X' at the knots; NULL for linear */
    double begin, end;  /* the first and the last knot of all */
    size_t first;       /* the row of a batch that is its first series; cst_path_make sets 0 */
} cst_path;

/* Reals of memory for a path; saturates. */
size_t cst_path_memory(cst_path_kind kind, const cst_knots *series);

/* Fill gaps, and find slopes. A linear path without gaps is a view of the series' own values. Errors: CST_EARG for a series
 * of too few times, and for times that do not increase, naming series and time. */
CST_MUST_CHECK cst_status cst_path_make(cst_path_kind kind, const cst_knots *series, real *memory, cst_path *path,
                                        cst_error *error);

/* The path that was made of that series in that memory. */
cst_path cst_path_at(cst_path_kind kind, const cst_knots *series, const real *memory);

/* X (n, C) or X' (n, C) at t of the rows row .. row + n - 1. A knot belongs to the piece before it (as in torchcde), the
 * first one to that after. A series that begins later or ends earlier than others stays where it is; outside of all knots the
 * first and the last piece go on. */
void cst_path_value(const cst_path *path, size_t row, size_t n, double t, real *x);
void cst_path_slope(const cst_path *path, size_t row, size_t n, double t, real *dx);

/* Gradients with respect to a series' values, in two steps: first to what X' is made of, so many reals a row, added with
 * `scale` for a cotangent g (n, C) of X' at t; from there, once, to the values, gx (N, T, C) overwritten, 0 where they are
 * missing. Times are constants. `memory`: as for the path, which is not needed any more. */
size_t cst_path_knot_reals(cst_path_kind kind, const cst_knots *series);
void cst_path_slope_vjp(const cst_path *path, size_t row, size_t n, double t, real scale, const real *g, real *gknots);
void cst_path_values_vjp(cst_path_kind kind, const cst_knots *series, real *memory, const real *gknots, real *gx);

/* The knots of the rectilinear path: between two observations the channel `time` moves first, alone, and then the others, so
 * that nothing is known before it is observed. t (2 T - 1) and x (N, 2 T - 1, C) of a series that shares its times: knot
 * 2 i is observation i, knot 2 i + 1 halfway to the next. A missing value is the last observed one before it, 0 if there is
 * none. Its VJP: gx (N, T, C) overwritten, of gknots (N, 2 T - 1, C). */
void cst_path_rectify(const cst_knots *series, size_t time, double *t, real *x);
void cst_path_rectify_vjp(const cst_knots *series, size_t time, const real *gknots, real *gx);

#ifdef __cplusplus
}
#endif
#endif
