/* Normalizing flows: a chain of invertible layers from data to a standard normal distribution, and the data's log-likelihood.
 *
 *   log p(x) = log N(z; 0, I) + sum over layers of log |det of the layer's Jacobian|
 *
 * Layers: cnf, whose log-determinant is int div f dt, and the bijections squeeze, logit, dequantize (layers/bijection.h).
 * Multi-scale (Dinh, Sohl-Dickstein, Bengio, "Density estimation using Real NVP", ICLR 2017): after some layers the second
 * half of the channels goes out, as a part of z, and the first half on.
 *
 * x (N, D...) -> y (N, 1), log p(x), or if a cnf has regularizers y (N, 2), their weighted sum behind it: a penalty, which in
 * evaluation mode is 0. z (N, D) is what went out, in that order, then what is left, each flat. The loss nll (train/loss.h)
 * makes a flow likely. theta is the layers', children "0", "1", ... in the order of x to z.
 *
 * Steps are shared by rows wherever there is a cnf, so batches are not cut here. Errors of the layers: pixels out of range, the
 * solves'. */
#ifndef CST_MODELS_FLOW_H
#define CST_MODELS_FLOW_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A flow without layers, for rows of shape x: y is log N(x; 0, I). CST_ESHAPE for rows without entries, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_flow_new(const cst_shape *x, cst_module **m, cst_error *error);

/* The shape of a row behind the layers so far. */
cst_shape cst_flow_shape(const cst_module *m);

/* Append a layer and own it: it is freed with the flow, and at once where this fails. CST_ESHAPE if it was made for other
 * rows, CST_EUNSUPPORTED if it is none that flows have, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_flow_add(cst_module *m, cst_module *layer, cst_error *error);

/* Behind the layers so far, half of the channels go out. CST_ESHAPE unless there is a layer and their number is even. */
CST_MUST_CHECK cst_status cst_flow_factor_out(cst_module *m, cst_error *error);

/* "flow": layers, then blocks of a cnf each. */
extern const cst_module_type cst_flow_type;

bool cst_is_flow(const cst_module *m);

/* Whether m is a flow and x has to lie between 0 and 1. */
bool cst_flow_wants_unit_interval(const cst_module *m);

/* L where m is a flow that begins with dequantize: x is of multiples of 1 / (L - 1); otherwise 0. */
size_t cst_flow_levels(const cst_module *m);

/* z (N, D) of the forward pass that left this cache. */
void cst_flow_latent(const cst_module *m, size_t n, int threads, const real *x, const real *cache, real *z);

/* The way back, from z (N, D) to x (N, D...), N the call's n, and unless it is NULL, which saves its divergences, logp (N) =
 * log p(x). With z drawn from N(0, I) these are samples. The call's work has cst_flow_inverse_work reals, in place of those of a
 * plan; there is no cache. Errors: the solves'. */
size_t cst_flow_inverse_work(const cst_module *m, size_t n, int threads);
CST_MUST_CHECK cst_status cst_flow_inverse(const cst_module *m, const cst_call *c, const real *z, real *x, real *logp);

/* The same way, watched: path (frames, N, D), of which frame 0 is z, the last is x and what is between is equally far apart in
 * time, where each cnf counts for one unit of it. `frames` is at least 2. CST_EUNSUPPORTED unless all layers are cnfs. */
size_t cst_flow_path_work(const cst_module *m, size_t n, int threads);
CST_MUST_CHECK cst_status cst_flow_path(const cst_module *m, const cst_call *c, const real *z, size_t frames,
                                        real *path);

#ifdef __cplusplus
}
#endif
#endif
