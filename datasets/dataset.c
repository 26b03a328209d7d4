#include "datasets/dataset.h"

#include "core/rng.h"
#include "datasets/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const cst_key cst_dataset_keys[] = {
    {.name = "batch_size",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_dataset_options, batch_size),
     .fallback = "64",
     .range = CST_AT_LEAST(1),
     .help = "rows per training batch"},
    {.name = "eval_batch_size",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_dataset_options, eval_batch_size),
     .fallback = "256",
     .range = CST_AT_LEAST(1),
     .help = "rows per batch in evaluation"},
    CST_SPLIT_SIZE_KEY(train, "0", CST_ANY, "training rows kept, drawn by the seed; 0: all"),
    CST_SPLIT_SIZE_KEY(validation, "0", CST_ANY,
                       "rows drawn from the training split for validation; if validation has its own files, rows kept, "
                       "0: all"),
    CST_SPLIT_SIZE_KEY(test, "0", CST_ANY,
                       "test rows kept, drawn by the seed, 0: all; without a test split, rows drawn for it from the "
                       "training split"),
    CST_NORMALIZE_KEY("true", "mean 0 and std 1 in each channel of the training split"),
    {.name = NULL},
};

/* ---- loading ------------------------------------------------------------------------------------------------- */

static const cst_key *find_key(const cst_key *keys, const char *name)
{
    while (keys->name && strcmp(keys->name, name) != 0) keys++;
    return keys->name ? keys : NULL;
}

cst_status cst_dataset_read(cst_config section, const cst_key *keys, void *target, cst_dataset *data, cst_error *error)
{
    /* One table of the type's keys and the common ones that they do not replace, ended by a zeroed entry. */
    enum { MAX_KEYS = 32 };
    cst_key all[MAX_KEYS + 1] = {0};
    size_t n = 0;
    for (const cst_key *key = keys; key->name && n < MAX_KEYS; key++) all[n++] = *key;
    for (const cst_key *key = cst_dataset_keys; key->name && n < MAX_KEYS; key++) {
        if (!find_key(keys, key->name)) all[n++] = *key;
    }
    if (n == MAX_KEYS) return cst_fail(error, CST_EARG, "a data set type has too many keys");
    CST_TRY(cst_config_read(section, all, true, target, error));
    /* The target begins with the common options. */
    const cst_dataset_options *options = target;
    data->batch_size = options->batch_size;
    data->eval_batch_size = options->eval_batch_size;
    return CST_OK;
}

void cst_dataset_clear(cst_dataset *data)
{
    cst_split_clear(&data->train);
    cst_split_clear(&data->validation);
    cst_split_clear(&data->test);
    free(data->mean);
    free(data->std);
    *data = (cst_dataset){0};
}

/* ---- sizes --------------------------------------------------------------------------------------------------- */

enum { DROPPED, TRAIN, VALIDATION, TEST };             /* the destination of a row, in an array `pick` */
enum { STREAM_TRAIN, STREAM_TEST, STREAM_VALIDATION }; /* substreams of the seed's CST_RNG_SPLIT, per split */

/* What the functions that cut the splits share. */
typedef struct cutter {
    cst_config section; /* for messages */
    const cst_dataset_options *options;
    uint64_t seed;
    cst_dataset *data;
    uint8_t *pick; /* memory for the destination of each row of a split */
} cutter;

/* Choose a destination for each of n rows. In the order of a random permutation, the first counts[0] rows go to to[0], the
 * next counts[1] rows to to[1] and so on; the others are dropped. */
static cst_status draw(const cutter *c, uint64_t stream, size_t n, const size_t counts[], const uint8_t to[],
                       size_t n_counts, cst_error *error)
{
    size_t *order = malloc((n > 0 ? n : 1) * sizeof *order);
    if (!order) return cst_fail(error, CST_ENOMEM, "out of memory");
    cst_rng_permutation(cst_rng_split(cst_rng_new(c->seed, CST_RNG_SPLIT), stream), order, n);
    memset(c->pick, DROPPED, n);
    size_t next = 0;
    for (size_t i = 0; i < n_counts; i++) {
        for (size_t end = next + counts[i]; next < end; next++) c->pick[order[next]] = to[i];
    }
    free(order);
    return CST_OK;
}

/* CST_ECONFIG at the key if more rows are wanted than are available. */
static cst_status check_size(cst_config section, const char *key, size_t wanted, size_t available, const char *what,
                             cst_error *error)
{
    if (wanted <= available) return CST_OK;
    return cst_config_fail(cst_config_get(section, key), error, "expected at most %zu, the rows %s, got %zu", available,
                           what, wanted);
}

