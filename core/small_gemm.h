/* Matrix products that are too small for a BLAS library. They run in the calling thread, allocate nothing and do not
 * copy whole operands. core/blas.c decides which products are computed here. */
#ifndef CST_CORE_SMALL_GEMM_H
#define CST_CORE_SMALL_GEMM_H

#include "core/real.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* C (m, n) = alpha op(A) op(B) + beta C, with the arguments of cst_gemm in core/blas.h. Any size is accepted. Uses
 * up to 60 KB of stack. The sum over k of an entry may be computed in several partial sums; their order depends on
 * m, n, k and the transpositions only, so that equal calls give equal bits. */
void cst_small_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, real alpha, const real *a,
                    size_t lda, const real *b, size_t ldb, real beta, real *c, size_t ldc);

#ifdef __cplusplus
}
#endif
#endif
