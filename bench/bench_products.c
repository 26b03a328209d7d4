/* What the parameter products of a step would gain from being computed at once. adjoint/backsolve.c computes one
 * product per evaluation, five per step. One product over the rows of all five stages would be larger,
 * but the inputs and cotangents of every layer would have to be kept for a whole step.
 *
 * gtheta (m, n) += G^T X with G (k, m) and X (k, n). Times in microseconds, the best of many, on one thread. */
#include "core/blas.h"
#include "core/clock.h"
#include "core/rng.h"

#include <stdio.h>
#include <stdlib.h>

enum { STAGES = 5 };

static const struct {
    const char *name;
    size_t m, n, k; /* k: rows of one evaluation */
} items[] = {
    {"conv2d 64, 6 x 6, batch 128", 64, 65 * 9, 128 * 36},
    {"conv2d 24, 7 x 7, batch 128", 24, 25 * 9, 128 * 49},
    {"linear 256-256, batch 256", 256, 256, 256},
    {"linear 400-400, batch 256", 400, 400, 256},
    {"linear 64-64, batch 100", 64, 64, 100},
    {"linear 2-50, batch 20", 50, 2, 20},
    {"linear 50-2, batch 20", 2, 50, 20},
};

/* n random numbers; they are freed with free(). */
static real *numbers(size_t n)
{
    real *x = calloc(n, sizeof *x);
    if (!x) exit(EXIT_FAILURE);
    cst_rng_fill_normal(cst_rng_new(n, CST_RNG_TEST), x, n, 1);
    return x;
}

int main(void)
{
    cst_blas_own_process();
    printf("%-30s %12s %12s %8s\n", "", "five", "one", "ratio");
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        const size_t m = items[i].m, n = items[i].n, k = items[i].k;
        real *g = numbers(STAGES * k * m), *x = numbers(STAGES * k * n), *gtheta = numbers(m * n);

        /* Time five products of k rows, then one of 5 k rows, in turns. */
        double best[2] = {1e9, 1e9};
        const double end = cst_clock() + 0.7;
        while (cst_clock() < end) {
            const double start = cst_clock();
            for (size_t s = 0; s < STAGES; s++)
                cst_gemm(true, false, m, n, k, (real)0.1, g + s * k * m, m, x + s * k * n, n, 1, gtheta, n);
            const double between = cst_clock();
            cst_gemm(true, false, m, n, STAGES * k, (real)0.1, g, m, x, n, 1, gtheta, n);
            const double times[2] = {between - start, cst_clock() - between};
            for (int j = 0; j < 2; j++) best[j] = times[j] < best[j] ? times[j] : best[j];
        }

        printf("%-30s %12.2f %12.2f %8.3f\n", items[i].name, 1e6 * best[0], 1e6 * best[1], best[1] / best[0]);
        free(g);
        free(x);
        free(gtheta);
    }
    return EXIT_SUCCESS;
}
