/* Whole training iterations: time, evaluations, and the time of an evaluation, as a table and, if a file is named, as JSON.
 *
 *   bench_iterations [threads [FILE.json [FOLDER [NAME]]]]
 *
 * Every iteration sees the same batch and the same weights (put back after each), so that evaluations are the same and the
 * spread is the machine's. Medians. `passes` is the ODE blocks' forward and backward passes with the layers around them.
 *
 * NAME: only those whose name begins so. FOLDER gets W1.safetensors and so on, weights and batch, for bench/torch_iterations.py.
 *
 *   W1  SymODEN on the double pendulum, the paper's networks, batch 256, eight points of 0.05, tolerances 1e-4
 *   W2  a neural CDE as the paper's on Speech Commands: 98 frames of time and 20 channels, hidden 90, width 40, batch 128,
 *       tolerances 1e-3 and 1e-6; W2L the same with batch 1024
 *   W3  the ODE-Net of torchdiffeq's MNIST example: 64 channels, 6 x 6, batch 128, tolerances 1e-3, seminorm
 *   W4a a flow of FFJORD's in the plane, gated layers 2-64-64-64-2, tanh, on 512 points of eight Gaussians, and
 *   W4b one of its blocks on images at full size, three hidden convolutions of 64, softplus, 64 images in logit space; both
 *       with Hutchinson's divergence, normal noise, the same at each iteration, and tolerances 1e-5
 *   W5  torchdiffeq's ode_demo: 2-50-2, tanh, on y^3; batch 20, ten observations, rtol 1e-7, atol 1e-9 */
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

#define HIDDEN(n) "{\"type\": \"linear\", \"out_features\": " #n "}, {\"type\": \"softplus\"}, "
#define NET(hidden, out)                                                                                               \
    "{\"type\": \"sequential\", \"layers\": [" hidden "{\"type\": \"linear\", \"out_features\": " #out "}]}"
#define W1(solver, gradient)                                                                                           \
    "{\"type\": \"ode\", \"t\": [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35], \"output\": \"all\", \"field\": "          \
    "{\"type\": "                                                                                                      \
    "\"symoden\", \"mass\": " NET(HIDDEN(400) HIDDEN(400) HIDDEN(400), 3) ", \"potential\": " NET(                     \
        HIDDEN(300) HIDDEN(300), 1) ", \"input\": " NET(HIDDEN(300) HIDDEN(300),                                       \
                                                        4) "}, \"solver\": {\"rtol\": 1e-4, \"atol\": 1e-4" solver     \
                                                           "}, \"gradient\": {" gradient "}}"
#define RELU(n) "{\"type\": \"linear\", \"out_features\": " #n "}, {\"type\": \"relu\"}, "
#define SPEECH                                                                                                         \
    "{\"type\": \"sequential\", \"layers\": [" RELU(40) RELU(40) RELU(40)                                              \
        RELU(40) "{\"type\": \"linear\", "                                                                             \
                 "\"out_features\": 1890}, {\"type\": \"tanh\"}]}"
#define W2(solver, gradient)                                                                                           \
    "{\"type\": \"sequential\", \"layers\": [{\"type\": \"cde\", \"hidden\": 90, \"field\": " SPEECH                   \
    ", \"solver\": {\"rtol\": 1e-3, \"atol\": 1e-6" solver "}, \"gradient\": {" gradient                               \
    "}}, {\"type\": \"linear\", \"out_features\": 10}]}"
