#include "ode/combine.h"

#include "core/parallel.h"

#include <math.h>
#include <string.h>

void cst_combination_add(cst_combination *sum, double coefficient, const real *v)
{
    sum->coefficient[sum->n] = coefficient;
    sum->v[sum->n++] = v;
}

/* A few terms of a sum, those with coefficient 0 left out. */
typedef struct terms {
    size_t n;
    real c[CST_MAX_STAGES];
    const real *v[CST_MAX_STAGES];
} terms;

static void pick(terms *list, const cst_combination *sum, size_t j, size_t first)
{
    if (sum->coefficient[j] == 0) return;
    list->c[list->n] = (real)sum->coefficient[j];
    list->v[list->n++] = sum->v[j] + first;
}

/* out += v_0, then v_1, ... one after the other; three at a time go through memory together. */
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

/* out += (v_0 + v_1) + v_2 */
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

/* out = y + sum over entries first .. first + n - 1; `out` stays in the nearest cache between the passes over it.
 *
 * Where an error estimate is nothing but rounding, traces agree with torchdiffeq's only if the sum is made in the same
 * order, each product rounded (this folder is compiled without contraction to multiply-add), and y added last. That order is
 * torch.sum's for rows of m doubles in registers of four: first the terms that fill no register, then the four lanes. */
static void combine_chunk(const cst_combination *sum, const real *y, size_t first, size_t n, real *restrict out)
{
    enum { LANES = 4 };
    const size_t whole = sum->n / LANES * LANES;
    terms list = {0};
    memset(out, 0, n * sizeof(real));
    for (size_t j = whole; j < sum->n; j++) pick(&list, sum, j, first);
    for (size_t j = 0; whole == LANES && j < LANES; j++) pick(&list, sum, j, first);
    add_in_turn(&list, n, out);
    for (size_t lane = 0; whole > LANES && lane < LANES; lane++) {
        terms together = {0};
        for (size_t j = lane; j < whole; j += LANES) pick(&together, sum, j, first);
        add_together(&together, n, out);
    }
    if (!y) return;
    const real *restrict start = y + first;
#pragma omp simd
    for (size_t i = 0; i < n; i++) out[i] += start[i];
}

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

static real magnitude(real x)
{
    return x < 0 ? -x : x;
}

/* Sums of so few terms lose nothing that matters in single precision. */
double cst_scale_chunk(const cst_combination *sum, const cst_tolerance *tolerance, size_t first, size_t n,
                       real *restrict v)
{
    const real rtol = (real)tolerance->rtol, atol = (real)tolerance->atol;
    const real *restrict y0 = tolerance->y0 + first, *restrict y1 = tolerance->y1 + first;
    combine_chunk(sum, NULL, first, n, v);
    real squares = 0, unfit = 0;
#pragma omp simd reduction(+ : squares, unfit)
    for (size_t i = 0; i < n; i++) {
        const real a = magnitude(y0[i]), b = magnitude(y1[i]);
        v[i] /= atol + rtol * (a > b ? a : b);
        squares += v[i] * v[i];
        unfit += b <= CST_REAL_MAX ? (real)0 : (real)1;
    }
    return unfit > 0 ? HUGE_VAL : (double)squares;
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
