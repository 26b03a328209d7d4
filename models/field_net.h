/* Networks for fields: layers with t in each of them and the shape of their rows kept, as FFJORD's (Grathwohl et al., ICLR 2019).
 *
 * Rows (D): linear layers D -> hidden ... -> D. Rows (C, H, W): convolutions C -> hidden ... -> C of an odd kernel, stride 1,
 * padded to keep H and W. An activation between. t comes in as one more feature or channel of each layer's input (concat), by
 * a gate and a shift of its output (concat_squash), or not (none). A sequential of these layers, children "0", "1", ... */
#ifndef CST_MODELS_FIELD_NET_H
#define CST_MODELS_FIELD_NET_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const cst_module_type cst_field_net_type;

#ifdef __cplusplus
}
#endif
#endif
