#include "train/checkpoint.h"

#include "core/parallel.h"
#include "core/version.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cst_dtype real_dtype = sizeof(real) == sizeof(double) ? CST_F64 : CST_F32;
static const char format[] = "costate checkpoint 1";

/* ---- the fields of cst_training ------------------------------------------------------------------------------ */

/* n numbers of cst_training, saved as a tensor of that name. */
typedef struct field {
    const char *name;
    cst_dtype dtype; /* CST_U64 or CST_F64 */
    size_t offset, n;
} field;

#define NUMBER(name)                                                                                                   \
    {                                                                                                                  \
        "training." #name, CST_U64, offsetof(cst_training, name), 1                                                    \
    }
#define REAL(name)                                                                                                     \
    {                                                                                                                  \
        "training." #name, CST_F64, offsetof(cst_training, name), 1                                                    \
    }

static const field fields[] = {
    NUMBER(epoch),
    NUMBER(iteration),
    NUMBER(iterations),
    NUMBER(best_epoch),
    NUMBER(epochs_without_improvement),
    NUMBER(stopped),
    REAL(best),
    REAL(best_for_stopping),
    NUMBER(schedule.epochs),
    REAL(schedule.lr),
    REAL(schedule.best),
    NUMBER(schedule.bad),
    REAL(sums.loss),
    REAL(sums.weight),
    REAL(sums.grad_norm),
    REAL(sums.seconds),
    REAL(sums.forward_seconds),
    REAL(sums.backward_seconds),
    NUMBER(sums.targeted),
    NUMBER(sums.correct),
    NUMBER(sums.steps),
    NUMBER(sums.skipped),
    {"training.sums.counts", CST_U64, offsetof(cst_training, sums.counts), (size_t)CST_N_DIRECTIONS *CST_N_COUNTS},
};
enum { N_FIELDS = sizeof fields / sizeof fields[0] };

/* ---- saving -------------------------------------------------------------------------------------------------- */

/* The tensors to save. The first pass has capacity 0 and only counts them; the second one fills the list. */
typedef struct list {
    cst_save_tensor *tensors;
    char (*names)[CST_TENSOR_NAME + 16];
    size_t n, capacity;
    const char *prefix; /* while a module's tensors are visited */
    const real *theta;
} list;

/* Append a tensor, or only count it if the capacity is used up. `data` is not copied. */
static void add(list *l, const char *prefix, const char *name, cst_dtype dtype, cst_shape shape, const void *data)
{
    if (l->n < l->capacity) {
        snprintf(l->names[l->n], sizeof l->names[l->n], "%s%s", prefix, name);
        l->tensors[l->n] = (cst_save_tensor){l->names[l->n], dtype, shape, data};
    }
    l->n++;
}

/* Callback of cst_module_visit_tensors: append one parameter tensor of the model. */
static cst_status add_param(void *context, const char *name, const cst_shape *shape, size_t offset)
{
    list *l = context;
    add(l, l->prefix, name, real_dtype, *shape, l->theta + offset);
    return CST_OK;
}

/* Append all parameter tensors of the model, from theta, with a prefix before their names. */
static cst_status add_params(list *l, const cst_module *model, const char *prefix, const real *theta)
{
    l->prefix = prefix;
    l->theta = theta;
    return cst_module_visit_tensors(model, add_param, l);
}

/* Append all tensors of a checkpoint, in a fixed order. */
static cst_status add_all(list *l, const cst_trainer *t, const cst_counts *blocks, const double *seconds)
{
    const cst_module *model = t->experiment->model;
    const cst_training *training = &t->training;
    l->n = 0;
    /* Parameters, those of the best epoch, and the optimizer's vectors. */
    CST_TRY(add_params(l, model, "model.", t->learner.theta));
    if (t->best && training->best_epoch > 0) CST_TRY(add_params(l, model, "best.", t->best));
    for (size_t i = 0; i < cst_optimizer_slots(&t->learner.optimizer) && model->n_params > 0; i++)
        add(l, "optimizer.", i == 0 ? "0" : "1", real_dtype, cst_shape_1d(model->n_params), t->learner.slot[i]);
    /* The position in training. n_metrics equals the number of finished epochs. */
    for (size_t i = 0; i < N_FIELDS; i++)
        add(l, "", fields[i].name, fields[i].dtype, cst_shape_1d(fields[i].n),
            (const char *)training + fields[i].offset);
    add(l, "", "training.updates", CST_U64, cst_shape_1d(1), &t->learner.updates);
    add(l, "", "training.n_metrics", CST_U64, cst_shape_1d(1), &training->epoch);
    /* Metrics of the finished epochs, and what each ODE block has done. */
    if (training->n_metrics > 0)
        add(l, "", "metrics", CST_F64, (cst_shape){2, {training->n_metrics, CST_N_METRICS}}, training->metrics);
    add(l, "", "blocks", CST_U64, cst_shape_3d(t->learner.tally.n_blocks, CST_N_DIRECTIONS, CST_N_COUNTS), blocks);
    add(l, "", "block_seconds", CST_F64, (cst_shape){2, {t->learner.tally.n_blocks, CST_N_DIRECTIONS}}, seconds);
    return CST_OK;
}

