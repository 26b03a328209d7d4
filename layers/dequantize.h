/* Dequantization: adds noise to discrete pixels, so that they have a density (Uria, Murray and Larochelle, "RNADE",
 * NeurIPS 2013; Theis, van den Oord and Bethge, "A note on the evaluation of generative models", ICLR 2016):
 *
 *   y = (b + u) / L,   b = (L - 1) x in {0, ..., L - 1},   u uniform on [0, 1)
 *
 * x, y (N, ...) of any shape, with D entries per row. x is in [0, 1], as data sets deliver bytes without normalization.
 * L is the number of levels, 256 for bytes. u is drawn from the call's random stream by the entry's index in the whole
 * batch, in training and in evaluation. The log-determinant is that of b + u -> y, which is -D log L: the log-density
 * of a flow is then that of pixels in units of one level. forward fails with CST_EARG, and a message that names the
 * row, for an x outside of [0, 1]. The inverse rounds down: b = floor(L y). It has no parameters, cache or work, no jvp
 * and no jvp_vjp. */
#ifndef CST_LAYERS_DEQUANTIZE_H
#define CST_LAYERS_DEQUANTIZE_H

#include "core/registry.h"
#include "layers/bijection.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_dequantize_options {
    size_t levels; /* L: values that a pixel can have, 2 to 65,536 */
} cst_dequantize_options;

/* Make a dequantize layer for rows of shape x. The caller frees *m with cst_module_free; it is NULL on failure. `error`
 * may be NULL. Errors: CST_EARG unless levels is from 2 to 65,536; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_dequantize_new(const cst_shape *x, const cst_dequantize_options *options, cst_module **m,
                                             cst_error *error);

/* Returns L. The type of m must be cst_dequantize_type. */
size_t cst_dequantize_levels(const cst_module *m);

extern const cst_module_type cst_dequantize_type; /* "dequantize": levels (256) */
extern const cst_bijection cst_dequantize_bijection;

#ifdef __cplusplus
}
#endif
#endif
