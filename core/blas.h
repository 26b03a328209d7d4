/* Matrix products, row-major, each in the calling thread alone (threads share out the batch, see core/parallel.h): small
 * ones by core/small_gemm.c, larger ones by OpenBLAS. core/blas.c is the only file that knows OpenBLAS. */
#ifndef CST_CORE_BLAS_H
#define CST_CORE_BLAS_H

#include "core/real.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* C (m, n) = alpha op(A) op(B) + beta C, op(A) (m, k), op(B) (k, n), rows lda, ldb, ldc reals apart.
 * C is not read if beta = 0.
 *
 * Products of at most CST_SMALL_PRODUCT multiplications never reach OpenBLAS, and take nothing from the heap. While a larger
 * one is under way, OpenBLAS's number of threads is 1 in the whole process; after the last of those that are under way it is
 * again what it was. A host whose own threads call OpenBLAS at the same time loses speed there and nothing else; a number
 * that it sets at that very time is lost. Where OpenBLAS is built with OpenMP, it is OpenMP's number of the calling thread that
 * is 1 meanwhile, and other threads see nothing of it.
 *
 * A process that is forked while another thread is in a large product must not make one before it has called exec, as POSIX asks
 * of all but async-signal-safe functions: it may wait for a thread that it does not have, and OpenBLAS keeps to one thread there. */
void cst_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, real alpha, const real *a, size_t lda,
              const real *b, size_t ldb, real beta, real *c, size_t ldc);

#define CST_SMALL_PRODUCT 4e6

/* For a program whose process is all its own (costate's is): OpenBLAS keeps to one thread for good, and on a processor with
 * AVX-512 that is newer than the installed OpenBLAS it is asked for its AVX-512 kernels instead of those for AVX2, unless
 * OPENBLAS_CORETYPE is set. To be called once, before there is a second thread and before any other use of OpenBLAS. */
void cst_blas_own_process(void);

/* "OpenBLAS 0.3.21 ... SkylakeX": which library and which kernels are in use. */
const char *cst_blas_name(void);

#ifdef __cplusplus
}
#endif
#endif
