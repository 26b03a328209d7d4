/* Matrix products of row-major matrices. Each product runs in the calling thread; parallel code cuts the batch into
 * shards instead (core/parallel.h). Small products are computed by core/small_gemm.c, larger ones by OpenBLAS.
 * core/blas.c is the only file that uses OpenBLAS. */
#ifndef CST_CORE_BLAS_H
#define CST_CORE_BLAS_H

#include "core/real.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* C (m, n) = alpha op(A) op(B) + beta C, where op(A) is (m, k) and op(B) is (k, n). op(X) is X, or its transpose if
 * the flag is set. lda, ldb and ldc are the distances between rows, in reals. C is not read if beta = 0. C must not
 * overlap A or B.
 *
 * Threads: any number of threads may call this function at once. OpenBLAS has one number of threads for the whole
 * process. It is set to 1 while a product in OpenBLAS runs, and restored after the last one. If other threads of the
 * program call OpenBLAS at the same time, their products run with one thread, and a number of threads that they set may
 * be overwritten. If OpenBLAS was built with OpenMP, only OpenMP's number for the calling thread is changed, and other
 * threads are not affected.
 *
 * Fork: if a process forks while another of its threads is in a product in OpenBLAS, the child must not call this
 * function before exec. The child could wait forever for a thread that exists only in the parent. */
void cst_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, real alpha, const real *a, size_t lda,
              const real *b, size_t ldb, real beta, real *c, size_t ldc);

/* Products of at most this many multiplications m n k do not use OpenBLAS, and allocate no memory. */
#define CST_SMALL_PRODUCT 4e6

/* Configure OpenBLAS for a program in which nothing else uses it, such as the program costate: OpenBLAS gets one thread
 * for the rest of the process. If the processor has AVX-512 but is newer than the installed OpenBLAS, OpenBLAS would
 * choose its kernels for AVX2. This function then selects the kernels for AVX-512, unless the environment variable
 * OPENBLAS_CORETYPE is set. Call this function once, before the first use of OpenBLAS and before a second thread is
 * started. */
void cst_blas_own_process(void);

/* Returns the names of the library and of the kernels in use: "OpenBLAS 0.3.21 ... SkylakeX". The string is static. */
const char *cst_blas_name(void);

#ifdef __cplusplus
}
#endif
#endif
