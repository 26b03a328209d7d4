#include "core/blas.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
/* OpenBLAS before 0.3.24 does not know processors newer than itself (AMD's Zen 4 and 5 among them) and falls back to
 * AVX2 kernels where AVX-512 ones run almost twice as fast. These two entry points of its shared library choose the
 * kernels again; where they do not exist, nothing is done. */
extern void gotoblas_dynamic_quit(void) __attribute__((weak));
extern void gotoblas_dynamic_init(void) __attribute__((weak));

static void choose_kernels(void)
{
    const char *variable = "OPENBLAS_CORETYPE";
    if (!gotoblas_dynamic_quit || !gotoblas_dynamic_init || getenv(variable)) return;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl"))
        return;
    const char *chosen = openblas_get_corename();
    if (strcmp(chosen, "Haswell") != 0 && strcmp(chosen, "Zen") != 0) return;
    if (setenv(variable, "SkylakeX", 1) != 0) return;
    gotoblas_dynamic_quit();
    gotoblas_dynamic_init();
    unsetenv(variable);
}
#else
static void choose_kernels(void)
{
}
#endif

/* Runs when the library is loaded, before there is a second thread. */
__attribute__((constructor)) static void start_blas(void)
{
    choose_kernels();
    openblas_set_num_threads(1);
}

void cst_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, real alpha, const real *a, size_t lda,
              const real *b, size_t ldb, real beta, real *c, size_t ldc)
{
    const CBLAS_TRANSPOSE ta = transpose_a ? CblasTrans : CblasNoTrans, tb = transpose_b ? CblasTrans : CblasNoTrans;
#ifdef CST_DOUBLE
    cblas_dgemm(
#else
    cblas_sgemm(
#endif
        CblasRowMajor, ta, tb, (blasint)m, (blasint)n, (blasint)k, alpha, a, (blasint)lda, b, (blasint)ldb, beta, c,
        (blasint)ldc);
}

const char *cst_blas_name(void)
{
    return openblas_get_config();
}
