/* From the unit interval to the real line, elementwise (Dinh, Sohl-Dickstein, Bengio, "Density estimation using Real NVP", ICLR
 * 2017, section 4.1):
 *
 *   y = log(s / (1 - s)),   s = alpha + (1 - 2 alpha) x,   x in [0, 1]
 *
 * so that y stays finite. x and y (N, D...). No parameters, no cache, no work. An x outside is CST_EARG naming the row. */
#ifndef CST_LAYERS_LOGIT_H
#define CST_LAYERS_LOGIT_H

#include "core/registry.h"
#include "layers/bijection.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_logit_options {
    double alpha;
} cst_logit_options;

/* Errors: CST_EARG unless 0 < alpha < 0.5, in `real` too; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_logit_new(const cst_shape *x, const cst_logit_options *options, cst_module **m,
                                        cst_error *error);

extern const cst_module_type cst_logit_type; /* "logit": alpha (1e-6) */
extern const cst_bijection cst_logit_bijection;

#ifdef __cplusplus
}
#endif
#endif
