/* A gated recurrent unit (models/gru_cell.h) over time series (models/series_steps.h): h_0 = 0, h_{i+1} = cell(x_i, h_i).
 *
 * x (N, T, C); y (N, H), the state at the end of each row, or (N, T, H), that after every step. A step at which nothing is
 * observed is one like any other, with the values of those before it, until the row ends. theta is the cell's.
 * Cache: the input, the gates and the state of every step. No tangents. */
#ifndef CST_MODELS_GRU_H
#define CST_MODELS_GRU_H

#include "core/registry.h"
#include "models/series_steps.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `options` as to hidden, mask and all. CST_ESHAPE unless x is (T, C); CST_EARG for hidden 0; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_gru_new(const cst_shape *x, const cst_steps *options, cst_module **m, cst_error *error);

/* "gru": hidden, output ("last", "all"), mask (false). */
extern const cst_module_type cst_gru_type;

#ifdef __cplusplus
}
#endif
#endif
