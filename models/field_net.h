/* Networks for ODE fields, as FFJORD's (Grathwohl et al., "FFJORD", ICLR 2019): every layer sees t, and the shape of
 * the rows is kept.
 *
 * Rows (D): linear layers D -> hidden ... -> D. Rows (C, H, W): convolutions C -> hidden ... -> C with an odd kernel
 * and stride 1, padded to keep H and W. There is an activation between layers. t enters as one more feature or channel
 * of each layer's input (concat), as a gate and a shift of its output (concat_squash), or not at all (none). The result
 * is a sequential of these layers, with children "0", "1", ... */
#ifndef CST_MODELS_FIELD_NET_H
#define CST_MODELS_FIELD_NET_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The type "field_net" of configs, with keys hidden, time, activation, kernel. Errors: CST_ESHAPE unless rows are (D)
 * or (C, H, W); those of the layers. */
extern const cst_module_type cst_field_net_type;

#ifdef __cplusplus
}
#endif
#endif
