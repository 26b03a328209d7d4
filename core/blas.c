#include "core/blas.h"

#include "core/small_gemm.h"

#include <cblas.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- one thread in OpenBLAS ---------------------------------------------------------------------------------- */

/* OpenBLAS has one number of threads for the whole process. While products run, it must be 1; afterwards it is
 * restored. `lock` protects the two counts. It is held for a few instructions only, so that spinning is cheaper than
 * a system call.
 *
 * An OpenBLAS that was built with OpenMP reads OpenMP's number, which each thread has for itself. Setting OpenBLAS's
 * own number while another thread is in a product gives wrong results there (seen with 0.3.21), so that only
 * OpenMP's number is set. */
static struct {
    atomic_flag lock;
    int n_running; /* products in OpenBLAS at the moment */
    int saved;     /* OpenBLAS's number of threads before the first of them */
} guard = {.lock = ATOMIC_FLAG_INIT};

/* Weak: NULL if no OpenMP runtime is linked. */
extern int omp_get_max_threads(void) __attribute__((weak));
extern void omp_set_num_threads(int n) __attribute__((weak));

/* Whether OpenBLAS takes its number of threads from OpenMP. */
static bool uses_openmp(void)
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

/* Set the number of threads to 1. Returns the number before that, which end_product takes. */
static int begin_product(void)
{
    if (uses_openmp()) {
        const int previous = omp_get_max_threads();
        if (previous != 1) omp_set_num_threads(1);
        return previous;
    }
    /* The first product saves the number, which the last one restores. */
    lock_guard();
    const int previous = openblas_get_num_threads();
    if (guard.n_running++ == 0) guard.saved = previous;
    if (previous != 1) openblas_set_num_threads(1);
    unlock_guard();
    return previous;
}

/* Restore the number of threads. `previous` is what begin_product returned. */
static void end_product(int previous)
{
    if (uses_openmp()) {
        if (previous != 1) omp_set_num_threads(previous);
        return;
    }
    lock_guard();
    if (--guard.n_running == 0 && guard.saved != 1) openblas_set_num_threads(guard.saved);
    unlock_guard();
}

/* ---- products ------------------------------------------------------------------------------------------------ */

/* Products above CST_SMALL_PRODUCT are faster in OpenBLAS; `make bench` measures both. The limit is also above 10^6,
 * below which OpenBLAS uses kernels for small matrices that call malloc and do not check its result. */
void cst_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, real alpha, const real *a, size_t lda,
              const real *b, size_t ldb, real beta, real *c, size_t ldc)
{
    if ((double)m * (double)n * (double)k <= CST_SMALL_PRODUCT) {
        cst_small_gemm(transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
        return;
    }
    /* A large product: OpenBLAS, with one thread. */
    const CBLAS_TRANSPOSE ta = transpose_a ? CblasTrans : CblasNoTrans, tb = transpose_b ? CblasTrans : CblasNoTrans;
    const int previous = begin_product();
#ifdef CST_DOUBLE
    cblas_dgemm(
#else
    cblas_sgemm(
#endif
        CblasRowMajor, ta, tb, (blasint)m, (blasint)n, (blasint)k, alpha, a, (blasint)lda, b, (blasint)ldb, beta, c,
        (blasint)ldc);
    end_product(previous);
}

/* ---- programs that own OpenBLAS ------------------------------------------------------------------------------ */

#if defined(__x86_64__) && defined(__GNUC__)
/* OpenBLAS before 0.3.24 does not recognize processors that are newer than itself, such as AMD's Zen 4 and 5, and
 * uses its AVX2 kernels there. Its AVX-512 kernels are almost twice as fast. These two functions of its shared
 * library choose the kernels again. They are NULL where the library does not export them. */
extern void gotoblas_dynamic_quit(void) __attribute__((weak));
extern void gotoblas_dynamic_init(void) __attribute__((weak));

static void choose_kernels(void)
{
    /* Leave the choice to the user, and to processors without all of AVX-512. */
    const char *variable = "OPENBLAS_CORETYPE";
    if (!gotoblas_dynamic_quit || !gotoblas_dynamic_init || getenv(variable)) return;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl"))
        return;
    /* These two are the names of the AVX2 kernels. */
    const char *chosen = openblas_get_corename();
    if (strcmp(chosen, "Haswell") != 0 && strcmp(chosen, "Zen") != 0) return;
    /* The variable is read when the kernels are chosen. */
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
