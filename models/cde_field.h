/* The field of a neural CDE (Kidger, Morrill, Foster, Lyons, "Neural controlled differential equations for irregular
 * time series", NeurIPS 2020): z' = F(z) X'(t), where F(z) is the value of a network, read as a matrix (H, C) in
 * row-major order.
 *
 * Rows z (H) -> (H). The call's context is the control: a const cst_path * with C channels that covers the rows of the
 * call. theta is the network's, child "network". The gradient of the context is that of cst_path_slope_vjp, for all
 * series of the path. Errors of a pass: CST_EARG if the call has no path, or one that does not fit.
 *
 * F(z) is by far the largest array. If the network ends in a linear layer and tanh, the tanh is removed from the
 * network and computed here, row by row, together with the product. */
#ifndef CST_MODELS_CDE_FIELD_H
#define CST_MODELS_CDE_FIELD_H

#include "core/module.h"
#include "models/path.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A field for paths of `channels` channels. It takes ownership of the network, (H) -> (H C) or (H, C): it is freed with
 * the field, or at once on failure. The caller frees *m, which is NULL on failure. Errors: CST_ESHAPE, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_cde_field_new(cst_module *network, size_t channels, cst_module **m, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
