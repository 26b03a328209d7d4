/* Matrix products by core/small_gemm.c, beside OpenBLAS and, if its package libxsmm-dev is installed, LIBXSMM. One
 * thread; times in nanoseconds per product, the best of many, for the three forms that layers use:
 *
 *   N N  gx = gy W          T N  gW += gy^T x          N T  y = x W^T
 *
 *   bench_gemm [FILE.json]
 *
 * The last column says which of the two cst_gemm uses for this size: "own" up to CST_SMALL_PRODUCT. LIBXSMM
 * generates code for the first form; it hands the others to OpenBLAS, or transposes first. */
#include "core/blas.h"
#include "core/clock.h"
#include "core/level.h"
#include "core/rng.h"
#include "core/small_gemm.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef WITH_LIBXSMM
#include <libxsmm.h>
#endif

/* C (m, n) = op(A) (m, k) op(B) (k, n). */
typedef struct size {
    size_t m, n, k;
} size;

static const size sizes[] = {
    {4, 4, 4},     {8, 8, 8},      {16, 16, 16},   {20, 50, 2},     {20, 2, 50},     {1, 64, 64},
    {32, 32, 32},  {32, 40, 40},   {32, 90, 40},   {128, 10, 64},   {512, 2, 64},    {512, 64, 2},
    {256, 3, 400}, {256, 400, 4},  {64, 64, 64},   {64, 72, 65},    {128, 64, 64},   {100, 100, 100},
    {512, 64, 64}, {32, 1890, 40}, {64, 91, 1024}, {256, 256, 256}, {256, 400, 400}, {512, 512, 512},
};

/* C = op(A) op(B) + beta C; op is the transposition where ta or tb is true. */
static const struct form {
    bool ta, tb;
    real beta;
} forms[] = {{false, false, 0}, {true, false, 1}, {false, true, 1}};

typedef struct operands {
    real *a, *b, *c;
} operands;

static void own(const struct form *f, const size *s, const operands *o)
{
    cst_small_gemm(f->ta, f->tb, s->m, s->n, s->k, 1, o->a, f->ta ? s->m : s->k, o->b, f->tb ? s->k : s->n, f->beta,
                   o->c, s->n);
}

static void openblas(const struct form *f, const size *s, const operands *o)
{
#ifdef CST_DOUBLE
    cblas_dgemm(
#else
    cblas_sgemm(
#endif
        CblasRowMajor, f->ta ? CblasTrans : CblasNoTrans, f->tb ? CblasTrans : CblasNoTrans, (blasint)s->m,
        (blasint)s->n, (blasint)s->k, 1, o->a, (blasint)(f->ta ? s->m : s->k), o->b, (blasint)(f->tb ? s->k : s->n),
        f->beta, o->c, (blasint)s->n);
}

#ifdef WITH_LIBXSMM
/* LIBXSMM has column-major matrices: it sees C^T = op(B)^T op(A)^T. */
static void libxsmm(const struct form *f, const size *s, const operands *o)
{
    const libxsmm_blasint m = (libxsmm_blasint)s->m, n = (libxsmm_blasint)s->n, k = (libxsmm_blasint)s->k;
    const libxsmm_blasint lda = f->ta ? m : k, ldb = f->tb ? k : n;
    const real alpha = 1;
#ifdef CST_DOUBLE
    libxsmm_dgemm(
#else
    libxsmm_sgemm(
#endif
        f->tb ? "T" : "N", f->ta ? "T" : "N", &n, &m, &k, &alpha, o->b, &ldb, o->a, &lda, &f->beta, o->c, &n);
}
#endif

static void (*const implementations[])(const struct form *f, const size *s, const operands *o) = {
    own,
    openblas,
#ifdef WITH_LIBXSMM
    libxsmm,
#endif
};
enum { IMPLEMENTATIONS = sizeof implementations / sizeof *implementations, MAX_IMPLEMENTATIONS = 3 };

/* The best times in nanoseconds. All run in turns, so that changes in the machine's speed affect all. */
static void race(const struct form *f, const size *s, double best[MAX_IMPLEMENTATIONS])
{
    const operands o = {calloc(s->m * s->k, sizeof(real)), calloc(s->k * s->n, sizeof(real)),
                        calloc(s->m * s->n, sizeof(real))};
    if (!o.a || !o.b || !o.c) exit(EXIT_FAILURE);
    cst_rng_fill_normal(cst_rng_new(1, CST_RNG_TEST), o.a, s->m * s->k, 1e-3);
    cst_rng_fill_normal(cst_rng_new(2, CST_RNG_TEST), o.b, s->k * s->n, 1e-3);

    /* Small products are repeated, so that the clock can resolve them. The first round warms up. */
    const size_t repetitions = 1 + (size_t)(4e5 / ((double)s->m * (double)s->n * (double)s->k + 2000));
    for (size_t i = 0; i < IMPLEMENTATIONS; i++) best[i] = 1e18;
    const double end = cst_clock() + 0.04;
    for (size_t round = 0; round < 4 || cst_clock() < end; round++)
        for (size_t i = 0; i < IMPLEMENTATIONS; i++) {
            const double start = cst_clock();
            for (size_t r = 0; r < repetitions; r++) implementations[i](f, s, &o);
            const double ns = 1e9 * (cst_clock() - start) / (double)repetitions;
            if (round > 0 && ns < best[i]) best[i] = ns;
        }
    free(o.a);
    free(o.b);
    free(o.c);
}

static FILE *open_json(int argc, char **argv)
{
    FILE *json = argc > 1 ? fopen(argv[1], "w") : NULL;
    if (argc < 2 || json) return json;
    fprintf(stderr, "%s: cannot write\n", argv[1]);
    exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    cst_blas_own_process();
    FILE *json = open_json(argc, argv);
    printf("%s, 1 thread, level %s, %s\n%-20s", CST_REAL_NAME, cst_level_name(), cst_blas_name(), "m x n x k");
    for (size_t i = 0; i < 3; i++)
        printf("   %c %c: own  OpenBLAS%s ratio", "NTN"[i], "NNT"[i], IMPLEMENTATIONS > 2 ? "   LIBXSMM" : "");
    printf("\n");

    const char *separator = "[";
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size *s = &sizes[i];
        printf("%5zu x%5zu x%5zu ", s->m, s->n, s->k);
        for (size_t j = 0; j < 3; j++) {
            double best[MAX_IMPLEMENTATIONS] = {0};
            race(&forms[j], s, best);
            printf("  %9.0f %9.0f", best[0], best[1]);
            if (IMPLEMENTATIONS > 2) printf(" %9.0f", best[2]);
            printf(" %5.2f", best[0] / best[1]);
            if (!json) continue;
            fprintf(
                json,
                "%s\n{\"m\": %zu, \"n\": %zu, \"k\": %zu, \"form\": \"%c%c\", \"precision\": \"%s\", \"own_ns\": %.4g, "
                "\"openblas_ns\": %.4g, \"libxsmm_ns\": %.4g}",
                separator, s->m, s->n, s->k, "NTN"[j], "NNT"[j], CST_REAL_NAME, best[0], best[1], best[2]);
            separator = ",";
        }
        printf("  %s\n", (double)s->m * (double)s->n * (double)s->k <= CST_SMALL_PRODUCT ? "own" : "OpenBLAS");
        fflush(stdout);
    }
    if (json) fprintf(json, "\n]\n");
    return json && fclose(json) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
