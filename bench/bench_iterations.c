/* Time of whole training iterations, with the number of evaluations and the time per evaluation, as a table and as
 * JSON.
 *
 *   bench_iterations [threads [FILE.json [FOLDER [NAME]]]]
 *
 * Only items whose name begins with NAME are measured. Into FOLDER, unless it is "", W1.safetensors and so on are
 * written: weights and batch for bench/torch_iterations.py.
 *
 * Every iteration has the same batch, and the weights are reset after each. So all iterations take the same
 * evaluations, and their times differ only by what the machine does besides. The table has medians in milliseconds:
 * of the iteration, of its forward pass and of its backward pass, the last two with all layers around the ODE block;
 * then NFE of both passes, and the time per evaluation.
 *
 *   W1  SymODEN on the double pendulum: the paper's networks, batch 256, eight points 0.05 apart, tolerances 1e-4
 *   W2  a neural CDE like the paper's on Speech Commands: 98 frames of time and 20 channels, hidden 90, width 40,
 *       batch 128, tolerances 1e-3 and 1e-6; W2L is the same with batch 1024
 *   W3  the ODE-Net of torchdiffeq's MNIST example: 64 channels, 6 x 6, batch 128, tolerances 1e-3, seminorm
 *   W4a a flow of FFJORD's in the plane: gated layers 2-64-64-64-2, tanh, on 512 points of eight Gaussians
 *   W4b one block of FFJORD's flow on images: three hidden convolutions of 64 channels, softplus, 64 images of
 *       28 x 28 in logit space. W4a and W4b use Hutchinson's divergence with normal noise, the same in each iteration,
 *       and tolerances 1e-5
 *   W5  torchdiffeq's ode_demo: 2-50-2, tanh, on y^3; batch 20, ten observations, rtol 1e-7, atol 1e-9 */
#include "bench/workloads.h"
#include "core/blas.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/parallel.h"
#include "datasets/dataset.h"
#include "datasets/registry.h"
#include "formats/safetensors.h"
#include "models/registry.h"
#include "train/learner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* End the program with a message. */
static void stop(const char *why)
{
    fprintf(stderr, "%s\n", why);
    exit(EXIT_FAILURE);
}

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes);
    if (!memory) stop("out of memory");
    return memory;
}

/* ---- batches ------------------------------------------------------------------------------------------------- */

static cst_document *parse(const char *name, const char *json)
{
    cst_document *document;
    cst_error error;
    if (cst_document_parse(name, json, strlen(json), &document, &error) != CST_OK) stop(error.message);
    return document;
}

/* W1: 256 windows of simulated trajectories of the double pendulum, drawn at random from the training split. x (N,
 * 8) is the first row of a window, y (N, 8, 8) the whole window. */
static void make_windows(cst_batch *batch)
{
    enum { N = 256 };
    cst_document *document = parse("data", CST_JSON({"type": "double_pendulum"}));
    cst_dataset data;
    cst_error error;
    if (cst_dataset_load(cst_document_root(document), 0, &data, &error) != CST_OK) stop(error.message);
    size_t *order = allocate(data.train.n * sizeof *order);
    real *x = allocate(N * 8 * sizeof *x), *y = allocate(N * 64 * sizeof *y);
    cst_rng_permutation(cst_rng_new(0, CST_RNG_TEST), order, data.train.n);
    cst_dataset_gather(&data, &data.train, order, N, x, NULL, y);
    *batch = (cst_batch){.n = N, .x = x, .targets = {.values = y}};
    free(order);
    cst_dataset_clear(&data);
    cst_document_free(document);
}

/* n series x (n, T, C) that are as rough as cepstral coefficients: x_{t+1} = 0.8 x_t + 0.6 e_t, of variance 1.
 * Channel 0 is the normalized time. The label is the one of channels 1 to 10 that has the largest mean, counted from
 * 0. */
