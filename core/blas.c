#include "core/blas.h"

#include "core/small_gemm.h"

#include <cblas.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- threads of OpenBLAS ----------------------------------------------------------------------------------------- */

/* OpenBLAS has one number of threads for the whole process. `lock` guards the count of products under way and the number that
 * OpenBLAS had before the first of them; it is held for a few instructions, so that waiting needs no system call.
 *
 * An OpenBLAS built with OpenMP asks OpenMP, which has a number per thread. To set OpenBLAS's own number while another thread
 * is in a product gives wrong results there (seen with 0.3.21), so OpenMP is told instead. */
static struct {
    atomic_flag lock;
    int under_way, before;
} guard = {.lock = ATOMIC_FLAG_INIT};

extern int omp_get_max_threads(void) __attribute__((weak));
extern void omp_set_num_threads(int n) __attribute__((weak));

static bool asks_openmp(void)
{
    return openblas_get_parallel() == OPENBLAS_OPENMP && omp_get_max_threads && omp_set_num_threads;
}

static void lock_guard(void)
{
    while (atomic_flag_test_and_set_explicit(&guard.lock, memory_order_acquire)) {
    }
}

static void unlock_guard(void)
{
    atomic_flag_clear_explicit(&guard.lock, memory_order_release);
}

/* Returns what end_product is to be told: the number that the calling thread had. */
static int begin_product(void)
{
    if (asks_openmp()) {
        const int own = omp_get_max_threads();
        if (own != 1) omp_set_num_threads(1);
        return own;
    }
    lock_guard();
    const int before = openblas_get_num_threads();
    if (guard.under_way++ == 0) guard.before = before;
    if (before != 1) openblas_set_num_threads(1);
    unlock_guard();
    return before;
}

static void end_product(int own)
{
    if (asks_openmp()) {
        if (own != 1) omp_set_num_threads(own);
        return;
    }
    lock_guard();
    if (--guard.under_way == 0 && guard.before != 1) openblas_set_num_threads(guard.before);
    unlock_guard();
}

/* ---- products ------------------------------------------------------------------------------------------------------ */

/* CST_SMALL_PRODUCT is where OpenBLAS begins to be faster, and above what its kernels for small matrices take (10^6), which
 * need memory from the heap and do not look whether they got it. `make bench` shows both. */
void cst_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, real alpha, const real *a, size_t lda,
              const real *b, size_t ldb, real beta, real *c, size_t ldc)
{
    if ((double)m * (double)n * (double)k <= CST_SMALL_PRODUCT) {
        cst_small_gemm(transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
        return;
    }
    const CBLAS_TRANSPOSE ta = transpose_a ? CblasTrans : CblasNoTrans, tb = transpose_b ? CblasTrans : CblasNoTrans;
    const int own = begin_product();
#ifdef CST_DOUBLE
    cblas_dgemm(
#else
    cblas_sgemm(
#endif
        CblasRowMajor, ta, tb, (blasint)m, (blasint)n, (blasint)k, alpha, a, (blasint)lda, b, (blasint)ldb, beta, c,
        (blasint)ldc);
    end_product(own);
}

/* ---- a process of one's own ------------------------------------------------------------------------------------------ */

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

void cst_blas_own_process(void)
{
    choose_kernels();
    openblas_set_num_threads(1);
}

const char *cst_blas_name(void)
{
    return openblas_get_config();
}
