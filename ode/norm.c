/* The table of norms, and the walk over a state's spans that all norms share. The loops over entries are in
 * ode/combine.c, which is compiled once per level of the processor; this file exports data and is compiled once. */
#include "ode/norm.h"

#include "core/parallel.h"

#include <math.h>

/* The larger of the two, or NaN if one of them is NaN. */
static double larger(double a, double b)
{
    return isnan(a) ? a : isnan(b) || b > a ? b : a;
}

/* The norm is the largest share. */
static double largest(const cst_norm_sum *sum, const cst_scaled *scaled)
{
    (void)scaled;
    return sum->largest;
}

/* RMS = sqrt(sum v_i^2 / n), ||x||_RMS of the paper's appendix A. */
static double rms_of_span(const cst_norm_span *span)
{
    return sqrt(span->squares / (double)span->size);
}

/* ---- max_rms: max over b of w_b RMS_b (torchdiffeq; paper, appendix A) ------------------------------------------- */

static double max_rms_add(cst_norm_sum *sum, const cst_norm *norm, const cst_norm_span *span)
{
    (void)norm;
    const double share = span->weight * rms_of_span(span);
    sum->largest = larger(sum->largest, share);
    return share;
}

const cst_norm_ops cst_norm_max_rms = {.name = "max_rms", .add_span = max_rms_add, .finish = largest};

/* ---- rms: sqrt(sum w_b^2 n_b RMS_b^2 / sum n_b) -------------------------------------------------------------- */

static double rms_add(cst_norm_sum *sum, const cst_norm *norm, const cst_norm_span *span)
{
    (void)norm;
    const double share = span->weight * span->weight * span->squares; /* n_b RMS_b^2 is the sum of squares */
    sum->squares[0] += share;
    sum->count[0] += (double)span->size;
    return share;
}

static double rms_finish(const cst_norm_sum *sum, const cst_scaled *scaled)
{
    (void)scaled;
    return sum->count[0] > 0 ? sqrt(sum->squares[0] / sum->count[0]) : 0;
}

const cst_norm_ops cst_norm_rms = {.name = "rms", .add_span = rms_add, .finish = rms_finish};

/* ---- max: max over b of w_b |v_i|, i in b -------------------------------------------------------------------- */

static double max_add(cst_norm_sum *sum, const cst_norm *norm, const cst_norm_span *span)
{
    (void)norm;
    const double share = span->weight * span->measure;
    sum->largest = larger(sum->largest, share);
    return share;
}

const cst_norm_ops cst_norm_max = {
    .name = "max", .add_span = max_add, .finish = largest, .measure = cst_largest_magnitude, .join = larger};

/* ---- slices: the larger RMS of the first n entries and of the next n ----------------------------------------- */

/* A span ends at the end of a block or of one of the two slices [0, n) and [n, 2n). */
static size_t slices_end(const cst_norm *norm, size_t first, size_t block_end)
{
    const size_t n = norm->slice, end = first < n ? n : first - n < n ? 2 * n : block_end;
    return end < block_end ? end : block_end;
}

static double slices_add(cst_norm_sum *sum, const cst_norm *norm, const cst_norm_span *span)
{
    const size_t n = norm->slice, slice = span->first < n ? 0 : 1;
    if (slice == 1 && span->first - n >= n) return -1; /* after both slices: no share */
    sum->squares[slice] += span->squares;
    sum->count[slice] += (double)span->size;
    return rms_of_span(span);
}

/* A state of at most n entries has no second slice; its RMS is 0. */
static double slices_finish(const cst_norm_sum *sum, const cst_scaled *scaled)
{
    (void)scaled;
    const double second = sum->count[1] > 0 ? sqrt(sum->squares[1] / sum->count[1]) : 0;
    return larger(sqrt(sum->squares[0] / sum->count[0]), second);
}

const cst_norm_ops cst_norm_slices = {
    .name = "slices", .add_span = slices_add, .finish = slices_finish, .span_end = slices_end, .ignores_weights = true};

/* ---- callback: the user's function of v ---------------------------------------------------------------------- */

/* The share only tells which block limits the step. */
static double callback_add(cst_norm_sum *sum, const cst_norm *norm, const cst_norm_span *span)
{
    (void)sum, (void)norm;
    return rms_of_span(span);
}

static double callback_finish(const cst_norm_sum *sum, const cst_scaled *s)
{
    (void)sum;
    return s->norm->callback(s->norm->context, s->values, s->blocks, s->n_blocks);
}

const cst_norm_ops cst_norm_callback = {.name = "callback",
                                        .add_span = callback_add,
                                        .finish = callback_finish,
                                        .ignores_weights = true,
                                        .needs_values = true};

