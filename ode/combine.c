#include "ode/combine.h"

#include "core/parallel.h"

#include <math.h>
#include <string.h>

/* Shorter vectors are not worth waking a thread for. */
static const size_t min_parallel = 32768;

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
    cst_parallel(n < min_parallel ? 1 : threads, (n + CST_CHUNK - 1) / CST_CHUNK, combine_task_run, &task);
}

/* ---- norms --------------------------------------------------------------------------------------------------- */

/* A run of entries with one tolerance that counts for one term of the norm. */
typedef struct span {
    size_t first, size, block, term;
} span;

enum { TERMS_OF_SLICES = 3 }; /* first slice, second slice, the rest */

/* The spans of a norm in order: blocks, cut where a slice ends. Returns false after the last. */
static bool next_span(const cst_scaled *s, span *at)
{
    const size_t begin = at->first + at->size;
    size_t end = 0, block = 0;
    while (block < s->n_blocks && end + s->blocks[block].size <= begin) end += s->blocks[block++].size;
    if (block == s->n_blocks) return false;
    end += s->blocks[block].size;
    size_t term = block;
    if (s->norm->kind == CST_NORM_SLICES) {
        const size_t n = s->norm->slice;
        term = begin < n ? 0 : begin - n < n ? 1 : 2;
        const size_t stop = term == 0 ? n : term == 1 ? 2 * n : end;
        if (stop < end) end = stop;
    }
    *at = (span){.first = begin, .size = end - begin, .block = block, .term = term};
    return true;
}

size_t cst_scaled_partials(const cst_block *blocks, size_t n_blocks)
{
    size_t n = 0;
    for (size_t b = 0; b < n_blocks; b++) n += blocks[b].size / CST_CHUNK + 4; /* a slice may cut a block twice */
    return 2 * n;
}

static real magnitude(real x)
{
    return x < 0 ? -x : x;
}

/* Sum of squares and largest magnitude (for the norms that look at it) of one chunk of a span; infinite where y1 is not
 * finite. Sums of so few terms lose nothing that matters in single precision. */
static void scale_chunk(const cst_scaled *s, const span *at, size_t offset, size_t n, double result[2])
{
    real v[CST_CHUNK];
    const size_t first = at->first + offset;
    const real rtol = (real)s->rtol, atol = (real)s->atol;
    const real *restrict y0 = s->y0 + first, *restrict y1 = s->y1 + first;
    combine_chunk(s->sum, NULL, first, n, v);
    real squares = 0, unfit = 0, largest = 0;
#pragma omp simd reduction(+ : squares, unfit)
    for (size_t i = 0; i < n; i++) {
        const real a = magnitude(y0[i]), b = magnitude(y1[i]);
        v[i] /= atol + rtol * (a > b ? a : b);
        squares += v[i] * v[i];
        unfit += b <= CST_REAL_MAX ? (real)0 : (real)1;
    }
    for (size_t i = 0; s->norm->kind == CST_NORM_MAX && i < n; i++)
        largest = magnitude(v[i]) > largest ? magnitude(v[i]) : largest;
    if (s->values) memcpy(s->values + first, v, n * sizeof(real));
    result[0] = unfit > 0 ? HUGE_VAL : (double)squares;
    result[1] = unfit > 0 || !isfinite(squares) ? result[0] : (double)largest;
}

typedef struct scale_task {
    const cst_scaled *s;
    const span *at;
} scale_task;

static void scale_task_run(void *context, size_t chunk)
{
    const scale_task *task = context;
    const size_t offset = chunk * CST_CHUNK, left = task->at->size - offset;
    scale_chunk(task->s, task->at, offset, left < CST_CHUNK ? left : CST_CHUNK, task->s->partial + 2 * chunk);
}

/* Larger of the two; NaN if one of them is. */
static double larger(double a, double b)
{
    return isnan(a) ? a : isnan(b) || b > a ? b : a;
}

