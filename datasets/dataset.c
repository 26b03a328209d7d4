#include "datasets/dataset.h"

#include "core/rng.h"
#include "datasets/part.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const cst_key cst_dataset_keys[] = {
    {.name = "batch_size",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_dataset_options, batch_size),
     .fallback = "64",
     .range = CST_AT_LEAST(1),
     .help = "rows a training batch"},
    {.name = "eval_batch_size",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_dataset_options, eval_batch_size),
     .fallback = "256",
     .range = CST_AT_LEAST(1),
     .help = "rows a batch where nothing is learnt"},
    {.name = "train_size",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_dataset_options, train_size),
     .fallback = "0",
     .help = "training rows kept, drawn by the seed; 0: all"},
    {.name = "validation_size",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_dataset_options, validation_size),
     .fallback = "0",
     .help = "rows drawn from the training part for validation; of a validation part with files of its own, rows kept, "
             "0: all"},
    {.name = "test_size",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_dataset_options, test_size),
     .fallback = "0",
     .help =
         "test rows kept, drawn by the seed, 0: all; without a test part, rows drawn for it from the training part"},
    {.name = "normalize",
     .kind = CST_KEY_BOOL,
     .offset = offsetof(cst_dataset_options, normalize),
     .fallback = "true",
     .help = "mean 0 and deviation 1 in each channel of the training part"},
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
    enum { MAX_KEYS = 32 };
    cst_key all[MAX_KEYS + 1] = {0}; /* ended by a zeroed entry */
    size_t n = 0;
    for (const cst_key *key = keys; key->name && n < MAX_KEYS; key++) all[n++] = *key;
    for (const cst_key *key = cst_dataset_keys; key->name && n < MAX_KEYS; key++) {
        if (!find_key(keys, key->name)) all[n++] = *key;
    }
    if (n == MAX_KEYS) return cst_fail(error, CST_EARG, "a data set type has too many keys");
    CST_TRY(cst_config_read(section, all, true, target, error));
    const cst_dataset_options *options = target;
    data->batch_size = options->batch_size;
    data->eval_batch_size = options->eval_batch_size;
    return CST_OK;
}

void cst_dataset_clear(cst_dataset *data)
{
    cst_part_clear(&data->train);
    cst_part_clear(&data->validation);
    cst_part_clear(&data->test);
    free(data->mean);
    free(data->deviation);
    *data = (cst_dataset){0};
}

/* ---- cutting ------------------------------------------------------------------------------------------------- */

enum { DROPPED, TRAIN, VALIDATION, TEST };             /* where a row goes */
enum { STREAM_TRAIN, STREAM_TEST, STREAM_VALIDATION }; /* of the seed's CST_RNG_SPLIT */

/* So many rows at random for each destination in turn: the first counts[0] rows of a permutation go to to[0], ... */
static cst_status draw(uint64_t seed, uint64_t stream, size_t n, const size_t counts[], const uint8_t to[],
                       size_t n_counts, uint8_t *pick, cst_error *error)
{
    size_t *order = malloc((n > 0 ? n : 1) * sizeof *order);
    if (!order) return cst_fail(error, CST_ENOMEM, "out of memory");
    cst_rng_permutation(cst_rng_split(cst_rng_new(seed, CST_RNG_SPLIT), stream), order, n);
    memset(pick, DROPPED, n);
    size_t next = 0;
    for (size_t i = 0; i < n_counts; i++) {
        for (size_t end = next + counts[i]; next < end; next++) pick[order[next]] = to[i];
    }
    free(order);
    return CST_OK;
}

/* CST_ECONFIG at the key unless `wanted` rows are among the `available` ones. */
static cst_status check_size(cst_config section, const char *key, size_t wanted, size_t available, const char *what,
                             cst_error *error)
{
    if (wanted <= available) return CST_OK;
    return cst_config_fail(cst_config_get(section, key), error, "expected at most %zu, the rows %s, got %zu", available,
                           what, wanted);
}