static void make_rough_series(size_t n, cst_batch *batch)
{
    enum { T = 98, C = 21 };
    real *x = allocate(n * T * C * sizeof *x), *e = allocate(n * T * C * sizeof *e);
    int32_t *labels = allocate(n * sizeof *labels);
    cst_rng_fill_normal(cst_rng_new(2, CST_RNG_TEST), e, n * T * C, 1);
    for (size_t i = 0; i < n; i++) {
        double mean[10] = {0};
        for (size_t t = 0; t < T; t++)
            for (size_t c = 0; c < C; c++) {
                const size_t at = (i * T + t) * C + c;
                x[at] = t == 0 ? e[at] : (real)0.8 * x[at - C] + (real)0.6 * e[at];
                if (c == 0) x[at] = ((real)t - (real)48.5) / (real)28.4;
                if (c > 0 && c <= 10) mean[c - 1] += (double)x[at];
            }
        for (int32_t c = 1, best = 0; c < 10; c++) labels[i] = best = mean[c] > mean[best] ? c : best;
    }
    free(e);
    *batch = (cst_batch){.n = n, .x = x, .targets = {.labels = labels}};
}

static void make_series(cst_batch *batch)
{
    make_rough_series(128, batch);
}

static void make_more_series(cst_batch *batch)
{
    make_rough_series(1024, batch);
}

/* W3: 128 images of a smooth blob at a random place, about as bright as digits, with random labels. */
static void make_images(cst_batch *batch)
{
    enum { N = 128, SIDE = 28 };
    real *x = allocate(N * SIDE * SIDE * sizeof *x);
    int32_t *labels = allocate(N * sizeof *labels);
    const cst_rng rng = cst_rng_new(0, CST_RNG_TEST);
    for (size_t i = 0; i < N; i++) {
        const double cx = 8 + 12 * cst_rng_uniform(rng, 3 * i), cy = 8 + 12 * cst_rng_uniform(rng, 3 * i + 1);
        labels[i] = (int32_t)cst_rng_below(rng, 3 * i + 2, 10);
        for (size_t p = 0; p < SIDE * SIDE; p++) {
            const double dx = (double)(p % SIDE) - cx, dy = (double)(p / SIDE) - cy;
            x[i * SIDE * SIDE + p] = (real)exp(-(dx * dx + 2 * dy * dy) / 40);
        }
    }
    *batch = (cst_batch){.n = N, .x = x, .targets = {.labels = labels}};
}

/* W4a: 512 points of eight Gaussians on a circle. */
static void make_points(cst_batch *batch)
{
    enum { N = 512 };
    real *x = allocate(N * 2 * sizeof *x);
    const cst_rng rng = cst_rng_new(3, CST_RNG_TEST);
    cst_rng_fill_normal(rng, x, N * 2, 0.5 / 1.414);
    for (size_t i = 0; i < N; i++) {
        const double angle = 0.78539816339744831 * (double)cst_rng_below(rng, N * 2 + i, 8);
        x[2 * i] += (real)(4 / 1.414 * cos(angle));
        x[2 * i + 1] += (real)(4 / 1.414 * sin(angle));
    }
    *batch = (cst_batch){.n = N, .x = x};
}

/* W4b: the first 64 images of W3, dequantized: logit(0.05 + 0.9 x). */
static void make_logits(cst_batch *batch)
{
    enum { N = 64, SIZE = 28 * 28 };
    make_images(batch);
    real *x = allocate(N * SIZE * sizeof *x);
    for (size_t i = 0; i < N * SIZE; i++) {
        const double u = cst_rng_uniform(cst_rng_new(4, CST_RNG_TEST), i);
        const double b = 0.05 + 0.9 * (floor(255 * (double)batch->x[i]) + u) / 256;
        x[i] = (real)log(b / (1 - b));
    }
    *batch = (cst_batch){.n = N, .x = x};
}

/* W5: 20 windows of ten points from the true spiral, y' = y^3 A from (2, 0). Euler's method with small steps is
 * exact enough for a benchmark. */
static void make_spirals(cst_batch *batch)
{
    enum { N = 20, T = 10, POINTS = 1000, STEPS = 200 };
    real *x = allocate(N * 2 * sizeof *x), *y = allocate(N * T * 2 * sizeof *y);
    double(*path)[2] = allocate(POINTS * sizeof *path);

    /* The spiral, at 1000 times from 0 to 25. */
    double u = 2, v = 0;
    for (size_t i = 0; i < POINTS; i++) {
        path[i][0] = u, path[i][1] = v;
        for (int k = 0; k < STEPS; k++) {
            const double h = 25. / 999 / STEPS, a = u * u * u, b = v * v * v;
            u += h * (-0.1 * a - 2 * b), v += h * (2 * a - 0.1 * b);
        }
    }

    /* Windows that begin at random times: x is the first point. */
    for (size_t i = 0; i < N; i++) {
        const size_t start = cst_rng_below(cst_rng_new(1, CST_RNG_TEST), i, POINTS - T);
        for (size_t k = 0; k < T; k++)
            for (size_t j = 0; j < 2; j++) y[(i * T + k) * 2 + j] = (real)path[start + k][j];
        for (size_t j = 0; j < 2; j++) x[i * 2 + j] = (real)path[start][j];
    }
    free(path);
    *batch = (cst_batch){.n = N, .x = x, .targets = {.values = y}};
}

