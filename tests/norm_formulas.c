#include "tests/norm_formulas.h"

#include <math.h>

/* True if x is the largest so far; then records it with its block. */
static void note(double x, size_t block, double *largest, size_t *worst)
{
    if (!(x > *largest)) return;
    *largest = x;
    *worst = block;
}

/* max over b of w_b RMS_b */
static double max_rms_by_hand(const norm_input *m, size_t n, size_t *worst)
{
    double largest = -1;
    (void)n;
    for (size_t b = 0, i = 0; b < m->n_blocks; b++) {
        double squares = 0;
        for (size_t end = i + m->blocks[b].size; i < end; i++) squares += m->v[i] * m->v[i];
        if (m->blocks[b].size == 0 || m->blocks[b].weight == 0) continue;
        note(m->blocks[b].weight * sqrt(squares / (double)m->blocks[b].size), b, &largest, worst);
    }
    return largest;
}

/* sqrt(sum w_b^2 v_i^2 / number of entries), over the blocks with a weight */
static double rms_by_hand(const norm_input *m, size_t n, size_t *worst)
{
    double largest = -1, sum = 0, count = 0;
    (void)n;
    for (size_t b = 0, i = 0; b < m->n_blocks; b++) {
        const double w = m->blocks[b].weight;
        double share = 0;
        for (size_t end = i + m->blocks[b].size; i < end; i++) share += w * w * m->v[i] * m->v[i];
        if (w == 0) continue;
        sum += share;
        count += (double)m->blocks[b].size;
        note(share, b, &largest, worst);
    }
    return sqrt(sum / count);
}

/* max over i of w |v_i| */
static double max_by_hand(const norm_input *m, size_t n, size_t *worst)
{
    double largest = -1;
    (void)n;
    for (size_t b = 0, i = 0; b < m->n_blocks; b++)
        for (size_t end = i + m->blocks[b].size; i < end; i++)
            if (m->blocks[b].weight > 0) note(m->blocks[b].weight * fabs(m->v[i]), b, &largest, worst);
    return largest;
}

static double rms_between(const double *v, size_t begin, size_t end)
{
    double squares = 0;
    for (size_t i = begin; i < end; i++) squares += v[i] * v[i];
    return begin < end ? sqrt(squares / (double)(end - begin)) : 0;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The larger RMS of the first n entries and of the next n. The part of a block within one of the two has the RMS of
 * that part as its share. */
static double slices_by_hand(const norm_input *m, size_t n, size_t *worst)
{
    double largest = -1;
    const size_t ends[3] = {0, smaller(n, m->n), smaller(2 * n, m->n)};
    for (size_t b = 0, first = 0; b < m->n_blocks; first += m->blocks[b++].size) {
        const size_t end = first + m->blocks[b].size;
        for (size_t s = 0; s < 2; s++) {
            const size_t from = first > ends[s] ? first : ends[s], to = smaller(end, ends[s + 1]);
            if (from < to) note(rms_between(m->v, from, to), b, &largest, worst);
        }
    }
    return fmax(rms_between(m->v, 0, ends[1]), rms_between(m->v, ends[1], ends[2]));
}

/* The sum of v_i^2, each third entry counted twice: the callback of test_norm. The block with the largest RMS limits the
 * step, whatever its weight is. */
static double callback_by_hand(const norm_input *m, size_t n, size_t *worst)
{
    double largest = -1, sum = 0;
    (void)n;
    for (size_t b = 0, first = 0; b < m->n_blocks; first += m->blocks[b++].size)
        if (m->blocks[b].size > 0) note(rms_between(m->v, first, first + m->blocks[b].size), b, &largest, worst);
    for (size_t i = 0; i < m->n; i++) sum += m->v[i] * m->v[i] * (i % 3 ? 1 : 2);
    return sum;
}

norm_formula norm_formula_of(const cst_norm_ops *ops)
{
    const struct {
        const cst_norm_ops *ops;
        norm_formula by_hand;
    } all[] = {{&cst_norm_max_rms, max_rms_by_hand},
               {&cst_norm_rms, rms_by_hand},
               {&cst_norm_max, max_by_hand},
               {&cst_norm_slices, slices_by_hand},
               {&cst_norm_callback, callback_by_hand}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i].ops == ops) return all[i].by_hand;
    fail_msg("norm %s: this test has no formula for it", ops->name);
    return NULL;
}
