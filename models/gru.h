/* A gated recurrent unit (models/gru_cell.h) over time series (models/series_steps.h):
 *
 *   h_0 = 0,   h_{i+1} = cell(x_i, h_i)
 *
 * x (N, T, C); y (N, H) is the state at the end of each row, or y (N, T, H) the state after every step. A step at which
 * nothing is observed is a step like any other until the row ends: its input repeats the last observed values. theta is
 * the cell's. The cache holds the input, the gates and the state of every step. There are no tangent passes. */
#ifndef CST_MODELS_GRU_H
#define CST_MODELS_GRU_H

#include "core/registry.h"
#include "models/series_steps.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A GRU for rows of shape x = (T, C). Of `options` only hidden, mask and all are read; they are copied. The caller
 * frees *m, which is NULL on failure. Errors: CST_ESHAPE unless x is (T, C) with at least one step and channel;
 * CST_EARG if hidden is 0; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_gru_new(const cst_shape *x, const cst_steps *options, cst_module **m, cst_error *error);

/* The type "gru" of configs, with keys hidden, output ("last", "all") and mask (false). */
extern const cst_module_type cst_gru_type;

#ifdef __cplusplus
}
#endif
#endif