/* Cut the training split. The validation and test splits are drawn from it if they do not exist yet. */
static cst_status cut_train(const cutter *c, cst_error *error)
{
    const cst_dataset_options *o = c->options;
    cst_dataset *data = c->data;
    const size_t n = data->train.n, n_test = data->test.n > 0 ? 0 : o->test_size;
    const size_t n_validation = data->validation.n > 0 ? 0 : o->validation_size;
    /* At least one row must be left to train on. */
    CST_TRY(check_size(c->section, "validation_size", n_validation, n - 1, "that can be spared", error));
    CST_TRY(check_size(c->section, "test_size", n_test, n - 1 - n_validation, "that can be spared", error));
    const size_t left = n - n_validation - n_test;
    CST_TRY(check_size(c->section, "train_size", o->train_size, left, "there are", error));
    const size_t n_train = o->train_size > 0 ? o->train_size : left;
    if (n_train == n) return CST_OK;
    /* Validation rows come first in the permutation, so they do not depend on the other sizes. */
    const size_t counts[] = {n_validation, n_test, n_train};
    const uint8_t to[] = {VALIDATION, TEST, TRAIN};
    CST_TRY(draw(c, STREAM_TRAIN, n, counts, to, 3, error));
    if (n_validation > 0)
        CST_TRY(cst_split_copy(data, &data->train, c->pick, VALIDATION, n_validation, &data->validation, error));
    if (n_test > 0) CST_TRY(cst_split_copy(data, &data->train, c->pick, TEST, n_test, &data->test, error));
    cst_split_keep(data, &data->train, c->pick, TRAIN);
    return CST_OK;
}

/* Keep `size` rows, the value of the section's key, of a split; all if it is 0. A no-op if the split is empty. */
static cst_status cut_split(const cutter *c, const char *key, size_t size, uint64_t stream, cst_split *split,
                            cst_error *error)
{
    if (split->n == 0) return CST_OK;
    CST_TRY(check_size(c->section, key, size, split->n, "there are", error));
    if (size == 0 || size == split->n) return CST_OK;
    /* Mark the rows that stay, and drop the others. */
    CST_TRY(draw(c, stream, split->n, &size, &(const uint8_t){TRAIN}, 1, error));
    cst_split_keep(c->data, split, c->pick, TRAIN);
    return CST_OK;
}

cst_status cst_dataset_split(cst_config section, const cst_dataset_options *options, uint64_t seed, cst_dataset *data,
                             cst_error *error)
{
    if (data->train.n == 0) return cst_fail(error, CST_EFORMAT, "no training rows");
    /* One array serves all splits. */
    size_t n = data->train.n > data->test.n ? data->train.n : data->test.n;
    if (data->validation.n > n) n = data->validation.n;
    uint8_t *pick = malloc(n);
    if (!pick) return cst_fail(error, CST_ENOMEM, "out of memory");
    /* The training split comes last, because cutting it may create the other two. */
    const cutter c = {section, options, seed, data, pick};
    cst_status status = cut_split(&c, "test_size", options->test_size, STREAM_TEST, &data->test, error);
    if (status == CST_OK)
        status =
            cut_split(&c, "validation_size", options->validation_size, STREAM_VALIDATION, &data->validation, error);
    if (status == CST_OK) status = cut_train(&c, error);
    free(pick);
    return status;
}

/* ---- normalization ------------------------------------------------------------------------------------------- */

/* Mean and std of one channel of images, b / 255: bytes first to first + length - 1 of each row. The sums of b and b^2 are
 * exact in 64 bits; std^2 = E[b^2] - E[b]^2. */
static void byte_moments(const cst_split *split, size_t row, size_t first, size_t length, double *mean, double *std)
{
    uint64_t sum = 0, squares = 0;
    for (size_t i = 0; i < split->n; i++) {
        const uint8_t *b = split->bytes + i * row + first;
#pragma omp simd reduction(+ : sum, squares)
        for (size_t j = 0; j < length; j++) {
            sum += b[j];
            squares += (uint32_t)b[j] * b[j];
        }
    }
    /* Moments of b, then of b / 255. */
    const double count = (double)split->n * (double)length, m = (double)sum / count;
    const double variance = (double)squares / count - m * m;
    *mean = m / 255;
    *std = sqrt(variance > 0 ? variance : 0) / 255;
}

/* Sums over the values v of one channel that are not NaN. */
typedef struct moments {
    size_t n;       /* number of values */
    double origin;  /* the first value */
    double sum;     /* of v - origin */
    double squares; /* of (v - mean)^2 */
} moments;

/* The moments of values are computed in two passes, because the squares may be much larger than the variance. They are
 * relative to the first value, so that the std of a constant is exactly 0. The array has `outer` blocks, each with `inner`
 * consecutive values of every channel. */
static void add_values(const real *v, size_t outer, size_t n_channels, size_t inner, moments *all)
{
    for (size_t i = 0; i < outer; i++) {
        for (size_t c = 0; c < n_channels; c++) {
            moments *m = &all[c];
            for (const real *end = v + inner; v < end; v++) {
                if (isnan(*v)) continue;
                if (m->n++ == 0) m->origin = (double)*v;
                m->sum += (double)*v - m->origin;
            }
        }
    }
}

