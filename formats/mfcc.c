#include "formats/mfcc.h"

#include "core/shape.h"
#include "formats/fourier.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum { MAX_FFT = 1 << 20, MAX_MELS = 1 << 12 };

static const double pi = 3.14159265358979323846;

const cst_mfcc_options cst_mfcc_defaults = {200, 100, 64, 20, 1e-6};

/* A filter: the frequencies first .. first + count - 1, with weights from `offset` on in cst_mfcc.weights. */
typedef struct filter {
    size_t first, count, offset;
} filter;

struct cst_mfcc {
    cst_mfcc_options o;
    size_t rate, n_bins; /* n_bins: number of frequencies, n_fft / 2 + 1 */
    double *window;      /* (n_fft): w_j */
    double *corners;     /* (n_mels + 2): c_m in Hz */
    filter *filters;     /* (n_mels) */
    double *weights;     /* of all filters, one filter after the other */
    double *dct;         /* (n_mfcc, n_mels): s_c cos(pi c (m + 1/2) / n_mels) */
    cst_fourier *fourier;
};

/* Memory of one call of cst_mfcc_compute. */
typedef struct scratch {
    double *frame; /* (n_fft) */
    double *work;  /* scratch memory of the Fourier transform */
    double *power; /* (n_bins): P_k */
    double *logs;  /* (n_mels): L_m */
} scratch;

static cst_status no_memory(cst_error *error)
{
    return cst_fail(error, CST_ENOMEM, "out of memory for cepstral coefficients");
}

/* ---- memory -------------------------------------------------------------------------------------------------- */

/* A zeroed array, which is not NULL if count is 0. */
static void *array(size_t count, size_t size)
{
    return calloc(count > 0 ? count : 1, size);
}

static void scratch_clear(scratch *s)
{
    free(s->frame);
    free(s->work);
    free(s->power);
    free(s->logs);
}

/* Allocate all arrays. Returns false, and keeps none, if memory is exhausted. */
static bool scratch_init(const cst_mfcc *m, scratch *s)
{
    s->frame = array(m->o.n_fft, sizeof *s->frame);
    s->work = array(cst_fourier_work(m->fourier), sizeof *s->work);
    s->power = array(m->n_bins, sizeof *s->power);
    s->logs = array(m->o.n_mels, sizeof *s->logs);
    if (s->frame && s->work && s->power && s->logs) return true;
    scratch_clear(s);
    return false;
}

/* ---- tables -------------------------------------------------------------------------------------------------- */

/* The Hann window, w_j = (1 - cos(2 pi j / n_fft)) / 2. */
static void set_window(cst_mfcc *m)
{
    for (size_t j = 0; j < m->o.n_fft; j++) m->window[j] = (1 - cos(2 * pi * (double)j / (double)m->o.n_fft)) / 2;
}

/* Corners of the triangles: equidistant in mel from 0 to mel(rate / 2), then converted to Hz by the inverse of
 * mel(f). */
static void set_corners(cst_mfcc *m)
{
    const double top = 2595 * log10(1 + (double)(m->rate / 2) / 700), gaps = (double)(m->o.n_mels + 1);
    for (size_t i = 0; i < m->o.n_mels + 2; i++) m->corners[i] = 700 * (pow(10, top * (double)i / gaps / 2595) - 1);
}

/* The weight of a frequency in a triangle: the smaller one of its two sides, or 0 outside. */
static double triangle(const double corners[3], double frequency)
{
    const double up = (frequency - corners[0]) / (corners[1] - corners[0]);
    const double down = (corners[2] - frequency) / (corners[2] - corners[1]);
    const double weight = up < down ? up : down;
    return weight > 0 ? weight : 0;
}

/* Find the frequencies inside each filter, and write their weights unless `weights` is NULL. Returns the number of
 * weights. */
static size_t set_filters(cst_mfcc *m, double *weights)
{
    size_t total = 0, first = 0;
    for (size_t mel = 0; mel < m->o.n_mels; mel++) {
        filter *f = &m->filters[mel];
        *f = (filter){.first = first, .offset = total};
        /* Frequencies from the first one of the previous filter up to the right corner. */
        for (size_t k = first; k < m->n_bins; k++) {
            const double frequency = (double)(m->rate / 2) * (double)k / (double)(m->n_bins - 1);
            const double weight = triangle(&m->corners[mel], frequency);
            if (frequency >= m->corners[mel + 2]) break;
            if (!(weight > 0)) continue;
            if (f->count++ == 0) f->first = k;
            if (weights) weights[total] = weight;
            total++;
        }
        first = f->first; /* the next filter begins at or after this one */
    }
    return total;
}

/* The matrix of the orthonormal DCT-II. */
static void set_dct(cst_mfcc *m)
{
    const double n = (double)m->o.n_mels;
    for (size_t c = 0; c < m->o.n_mfcc; c++) {
        const double scale = sqrt((c == 0 ? 1 : 2) / n);
        for (size_t mel = 0; mel < m->o.n_mels; mel++)
            m->dct[c * m->o.n_mels + mel] = scale * cos(pi * (double)c * ((double)mel + 0.5) / n);
    }
}

/* ---- plans --------------------------------------------------------------------------------------------------- */

