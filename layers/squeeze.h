/* Each 2 x 2 patch of an image becomes four channels (Dinh, Sohl-Dickstein, Bengio, "Density estimation using Real NVP", ICLR
 * 2017):
 *
 *   y[4 c + 2 a + b, i, j] = x[c, 2 i + a, 2 j + b],   a, b in {0, 1}
 *
 * x (N, C, H, W), y (N, 4 C, H / 2, W / 2). A permutation: its log-determinant is 0. No parameters, no cache, no work. */
#ifndef CST_LAYERS_SQUEEZE_H
#define CST_LAYERS_SQUEEZE_H

#include "core/registry.h"
#include "layers/bijection.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Errors: CST_ESHAPE unless x is (C, H, W) with H and W even; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_squeeze_new(const cst_shape *x, cst_module **m, cst_error *error);

extern const cst_module_type cst_squeeze_type; /* "squeeze": no keys */
extern const cst_bijection cst_squeeze_bijection;

#ifdef __cplusplus
}
#endif
#endif
