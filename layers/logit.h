/* The logit function: from the unit interval to the real line, elementwise (Dinh, Sohl-Dickstein and Bengio,
 * "Density estimation using Real NVP", ICLR 2017, section 4.1):
 *
 *   y = log(s / (1 - s)),   s = alpha + (1 - 2 alpha) x,   x in [0, 1]
 *
 * where alpha > 0 keeps y finite. x, y (N, ...) of any shape. forward fails with CST_EARG, and a message that names the
 * row, for an x outside of [0, 1]. The log-determinant is the sum of log dy/dx over the entries of a row. It has no
 * parameters, cache or work, no jvp and no jvp_vjp. */
#ifndef CST_LAYERS_LOGIT_H
#define CST_LAYERS_LOGIT_H

#include "core/registry.h"
#include "layers/bijection.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_logit_options {
    double alpha; /* distance from 0 and 1 that s keeps */
} cst_logit_options;

/* Make a logit layer for rows of shape x. The caller frees *m with cst_module_free; it is NULL on failure. `error` may
 * be NULL. Errors: CST_EARG unless 0 < alpha < 0.5 after rounding to `real`; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_logit_new(const cst_shape *x, const cst_logit_options *options, cst_module **m,
                                        cst_error *error);

extern const cst_module_type cst_logit_type; /* "logit": alpha (1e-6) */
extern const cst_bijection cst_logit_bijection;

#ifdef __cplusplus
}
#endif
#endif
