#include "models/series_steps.h"

#include <math.h>
#include <string.h>

const char *const cst_steps_outputs[] = {"last", "all", NULL};

cst_status cst_steps_fit(cst_steps *s, const cst_shape *x, cst_error *error)
{
    char got[CST_SHAPE_TEXT];
    CST_TRY(cst_module_expect_rank(x, 2, "(T, C)", error));
    /* At least one step, and one channel that is input. */
    if (x->dim[0] == 0 || x->dim[1] <= s->skipped)
        return cst_fail(error, CST_ESHAPE, "expected rows (T, C) with at least 1 step and %zu channel%s, got %s",
                        s->skipped + 1, s->skipped == 0 ? "" : "s", cst_shape_text(x, got));
    s->length = x->dim[0];
    s->channels = x->dim[1];
    return CST_OK;
}

cst_shape cst_steps_output(const cst_steps *s)
{
    return s->all ? (cst_shape){.rank = 2, .dim = {s->length, s->hidden}} : cst_shape_1d(s->hidden);
}

size_t cst_steps_values(const cst_steps *s)
{
    return s->channels - s->skipped;
}

size_t cst_steps_inputs(const cst_steps *s)
{
    return (s->mask ? 2 : 1) * cst_steps_values(s);
}

/* Steps of one row: up to the last that has a value in any channel. */
static size_t count_steps(const cst_steps *s, const real *x)
{
    /* Skip the NaN at the end, then round up to whole steps. */
    size_t n = s->length * s->channels;
    while (n > 0 && isnan(x[n - 1])) n--;
    return (n + s->channels - 1) / s->channels;
}

size_t cst_steps_count(const cst_steps *s, size_t n, const real *x)
{
    size_t most = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t count = count_steps(s, x + i * s->length * s->channels);
        if (count > most) most = count;
    }
    return most;
}

/* Input of one step of a row. `before` is the input of the step before it, NULL for the first step. Returns whether a
 * value is observed. */
static bool read_step(const cst_steps *s, const real *x, const real *before, real *input)
{
    const size_t values = cst_steps_values(s);
    bool any = false;
    for (size_t c = 0; c < values; c++) {
        const real value = x[s->skipped + c];
        const bool observed = !isnan(value);
        input[c] = observed ? value : before ? before[c] : 0;
        if (s->mask) input[values + c] = observed ? 1 : 0;
        any = any || observed;
    }
    return any;
}

void cst_steps_read(const cst_steps *s, size_t n, size_t count, const real *x, real *input, real *observed)
{
    const size_t inputs = cst_steps_inputs(s);
    for (size_t i = 0; i < n; i++, x += s->length * s->channels) {
        /* A missing value repeats the input of the step before, which lies n rows earlier. */
        const size_t end = count_steps(s, x);
        for (size_t t = 0; t < count; t++) {
            real *at = input + (t * n + i) * inputs;
            const bool values = read_step(s, x + t * s->channels, t > 0 ? at - n * inputs : NULL, at);
            observed[t * n + i] = t >= end ? CST_OBSERVED_ENDED : values ? CST_OBSERVED_VALUES : CST_OBSERVED_NOTHING;
        }
    }
}

/* forward: an observed value is the input of its own step and of all later ones up to the next observation. So its
 * gradient is the sum over those steps, which a sweep from the last step to the first collects. */
void cst_steps_read_back(const cst_steps *s, size_t n, size_t count, const real *x, const real *ginput, real *gx)
{
    const size_t values = cst_steps_values(s), row = s->length * s->channels;
    memset(gx, 0, n * row * sizeof *gx);
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < values; c++) {
            real sum = 0; /* over steps since the last observation that the sweep has met */
            for (size_t t = count; t-- > 0;) {
                const size_t at = i * row + t * s->channels + s->skipped + c;
                sum += ginput[(t * n + i) * values + c];
                if (isnan(x[at])) continue;
                gx[at] = sum;
                sum = 0;
            }
        }
    }
}

void cst_steps_write(const cst_steps *s, size_t n, size_t count, const real *h, real *y)
{
    const size_t step = n * s->hidden, row = s->hidden * sizeof *y;
    /* The last state: rows that ended before step `count` have kept theirs. */
    if (!s->all) memcpy(y, h + count * step, n * row);
    /* The state after every step; after `count` steps it stays. */
    for (size_t i = 0; s->all && i < n; i++) {
        for (size_t t = 0; t < s->length; t++, y += s->hidden)
            memcpy(y, h + cst_size_min(t + 1, count) * step + i * s->hidden, row);
    }
}

/* forward: with `all`, y_t = h_{t+1} for t < count and y_t = h_count after that; otherwise y = h_count. So the last
 * state gets the cotangents of all steps from its own to T. */
void cst_steps_write_back(const cst_steps *s, size_t n, size_t count, size_t i, const real *gy, real *gh)
{
    const bool last = i + 1 == count;
    if (!s->all && !last) return;
    /* The steps of y that are copies of this state: first .. end - 1. */
    const size_t row = (s->all ? s->length : 1) * s->hidden;
    const size_t first = s->all ? i : 0, end = s->all && last ? s->length : first + 1;
    for (size_t r = 0; r < n; r++) {
        for (size_t t = first; t < end; t++)
            for (size_t j = 0; j < s->hidden; j++) gh[r * s->hidden + j] += gy[r * row + t * s->hidden + j];
    }
}
