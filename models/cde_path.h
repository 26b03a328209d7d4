/* From the rows of a batch to the control path of a neural CDE (models/cde.h): when series begin and end, at which
 * times their knots are, and where X' jumps.
 *
 * A forward pass makes the path in the cache; its VJP reads it from the same cache. Letters: N rows x (T, C). */
#ifndef CST_MODELS_CDE_PATH_H
#define CST_MODELS_CDE_PATH_H

#include "core/module.h"
#include "models/path.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a model reads its rows. */
typedef struct cst_cde_series {
    size_t length, channels; /* T, C */
    cst_path_kind kind;
    bool rectilinear;   /* the linear path through the knots of cst_path_rectify */
    bool channel_times; /* times are in channel 0; false: 0, 1, ..., T - 1 */
    bool output_all;    /* the state at every time is wanted, so that series must share their times */
} cst_cde_series;

/* The knots of n series through which the path goes: their number (2 T - 1 if rectilinear) and channels. t and x are
 * NULL. */
cst_knots cst_cde_knots(const cst_cde_series *s, size_t n);

/* Reals that the path of n rows takes in the cache; saturates at SIZE_MAX. */
size_t cst_cde_path_size(const cst_cde_series *s, size_t n);

/* The path of the call's rows x (N, T, C) in `cache`, which must outlive it, as must x. Errors: CST_EARG for times that
 * are missing, do not increase, or differ between series where they must be shared. */
CST_MUST_CHECK cst_status cst_cde_path_make(const cst_cde_series *s, const cst_call *c, const real *x, real *cache,
                                            cst_path *path);

/* The path that cst_cde_path_make has made in this cache for the same n rows x. Both must outlive it. */
cst_path cst_cde_path_at(const cst_cde_series *s, size_t n, const real *x, const real *cache);

/* The times over which to integrate along the path, and where X' jumps inside. ends (2) is overwritten with the first
 * and the last time. The span refers to the cache, to the path and to ends, which must outlive it. */
cst_span cst_cde_path_span(const cst_cde_series *s, const cst_path *path, const real *cache, double ends[2]);

/* The VJP of cst_cde_path_make: gx (N, T, C) is overwritten, from the cotangents gknots of the path's knots
 * (cst_path_slope_vjp). work holds cst_cde_path_vjp_work(s, n) reals. */
size_t cst_cde_path_vjp_work(const cst_cde_series *s, size_t n);
void cst_cde_path_vjp(const cst_cde_series *s, size_t n, const real *x, const real *cache, const real *gknots,
                      real *work, real *gx);

#ifdef __cplusplus
}
#endif
#endif
