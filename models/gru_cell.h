/* The cell of a gated recurrent unit (Cho et al., "Learning phrase representations using RNN encoder-decoder for
 * statistical machine translation", EMNLP 2014), with PyTorch's equations and layout:
 *
 *   r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)          h' = (1 - z) n + z h
 *   z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
 *   n = tanh(W_in x + b_in + r u),  u = W_hn h + b_hn
 *
 * theta = [weight_ih (3H, in) | weight_hh (3H, H) | bias_ih (3H) | bias_hh (3H)], with the gates in the order r, z, n.
 * A module that has a cell has these four as its own tensors. Initially all are uniform in +-1/sqrt(H).
 *
 * A cell is evaluated step by step. The input's part of the gates and the gradient of the weights are matrix products
 * over all steps at once, so they have functions of their own. models/gru_steps.h does all of this for whole series.
 * Letters: n is the number of rows in one step, `rows` the number of rows in all steps together. */
#ifndef CST_MODELS_GRU_CELL_H
#define CST_MODELS_GRU_CELL_H

#include "core/module.h"
#include "models/series_steps.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A non-owning view of a cell's parameters: theta must outlive it. */
typedef struct cst_gru_cell {
    size_t in, hidden; /* features of the input, and H */
    const real *weight_ih, *weight_hh, *bias_ih, *bias_hh;
} cst_gru_cell;

/* The rows of one step. A row in which less than `least` is observed keeps its state. */
typedef struct cst_gru_rows {
    size_t n;
    const real *observed; /* (n), each number a cst_observed */
    cst_observed least;
} cst_gru_rows;

/* What the VJP of one step reads: the state h before the step, the gates r, z, n, and u. */
typedef struct cst_gru_point {
    const real *h, *gates, *u; /* (n, H), (n, 3H), (n, H) */
} cst_gru_point;

/* Add the four tensors to a module that has no children yet. The module's cost does not change. */
void cst_gru_cell_add_tensors(cst_module *m, size_t in, size_t hidden);

/* Draw the initial parameters of a module that has a cell: a cst_module_ops.init. */
void cst_gru_cell_init(const cst_module *m, cst_rng rng, real *theta);

/* The cell of a module whose parameters are theta. */
cst_gru_cell cst_gru_cell_at(const cst_module *m, const real *theta);

/* Floating-point operations per row and step. */
double cst_gru_cell_cost(size_t in, size_t hidden);

/* gates (rows, 3H) = W_ih x + b_ih, x (rows, in): the input's part of the gates of all steps. */
void cst_gru_cell_input(const cst_gru_cell *g, size_t rows, const real *x, real *gates);

/* The VJP of cst_gru_cell_input with cotangent ggates (rows, 3H): gx (rows, width) is overwritten with the cotangent of
 * the first `width` inputs. */
void cst_gru_cell_input_back(const cst_gru_cell *g, size_t rows, size_t width, const real *ggates, real *gx);

/* One step from h (n, H) to y (n, H). gates (n, 3H) holds the result of cst_gru_cell_input and is overwritten with r, z
 * and n. u (n, H) is overwritten. work is (n, 3H). */
void cst_gru_cell_step(const cst_gru_cell *g, const cst_gru_rows *rows, const real *h, real *gates, real *u, real *y,
                       real *work);

/* The step's VJP with cotangent gy (n, H) of y. Overwritten are ggates (n, 3H), the cotangent of W_ih x + b_ih; gpre
 * (n, 3H), that of W_hh h + b_hh; and gh (n, H), that of h. */
void cst_gru_cell_step_back(const cst_gru_cell *g, const cst_gru_rows *rows, const cst_gru_point *p, const real *gy,
                            real *ggates, real *gpre, real *gh);

/* g->gtheta += g->scale times the gradient of the cell's parameters, summed over all steps. x (rows, in) is the input,
 * h (rows, H) the state before each step, ggates and gpre (rows, 3H) come from cst_gru_cell_step_back. */
void cst_gru_cell_add_gradient(const cst_module *m, size_t rows, const real *x, const real *h, const real *ggates,
                               const real *gpre, const cst_grads *g);

#ifdef __cplusplus
}
#endif
#endif
