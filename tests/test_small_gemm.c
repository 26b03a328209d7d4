/* Products by core/small_gemm.c against three plain loops in double, and the effect of core/blas.c on OpenBLAS. The
 * bound for each entry of C: |difference| <= (k + 4) epsilon (|alpha| sum |a| |b| + |beta c|). */
#ifdef __linux__
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif
#include "core/blas.h"
#include "core/clock.h"
#include "core/parallel.h"
#include "core/small_gemm.h"
#include "tests/helpers.h"

#include <cblas.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct product {
    bool ta, tb;
    size_t m, n, k;
    real alpha, beta;
} product;

enum { GAP = 3 };

/* Operands of a product, with GAP numbers that are NaN after each row. The arrays end with the last row. */
typedef struct rig {
    real *a, *b, *c, *start;
    size_t lda, ldb, ldc;
} rig;

/* Memory between two pages that cannot be accessed: one per operand, for all products. */
enum { ROOM = 1 << 20, FENCES = 3 };

static real *fenced(size_t operand, size_t size, bool at_end)
{
    static char *fences[FENCES];
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char **fence = &fences[operand];
    assert_true(size * sizeof(real) <= ROOM);
    if (!*fence) {
        char *all = mmap(NULL, ROOM + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(all, MAP_FAILED);
        *fence = all + page;
        assert_int_equal(mprotect(*fence, ROOM, PROT_READ | PROT_WRITE), 0);
    }
    return (real *)(void *)(at_end ? *fence + ROOM - size * sizeof(real) : *fence);
}

static void fill(uint64_t tag, real *x, size_t size, size_t width, size_t ld)
{
    test_random(tag, x, size, 1);
    for (size_t i = 0; i < size; i++)
        if (i % ld >= width) x[i] = (real)NAN;
}

static size_t size_of(size_t rows, size_t width, size_t ld)
{
    return rows > 0 && width > 0 ? (rows - 1) * ld + width : 0;
}

static real *matrix(uint64_t tag, size_t rows, size_t width, size_t ld)
{
    const size_t size = size_of(rows, width, ld);
    real *x = malloc((size > 0 ? size : 1) * sizeof *x);
    assert_non_null(x);
    fill(tag, x, size, width, ld);
    return x;
}

static real *fenced_matrix(size_t operand, uint64_t tag, size_t rows, size_t width, size_t ld, bool at_end)
{
    const size_t size = size_of(rows, width, ld);
    real *x = fenced(operand, size, at_end);
    fill(tag, x, size, width, ld);
    return x;
}

static rig new_rig(const product *p, bool at_end)
{
    rig r = {.lda = (p->ta ? p->m : p->k) + GAP, .ldb = (p->tb ? p->k : p->n) + GAP, .ldc = p->n + GAP};
    r.a = fenced_matrix(0, 1 + p->m, p->ta ? p->k : p->m, p->ta ? p->m : p->k, r.lda, at_end);
    r.b = fenced_matrix(1, 2 + p->n, p->tb ? p->n : p->k, p->tb ? p->k : p->n, r.ldb, at_end);
    r.c = fenced_matrix(2, 3 + p->k, p->m, p->n, r.ldc, at_end);
    r.start = matrix(3 + p->k, p->m, p->n, r.ldc);
    return r;
}

static double a_at(const product *p, const rig *r, size_t i, size_t q)
{
    return (double)(p->ta ? r->a[q * r->lda + i] : r->a[i * r->lda + q]);
}

static double b_at(const product *p, const rig *r, size_t q, size_t j)
{
    return (double)(p->tb ? r->b[j * r->ldb + q] : r->b[q * r->ldb + j]);
}

static void check(const product *p, const rig *r)
{
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            double sum = 0, size = 0;
            for (size_t q = 0; q < p->k; q++) {
                const double term = a_at(p, r, i, q) * b_at(p, r, q, j);
                sum += term;
                size += fabs(term);
            }
            const double old = p->beta != 0 ? (double)p->beta * (double)r->start[i * r->ldc + j] : 0;
            const double expected = (double)p->alpha * sum + old, got = (double)r->c[i * r->ldc + j];
            const double bound =
                ((double)p->k + 4) * (double)CST_REAL_EPSILON * (fabs((double)p->alpha) * size + fabs(old));
            if (!(fabs(got - expected) <= bound))
                fail_msg("%c%c m %zu n %zu k %zu alpha %g beta %g: C[%zu][%zu] is %.9g, expected %.9g within %.2g",
                         p->ta ? 'T' : 'N', p->tb ? 'T' : 'N', p->m, p->n, p->k, (double)p->alpha, (double)p->beta, i,
                         j, got, expected, bound);
        }
    for (size_t i = 0; p->n > 0 && i + 1 < p->m; i++)
        for (size_t j = p->n; j < r->ldc; j++)
            if (!isnan(r->c[i * r->ldc + j])) fail_msg("m %zu n %zu k %zu: wrote after row %zu", p->m, p->n, p->k, i);
}

