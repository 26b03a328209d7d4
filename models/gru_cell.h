/* The cell of a gated recurrent unit (Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical
 * machine translation", EMNLP 2014), with PyTorch's equations and layout:
 *
 *   r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)          h' = (1 - z) n + z h
 *   z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
 *   n = tanh(W_in x + b_in + r u),  u = W_hn h + b_hn
 *
 * theta = [weight_ih (3H, in) | weight_hh (3H, H) | bias_ih (3H) | bias_hh (3H)], gates in the order r, z, n; a module that
 * has a cell has these as its own tensors. Initial distribution: all uniform in +-1/sqrt(H).
 *
 * A cell is used step by step: the input's part of the gates and the weights' gradients are products over all steps at once.
 * Letters: n rows of a step, `rows` of all steps together. */
#ifndef CST_MODELS_GRU_CELL_H
#define CST_MODELS_GRU_CELL_H

#include "core/module.h"
#include "models/series_steps.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A view of parameters. */
typedef struct cst_gru_cell {
    size_t in, hidden;
    const real *weight_ih, *weight_hh, *bias_ih, *bias_hh;
} cst_gru_cell;

/* The module's own tensors, all four; before any child. Adds nothing to its cost. */
void cst_gru_cell_add_tensors(cst_module *m, size_t in, size_t hidden);
void cst_gru_cell_init(const cst_module *m, cst_rng rng, real *theta);
cst_gru_cell cst_gru_cell_at(const cst_module *m, const real *theta);
double cst_gru_cell_cost(size_t in, size_t hidden); /* flops a row and step */

/* gates (rows, 3H) = W_ih x + b_ih, x (rows, in) */
void cst_gru_cell_input(const cst_gru_cell *g, size_t rows, const real *x, real *gates);
/* gx (rows, width), overwritten: the cotangent of the first `width` inputs from that of the gates. */
void cst_gru_cell_input_back(const cst_gru_cell *g, size_t rows, size_t width, const real *ggates, real *gx);

/* One step, h (n, H) to y (n, H): gates comes as cst_gru_cell_input made it and is r, z and n after, u (n, H) is made;
 * rows that see less (sight (n)) than `least` keep their state. work (n, 3H). */
void cst_gru_cell_step(const cst_gru_cell *g, size_t n, const real *sight, cst_observed least, const real *h,
                       real *gates, real *u, real *y, real *work);
/* From the cotangent of y: ggates (n, 3H) of W_ih x + b_ih, gpre (n, 3H) of W_hh h + b_hh, gh (n, H) of h, overwritten. */
void cst_gru_cell_step_back(const cst_gru_cell *g, size_t n, const real *sight, cst_observed least, const real *h,
                            const real *gates, const real *u, const real *gy, real *ggates, real *gpre, real *gh);
/* gtheta += scale times the parameters' gradient over all steps: x (rows, in), h (rows, H) before each step. */
void cst_gru_cell_add_gradient(const cst_module *m, size_t rows, real scale, const real *x, const real *h,
                               const real *ggates, const real *gpre, real *gtheta);

#ifdef __cplusplus
}
#endif
#endif