static cst_status cut_train(cst_config section, const cst_dataset_options *o, uint64_t seed, uint8_t *pick,
                            cst_dataset *data, cst_error *error)
{
    const size_t n = data->train.n, n_test = data->test.n > 0 ? 0 : o->test_size;
    const size_t n_validation = data->validation.n > 0 ? 0 : o->validation_size;
    /* One row at least is left to learn from. */
    CST_TRY(check_size(section, "validation_size", n_validation, n - 1, "that can be spared", error));
    CST_TRY(check_size(section, "test_size", n_test, n - 1 - n_validation, "that can be spared", error));
    const size_t left = n - n_validation - n_test;
    CST_TRY(check_size(section, "train_size", o->train_size, left, "there are", error));
    const size_t n_train = o->train_size > 0 ? o->train_size : left;
    if (n_train == n) return CST_OK;
    const size_t counts[] = {n_validation, n_test, n_train};
    const uint8_t to[] = {VALIDATION, TEST, TRAIN};
    CST_TRY(draw(seed, STREAM_TRAIN, n, counts, to, 3, pick, error));
    if (n_validation > 0)
        CST_TRY(cst_part_copy(data, &data->train, pick, VALIDATION, n_validation, &data->validation, error));
    if (n_test > 0) CST_TRY(cst_part_copy(data, &data->train, pick, TEST, n_test, &data->test, error));
    cst_part_keep(data, &data->train, pick, TRAIN);
    return CST_OK;
}

/* So many rows, the section's key, of a part that is there. */
static cst_status cut_part(cst_config section, const char *key, size_t size, uint64_t seed, uint64_t stream,
                           uint8_t *pick, const cst_dataset *data, cst_part *part, cst_error *error)
{
    if (part->n == 0) return CST_OK;
    CST_TRY(check_size(section, key, size, part->n, "there are", error));
    if (size == 0 || size == part->n) return CST_OK;
    CST_TRY(draw(seed, stream, part->n, &size, &(const uint8_t){TRAIN}, 1, pick, error));
    cst_part_keep(data, part, pick, TRAIN);
    return CST_OK;
}

cst_status cst_dataset_cut(cst_config section, const cst_dataset_options *options, uint64_t seed, cst_dataset *data,
                           cst_error *error)
{
    if (data->train.n == 0) return cst_fail(error, CST_EFORMAT, "no training rows");
    size_t n = data->train.n > data->test.n ? data->train.n : data->test.n;
    if (data->validation.n > n) n = data->validation.n;
    uint8_t *pick = malloc(n);
    if (!pick) return cst_fail(error, CST_ENOMEM, "out of memory");
    /* The other parts first: cutting the training part may make them. */
    const cst_dataset_options *o = options;
    cst_status status = cut_part(section, "test_size", o->test_size, seed, STREAM_TEST, pick, data, &data->test, error);
    if (status == CST_OK)
        status = cut_part(section, "validation_size", o->validation_size, seed, STREAM_VALIDATION, pick, data,
                          &data->validation, error);
    if (status == CST_OK) status = cut_train(section, o, seed, pick, data, error);
    free(pick);
    return status;
}

/* ---- normalization ------------------------------------------------------------------------------------------- */

/* Of bytes the sums of b and b^2 are exact in 64 bits. */
static void byte_moments(const cst_part *part, size_t row, size_t first, size_t length, double *mean, double *deviation)
{
    uint64_t sum = 0, squares = 0;
    for (size_t i = 0; i < part->n; i++) {
        const uint8_t *b = part->bytes + i * row + first;
#pragma omp simd reduction(+ : sum, squares)
        for (size_t j = 0; j < length; j++) {
            sum += b[j];
            squares += (uint32_t)b[j] * b[j];
        }
    }
    const double count = (double)part->n * (double)length, m = (double)sum / count;
    const double variance = (double)squares / count - m * m;
    *mean = m / 255;
    *deviation = sqrt(variance > 0 ? variance : 0) / 255;
}

typedef struct moments {
    size_t n;                    /* values that are there */
    double origin, sum, squares; /* the first of them; of the others' distances to it; to the mean */
} moments;