static void try_at(const product *p, bool at_end)
{
    rig r = new_rig(p, at_end);
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; p->beta == 0 && j < p->n; j++) r.c[i * r.ldc + j] = (real)NAN; /* must not be read */
    cst_small_gemm(p->ta, p->tb, p->m, p->n, p->k, p->alpha, r.a, r.lda, r.b, r.ldb, p->beta, r.c, r.ldc);
    check(p, &r);
    free(r.start);
}

/* Once with the operands directly before memory that cannot be read, once directly after it. */
static void try(const product *p)
{
    try_at(p, true);
    try_at(p, false);
}

/* Sizes around every width of vectors, tiles and blocks, in all transpositions. */
static void products_are_right(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 31, 33, 47, 48, 50, 65};
    static const size_t depths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64};
    enum { SIZES = sizeof sizes / sizeof *sizes, DEPTHS = sizeof depths / sizeof *depths };
    static const real factors[][2] = {{1, 0}, {1, 1}, {(real)0.3, 1}, {(real)-0.5, (real)0.75}, {2, 0}};
    size_t count = 0;
    for (size_t i = 0; i < SIZES; i++)
        for (size_t j = 0; j < SIZES; j++)
            for (size_t l = 0; l < DEPTHS; l++)
                for (int op = 0; op < 4; op++, count++) {
                    const real *f = factors[count % 5];
                    try(&(product){op & 1, op & 2, sizes[i], sizes[j], depths[l], f[0], f[1]});
                }
}

/* k is cut into blocks: packed panels and copied columns. */
static void long_sums_are_right(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{1, 1},  {1, 40}, {3, 4},   {20, 2}, {2, 20},
                                      {17, 5}, {5, 17}, {33, 50}, {9, 24}, {9, 48}};
    static const size_t depths[] = {255, 256, 257, 300, 513};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t l = 0; l < sizeof depths / sizeof *depths; l++)
            for (int op = 0; op < 4; op++) {
                try(&(product){op & 1, op & 2, sizes[i][0], sizes[i][1], depths[l], (real)0.5, (real)-0.25});
                try(&(product){op & 1, op & 2, sizes[i][0], sizes[i][1], depths[l], 1, 0});
            }
}

/* Where C is empty, nothing is written, and nothing is divided by 0. */
static void empty_products_are_right(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{0, 0}, {0, 3}, {0, 40}, {3, 0}, {40, 0}};
    static const size_t depths[] = {0, 2, 40, 300};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t l = 0; l < sizeof depths / sizeof *depths; l++)
            for (int op = 0; op < 4; op++)
                try(&(product){op & 1, op & 2, sizes[i][0], sizes[i][1], depths[l], (real)0.5, (real)-0.25});
}

/* A number of a row of A that is not finite shows in that row of C and in no other. An infinity becomes one with the
 * sign of the formula, wherever along k it is. */
static void infinities_stay_in_their_row(void **state)
{
    (void)state;
    static const size_t sizes[][3] = {{5, 7, 6}, {9, 2, 21}, {3, 40, 19}, {40, 3, 33}, {2, 2, 2}, {17, 17, 18}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int op = 0; op < 4; op++)
            for (size_t l = 0; l < 2 * sizes[s][2]; l++) {
                const product p = {op & 1, op & 2, sizes[s][0], sizes[s][1], sizes[s][2], 1, 0};
                rig r = new_rig(&p, true);
                const size_t row = p.m / 2, q = l / 2;
                const bool nan = l % 2;
                r.a[p.ta ? q * r.lda + row : row * r.lda + q] = nan ? (real)NAN : (real)INFINITY;
                cst_small_gemm(p.ta, p.tb, p.m, p.n, p.k, 1, r.a, r.lda, r.b, r.ldb, 0, r.c, r.ldc);
                for (size_t i = 0; i < p.m; i++)
                    for (size_t j = 0; j < p.n; j++) {
                        const double got = (double)r.c[i * r.ldc + j];
                        const double infinite = (double)INFINITY * b_at(&p, &r, q, j);
                        if (i != row ? !isfinite(got) : nan ? !isnan(got) : got != infinite)
                            fail_msg("op %d m %zu n %zu k %zu q %zu: C[%zu][%zu] = %g", op, p.m, p.n, p.k, q, i, j,
                                     got);
                    }
                free(r.start);
            }
}

/* ---- OpenBLAS
 * ------------------------------------------------------------------------------------------------------ */

enum { SIDE = 200 }; /* SIDE^3 > CST_SMALL_PRODUCT */

typedef struct large {
    real *a, *c;
} large;

static void multiply_large(void *context, size_t i)
{
    large *l = context;
    cst_gemm(false, false, SIDE, SIDE, SIDE, 1, l->a, SIDE, l->a, SIDE, 0, l->c + i * SIDE * SIDE, SIDE);
}