/* ---- measuring ----------------------------------------------------------------------------------------------- */

typedef struct result {
    double iteration, forward, backward; /* medians in milliseconds */
    cst_step step;                       /* loss, gradient norm and counts of the last iteration */
} result;

enum { MAX_ITERATIONS = 2000 };

/* For qsort. */
static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of v (n), which it sorts. */
static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, compare);
    return v[n / 2];
}

/* Repeat one training step for three seconds, at least three times. */
static void measure(cst_learner *l, const cst_batch *batch, result *r)
{
    static double iteration[MAX_ITERATIONS], forward[MAX_ITERATIONS], backward[MAX_ITERATIONS];
    const size_t bytes = l->model->n_params * sizeof(real);
    real *theta = allocate(bytes);
    memcpy(theta, l->theta, bytes);

    /* l->seconds counts the time of all forward and of all backward passes so far. */
    const double end = cst_clock() + 3;
    size_t n = 0;
    cst_error error;
    for (size_t i = 0; n < 3 || (n < MAX_ITERATIONS && cst_clock() < end); i++) {
        const double before[2] = {l->seconds[0], l->seconds[1]}, start = cst_clock();
        if (cst_learner_step(l, batch, 1e-3, &r->step, &error) != CST_OK) stop(error.message);
        iteration[n] = cst_clock() - start;
        forward[n] = l->seconds[0] - before[0];
        backward[n] = l->seconds[1] - before[1];
        memcpy(l->theta, theta, bytes);
        n += i > 1; /* the first two warm up */
    }

    r->iteration = 1e3 * median(iteration, n);
    r->forward = 1e3 * median(forward, n);
    r->backward = 1e3 * median(backward, n);
    free(theta);
}

/* ---- export of weights and batch ----------------------------------------------------------------------------- */

/* The tensors to save, with the names that PyTorch gives them. */
typedef struct exporter {
    cst_save_tensor tensors[64];
    char names[64][CST_TENSOR_NAME];
    size_t n;
    const real *theta;
} exporter;

/* Callback per tensor of the module. */
static cst_status export_tensor(void *context, const char *name, const cst_shape *shape, size_t offset)
{
    exporter *e = context;
    snprintf(e->names[e->n], CST_TENSOR_NAME, "%s", name);
    e->tensors[e->n] =
        (cst_save_tensor){e->names[e->n], sizeof(real) == 4 ? CST_F32 : CST_F64, *shape, e->theta + offset};
    e->n++;
    return CST_OK;
}

/* Write FOLDER/WORKLOAD.safetensors. */
static void export_batch(const char *folder, const item *it, const cst_learner *l, const cst_batch *batch)
{
    exporter e = {.theta = l->theta};
    static uint64_t labels[1024];
    real *noise = NULL;
    cst_error error;
    char name[32];
    const cst_dtype dtype = sizeof(real) == 4 ? CST_F32 : CST_F64;

    /* Weights, rows, labels or targets. */
    if (cst_module_visit_tensors(l->model, export_tensor, &e) != CST_OK) stop("cannot export");
    e.tensors[e.n++] = (cst_save_tensor){"batch.x", dtype, cst_shape_rows(batch->n, &it->of->x), batch->x};
    for (size_t i = 0; batch->targets.labels && i < batch->n; i++) labels[i] = (uint64_t)batch->targets.labels[i];
    if (batch->targets.labels)
        e.tensors[e.n++] = (cst_save_tensor){"batch.labels", CST_U64, cst_shape_1d(batch->n), labels};
    if (batch->targets.values)
        e.tensors[e.n++] =
            (cst_save_tensor){"batch.y", dtype, cst_shape_rows(batch->n, &it->of->y), batch->targets.values};

    /* Neither labels nor targets: a flow. Its noise is exported too, drawn as its first layer draws it. */
    if (!batch->targets.labels && !batch->targets.values) {
        const size_t size = batch->n * cst_shape_size(&it->of->x);
        noise = allocate(size * sizeof *noise);
        cst_rng_fill_normal(cst_rng_split(batch->rng, 0), noise, size, 1);
        e.tensors[e.n++] = (cst_save_tensor){"batch.noise", dtype, cst_shape_rows(batch->n, &it->of->x), noise};
    }

    snprintf(name, sizeof name, "%s.safetensors", it->of->name);
    char *path = cst_path_join(folder, name);
    if (!path || cst_safetensors_save(path, e.tensors, e.n, NULL, &error) != CST_OK) stop("cannot export");
    free(path);
    free(noise);
}