/* Check the options and the rate. */
static cst_status check(const cst_mfcc_options *o, size_t rate, cst_error *error)
{
    if (o->n_fft < 2 || o->n_fft > MAX_FFT || o->n_fft % 2 != 0)
        return cst_fail(error, CST_EARG, "n_fft: expected an even number from 2 to %d, got %zu", MAX_FFT, o->n_fft);
    if (o->hop == 0) return cst_fail(error, CST_EARG, "hop: expected at least 1, got 0");
    if (o->n_mels == 0 || o->n_mels > MAX_MELS)
        return cst_fail(error, CST_EARG, "n_mels: expected a number from 1 to %d, got %zu", MAX_MELS, o->n_mels);
    if (o->n_mfcc == 0 || o->n_mfcc > o->n_mels)
        return cst_fail(error, CST_EARG, "n_mfcc: expected a number from 1 to %zu (n_mels), got %zu", o->n_mels,
                        o->n_mfcc);
    if (!(o->log_offset > 0) || !isfinite(o->log_offset))
        return cst_fail(error, CST_EARG, "log_offset: expected a positive number, got %g", o->log_offset);
    if (rate >= 2 && rate <= UINT32_MAX) return CST_OK;
    return cst_fail(error, CST_EARG, "expected a sample rate from 2 to 2^32 - 1, got %zu", rate);
}

/* Allocate and fill all tables. Returns false if memory is exhausted. */
static bool set_tables(cst_mfcc *m)
{
    m->window = array(m->o.n_fft, sizeof *m->window);
    m->corners = array(m->o.n_mels + 2, sizeof *m->corners);
    m->filters = array(m->o.n_mels, sizeof *m->filters);
    m->dct = array(cst_size_mul(m->o.n_mfcc, m->o.n_mels), sizeof *m->dct);
    if (!m->window || !m->corners || !m->filters || !m->dct) return false;
    set_window(m);
    set_corners(m);
    /* Count the weights, then write them. */
    m->weights = array(set_filters(m, NULL), sizeof *m->weights);
    if (!m->weights) return false;
    set_filters(m, m->weights);
    set_dct(m);
    return true;
}

cst_status cst_mfcc_new(const cst_mfcc_options *options, size_t rate, cst_mfcc **mfcc, cst_error *error)
{
    *mfcc = NULL;
    CST_TRY(check(options, rate, error));
    cst_mfcc *m = calloc(1, sizeof *m);
    if (!m) return no_memory(error);
    m->o = *options;
    m->rate = rate;
    m->n_bins = options->n_fft / 2 + 1;
    const cst_status status = set_tables(m) ? cst_fourier_new(options->n_fft, &m->fourier, error) : no_memory(error);
    if (status == CST_OK)
        *mfcc = m;
    else
        cst_mfcc_free(m);
    return status;
}

void cst_mfcc_free(cst_mfcc *m)
{
    if (!m) return;
    cst_fourier_free(m->fourier);
    free(m->window);
    free(m->corners);
    free(m->filters);
    free(m->weights);
    free(m->dct);
    free(m);
}

size_t cst_mfcc_empty_filters(const cst_mfcc *m)
{
    size_t n = 0;
    for (size_t mel = 0; mel < m->o.n_mels; mel++) n += m->filters[mel].count == 0;
    return n;
}

/* ---- computing ----------------------------------------------------------------------------------------------- */

size_t cst_mfcc_frames(const cst_mfcc *m, size_t n)
{
    return n > m->o.n_fft / 2 ? 1 + n / m->o.hop : 0;
}

/* The n_fft samples around sample `centre`, multiplied by the window. */
static void cut_frame(const cst_mfcc *m, const double *samples, size_t n, size_t centre, double *frame)
{
    const size_t half = m->o.n_fft / 2;
    for (size_t j = 0; j < m->o.n_fft; j++) {
        const size_t right = centre + j; /* the index of the sample plus `half`, which is not negative */
        size_t i = right < half ? half - right : right - half;
        if (i >= n) i = 2 * (n - 1) - i; /* mirrored at the last sample; above, at the first one */
        frame[j] = m->window[j] * samples[i];
    }
}

/* L_m = log(E_m + log_offset), where E_m = sum_k weight_k P_k. */
static void log_energies(const cst_mfcc *m, const double *power, double *logs)
{
    for (size_t mel = 0; mel < m->o.n_mels; mel++) {
        const filter *f = &m->filters[mel];
        double energy = 0;
        for (size_t k = 0; k < f->count; k++) energy += m->weights[f->offset + k] * power[f->first + k];
        logs[mel] = log(energy + m->o.log_offset);
    }
}

/* y_c = s_c sum_m L_m cos(pi c (m + 1/2) / n_mels). */
static void transform_logs(const cst_mfcc *m, const double *logs, double *y)
{
    for (size_t c = 0; c < m->o.n_mfcc; c++) {
        const double *row = m->dct + c * m->o.n_mels;
        double sum = 0;
        for (size_t mel = 0; mel < m->o.n_mels; mel++) sum += row[mel] * logs[mel];
        y[c] = sum;
    }
}

cst_status cst_mfcc_compute(const cst_mfcc *m, const double *samples, size_t n, double *y, cst_error *error)
{
    const size_t n_frames = cst_mfcc_frames(m, n);
    if (n_frames == 0)
        return cst_fail(error, CST_EARG, "expected more than %zu samples, half of n_fft, got %zu", m->o.n_fft / 2, n);
    scratch s = {0};
    if (!scratch_init(m, &s)) return no_memory(error);
    /* The four steps of the header, per frame. */
    for (size_t f = 0; f < n_frames; f++) {
        cut_frame(m, samples, n, f * m->o.hop, s.frame);
        cst_fourier_power(m->fourier, s.frame, s.work, s.power);
        log_energies(m, s.power, s.logs);
        transform_logs(m, s.logs, y + f * m->o.n_mfcc);
    }
    scratch_clear(&s);
    return CST_OK;
}
