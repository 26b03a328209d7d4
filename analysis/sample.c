#include "analysis/sample.h"

#include "core/arena.h"
#include "core/array.h"
#include "core/file.h"
#include "core/rng.h"
#include "models/flow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Random streams of a sampler's seed: the base distribution, noise of the flow backwards, and noise forwards. */
enum { STREAM_BASE, STREAM_NOISE, STREAM_ROWS };

static cst_rng stream(const cst_sampler *s, uint64_t which)
{
    return cst_rng_split(cst_rng_new(s->seed, CST_RNG_SAMPLE), which);
}

/* ---- the run ----------------------------------------------------------------------------------------------------- */

cst_status cst_sample_check(const cst_run *run, cst_error *error)
{
    if (cst_is_flow(run->experiment.model)) return CST_OK;
    return cst_fail(error, CST_EUNSUPPORTED, "%s: expected a model of type flow, which can be sampled, got %s",
                    run->folder, run->experiment.model->ops->name);
}

static const cst_dataset *data_of(const cst_sampler *s)
{
    return &s->run->experiment.data;
}

/* Numbers per row. */
static size_t width_of(const cst_sampler *s)
{
    return cst_shape_size(&data_of(s)->x);
}

/* Rows per batch: as in the run's evaluation, for which its memory was planned. */
static size_t batch_of(const cst_sampler *s)
{
    return data_of(s)->eval_batch_size < s->run->trainer.learner.max_rows ? data_of(s)->eval_batch_size
                                                                          : s->run->trainer.learner.max_rows;
}

/* Call the progress callback. CST_EINTERRUPTED if it returns false. */
static cst_status report(const cst_sampler *s, const char *what, size_t done, size_t total, cst_error *error)
{
    if (!s->events || !s->events->progress || s->events->progress(s->events->context, what, done, total)) return CST_OK;
    return cst_fail(error, CST_EINTERRUPTED, "interrupted");
}

/* The arguments of a pass through the flow, with the run's weights. */
static cst_call make_call(const cst_sampler *s, size_t n, cst_rng rng, real *work, cst_error *error)
{
    const cst_learner *l = &s->run->trainer.learner;
    return (cst_call){.n = n, .threads = l->threads, .rng = rng, .theta = l->theta, .work = work, .error = error};
}

/* ---- units ------------------------------------------------------------------------------------------------------- */

/* The model's x and a value in the data's file: x = (value / unit - mean_c) / std_c for channel c (datasets/dataset.h), or
 * value = scale x + shift. */
typedef struct units {
    double scale, shift;
} units;

/* The units of an entry of a row. */
static units units_of(const cst_dataset *data, size_t entry)
{
    const double unit = data->train.bytes ? 255 : 1;
    if (data->n_channels == 0) return (units){unit, 0};
    const size_t d = cst_shape_size(&data->x);
    const size_t c = data->channels_last ? entry % data->n_channels : entry / (d / data->n_channels);
    return (units){unit * data->std[c], unit * data->mean[c]};
}

/* Convert n rows from the model's units to the data's, in place. Bytes are rounded and clipped to 0 .. 255. */
static void to_data(const cst_dataset *data, size_t n, real *x)
{
    const size_t d = cst_shape_size(&data->x);
    /* Entry by entry: all rows of a channel have the same units. */
    for (size_t j = 0; j < d; j++) {
        const units u = units_of(data, j);
        for (size_t i = 0; i < n; i++) {
            const double value = u.scale * (double)x[i * d + j] + u.shift;
            x[i * d + j] = (real)(data->train.bytes ? fmin(fmax(floor(value + 0.5), 0), 255) : value);
        }
    }
}

/* Convert n rows from the data's units to the model's. */
static void to_model(const cst_dataset *data, size_t n, const real *values, real *x)
{
    const size_t d = cst_shape_size(&data->x);
    for (size_t j = 0; j < d; j++) {
        const units u = units_of(data, j);
        for (size_t i = 0; i < n; i++) x[i * d + j] = (real)(((double)values[i * d + j] - u.shift) / u.scale);
    }
}