/* A span's sum of squares and largest magnitude, summed in the order of its chunks. */
static void scale_span(const cst_scaled *s, const span *at, double result[2])
{
    scale_task task = {s, at};
    const size_t chunks = (at->size + CST_CHUNK - 1) / CST_CHUNK;
    cst_parallel(at->size < min_parallel ? 1 : s->threads, chunks, scale_task_run, &task);
    result[0] = result[1] = 0;
    for (size_t i = 0; i < chunks; i++) {
        result[0] += s->partial[2 * i];
        result[1] = larger(result[1], s->partial[2 * i + 1]);
    }
}

/* One term after the other; a term (block or slice) may have several spans. */
typedef struct norm_sum {
    double value; /* largest term, or weighted sum of squares */
    double count; /* entries that count, for CST_NORM_RMS */
    double worst; /* share of worst_block */
    size_t worst_block;
} norm_sum;

static void note_share(norm_sum *sum, double share, size_t block)
{
    if (share > sum->worst || (isnan(share) && !isnan(sum->worst))) {
        sum->worst = share;
        sum->worst_block = block;
    }
}

static void add_span(norm_sum *sum, const cst_scaled *s, const span *at, const double result[2])
{
    const double weight = s->blocks[at->block].weight, size = (double)at->size;
    const double rms = at->size ? sqrt(result[0] / size) : 0;
    switch (s->norm->kind) {
    case CST_NORM_MAX_RMS:
        sum->value = larger(sum->value, weight * rms);
        note_share(sum, weight * rms, at->block);
        break;
    case CST_NORM_RMS:
        sum->value += weight * weight * result[0];
        sum->count += size;
        note_share(sum, weight * weight * result[0], at->block);
        break;
    case CST_NORM_MAX:
        sum->value = larger(sum->value, weight * result[1]);
        note_share(sum, weight * result[1], at->block);
        break;
    case CST_NORM_SLICES:
        if (at->term < 2) note_share(sum, rms, at->block);
        break;
    case CST_NORM_CALLBACK:
        note_share(sum, rms, at->block);
        break;
    }
}

double cst_scaled_norm(const cst_scaled *s, size_t *worst_block)
{
    norm_sum sum = {.worst = -1};
    double squares[TERMS_OF_SLICES] = {0}, sizes[TERMS_OF_SLICES] = {0};
    cst_scaled plain = *s;
    if (s->norm->kind != CST_NORM_CALLBACK) plain.values = NULL;
    for (span at = {0}; next_span(&plain, &at);) {
        if (s->norm->kind <= CST_NORM_MAX && !(s->blocks[at.block].weight > 0)) continue;
        double result[2];
        scale_span(&plain, &at, result);
        add_span(&sum, &plain, &at, result);
        if (s->norm->kind == CST_NORM_SLICES) squares[at.term] += result[0], sizes[at.term] += (double)at.size;
    }
    if (worst_block) *worst_block = sum.worst_block;
    if (s->norm->kind == CST_NORM_RMS) return sum.count > 0 ? sqrt(sum.value / sum.count) : 0;
    if (s->norm->kind == CST_NORM_SLICES) {
        const double second = sizes[1] > 0 ? sqrt(squares[1] / sizes[1]) : 0;
        return larger(sqrt(squares[0] / sizes[0]), second);
    }
    if (s->norm->kind == CST_NORM_CALLBACK)
        return s->norm->callback(s->norm->context, s->values, s->blocks, s->n_blocks);
    return sum.value;
}

size_t cst_first_nonfinite(const real *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i])) return i;
    return n;
}

void cst_scaled_worst(const cst_scaled *s, size_t *block, size_t *index)
{
    double worst = -1;
    size_t first = 0;
    *block = *index = 0;
    for (size_t b = 0; b < s->n_blocks; first += s->blocks[b++].size) {
        const span at = {.first = first, .size = s->blocks[b].size, .block = b};
        for (size_t i = 0; i < at.size; i++) {
            double result[2];
            cst_scaled one = *s;
            one.values = NULL;
            scale_chunk(&one, &at, i, 1, result);
            const double share = s->blocks[b].weight * result[0];
            if (share > worst || isnan(share)) {
                worst = share;
                *block = b;
                *index = i;
            }
            if (!isfinite(result[0])) return;
        }
    }
}