/* ---- the table ----------------------------------------------------------------------------------------------- */

/* Build the model, make the batch, export both if `folder` is not NULL, and measure. */
static result run(const item *it, int threads, const char *folder)
{
    cst_module *model = NULL;
    cst_error error;
    cst_optimizer optimizer;
    cst_batch batch;
    result r = {0};
    cst_document *document = parse("optimizer", CST_JSON({"optimizer": {"type": "rmsprop", "lr": 1e-3}}));
    if (cst_optimizer_read(cst_config_get(cst_document_root(document), "optimizer"), &optimizer, &error) != CST_OK)
        stop(error.message);
    cst_document_free(document);
    document = parse(it->name, it->json);
    if (cst_module_from_config(&cst_all_modules, cst_document_root(document), &it->of->x, &model, &error) != CST_OK)
        stop(error.message);
    cst_document_free(document);

    it->of->make(&batch);
    const cst_learner_options options = {.loss = cst_loss_find(it->of->loss),
                                         .optimizer = &optimizer,
                                         .threads = threads,
                                         .rows = &batch.n,
                                         .n_rows = 1};
    cst_learner learner;
    if (cst_learner_init(&learner, model, &options, cst_rng_new(0, CST_RNG_INIT), &error) != CST_OK)
        stop(error.message);
    if (folder) export_batch(folder, it, &learner, &batch);
    measure(&learner, &batch, &r);
    cst_learner_clear(&learner);
    cst_module_free(model);
    return r;
}

int main(int argc, char **argv)
{
    cst_blas_own_process();
    int threads = argc > 1 ? atoi(argv[1]) : cst_threads_available();
    if (threads < 1 || threads > CST_MAX_THREADS) threads = 1;
    FILE *json = argc > 2 ? fopen(argv[2], "w") : NULL;
    if (argc > 2 && !json) stop("cannot write the JSON file");
    printf("%s, %d thread%s, %s\n%-19s %9s %9s %9s %6s %6s %10s %10s\n", CST_REAL_NAME, threads, threads > 1 ? "s" : "",
           cst_blas_name(), "", "iteration", "forward", "backward", "nfe", "nfe b", "ms/nfe", "ms/nfe b");
    if (json) fprintf(json, "[");
    const char *folder = argc > 3 && *argv[3] ? argv[3] : NULL, *only = argc > 4 ? argv[4] : "", *separator = "";
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        if (strncmp(items[i].name, only, strlen(only)) != 0) continue;
        const result r = run(&items[i], threads, folder);
        const double f = (double)r.step.counts[0].nfe, b = (double)r.step.counts[1].nfe;
        printf("%-19s %9.3f %9.3f %9.3f %6.0f %6.0f %10.4f %10.4f\n", items[i].name, r.iteration, r.forward, r.backward,
               f, b, r.forward / f, r.backward / b);
        fflush(stdout);
        if (json)
            fprintf(json,
                    "%s\n{\"name\": \"%s\", \"precision\": \"%s\", \"threads\": %d, \"iteration_ms\": %.6g, "
                    "\"forward_ms\": %.6g, \"backward_ms\": %.6g, \"forward_nfe\": %.0f, \"backward_nfe\": %.0f, "
                    "\"loss\": %.9g, \"gradient\": %.9g}",
                    separator, items[i].name, CST_REAL_NAME, threads, r.iteration, r.forward, r.backward, f, b,
                    r.step.loss, r.step.grad_norm);
        separator = ",";
    }
    if (json) fprintf(json, "\n]\n");
    return json && fclose(json) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
