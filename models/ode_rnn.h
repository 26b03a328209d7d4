/* ODE-RNN (Rubanova, Chen, Duvenaud, "Latent ODEs for irregularly-sampled time series", NeurIPS 2019, section 3.1):
 * between observations the state follows an ODE, and a GRU's cell (models/gru_cell.h) takes in each observation,
 *
 *   h'_i = h(t_i),  dh/dt = f(t, h) from h(t_{i-1}) = h_{i-1};     h_i = cell(x_i, h'_i),     h'_0 = 0
 *
 * Rows are time series (models/series_steps.h). x (N, T, C); y (N, H) is the state at the end of each row, or y (N, T,
 * H) the state after every step. At a step where nothing is observed in a row, the cell is skipped: h_i = h'_i.
 *
 * Times are 0, 1, ..., T - 1, or those in channel 0. Channel 0 is then no input of the cell, and all rows of a batch
 * that have not ended must share its times, which must be finite and increase. Times have no gradient.
 *
 * theta = [the cell's | the ODE block's]. The child "ode" is a block (adjoint/ode_block.h), called once per interval;
 * its child "field" keeps rows (H). Rows share step sizes; a row that has ended still takes part in the choice of
 * steps. The cache holds the input, the gates and the states of every step, and T - 1 caches of the block. There are no
 * tangent passes.
 * Errors: CST_EARG for times that are missing, not shared or do not increase, with row and step; the errors of the
 * solves. */
#ifndef CST_MODELS_ODE_RNN_H
#define CST_MODELS_ODE_RNN_H

#include "adjoint/ode_block.h"
#include "core/registry.h"
#include "models/series_steps.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_ode_rnn_options {
    cst_steps steps;     /* only hidden, mask and all are read */
    bool channel_times;  /* the times are in channel 0; false: 0, 1, ... */
    cst_ode_options ode; /* its times, output_all, learn_t and context_row are ignored */
} cst_ode_rnn_options;

/* An ODE-RNN for rows of shape x = (T, C). It takes ownership of `field`, (H) -> (H): the field is freed with the
 * module, or at once on failure. The options are copied. The caller frees *m, which is NULL on failure. Errors:
 * CST_ESHAPE unless x is (T, C) with at least one channel besides the time, and the field's rows are (H); CST_EARG if
 * hidden is 0; those of cst_ode_new; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_ode_rnn_new(const cst_shape *x, cst_module *field, const cst_ode_rnn_options *options,
                                          cst_module **m, cst_error *error);

/* The type "ode_rnn" of configs, with keys hidden, output ("last", "all"), mask (false), times ("index", "channel"),
 * field, solver, gradient. */
extern const cst_module_type cst_ode_rnn_type;

#ifdef __cplusplus
}
#endif
#endif
