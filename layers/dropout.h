/* y = x mask / (1 - p): in training each element is kept with probability 1 - p (inverted dropout, as PyTorch's);
 * in evaluation y = x.
 *
 * Rows of any shape. Element j of row i of the batch is decided by draw i D + j of the call's random stream, D elements
 * a row: how the batch is cut changes nothing, and the reverse pass makes the mask again instead of keeping it. No
 * parameters, cache or work. Has no jvp. */
#ifndef CST_LAYERS_DROPOUT_H
#define CST_LAYERS_DROPOUT_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_dropout_options {
    double p; /* probability that an element becomes 0 */
} cst_dropout_options;

/* Errors: CST_EARG unless 0 <= p <= 1; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_dropout_new(const cst_shape *x, const cst_dropout_options *options, cst_module **m,
                                          cst_error *error);

/* "dropout": p (0.5). */
extern const cst_module_type cst_dropout_type;

#ifdef __cplusplus
}
#endif
#endif
