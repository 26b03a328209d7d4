/* Pixels become real numbers by noise, so that they have a density (Uria, Murray, Larochelle, "RNADE", NeurIPS 2013; Theis, van
 * den Oord, Bethge, "A note on the evaluation of generative models", ICLR 2016):
 *
 *   y = (b + u) / L,   b = (L - 1) x in {0, ..., L - 1},   u uniform on [0, 1)
 *
 * x (N, D...) in [0, 1], as data sets hand out bytes that are not normalized; L = 256 levels. u is drawn from the call's
 * stream by a row's index in the batch, in training and in evaluation. The log-determinant is that of b + u -> y, -D log L: a
 * flow's log-density is then that of pixels, in units of one level. An x outside is CST_EARG naming the row. The inverse
 * rounds down: b = floor(L y). No parameters, no cache, no work. */
#ifndef CST_LAYERS_DEQUANTIZE_H
#define CST_LAYERS_DEQUANTIZE_H

#include "core/registry.h"
#include "layers/bijection.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_dequantize_options {
    size_t levels;
} cst_dequantize_options;

/* Errors: CST_EARG unless there are 2 levels or more, up to 65,536; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_dequantize_new(const cst_shape *x, const cst_dequantize_options *options, cst_module **m,
                                             cst_error *error);

/* L of a module of this type. */
size_t cst_dequantize_levels(const cst_module *m);

extern const cst_module_type cst_dequantize_type; /* "dequantize": levels (256) */
extern const cst_bijection cst_dequantize_bijection;

#ifdef __cplusplus
}
#endif
#endif