const cst_norm_ops *const cst_norms[] = {&cst_norm_max_rms, &cst_norm_rms,      &cst_norm_max,
                                         &cst_norm_slices,  &cst_norm_callback, NULL};

/* ---- the walk over the spans --------------------------------------------------------------------------------- */

size_t cst_scaled_partials(const cst_block *blocks, size_t n_blocks)
{
    /* Two numbers per chunk of a span: its sum of squares and its measure. */
    size_t n = 0;
    for (size_t b = 0; b < n_blocks; b++) n += blocks[b].size / CST_CHUNK + 4; /* a slice may cut a block twice */
    return 2 * n;
}

/* v (n) = y_err / SCALE for n entries from `first` on (paper, eq. 4). Returns the sum of squares. */
static double scale(const cst_scaled *s, size_t first, size_t n, real *v)
{
    const cst_tolerance tolerance = {.rtol = s->rtol, .atol = s->atol, .y0 = s->y0, .y1 = s->y1};
    return cst_scale_chunk(s->sum, &tolerance, first, n, v);
}

/* One span, for the threads. */
typedef struct span_task {
    const cst_scaled *s;
    const cst_norm_ops *ops;
    const cst_norm_span *span;
} span_task;

/* Scale the errors of one chunk of a span; write its sum of squares and its measure into `partial`. */
static void measure_chunk(void *context, size_t chunk)
{
    const span_task *task = context;
    const cst_scaled *s = task->s;
    const size_t offset = chunk * CST_CHUNK, left = task->span->size - offset, n = left < CST_CHUNK ? left : CST_CHUNK;
    const size_t first = task->span->first + offset;
    _Alignas(64) real own[CST_CHUNK]; /* aligned, since loads across two cache lines cost a quarter more */
    real *v = task->ops->needs_values ? s->values + first : own;
    const double squares = scale(s, first, n, v);
    s->partial[2 * chunk] = squares;
    s->partial[2 * chunk + 1] = task->ops->measure && isfinite(squares) ? task->ops->measure(v, n) : squares;
}

/* Compute the span's sum of squares and its measure. Threads share the chunks; the results are added in the order of
 * the chunks, so they do not depend on the number of threads. */
static void measure_span(const cst_scaled *s, const cst_norm_ops *ops, cst_norm_span *span)
{
    span_task task = {s, ops, span};
    const size_t chunks = (span->size + CST_CHUNK - 1) / CST_CHUNK;
    cst_parallel(span->size < CST_MIN_PARALLEL ? 1 : s->threads, chunks, measure_chunk, &task);
    for (size_t i = 0; i < chunks; i++) {
        span->squares += s->partial[2 * i];
        if (ops->join) span->measure = ops->join(span->measure, s->partial[2 * i + 1]);
    }
}

/* r = ||y_err / SCALE|| (paper, eq. 5). */
double cst_scaled_norm(const cst_scaled *s, size_t *worst_block)
{
    /* The sums of the norm, the block with the largest share so far, and the entries first .. end - 1 of the block. */
    const cst_norm_ops *ops = s->norm->ops ? s->norm->ops : &cst_norm_max_rms;
    cst_norm_sum sum = {0};
    double worst = -1;
    size_t worst_at = 0, first = 0, end = 0;
    for (size_t b = 0; b < s->n_blocks; b++, first = end) {
        /* Leave out blocks of weight 0: the norm is a seminorm (paper, section 2.2). */
        const double weight = s->blocks[b].weight;
        end += s->blocks[b].size;
        if (!ops->ignores_weights && !(weight > 0)) continue;
        /* Add the block's spans, and remember the largest share or the first that is NaN. */
        while (first < end) {
            const size_t stop = ops->span_end ? ops->span_end(s->norm, first, end) : end;
            cst_norm_span span = {.first = first, .size = stop - first, .weight = weight};
            measure_span(s, ops, &span);
            const double share = ops->add_span(&sum, s->norm, &span);
            if (share > worst || (isnan(share) && !isnan(worst))) worst = share, worst_at = b;
            first = stop;
        }
    }
    if (worst_block) *worst_block = worst_at;
    return ops->finish(&sum, s);
}

/* One entry after the other: this is called only when a solve has failed. */
void cst_scaled_worst(const cst_scaled *s, size_t *block, size_t *index)
{
    double worst = -1;
    size_t at = 0;
    *block = *index = 0;
    for (size_t b = 0; b < s->n_blocks; b++) {
        for (size_t i = 0; i < s->blocks[b].size; i++) {
            /* w_b v_i^2; the first entry that is not finite ends the search. */
            real v;
            const double squares = scale(s, at++, 1, &v), share = s->blocks[b].weight * squares;
            if (share > worst || isnan(share)) {
                worst = share;
                *block = b;
                *index = i;
            }
            if (!isfinite(squares)) return;
        }
    }
}
