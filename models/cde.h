/* Neural controlled differential equations (Kidger, Morrill, Foster, Lyons, "Neural controlled differential equations for
 * irregular time series", NeurIPS 2020; the paper's section 4.1):
 *
 *   z(t_0) = initial(X(t_0)),   z' = F(z) X'(t)
 *
 * X is the path through a row's own values, x (T, C), time steps by channels: a NaN is a value that was not observed, and a
 * series that is shorter than T ends in rows of NaN. The knots are at times 0, 1, ..., T - 1, or at those in channel 0 of the
 * row, which then are increasing, and NaN behind the series' end; series may have times of their own. X' jumps where the path
 * has a corner: there, and only there, the solver stops and begins anew. A batch whose series have times of their own has the
 * corners of all of them; since a CDE does not change when time runs faster or slower, series on the times 0, 1, ... with their
 * own in a channel are the same CDE with fewer corners, as long as the path is linear.
 *
 * y (N, H) = z at the last time of all (a series that has ended stays where it is), or with `output_all` y (N, T, H) = z at
 * every knot, which series must share then. theta = [initial | field's network]. Children: "initial", (C) -> (H), and "ode",
 * whose "field" is models/cde_field.h's. No gradient goes through times.
 * Errors: CST_ESHAPE; CST_EARG for times that do not increase, or are the series' own where they must be shared; the
 * solves' own. */
#ifndef CST_MODELS_CDE_H
#define CST_MODELS_CDE_H

#include "adjoint/ode_block.h"
#include "core/registry.h"
#include "models/path.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_cde_options {
    cst_path_kind path;
    bool rectilinear;   /* the linear path through other knots (models/path.h): channel 0, the time, moves first */
    bool channel_times; /* the knots are where channel 0 says, not at 0, 1, ... */
    bool output_all;
    cst_ode_options ode; /* its times and outputs are set here */
} cst_cde_options;

/* For rows x (T, C). `initial` is a module (C) -> (H), `network` one (H) -> (H C) or (H, C); both are taken over: freed with
 * the module, and at once where this fails. */
CST_MUST_CHECK cst_status cst_cde_new(const cst_shape *x, cst_module *initial, cst_module *network,
                                      const cst_cde_options *options, cst_module **m, cst_error *error);

extern const cst_module_type cst_cde_type;

#ifdef __cplusplus
}
#endif
#endif