/* Of values, `outer` times n_channels runs of `inner` of them, in two passes, as their squares may be much larger than the
 * variance, and seen from the first of them, so that the deviation of a constant is exactly 0. */
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

static cst_status value_moments(cst_dataset *data, cst_error *error)
{
    const size_t n = data->n_channels, size = data->train.n * cst_shape_size(&data->x);
    const size_t outer = data->channels_last ? size / n : data->train.n, inner = size / n / outer;
    moments *all = calloc(n, sizeof *all);
    if (!all) return cst_fail(error, CST_ENOMEM, "out of memory for the moments of %zu channels", n);
    add_values(data->train.values, outer, n, inner, all);
    add_squares(data->train.values, outer, n, inner, all);
    for (size_t c = 0; c < n; c++) {
        const double count = (double)all[c].n;
        data->mean[c] = all[c].origin + all[c].sum / count;
        data->deviation[c] = sqrt(all[c].squares / count);
    }
    free(all);
    return CST_OK;
}

/* Added to a series' deviation: datasets/series.h. */
static const double series_deviation = 1e-5;

cst_status cst_dataset_normalize(cst_dataset *data, bool normalize, cst_error *error)
{
    const size_t size = cst_shape_size(&data->x), n = data->n_channels;
    const double more = data->channels_last ? series_deviation : 0;
    if (n == 0) return CST_OK;
    if (!data->mean) data->mean = malloc(cst_size_mul(n, sizeof *data->mean));
    if (!data->deviation) data->deviation = malloc(cst_size_mul(n, sizeof *data->deviation));
    if (!data->mean || !data->deviation)
        return cst_fail(error, CST_ENOMEM, "out of memory for the moments of %zu channels", n);
    for (size_t c = 0; c < n; c++) {
        data->mean[c] = 0;
        data->deviation[c] = 1;
    }
    if (!normalize || data->train.n == 0) return CST_OK;
    if (data->train.values) CST_TRY(value_moments(data, error));
    for (size_t c = 0; c < n; c++) {
        if (data->train.bytes)
            byte_moments(&data->train, size, c * (size / n), size / n, &data->mean[c], &data->deviation[c]);
        data->deviation[c] = data->deviation[c] > 0 ? data->deviation[c] + more : 1;
    }
    return CST_OK;
}

/* ---- gathering ----------------------------------------------------------------------------------------------- */

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

/* (b / unit - mean) / deviation = b / (unit deviation) - mean / deviation, channel by channel. */
static void scale_row(const cst_dataset *data, const cst_part *part, size_t row, real *x)
{
    const size_t size = cst_shape_size(&data->x), n = data->n_channels > 0 ? data->n_channels : 1, length = size / n;
    const double unit = part->bytes ? 255 : 1;
    for (size_t c = 0; c < n; c++) {
        const bool scaled = data->n_channels > 0;
        const real scale = (real)(1 / (scaled ? unit * data->deviation[c] : unit));
        const real shift = scaled ? (real)(-data->mean[c] / data->deviation[c]) : 0;
        if (data->channels_last) {
            for (size_t i = c; i < size; i += n) x[i] = scale * part->values[row * size + i] + shift;
        } else if (part->bytes) {
            scale_bytes(part->bytes + row * size + c * length, x + c * length, length, scale, shift);
        } else {
            scale_values(part->values + row * size + c * length, x + c * length, length, scale, shift);
        }
    }
}

void cst_dataset_gather(const cst_dataset *data, const cst_part *part, const size_t *rows, size_t n, real *x,
                        int32_t *labels, real *targets)
{
    const size_t size = cst_shape_size(&data->x), n_labels = cst_dataset_labels(data), y = data->n_targets;
    for (size_t i = 0; i < n; i++) {
        scale_row(data, part, rows[i], x + i * size);
        if (labels && part->labels)
            memcpy(labels + i * n_labels, part->labels + rows[i] * n_labels, n_labels * sizeof *labels);
        if (targets && part->targets) memcpy(targets + i * y, part->targets + rows[i] * y, y * sizeof *targets);
    }
}