/* OpenBLAS computes the correct product, too. */
static void large_products_are_right(void **state)
{
    (void)state;
    for (int op = 0; op < 4; op++) {
        const product p = {op & 1, op & 2, SIDE + 3, SIDE, SIDE + 1, (real)0.5, (real)-0.25};
        rig r = new_rig(&p, true);
        cst_gemm(p.ta, p.tb, p.m, p.n, p.k, p.alpha, r.a, r.lda, r.b, r.ldb, p.beta, r.c, r.ldc);
        check(&p, &r);
        free(r.start);
    }
}

/* A long product, during which another one begins and ends. */
typedef struct meeting {
    large l;
    atomic_bool begun, ended;
    atomic_int wrong;
} meeting;

enum { LONG_SIDE = 800 };

static void meet(void *context, size_t i)
{
    meeting *x = context;
    if (i == 0) {
        real *a = matrix(9, LONG_SIDE, LONG_SIDE, LONG_SIDE), *c = matrix(9, LONG_SIDE, LONG_SIDE, LONG_SIDE);
        cst_gemm(false, false, LONG_SIDE, LONG_SIDE, LONG_SIDE, 1, a, LONG_SIDE, a, LONG_SIDE, 0, c, LONG_SIDE);
        atomic_store(&x->ended, true);
        free(a);
        free(c);
        return;
    }
    const double end = cst_clock() + 2;
    while (openblas_get_num_threads() != 1 && !atomic_load(&x->ended) && cst_clock() < end) continue;
    atomic_store(&x->begun, openblas_get_num_threads() == 1);
    multiply_large(&x->l, 0);
    const int threads = openblas_get_num_threads();
    if (!atomic_load(&x->ended) && atomic_load(&x->begun) && threads != 1) atomic_store(&x->wrong, threads);
}

static void one_thread_until_the_last_has_ended(void **state)
{
    (void)state;
    if (openblas_get_parallel() != OPENBLAS_THREAD) skip();
    meeting x = {.l = {.a = matrix(7, SIDE, SIDE, SIDE), .c = matrix(8, SIDE, SIDE, SIDE)}};
    openblas_set_num_threads(3);
    bool begun = false;
    for (int i = 0; i < 10; i++) {
        atomic_store(&x.begun, false);
        atomic_store(&x.ended, false);
        cst_parallel(2, 2, meet, &x);
        begun = begun || atomic_load(&x.begun);
        assert_int_equal(atomic_load(&x.wrong), 0);
        assert_int_equal(openblas_get_num_threads(), 3);
    }
    free(x.l.a);
    free(x.l.c);
    if (!begun) skip(); /* a second thread never ran at the same time */
}

/* Large products of several threads at a time have the same bits as one alone, and afterwards OpenBLAS has its threads
 * again. */
static void the_host_keeps_its_threads(void **state)
{
    (void)state;
    enum { PRODUCTS = 24 };
    large l = {.a = matrix(7, SIDE, SIDE, SIDE), .c = matrix(8, PRODUCTS * SIDE, SIDE, SIDE)};
    for (int host = 1; host <= 3; host++) {
        openblas_set_num_threads(host);
        for (int threads = 1; threads <= 4; threads++) {
            cst_parallel(threads, PRODUCTS, multiply_large, &l);
            assert_int_equal(openblas_get_num_threads(), host);
            for (size_t i = 1; i < PRODUCTS; i++)
                test_assert_same_bits("a product beside others", l.c + i * SIDE * SIDE, l.c, SIDE * SIDE);
        }
    }
    double expected = 0;
    for (size_t q = 0; q < SIDE; q++) expected += (double)l.a[SIDE + q] * (double)l.a[q * SIDE + 2];
    assert_true(fabs((double)l.c[SIDE + 2] - expected) < 1000 * (double)CST_REAL_EPSILON);
    free(l.a);
    free(l.c);
}

/* The kernels that OpenBLAS chose when it was loaded are still in use when main begins: libcostate has no constructor
 * that changes them. */
static int threads_at_start;

static void loading_changes_nothing(void **state)
{
    (void)state;
    static const char *const variables[] = {"OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if (getenv(variables[i])) skip();
    assert_int_equal(threads_at_start, openblas_get_num_procs());
}

static void a_process_of_its_own_has_one_thread(void **state)
{
    (void)state;
    const char *before = getenv("OPENBLAS_CORETYPE");
    openblas_set_num_threads(2);
    cst_blas_own_process();
    assert_int_equal(openblas_get_num_threads(), 1);
    assert_ptr_equal(getenv("OPENBLAS_CORETYPE"), before);
}

int main(void)
{
    threads_at_start = openblas_get_num_threads();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_right),
        cmocka_unit_test(long_sums_are_right),
        cmocka_unit_test(empty_products_are_right),
        cmocka_unit_test(infinities_stay_in_their_row),
        cmocka_unit_test(large_products_are_right),
        cmocka_unit_test(one_thread_until_the_last_has_ended),
        cmocka_unit_test(the_host_keeps_its_threads),
        cmocka_unit_test(loading_changes_nothing),
        cmocka_unit_test(a_process_of_its_own_has_one_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
