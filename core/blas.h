/* Matrix products, row-major, single-threaded (threads shard the batch, see core/parallel.h). The only file that
 * knows the BLAS. */
#ifndef CST_CORE_BLAS_H
#define CST_CORE_BLAS_H

#include "core/real.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* C (m, n) = alpha op(A) op(B) + beta C, op(A) (m, k), op(B) (k, n), rows lda, ldb, ldc reals apart.
 * C is not read if beta = 0. */
void cst_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, real alpha, const real *a, size_t lda,
              const real *b, size_t ldb, real beta, real *c, size_t ldc);

/* "OpenBLAS 0.3.21 ... SkylakeX": which library and which kernels are in use. */
const char *cst_blas_name(void);

#ifdef __cplusplus
}
#endif
#endif
