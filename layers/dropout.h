/* Dropout: in training y = x mask / (1 - p), where each element of mask is 1 with probability 1 - p and 0 otherwise
 * (inverted dropout, as in PyTorch). In evaluation y = x.
 *
 * x, y (N, ...) of any shape. With D elements per row, element j of row i of the whole batch is decided by draw i D + j
 * of the call's random stream. The result therefore does not depend on how the batch is divided among threads, and the
 * reverse pass draws the mask again instead of storing it. It has no parameters, cache or work, no jvp and no
 * jvp_vjp. */
#ifndef CST_LAYERS_DROPOUT_H
#define CST_LAYERS_DROPOUT_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_dropout_options {
    double p; /* probability that an element becomes 0 */
} cst_dropout_options;

/* Make a dropout layer for rows of shape x. The caller frees *m with cst_module_free; it is NULL on failure. `error`
 * may be NULL. Errors: CST_EARG unless 0 <= p <= 1; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_dropout_new(const cst_shape *x, const cst_dropout_options *options, cst_module **m,
                                          cst_error *error);

/* "dropout": p (0.5). */
extern const cst_module_type cst_dropout_type;

#ifdef __cplusplus
}
#endif
#endif