/* Write the list with its metadata. */
static cst_status write(const char *path, const list *l, const cst_trainer *t, cst_error *error)
{
    /* The metadata say under which conditions the checkpoint continues bit for bit. */
    char threads[16];
    snprintf(threads, sizeof threads, "%d", t->experiment->threads);
    const char *const metadata[] = {"format",      format,    "version", CST_VERSION, "precision",
                                    CST_REAL_NAME, "threads", threads,   "optimizer", t->learner.optimizer.type->name,
                                    NULL};
    return cst_safetensors_save(path, l->tensors, l->n, metadata, error);
}

cst_status cst_checkpoint_save(const char *path, const cst_trainer *t, cst_error *error)
{
    const cst_tally *tally = &t->learner.tally;
    /* Count the tensors, then allocate the list. */
    list l = {0};
    CST_TRY(add_all(&l, t, NULL, NULL));
    l.capacity = l.n;
    l.tensors = calloc(l.n, sizeof *l.tensors);
    l.names = calloc(l.n, sizeof *l.names);
    cst_counts *blocks = calloc(tally->n_blocks * CST_N_DIRECTIONS, sizeof *blocks);
    double *seconds = calloc(tally->n_blocks * CST_N_DIRECTIONS, sizeof *seconds);
    cst_status status = CST_OK;
    if (l.tensors && l.names && blocks && seconds) {
        /* The tally has one structure per block; the file has one array for all of them. */
        for (size_t i = 0; i < tally->n_blocks; i++) {
            memcpy(blocks + i * CST_N_DIRECTIONS, tally->blocks[i].counts, sizeof tally->blocks[i].counts);
            memcpy(seconds + i * CST_N_DIRECTIONS, tally->blocks[i].seconds, sizeof tally->blocks[i].seconds);
        }
        status = add_all(&l, t, blocks, seconds);
        if (status == CST_OK) status = write(path, &l, t, error);
    } else {
        status = cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    }
    free(l.tensors);
    free(l.names);
    free(blocks);
    free(seconds);
    return status;
}

/* ---- loading ------------------------------------------------------------------------------------------------- */

/* Parse a number of threads. NULL and text that is no valid number give 0. */
static int read_threads(const char *text)
{
    char *end = NULL;
    const long n = text ? strtol(text, &end, 10) : 0;
    return n >= 1 && n <= CST_MAX_THREADS && !*end ? (int)n : 0;
}

cst_status cst_checkpoint_open(const char *path, cst_safetensors **file, int *threads, cst_error *error)
{
    CST_TRY(cst_safetensors_open(path, file, error));
    const char *found = cst_safetensors_metadata(*file, "format");
    const char *precision = cst_safetensors_metadata(*file, "precision");
    *threads = read_threads(cst_safetensors_metadata(*file, "threads"));
    cst_status status = CST_OK;
    /* Kind of file, complete metadata, precision. */
    if (!found || strcmp(found, format) != 0)
        status = cst_fail(error, CST_EFORMAT, "%s: expected a \"%s\", got \"%s\"", path, format, found ? found : "");
    else if (!precision || *threads == 0)
        status = cst_fail(error, CST_EFORMAT, "%s: expected a %s in its metadata", path,
                          precision ? "number of threads" : "precision");
    else if (strcmp(precision, CST_REAL_NAME) != 0)
        status = cst_fail(error, CST_EUNSUPPORTED, "%s: saved in %s precision; this program is built for %s", path,
                          precision, CST_REAL_NAME);
    if (status == CST_OK) return CST_OK;
    cst_safetensors_close(*file);
    *file = NULL;
    return status;
}

/* Read n numbers of a tensor that has one dimension. */
static cst_status read(const cst_safetensors *file, const char *name, cst_dtype dtype, size_t n, void *data,
                       cst_error *error)
{
    const cst_shape shape = cst_shape_1d(n);
    return cst_safetensors_read(file, name, dtype, &shape, data, error);
}

