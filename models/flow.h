/* Normalizing flows: a chain of invertible layers from data x to a standard normal distribution (the base), and the
 * log-likelihood of x.
 *
 *   log p(x) = log N(z; 0, I) + sum over layers of log |det of the layer's Jacobian|
 *
 * Layers: cnf, whose log-determinant is int div f dt, and the bijections squeeze, logit, dequantize
 * (layers/bijection.h). Multi-scale flows (Dinh, Sohl-Dickstein, Bengio, "Density estimation using Real NVP", ICLR
 * 2017): after some layers the second half of the channels is factored out into z, the first half passes to the next
 * scale.
 *
 * x (N, D...) -> y (N, 1) = log p(x). If a cnf has regularizers, y is (N, 2), and its second column is their weighted
 * sum: a penalty, which is 0 in evaluation mode. z (N, D) is what was factored out, in that order, then what is left,
 * each part flat. Train a flow with the loss nll (train/loss.h), the negative log-likelihood. theta consists of the
 * layers', which are the children "0", "1", ... from x to z.
 *
 * Rows share the steps of a cnf, so batches are not cut here. Errors of a pass are the layers': pixels out of range,
 * and those of the solves. There are no tangent passes. */
#ifndef CST_MODELS_FLOW_H
#define CST_MODELS_FLOW_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- building ---------------------------------------------------------------------------------------------------- */

/* A flow without layers for rows of shape x: y is log N(x; 0, I). The caller frees *m, which is NULL on failure.
 * Errors: CST_ESHAPE for rows without entries, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_flow_new(const cst_shape *x, cst_module **m, cst_error *error);

/* The shape of a row after the layers added so far, without what is factored out. */
cst_shape cst_flow_shape(const cst_module *m);

/* Append a layer and take ownership: it is freed with the flow, or at once on failure. Errors: CST_ESHAPE if the layer
 * was made for other rows; CST_EUNSUPPORTED if it is neither a cnf nor a bijection, or if it needs numbers from 0 to 1
 * that the layer before it does not give, or beyond 128 layers; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_flow_add(cst_module *m, cst_module *layer, cst_error *error);

/* Factor out half of the channels after the layers added so far. CST_ESHAPE unless there is a layer and the number of
 * channels is even; once per layer. */
CST_MUST_CHECK cst_status cst_flow_factor_out(cst_module *m, cst_error *error);

/* The type "flow" of configs: layers, then blocks of one cnf each. docs/flows.md describes its keys. */
extern const cst_module_type cst_flow_type;

/* ---- queries ----------------------------------------------------------------------------------------------------- */

/* Whether m is a flow. */
bool cst_is_flow(const cst_module *m);

/* Whether m is a flow whose x must lie between 0 and 1. */
bool cst_flow_wants_unit_interval(const cst_module *m);

/* L if m is a flow that begins with dequantize, so that x consists of multiples of 1 / (L - 1); otherwise 0. */
size_t cst_flow_levels(const cst_module *m);

/* ---- between x and z --------------------------------------------------------------------------------------------- */

/* z (N, D) is overwritten, from x and the cache of a forward pass over the same n rows and threads. */
void cst_flow_latent(const cst_module *m, size_t n, int threads, const real *x, const real *cache, real *z);

/* The inverse: x (N, D...) from z (N, D), N the call's n. logp (N) = log p(x); it may be NULL, which saves the
 * divergences. With z drawn from N(0, I), x are samples. The call's work holds cst_flow_inverse_work reals, instead of
 * the plan's; there is no cache. Errors: those of the solves. */
size_t cst_flow_inverse_work(const cst_module *m, size_t n, int threads);
CST_MUST_CHECK cst_status cst_flow_inverse(const cst_module *m, const cst_call *c, const real *z, real *x, real *logp);

/* The inverse in `frames` >= 2 pictures: path (frames, N, D) is overwritten. Frame 0 is z, the last frame is x, and the
 * others are equally far apart in time, where each cnf counts as one unit. The call's work holds cst_flow_path_work
 * reals. Errors: CST_EUNSUPPORTED unless all layers are cnfs; those of the solves. */
size_t cst_flow_path_work(const cst_module *m, size_t n, int threads);
CST_MUST_CHECK cst_status cst_flow_path(const cst_module *m, const cst_call *c, const real *z, size_t frames,
                                        real *path);

#ifdef __cplusplus
}
#endif
#endif