/* The second pass: m->sum is complete. */
static void add_squares(const real *v, size_t outer, size_t n_channels, size_t inner, moments *all)
{
    for (size_t i = 0; i < outer; i++) {
        for (size_t c = 0; c < n_channels; c++) {
            moments *m = &all[c];
            const double mean = m->sum / (double)m->n;
            for (const real *end = v + inner; v < end; v++) {
                const double d = (double)*v - m->origin - mean;
                if (!isnan(*v)) m->squares += d * d;
            }
        }
    }
}

/* Mean and std of each channel of values: mean = origin + sum / n, std = sqrt(squares / n). */
static cst_status value_moments(cst_dataset *data, cst_error *error)
{
    const size_t n = data->n_channels, size = data->train.n * cst_shape_size(&data->x);
    /* Rows are (T, channels) or (channels, inner). */
    const size_t outer = data->channels_last ? size / n : data->train.n, inner = size / n / outer;
    moments *all = calloc(n, sizeof *all);
    if (!all) return cst_fail(error, CST_ENOMEM, "out of memory for the moments of %zu channels", n);
    add_values(data->train.values, outer, n, inner, all);
    add_squares(data->train.values, outer, n, inner, all);
    for (size_t c = 0; c < n; c++) {
        const double count = (double)all[c].n;
        data->mean[c] = all[c].origin + all[c].sum / count;
        data->std[c] = sqrt(all[c].squares / count);
    }
    free(all);
    return CST_OK;
}

/* Added to the std of a channel of series: datasets/series.h. */
static const double series_std = 1e-5;

cst_status cst_dataset_normalize(cst_dataset *data, bool normalize, cst_error *error)
{
    const size_t size = cst_shape_size(&data->x), n = data->n_channels;
    const double more = data->channels_last ? series_std : 0;
    if (n == 0) return CST_OK;
    if (!data->mean) data->mean = malloc(cst_size_mul(n, sizeof *data->mean));
    if (!data->std) data->std = malloc(cst_size_mul(n, sizeof *data->std));
    if (!data->mean || !data->std)
        return cst_fail(error, CST_ENOMEM, "out of memory for the moments of %zu channels", n);
    /* Without normalization x = (value - 0) / 1. */
    for (size_t c = 0; c < n; c++) {
        data->mean[c] = 0;
        data->std[c] = 1;
    }
    if (!normalize || data->train.n == 0) return CST_OK;
    /* Moments of the training split. A constant channel gets std 1. */
    if (data->train.values) CST_TRY(value_moments(data, error));
    for (size_t c = 0; c < n; c++) {
        if (data->train.bytes)
            byte_moments(&data->train, size, c * (size / n), size / n, &data->mean[c], &data->std[c]);
        data->std[c] = data->std[c] > 0 ? data->std[c] + more : 1;
    }
    return CST_OK;
}

/* ---- batches ------------------------------------------------------------------------------------------------- */

static void scale_bytes(const uint8_t *restrict b, real *restrict x, size_t n, real scale, real shift)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) x[i] = scale * (real)b[i] + shift;
}

static void scale_values(const real *restrict v, real *restrict x, size_t n, real scale, real shift)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) x[i] = scale * v[i] + shift;
}

/* Normalize a row, channel by channel: (b / unit - mean) / std = scale b + shift with scale = 1 / (unit std) and
 * shift = -mean / std. unit is 255 for bytes. */
static void scale_row(const cst_dataset *data, const cst_split *split, size_t row, real *x)
{
    const size_t size = cst_shape_size(&data->x), n = data->n_channels > 0 ? data->n_channels : 1, length = size / n;
    const double unit = split->bytes ? 255 : 1;
    /* Without channels bytes are only divided by unit. */
    for (size_t c = 0; c < n; c++) {
        const bool scaled = data->n_channels > 0;
        const real scale = (real)(1 / (scaled ? unit * data->std[c] : unit));
        const real shift = scaled ? (real)(-data->mean[c] / data->std[c]) : 0;
        /* The values of a channel are strided in series and consecutive otherwise. */
        if (data->channels_last) {
            for (size_t i = c; i < size; i += n) x[i] = scale * split->values[row * size + i] + shift;
        } else if (split->bytes) {
            scale_bytes(split->bytes + row * size + c * length, x + c * length, length, scale, shift);
        } else {
            scale_values(split->values + row * size + c * length, x + c * length, length, scale, shift);
        }
    }
}

void cst_dataset_gather(const cst_dataset *data, const cst_split *split, const size_t *rows, size_t n, real *x,
                        int32_t *labels, real *targets)
{
    const size_t size = cst_shape_size(&data->x), n_labels = cst_dataset_labels(data), y = data->n_targets;
    for (size_t i = 0; i < n; i++) {
        scale_row(data, split, rows[i], x + i * size);
        /* Labels and targets are copied as they are. */
        if (labels && split->labels)
            memcpy(labels + i * n_labels, split->labels + rows[i] * n_labels, n_labels * sizeof *labels);
        if (targets && split->targets) memcpy(targets + i * y, split->targets + rows[i] * y, y * sizeof *targets);
    }
}
