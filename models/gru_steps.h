/* A GRU's cell (models/gru_cell.h) over all steps of time series (models/series_steps.h): what the models gru and
 * ode_rnn share.
 *
 * A model's forward pass calls cst_gru_begin, then cst_gru_step for each step, then cst_steps_write. Its VJP calls,
 * from the last step to the first, cst_steps_write_back and cst_gru_step_back, and at the end cst_gru_finish_vjp.
 * Between the steps a model may change the state: gru does not, ode_rnn lets it follow an ODE.
 * Letters: T steps, N rows, H numbers of the state. Inside a model the step comes first and the row second. */
#ifndef CST_MODELS_GRU_STEPS_H
#define CST_MODELS_GRU_STEPS_H

#include "models/gru_cell.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Offsets in the cache of what a forward pass leaves for the VJP. */
typedef struct cst_gru_cache {
    size_t input;    /* (T, N, inputs) */
    size_t observed; /* (T, N): numbers of cst_observed */
    size_t gates;    /* (T, N, 3H): r, z, n */
    size_t u;        /* (T, N, H) */
    size_t h;        /* (T + 1, N, H): states, the first of which is the zero state before any step */
} cst_gru_cache;

/* Arrays in a pass's work. */
typedef struct cst_gru_work {
    real *step;   /* (N, 3H): the state's part of the gates in one step */
    real *ggates; /* (T, N, 3H): cotangent of W_ih x + b_ih */
    real *gpre;   /* (T, N, 3H): cotangent of W_hh h + b_hh */
    real *ginput; /* (T, N, values): cotangent of the observed values */
} cst_gru_work;

/* One pass of a model over a batch: a non-owning view, which its module, call and arrays must outlive. */
typedef struct cst_gru_run {
    const cst_module *m; /* the model, whose own tensors are the cell's */
    const cst_steps *steps;
    cst_gru_cell cell;
    cst_observed least; /* a row keeps its state in a step where less is observed */
    size_t n, count;    /* N, and the steps of the longest row: at most T */
    cst_gru_cache at;
    cst_gru_work work;
} cst_gru_run;

/* Place the cache's arrays after the first *size reals, and add to *size what they take. */
cst_gru_cache cst_gru_place(const cst_steps *s, size_t n, size_t *size);

/* The same for arrays in work. If work is NULL, the pointers are NULL and only *size is of use. */
cst_gru_work cst_gru_cut(const cst_steps *s, size_t n, real *work, size_t *size);

/* A run over the rows x (N, T, C) of a call. The model must set `least`, `at` and `work` itself. */
cst_gru_run cst_gru_run_of(const cst_module *m, const cst_steps *s, const cst_call *c, const real *x);

/* Fill the cache with the input, what is observed, the input's part of all gates, and the zero state before the first
 * step. */
void cst_gru_begin(const cst_gru_run *r, const real *x, real *cache);

/* Step i from the state `before` (N, H) to h_{i+1} in the cache. */
void cst_gru_step(const cst_gru_run *r, size_t i, const real *before, real *cache);

/* The VJP of step i with cotangent gy (N, H) of h_{i+1}: gbefore (N, H), the cotangent of `before`, is overwritten. The
 * cotangents of the gates go to work. */
void cst_gru_step_back(const cst_gru_run *r, size_t i, const real *before, const real *cache, const real *gy,
                       real *gbefore);

/* After all steps: the gradients of parameters and of x (N, T, C), as far as g asks for them. `before` (T, N, H) is the
 * state from which each step began. */
void cst_gru_finish_vjp(const cst_gru_run *r, const cst_point *p, const real *before, const cst_grads *g);

#ifdef __cplusplus
}
#endif
#endif