#define NORM "{\"type\": \"group_norm\", \"groups\": 32}, {\"type\": \"relu\"}"
#define CONV "{\"type\": \"concat_time\"}, {\"type\": \"conv2d\", \"out_channels\": 64, \"kernel\": 3, \"padding\": 1}"
#define DOWN "{\"type\": \"conv2d\", \"out_channels\": 64, \"kernel\": 4, \"stride\": 2, \"padding\": 1}"
#define W3(solver, gradient)                                                                                           \
    "{\"type\": \"sequential\", \"layers\": [{\"type\": \"conv2d\", \"out_channels\": 64, \"kernel\": 3}, " NORM       \
    ", " DOWN ", " NORM ", " DOWN ", {\"type\": \"ode\", \"field\": {\"type\": \"sequential\", \"layers\": [" NORM     \
    ", " CONV ", " NORM ", " CONV ", {\"type\": \"group_norm\", \"groups\": 32}]}, \"solver\": {\"rtol\": 1e-3, "      \
    "\"atol\": 1e-3" solver "}, \"gradient\": {" gradient "}}, " NORM                                                  \
    ", {\"type\": \"global_avg_pool2d\"}, {\"type\": \"linear\", \"out_features\": 10}]}"
#define W5(solver, gradient)                                                                                           \
    "{\"type\": \"ode\", \"t\": [0, 0.025025, 0.05005, 0.075075, 0.1001, 0.125125, 0.15015, 0.175175, 0.2002, "        \
    "0.225225], \"output\": \"all\", \"field\": {\"type\": \"sequential\", \"layers\": [{\"type\": \"cube\"}, "        \
    "{\"type\": \"linear\", \"out_features\": 50}, {\"type\": \"tanh\"}, {\"type\": \"linear\", \"out_features\": "    \
    "2}]}, \"solver\": {\"rtol\": 1e-7, \"atol\": 1e-9" solver "}, \"gradient\": {" gradient "}}"
#define W4(field, solver, gradient)                                                                                    \
    "{\"type\": \"flow\", \"layers\": [{\"type\": \"cnf\", \"noise\": \"normal\", \"field\": {\"type\": "              \
    "\"field_net\", "                                                                                                  \
    "\"hidden\": [64, 64, 64], " field "}, \"solver\": {\"rtol\": 1e-5, \"atol\": 1e-5" solver                         \
    "}, \"gradient\": {" gradient "}}]}"
#define W4A(solver, gradient) W4("\"time\": \"concat_squash\"", solver, gradient)
#define W4B(solver, gradient) W4("\"activation\": {\"type\": \"softplus\"}", solver, gradient)
#define TORCHDIFFEQ ", \"profile\": \"torchdiffeq\""
#define EXACT "\"method\": \"checkpointed\", \"store\": \"stages\""

static void make_windows(cst_batch *batch);
static void make_series(cst_batch *batch);
static void make_more_series(cst_batch *batch);
static void make_images(cst_batch *batch);
static void make_points(cst_batch *batch);
static void make_logits(cst_batch *batch);
static void make_spirals(cst_batch *batch);

/* Rows x; y the shape of a row's targets, of rank 0 for labels. */
typedef struct workload {
    const char *name, *loss;
    cst_shape x, y;
    void (*make)(cst_batch *batch);
} workload;

static const workload w1 = {"W1", "mse", {1, {8}}, {2, {8, 8}}, make_windows};
static const workload w2 = {"W2", "cross_entropy", {2, {98, 21}}, {0, {0}}, make_series};
static const workload w2l = {"W2L", "cross_entropy", {2, {98, 21}}, {0, {0}}, make_more_series};
static const workload w3 = {"W3", "cross_entropy", {3, {1, 28, 28}}, {0, {0}}, make_images};
static const workload w4a = {"W4a", "nll", {1, {2}}, {0, {0}}, make_points};
static const workload w4b = {"W4b", "nll", {3, {1, 28, 28}}, {0, {0}}, make_logits};
static const workload w5 = {"W5", "l1", {1, {2}}, {2, {10, 2}}, make_spirals};

typedef struct item {
    const char *name, *json;
    const workload *of;
} item;

