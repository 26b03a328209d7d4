/* Matrix products that are too small for a BLAS: no packing of whole operands, no threads, no heap. core/blas.c decides
 * which products come here. */
#ifndef CST_CORE_SMALL_GEMM_H
#define CST_CORE_SMALL_GEMM_H

#include "core/real.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* C (m, n) = alpha op(A) op(B) + beta C as cst_gemm (core/blas.h), for any size; up to 60 KB of stack. The sum over k of an
 * entry is not in order where k is longer than a vector, but it is the same in every call with the same m, n and k. */
void cst_small_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, real alpha, const real *a,
                    size_t lda, const real *b, size_t ldb, real beta, real *c, size_t ldc);

#ifdef __cplusplus
}
#endif
#endif