/* Read the position in training and the metrics of its epochs. */
static cst_status load_training(const cst_safetensors *file, cst_trainer *t, cst_error *error)
{
    cst_training *training = &t->training;
    /* Position. The epoch must agree with the number of rows, and the iteration with the data. */
    uint64_t rows = 0;
    for (size_t i = 0; i < N_FIELDS; i++)
        CST_TRY(read(file, fields[i].name, fields[i].dtype, fields[i].n, (char *)training + fields[i].offset, error));
    CST_TRY(read(file, "training.updates", CST_U64, 1, &t->learner.updates, error));
    CST_TRY(read(file, "training.n_metrics", CST_U64, 1, &rows, error));
    if (rows != training->epoch || training->iteration > cst_experiment_iterations(t->experiment))
        return cst_fail(error, CST_EFORMAT, "%s: the position in training does not fit the data",
                        cst_safetensors_path(file));
    if (rows == 0) return CST_OK;
    /* Compare the shape before allocating: a damaged number of rows does not fit the tensor, which is in memory already. */
    const cst_shape shape = {2, {(size_t)rows, CST_N_METRICS}};
    CST_TRY(cst_safetensors_read(file, "metrics", CST_F64, &shape, NULL, error));
    CST_TRY(cst_training_reserve(training, (size_t)rows, error));
    training->n_metrics = (size_t)rows;
    return cst_safetensors_read(file, "metrics", CST_F64, &shape, training->metrics, error);
}

/* Read what each ODE block has done, and add it up to the tally's totals. */
static cst_status load_blocks(const cst_safetensors *file, cst_tally *tally, cst_error *error)
{
    const cst_shape shape = cst_shape_3d(tally->n_blocks, CST_N_DIRECTIONS, CST_N_COUNTS);
    const cst_shape times = {2, {tally->n_blocks, CST_N_DIRECTIONS}};
    cst_counts *blocks = calloc(tally->n_blocks * CST_N_DIRECTIONS, sizeof *blocks);
    double *seconds = calloc(tally->n_blocks * CST_N_DIRECTIONS, sizeof *seconds);
    cst_status status = blocks && seconds ? CST_OK : cst_fail(error, CST_ENOMEM, "out of memory");
    /* Read both arrays before the tally changes. */
    if (status == CST_OK) status = cst_safetensors_read(file, "blocks", CST_U64, &shape, blocks, error);
    if (status == CST_OK) status = cst_safetensors_read(file, "block_seconds", CST_F64, &times, seconds, error);
    /* The totals are the sums over all blocks. */
    cst_tally_reset(tally);
    const cst_counts none = {0};
    for (size_t i = 0; status == CST_OK && i < tally->n_blocks; i++) {
        memcpy(tally->blocks[i].counts, blocks + i * CST_N_DIRECTIONS, sizeof tally->blocks[i].counts);
        memcpy(tally->blocks[i].seconds, seconds + i * CST_N_DIRECTIONS, sizeof tally->blocks[i].seconds);
        for (int d = 0; d < CST_N_DIRECTIONS; d++)
            cst_counts_add_difference(&tally->total[d], &tally->blocks[i].counts[d], &none);
    }
    free(blocks);
    free(seconds);
    return status;
}

cst_status cst_checkpoint_load(const cst_safetensors *file, cst_trainer *t, cst_error *error)
{
    const cst_module *model = t->experiment->model;
    /* Another optimizer may have vectors of the same sizes with another meaning. */
    const char *optimizer = cst_safetensors_metadata(file, "optimizer"), *own = t->learner.optimizer.type->name;
    if (optimizer && strcmp(optimizer, own) != 0)
        return cst_fail(error, CST_EFORMAT, "%s: saved with the optimizer %s; this experiment has %s",
                        cst_safetensors_path(file), optimizer, own);
    /* The same order as in add_all. */
    CST_TRY(cst_params_load(file, model, "model.", true, t->learner.theta, error));
    for (size_t i = 0; i < cst_optimizer_slots(&t->learner.optimizer) && model->n_params > 0; i++)
        CST_TRY(
            read(file, i == 0 ? "optimizer.0" : "optimizer.1", real_dtype, model->n_params, t->learner.slot[i], error));
    CST_TRY(load_training(file, t, error));
    if (t->best && t->training.best_epoch > 0) CST_TRY(cst_params_load(file, model, "best.", true, t->best, error));
    return load_blocks(file, &t->learner.tally, error);
}
