/* The field of a neural CDE (Kidger, Morrill, Foster, Lyons, "Neural controlled differential equations for irregular time
 * series", NeurIPS 2020): z' = F(z) X'(t), with F(z) the value of a network, read as (H, C) row-major.
 *
 * Rows z (H) -> (H). The call's context is the control, a const cst_path * of C channels whose series are the rows of the
 * whole batch; without it a pass is CST_EARG. theta is the network's, child "network". gcontext is that of
 * cst_path_slope_vjp, for all series of the path. Where the network ends in a linear layer and tanh, the tanh is taken from it
 * and done here, row by row with the product: F(z) is the largest array by far. */
#ifndef CST_MODELS_CDE_FIELD_H
#define CST_MODELS_CDE_FIELD_H

#include "core/module.h"
#include "models/path.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Takes the network, (H) -> (H C) or (H, C), over: it is freed with the field, and at once where this fails. CST_ESHAPE,
 * CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_cde_field_new(cst_module *network, size_t channels, cst_module **m, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
