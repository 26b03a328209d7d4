/* Turns each 2 x 2 patch of an image into four channels (Dinh, Sohl-Dickstein and Bengio, "Density estimation using
 * Real NVP", ICLR 2017):
 *
 *   y[4 c + 2 a + b, i, j] = x[c, 2 i + a, 2 j + b],   a, b in {0, 1}
 *
 * x (N, C, H, W), y (N, 4 C, H / 2, W / 2). It is a permutation, so its log-determinant is 0. It has no parameters,
 * cache, tangent cache or work, and all passes. */
#ifndef CST_LAYERS_SQUEEZE_H
#define CST_LAYERS_SQUEEZE_H

#include "core/registry.h"
#include "layers/bijection.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Make a squeeze layer for rows of shape x. The caller frees *m with cst_module_free; it is NULL on failure. `error`
 * may be NULL. Errors: CST_ESHAPE unless x is (C, H, W), not empty, with H and W even; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_squeeze_new(const cst_shape *x, cst_module **m, cst_error *error);

extern const cst_module_type cst_squeeze_type; /* "squeeze": no keys */
extern const cst_bijection cst_squeeze_bijection;

#ifdef __cplusplus
}
#endif
#endif
