/* The loops over long vectors. This file is compiled once per level of the processor (the Makefile's list `hot`), so it
 * exports functions only. */
#include "ode/combine.h"

#include "core/parallel.h"

#include <math.h>
#include <string.h>

void cst_combination_add(cst_combination *sum, double coefficient, const real *v)
{
    sum->coefficient[sum->n] = coefficient;
    sum->v[sum->n++] = v;
}

/* Some terms of a sum, with pointers to the first entry of a chunk. */
typedef struct terms {
    size_t n;
    real c[CST_MAX_STAGES];
    const real *v[CST_MAX_STAGES];
} terms;

/* Append term j of the sum to the list, unless its coefficient is 0. The chunk begins at entry `first`. */
static void pick(terms *list, const cst_combination *sum, size_t j, size_t first)
{
    if (sum->coefficient[j] == 0) return;
    list->c[list->n] = (real)sum->coefficient[j];
    list->v[list->n++] = sum->v[j] + first;
}

/* out += c_0 v_0, then += c_1 v_1, and so on, rounded in this order. Three terms share one pass over memory. */
static void add_in_turn(const terms *list, size_t n, real *restrict out)
{
    size_t j = 0;
    for (; j + 2 < list->n; j += 3) {
        const real a = list->c[j], b = list->c[j + 1], c = list->c[j + 2];
        const real *restrict u = list->v[j], *restrict v = list->v[j + 1], *restrict w = list->v[j + 2];
#pragma omp simd
        for (size_t i = 0; i < n; i++) out[i] = ((out[i] + a * u[i]) + b * v[i]) + c * w[i];
    }
    for (; j < list->n; j++) {
        const real a = list->c[j];
        const real *restrict u = list->v[j];
#pragma omp simd
        for (size_t i = 0; i < n; i++) out[i] += a * u[i];
    }
}

/* out += (c_0 v_0 + c_1 v_1) + c_2 v_2: the terms are added to each other first, then to `out`. Takes up to three
 * terms. */
static void add_together(const terms *list, size_t n, real *restrict out)
{
    if (list->n < 2) {
        add_in_turn(list, n, out);
        return;
    }
    const real a = list->c[0], b = list->c[1], c = list->n > 2 ? list->c[2] : 0;
    const real *restrict u = list->v[0], *restrict v = list->v[1], *restrict w = list->n > 2 ? list->v[2] : v;
#pragma omp simd
    for (size_t i = 0; i < n; i++) out[i] += (a * u[i] + b * v[i]) + c * w[i];
}

/* out = y + sum over the entries first .. first + n - 1. A chunk of `out` stays in the first-level cache between the
 * passes.
 *
 * The textbook loop is: out[i] = y[i]; for each j: out[i] += c[j] * v[j][i]. Here the order of the sum matters. If an
 * error estimate is nothing but rounding, step sizes agree with torchdiffeq's only if the terms are added in the same
 * order, if each product is rounded (this folder is compiled without contraction to multiply-add), and if y is added
 * last. The order is that of torch.sum over rows of doubles in registers of four: first the terms that fill no
 * register, then each of the four lanes. */
static void combine_chunk(const cst_combination *sum, const real *y, size_t first, size_t n, real *restrict out)
{
    enum { LANES = 4 };
    const size_t whole = sum->n / LANES * LANES;
    terms list = {0};
    memset(out, 0, n * sizeof(real));
    /* The terms after the last full register; with one register its four terms follow in turn. */
    for (size_t j = whole; j < sum->n; j++) pick(&list, sum, j, first);
    for (size_t j = 0; whole == LANES && j < LANES; j++) pick(&list, sum, j, first);
    add_in_turn(&list, n, out);
    /* With two or more registers, each lane is summed for itself: terms j, j + 4, j + 8. */
    for (size_t lane = 0; whole > LANES && lane < LANES; lane++) {
        terms together = {0};
        for (size_t j = lane; j < whole; j += LANES) pick(&together, sum, j, first);
        add_together(&together, n, out);
    }
    /* y last */
    if (!y) return;
    const real *restrict start = y + first;
#pragma omp simd
    for (size_t i = 0; i < n; i++) out[i] += start[i];
}

/* One call of cst_combine, for the threads. */
typedef struct combine_task {
    const cst_combination *sum;
    const real *y;
    real *out;
    size_t n;
} combine_task;

static void combine_task_run(void *context, size_t chunk)
{
    const combine_task *task = context;
    const size_t first = chunk * CST_CHUNK, left = task->n - first;
    combine_chunk(task->sum, task->y, first, left < CST_CHUNK ? left : CST_CHUNK, task->out + first);
}

void cst_add_scaled(size_t n, double scale, const real *restrict from, real *restrict to)
{
    const real a = (real)scale;
    if (a == 0) return;
#pragma omp simd
    for (size_t i = 0; i < n; i++) to[i] += a * from[i];
}

void cst_combine(int threads, size_t n, const real *y, const cst_combination *sum, real *out)
{
    combine_task task = {sum, y, out, n};
    cst_parallel(n < CST_MIN_PARALLEL ? 1 : threads, (n + CST_CHUNK - 1) / CST_CHUNK, combine_task_run, &task);
}

/* ---- scaled errors ------------------------------------------------------------------------------------------- */

/* |x|, in a form that both compilers vectorize. */
static real magnitude(real x)
{
    return x < 0 ? -x : x;
}

/* v_i = err_i / SCALE_i with SCALE_i = atol + rtol max(|y0_i|, |y1_i|) (Kidger, Chen, Lyons, eq. 4). A chunk has so few
 * terms that single precision is enough for their sum. */
double cst_scale_chunk(const cst_combination *sum, const cst_tolerance *tolerance, size_t first, size_t n,
                       real *restrict v)
{
    const real rtol = (real)tolerance->rtol, atol = (real)tolerance->atol;
    const real *restrict y0 = tolerance->y0 + first, *restrict y1 = tolerance->y1 + first;
    combine_chunk(sum, NULL, first, n, v); /* v = err */
    /* out_of_range counts entries of y1 that are not finite: an infinite SCALE would hide them. */
    real squares = 0, out_of_range = 0;
#pragma omp simd reduction(+ : squares, out_of_range)
    for (size_t i = 0; i < n; i++) {
        const real a = magnitude(y0[i]), b = magnitude(y1[i]);
        v[i] /= atol + rtol * (a > b ? a : b);
        squares += v[i] * v[i];
        out_of_range += b <= CST_REAL_MAX ? (real)0 : (real)1;
    }
    return out_of_range > 0 ? HUGE_VAL : (double)squares;
}

double cst_largest_magnitude(const real *v, size_t n)
{
    real largest = 0;
    for (size_t i = 0; i < n; i++) largest = magnitude(v[i]) > largest ? magnitude(v[i]) : largest;
    return (double)largest;
}

size_t cst_first_nonfinite(const real *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i])) return i;
    return n;
}