/* log |dx/dvalue| summed over a row. Added to the model's log p it gives the density in the data's units. A flow that
 * dequantizes has a density per level already, and its data are not normalized: 0. */
static double log_scale(const cst_sampler *s)
{
    const cst_dataset *data = data_of(s);
    double sum = 0;
    if (cst_flow_levels(s->run->experiment.model) > 0) return 0;
    for (size_t j = 0; j < cst_shape_size(&data->x); j++) sum -= log(units_of(data, j).scale);
    return sum;
}

void cst_sample_data(const cst_dataset *data, const cst_split *split, size_t n, real *x)
{
    for (size_t i = 0; i < n; i++) cst_dataset_gather(data, split, &i, 1, x + i * cst_shape_size(&data->x), NULL, NULL);
    to_data(data, n, x);
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

/* z ~ N(0, I) for rows first .. first + n - 1, each from its own stream. */
static void draw_base(const cst_sampler *s, size_t first, size_t n, real *z)
{
    const size_t d = width_of(s);
    for (size_t i = 0; i < n; i++)
        cst_rng_fill_normal(cst_rng_split(stream(s, STREAM_BASE), first + i), z + i * d, d, 1);
}

/* Draw n samples x, batch by batch: x = f^-1(z). */
static cst_status draw_batches(const cst_sampler *s, size_t n, real *z, real *work, real *x, cst_error *error)
{
    const size_t batch = batch_of(s), d = width_of(s);
    for (size_t first = 0; first < n; first += batch) {
        const size_t rows = cst_size_min(batch, n - first);
        /* Draw z, take it back through the flow, and report. */
        const cst_call call = make_call(s, rows, cst_rng_split(stream(s, STREAM_NOISE), first), work, error);
        draw_base(s, first, rows, z);
        CST_TRY(cst_flow_inverse(s->run->experiment.model, &call, z, x + first * d, NULL));
        CST_TRY(report(s, "samples", first + rows, n, error));
    }
    to_data(data_of(s), n, x);
    return CST_OK;
}

cst_status cst_sample_draw(const cst_sampler *s, size_t n, real **x, cst_error *error)
{
    *x = NULL;
    CST_TRY(cst_sample_check(s->run, error));
    const size_t batch = cst_size_min(batch_of(s), n), d = width_of(s);
    const cst_module *m = s->run->experiment.model;
    const size_t work = cst_flow_inverse_work(m, batch, s->run->trainer.learner.threads), z = cst_size_mul(batch, d);
    /* One arena for z and the flow's work; x is the caller's. */
    cst_arena arena;
    CST_TRY(cst_arena_init(&arena, cst_size_add(cst_size_align(work), cst_size_align(z)), error));
    *x = cst_array_new(cst_size_mul(n, d), sizeof **x);
    real *z_rows = cst_arena_take(&arena, z);
    const cst_status status = *x ? draw_batches(s, n, z_rows, cst_arena_take(&arena, work), *x, error)
                                 : cst_fail(error, CST_ENOMEM, "out of memory for %zu samples", n);
    cst_arena_clear(&arena);
    if (status == CST_OK) return CST_OK;
    free(*x);
    *x = NULL;
    return status;
}

cst_status cst_sample_path(const cst_sampler *s, size_t n, size_t frames, real *path, cst_error *error)
{
    CST_TRY(cst_sample_check(s->run, error));
    const cst_module *m = s->run->experiment.model;
    /* Memory for z and the flow's work on all rows at once. */
    const size_t d = width_of(s), z = cst_size_mul(n, d);
    const size_t work = cst_flow_path_work(m, n, s->run->trainer.learner.threads);
    cst_arena arena;
    CST_TRY(cst_arena_init(&arena, cst_size_add(cst_size_align(work), cst_size_align(z)), error));
    real *z_rows = cst_arena_take(&arena, z);
    /* The same z as cst_sample_draw takes. */
    const cst_call call =
        make_call(s, n, cst_rng_split(stream(s, STREAM_NOISE), 0), cst_arena_take(&arena, work), error);
    draw_base(s, 0, n, z_rows);
    const cst_status status = cst_flow_path(m, &call, z_rows, frames, path);
    cst_arena_clear(&arena);
    if (status == CST_OK) to_data(data_of(s), n * frames, path);
    return status;
}

/* ---- likelihood -------------------------------------------------------------------------------------------------- */

/* log p of n rows in the trainer's x, through its learner. Each row of the flow's output begins with log p. */
static cst_status evaluate(const cst_sampler *s, size_t n, cst_rng rng, real *logp, cst_error *error)
{
    cst_trainer *t = &s->run->trainer;
    const size_t outputs = cst_shape_size(&s->run->experiment.model->y);
    const cst_batch batch = {.n = n, .x = t->x, .rng = rng};
    const double correction = log_scale(s);
    cst_step step;
    CST_TRY(cst_learner_evaluate(&t->learner, &batch, &step, error));
    for (size_t i = 0; i < n; i++) logp[i] = (real)((double)t->learner.y[i * outputs] + correction);
    return CST_OK;
}

cst_status cst_sample_log_likelihood(const cst_sampler *s, size_t n, const real *x, real *logp, cst_error *error)
{
    const size_t batch = batch_of(s), d = width_of(s);
    CST_TRY(cst_sample_check(s->run, error));
    /* Convert to the model's units, batch by batch. */
    for (size_t first = 0; first < n; first += batch) {
        const size_t rows = cst_size_min(batch, n - first);
        to_model(data_of(s), rows, x + first * d, s->run->trainer.x);
        CST_TRY(evaluate(s, rows, cst_rng_split(stream(s, STREAM_ROWS), first), logp + first, error));
        CST_TRY(report(s, "density", first + rows, n, error));
    }
    return CST_OK;
}

/* The batches and their noise are the same as in cst_trainer_evaluate, so that the mean equals its loss. */
cst_status cst_sample_likelihood(const cst_sampler *s, const cst_split *split, real *logp, cst_error *error)
{
    cst_trainer *t = &s->run->trainer;
    const size_t batch = batch_of(s);
    const cst_rng noise = cst_rng_new(s->run->experiment.seed, CST_RNG_NOISE);
    CST_TRY(cst_sample_check(s->run, error));
    for (size_t first = 0; first < split->n; first += batch) {
        const size_t rows = cst_size_min(batch, split->n - first);
        for (size_t i = 0; i < rows; i++) t->order[i] = first + i;
        cst_dataset_gather(data_of(s), split, t->order, rows, t->x, NULL, NULL);
        CST_TRY(evaluate(s, rows, cst_rng_split(noise, first), logp + first, error));
        CST_TRY(report(s, "log-likelihood", first + rows, split->n, error));
    }
    return CST_OK;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* Write rows as a .npy file of reals or of bytes. */
static cst_status write_rows(const char *path, const cst_shape *shape, bool bytes, const real *x, cst_error *error)
{
    if (!bytes) return cst_npy_write(path, CST_NPY_REAL, shape, x, error);
    /* Values are whole numbers from 0 to 255 already. */
    const size_t size = cst_shape_size(shape);
    uint8_t *b = cst_array_new(size, 1);
    if (!b) return cst_fail(error, CST_ENOMEM, "out of memory");
    for (size_t i = 0; i < size; i++) b[i] = (uint8_t)x[i];
    const cst_status status = cst_npy_write(path, CST_NPY_U1, shape, b, error);
    free(b);
    return status;
}

cst_status cst_sample_write(const cst_sampler *s, size_t n, const real *x, const char *folder, cst_error *error)
{
    const cst_dataset *data = data_of(s);
    if (data->x.rank >= CST_MAX_RANK)
        return cst_fail(error, CST_EUNSUPPORTED,
                        "expected rows with fewer than %d dimensions, which a .npy file can hold, got %zu",
                        CST_MAX_RANK, (size_t)data->x.rank);
    const cst_shape shape = cst_shape_rows(n, &data->x);
    char *path = cst_path_join(folder, "samples.npy");
    const cst_status status = path ? write_rows(path, &shape, data->train.bytes != NULL, x, error)
                                   : cst_fail(error, CST_ENOMEM, "out of memory");
    if (status == CST_OK && s->events && s->events->wrote) s->events->wrote(s->events->context, path);
    free(path);
    return status;
}