static const item items[] = {
    {"W1 torchdiffeq", W1(TORCHDIFFEQ, ""), &w1},
    {"W1 torchd., slices", W1(TORCHDIFFEQ, "\"norm\": {\"slices\": \"8z\"}"), &w1},
    {"W1 backsolve", W1("", ""), &w1},
    {"W1 interpolating", W1("", "\"method\": \"interpolating\""), &w1},
    {"W1 exact, states", W1("", "\"method\": \"checkpointed\""), &w1},
    {"W1 exact, stages", W1("", EXACT), &w1},
    {"W2 torchdiffeq", W2(TORCHDIFFEQ, ""), &w2},
    {"W2 torchd., default", W2(TORCHDIFFEQ, "\"norm\": \"default\""), &w2},
    {"W2 backsolve", W2("", ""), &w2},
    {"W2 backsolve, rms", W2("", "\"norm\": \"rms\""), &w2},
    {"W2 interpolating", W2("", "\"method\": \"interpolating\""), &w2},
    {"W2 exact, states", W2("", "\"method\": \"checkpointed\""), &w2},
    {"W2 exact, stages", W2("", EXACT), &w2},
    {"W2L torchdiffeq", W2(TORCHDIFFEQ, ""), &w2l},
    {"W2L backsolve", W2("", ""), &w2l},
    {"W3 torchdiffeq", W3(TORCHDIFFEQ, ""), &w3},
    {"W3 backsolve", W3("", ""), &w3},
    {"W3 interpolating", W3("", "\"method\": \"interpolating\""), &w3},
    {"W3 exact, states", W3("", "\"method\": \"checkpointed\""), &w3},
    {"W3 exact, stages", W3("", EXACT), &w3},
    {"W4a torchdiffeq", W4A(TORCHDIFFEQ, ""), &w4a},
    {"W4a backsolve", W4A("", ""), &w4a},
    {"W4a interpolating", W4A("", "\"method\": \"interpolating\""), &w4a},
    {"W4a exact, states", W4A("", "\"method\": \"checkpointed\""), &w4a},
    {"W4a exact, stages", W4A("", EXACT), &w4a},
    {"W4b torchdiffeq", W4B(TORCHDIFFEQ, ""), &w4b},
    {"W4b backsolve", W4B("", ""), &w4b},
    {"W5 torchdiffeq", W5(TORCHDIFFEQ, ""), &w5},
    {"W5 backsolve", W5("", ""), &w5},
    {"W5 interpolating", W5("", "\"method\": \"interpolating\""), &w5},
    {"W5 exact, states", W5("", "\"method\": \"checkpointed\""), &w5},
    {"W5 exact, stages", W5("", EXACT), &w5},
};

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

/* Windows of trajectories of the double pendulum, drawn from the training part. */
static void make_windows(cst_batch *batch)
{
    enum { N = 256 };
    cst_document *document = parse("data", "{\"type\": \"double_pendulum\"}");
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

/* Series as rough as cepstral coefficients: x_{i+1} = 0.8 x_i + 0.6 e_i, of variance 1, behind the normalized time; their
 * labels by the means of ten channels. */
static void make_rows(size_t n, cst_batch *batch)
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
    make_rows(128, batch);
}

static void make_more_series(cst_batch *batch)
{
    make_rows(1024, batch);
}

/* Images of W3: 128 of smooth random blobs, as bright as digits are. */
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

/* Rows of W4a: eight Gaussians on a circle. */
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

/* Images of W4b: those of W3, dequantized, through the logit of 0.05 + 0.9 x. */
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

/* Points of W5's true spiral, y' = y^3 A from (2, 0), by small steps of Euler's method: close enough to time it. */
static void make_spirals(cst_batch *batch)
{
    enum { N = 20, T = 10, POINTS = 1000, STEPS = 200 };
    real *x = allocate(N * 2 * sizeof *x), *y = allocate(N * T * 2 * sizeof *y);
    double(*path)[2] = allocate(POINTS * sizeof *path);
    double u = 2, v = 0;
    for (size_t i = 0; i < POINTS; i++) {
        path[i][0] = u, path[i][1] = v;
        for (int k = 0; k < STEPS; k++) {
            const double h = 25. / 999 / STEPS, a = u * u * u, b = v * v * v;
            u += h * (-0.1 * a - 2 * b), v += h * (2 * a - 0.1 * b);
        }
    }
    for (size_t i = 0; i < N; i++) {
        const size_t start = cst_rng_below(cst_rng_new(1, CST_RNG_TEST), i, POINTS - T);
        for (size_t k = 0; k < T; k++)
            for (size_t j = 0; j < 2; j++) y[(i * T + k) * 2 + j] = (real)path[start + k][j];
        for (size_t j = 0; j < 2; j++) x[i * 2 + j] = (real)path[start][j];
    }
    free(path);
    *batch = (cst_batch){.n = N, .x = x, .targets = {.values = y}};
}

