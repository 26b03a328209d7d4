#include "models/registry.h"

#include "adjoint/ode_config.h"
#include "layers/activations.h"
#include "layers/concat_squash.h"
#include "layers/concat_time.h"
#include "layers/conv2d.h"
#include "layers/dequantize.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/logit.h"
#include "layers/norm_layers.h"
#include "layers/pool2d.h"
#include "layers/residual.h"
#include "layers/sequential.h"
#include "layers/squeeze.h"
#include "models/cde.h"
#include "models/cnf.h"
#include "models/field_net.h"
#include "models/flow.h"
#include "models/gru.h"
#include "models/hamiltonian.h"
#include "models/ode_rnn.h"
#include "models/symoden.h"

/* What the list of activations contributes: one type per activation. */
#define ACTIVATION_TYPE(name, enumerator, flops, keys, summary) &cst_##name##_type,

/* One type per line, in the order of `costate list` and docs/config.md; clang-format would join some. */
/* clang-format off */
static const cst_module_type *const types[] = {
    &cst_linear_type,
    &cst_conv2d_type,
    &cst_conv_transpose2d_type,
    CST_ACTIVATIONS(ACTIVATION_TYPE)
    &cst_group_norm_type,
    &cst_layer_norm_type,
    &cst_avg_pool2d_type,
    &cst_max_pool2d_type,
    &cst_global_avg_pool2d_type,
    &cst_flatten_type,
    &cst_squeeze_type,
    &cst_logit_type,
    &cst_dequantize_type,
    &cst_dropout_type,
    &cst_concat_time_type,
    &cst_concat_squash_linear_type,
    &cst_concat_squash_conv2d_type,
    &cst_sequential_type,
    &cst_residual_type,
    &cst_ode_type,
    &cst_cde_type,
    &cst_field_net_type,
    &cst_cnf_type,
    &cst_flow_type,
    &cst_gru_type,
    &cst_ode_rnn_type,
    &cst_hamiltonian_type,
    &cst_symoden_type,
};
/* clang-format on */

const cst_registry cst_all_modules = {.n_types = sizeof types / sizeof types[0], .types = types};
