/* Neural controlled differential equations (Kidger, Morrill, Foster, Lyons, "Neural controlled differential equations
 * for irregular time series", NeurIPS 2020; the paper's section 4.1):
 *
 *   z(t_0) = initial(X(t_0)),   z' = F(z) X'(t)
 *
 * X is the path (models/path.h) through a row's own values x (T, C), times by channels. NaN is a value that was not
 * observed, and a series shorter than T ends in rows of NaN.
 *
 * Times. The knots are at times 0, 1, ..., T - 1, or at the times in channel 0 of the row, which must increase and be
 * NaN after the series' end; series may then differ in their times. X' jumps at the corners of the path. The solver
 * stops at these times only, and evaluates the field again after each. If the series of a batch have their own times,
 * the solver stops at the corners of all series. The solution of a CDE depends on the curve that X traces, not on its
 * speed. For a linear path, times 0, 1, ... with the true times in a channel therefore give the same CDE, with fewer
 * corners where the series' own times differ.
 *
 * y (N, H) is z at the batch's last time (a series that has ended stays where it is). With `output_all`, y (N, T, H) is
 * z at every time, which the series must share. theta = [initial | the field's network]. Children: "initial" from (C)
 * to (H), and "ode", whose child "field" is that of models/cde_field.h. Times have no gradient. There are no tangent
 * passes.
 * Errors: CST_ESHAPE; CST_EARG for times that do not increase, or that differ between series where they must be shared;
 * the errors of the solves. */
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
    bool rectilinear;   /* the linear path through other knots (cst_path_rectify): channel 0, the time, moves first */
    bool channel_times; /* the knots' times are in channel 0; false: 0, 1, ... */
    bool output_all;    /* y has the state at every time; false: at the last */
    cst_ode_options
        ode; /* its times, output_all, learn_t and context_row are ignored; its solvers must not have jump_t */
} cst_cde_options;

/* A neural CDE for rows of shape x = (T, C). `initial` maps (C) to (H), `network` maps (H) to (H C) or (H, C). It takes
 * ownership of both: they are freed with the module, or at once on failure. The options are copied. The caller frees
 * *m, which is NULL on failure. Errors: CST_ESHAPE for shapes that do not fit; CST_EARG for a solver with jump_t, a
 * rectilinear path that is not linear, and those of cst_ode_new; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_cde_new(const cst_shape *x, cst_module *initial, cst_module *network,
                                      const cst_cde_options *options, cst_module **m, cst_error *error);

/* The type "cde" of configs; docs/cde.md describes its keys. */
extern const cst_module_type cst_cde_type;

#ifdef __cplusplus
}
#endif
#endif
