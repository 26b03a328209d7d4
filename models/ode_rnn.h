/* ODE-RNN (Rubanova, Chen, Duvenaud, "Latent ODEs for irregularly-sampled time series", NeurIPS 2019, section 3.1): between
 * observations the state follows an ODE, and a GRU's cell (models/gru_cell.h) takes each observation in,
 *
 *   h'_i = h(t_i),  dh/dt = f(t, h) from h(t_{i-1}) = h_{i-1};     h_i = cell(x_i, h'_i),     h'_0 = 0
 *
 * Rows are time series (models/series_steps.h). x (N, T, C); y (N, H), the state at the end of each row, or (N, T, H), that
 * after every step. A step at which a row has nothing observed is no observation: h_i = h'_i.
 *
 * Times are 0, 1, ..., T - 1, or those in channel 0, which then is no input to the cell, and is shared by all rows that have
 * not ended: increasing, none missing. No gradient goes through times.
 *
 * theta = [the cell's | ode]. Child: "ode", a block (adjoint/ode_block.h) that is called once an interval, whose "field" keeps
 * rows (H). Rows share step sizes, and a row that has ended still has a part in them.
 * Cache: the input, the gates and the states of every step, and T - 1 caches of the block. No tangents.
 * Errors: CST_EARG for times that are not shared, missing or not increasing, naming row and step; the solves' own. */
#ifndef CST_MODELS_ODE_RNN_H
#define CST_MODELS_ODE_RNN_H

#include "adjoint/ode_block.h"
#include "core/registry.h"
#include "models/series_steps.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_ode_rnn_options {
    cst_steps steps;     /* as to hidden, mask and all */
    bool channel_times;  /* in channel 0 */
    cst_ode_options ode; /* its times and outputs are set here */
} cst_ode_rnn_options;

/* Takes `field`, (H) -> (H), over: it is freed with the module, and at once where this fails. CST_ESHAPE unless x is (T, C)
 * with channels beside the time and the field's rows are (H); CST_EARG for hidden 0 and as of cst_ode_new; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_ode_rnn_new(const cst_shape *x, cst_module *field, const cst_ode_rnn_options *options,
                                          cst_module **m, cst_error *error);

/* "ode_rnn": hidden, output ("last", "all"), mask (false), times ("index", "channel"), field, solver, gradient. */
extern const cst_module_type cst_ode_rnn_type;

#ifdef __cplusplus
}
#endif
#endif