/* ---- one item ------------------------------------------------------------------------------------------------ */

typedef struct result {
    double iteration, forward, backward; /* ms, medians */
    cst_step step;
} result;

enum { MOST = 2000 };

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, compare);
    return v[n / 2];
}

static void measure(cst_learner *l, const cst_batch *batch, result *r)
{
    static double iteration[MOST], forward[MOST], backward[MOST];
    const size_t bytes = l->model->n_params * sizeof(real);
    real *theta = allocate(bytes);
    memcpy(theta, l->theta, bytes);
    const double end = cst_clock() + 3;
    size_t n = 0;
    cst_error error;
    for (size_t i = 0; n < 3 || (n < MOST && cst_clock() < end); i++) {
        const double before[2] = {l->seconds[0], l->seconds[1]}, start = cst_clock();
        if (cst_learner_step(l, batch, 1e-3, &r->step, &error) != CST_OK) stop(error.message);
        iteration[n] = cst_clock() - start;
        forward[n] = l->seconds[0] - before[0];
        backward[n] = l->seconds[1] - before[1];
        memcpy(l->theta, theta, bytes);
        n += i > 1; /* after two to warm up */
    }
    r->iteration = 1e3 * median(iteration, n);
    r->forward = 1e3 * median(forward, n);
    r->backward = 1e3 * median(backward, n);
    free(theta);
}

/* Weights and batch, by PyTorch's names. */
typedef struct exporter {
    cst_save_tensor tensors[64];
    char names[64][CST_TENSOR_NAME];
    size_t n;
    const real *theta;
} exporter;

static cst_status export_tensor(void *context, const char *name, const cst_shape *shape, size_t offset)
{
    exporter *e = context;
    snprintf(e->names[e->n], CST_TENSOR_NAME, "%s", name);
    e->tensors[e->n] =
        (cst_save_tensor){e->names[e->n], sizeof(real) == 4 ? CST_F32 : CST_F64, *shape, e->theta + offset};
    e->n++;
    return CST_OK;
}

static void export_batch(const char *folder, const item *it, const cst_learner *l, const cst_batch *batch)
{
    exporter e = {.theta = l->theta};
    static uint64_t labels[1024];
    real *noise = NULL;
    cst_error error;
    char name[32];
    const cst_dtype dtype = sizeof(real) == 4 ? CST_F32 : CST_F64;
    if (cst_module_visit_tensors(l->model, export_tensor, &e) != CST_OK) stop("cannot export");
    e.tensors[e.n++] = (cst_save_tensor){"batch.x", dtype, cst_shape_rows(batch->n, &it->of->x), batch->x};
    for (size_t i = 0; batch->targets.labels && i < batch->n; i++) labels[i] = (uint64_t)batch->targets.labels[i];
    if (batch->targets.labels)
        e.tensors[e.n++] = (cst_save_tensor){"batch.labels", CST_U64, cst_shape_1d(batch->n), labels};
    if (batch->targets.values)
        e.tensors[e.n++] =
            (cst_save_tensor){"batch.y", dtype, cst_shape_rows(batch->n, &it->of->y), batch->targets.values};
    if (!batch->targets.labels && !batch->targets.values) { /* a flow: the noise as its first layer draws it */
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

static result run(const item *it, int threads, const char *folder)
{
    cst_module *model = NULL;
    cst_error error;
    cst_optimizer optimizer;
    cst_batch batch;
    result r = {0};
    cst_document *document = parse("optimizer", "{\"optimizer\": {\"type\": \"rmsprop\", \"lr\": 1e-3}}");
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
