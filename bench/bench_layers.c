/* How fast the passes of layers are, beside a limit that is timed in the same run on the same threads: for layers
 * that multiply matrices, GEMMs of the same shapes; for the others, memcpy of x to y.
 *
 *   bench_layers [threads [FILE.json [NAME]]]
 *
 * Only layers whose name contains NAME are measured. Times are the best of many, in milliseconds; ratio = layer /
 * limit. */
#include "core/blas.h"
#include "core/clock.h"
#include "core/module.h"
#include "core/parallel.h"
#include "models/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `count` matrix products (m, k) (k, n) of a forward pass, over all rows of the batch. The reverse pass has two more
 * per product: one for gx, one for gtheta. */
typedef struct product {
    size_t m, n, k, count;
} product;

enum { PRODUCTS = 3 };

typedef struct item {
    const char *name, *json; /* config of the module */
    cst_shape x;             /* of a row */
    size_t n;                /* rows */
    product gemm[PRODUCTS];  /* unused ones have count 0; if there is none, the limit is memcpy */
} item;

#define GROUP_NORM CST_JSON({"type": "group_norm", "groups": 32})
#define CONV(channels) "{\"type\": \"conv2d\", \"out_channels\": " #channels ", \"kernel\": 3, \"padding\": 1}"
#define HALF_FIELD GROUP_NORM ", {\"type\": \"relu\"}, {\"type\": \"concat_time\"}, " CONV(64)
#define LINEAR(n) "{\"type\": \"linear\", \"out_features\": " #n "}"
#define TANH CST_JSON({"type": "tanh"})
#define HIDDEN(n) LINEAR(n) ", {\"type\": \"softplus\"}"
#define SQUARE(side, channels, rows)                                                                                   \
    {3, {channels, side, side}}, rows,                                                                                 \
    {                                                                                                                  \
        {                                                                                                              \
            channels, rows *side *side, channels * 9, 1                                                                \
        }                                                                                                              \
    }
#define SIMPLE(type)                                                                                                   \
    {                                                                                                                  \
        type, "{\"type\": \"" type "\"}", {3, {64, 6, 6}}, 128,                                                        \
        {                                                                                                              \
            {                                                                                                          \
                0                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }
static const item items[] = {
    {"ODE-Net field",
     "{\"type\": \"sequential\", \"layers\": [" HALF_FIELD ", " HALF_FIELD ", " GROUP_NORM "]}",
     {3, {64, 6, 6}},
     128,
     {{64, 128 * 36, 65 * 9, 2}}},
    {"MLP 128-256-256-128",
     "{\"type\": \"sequential\", \"layers\": [" LINEAR(256) ", " TANH ", " LINEAR(256) ", " TANH ", " LINEAR(128) "]}",
     {1, {128}},
     256,
     {{256, 256, 128, 1}, {256, 256, 256, 1}, {128, 256, 256, 1}}},
    {"symoden (W1)", /* evaluates the mass network three times and the potential twice */
     "{\"type\": \"symoden\", \"mass\": {\"type\": \"sequential\", \"layers\": [" HIDDEN(400) ", " HIDDEN(
         400) ", " HIDDEN(400) ", " LINEAR(3) "]}, \"potential\": {\"type\": \"sequential\", \"layers\": "
                                              "[" HIDDEN(300) ", " HIDDEN(300) ", " LINEAR(
                                                  1) "]}, \"input\": "
                                                     "{\"type\": "
                                                     "\"sequential\", "
                                                     "\"layers\": "
                                                     "[" HIDDEN(300) ", " HIDDEN(300) ", " LINEAR(4) "]}}",
     {1, {8}},
     256,
     {{400, 256, 400, 6}, {300, 256, 300, 3}, {400, 256, 4, 8}}},
    {"conv2d 8, 32 x 32", CONV(8), SQUARE(32, 8, 32)},
    {"conv2d 16, 32 x 32", CONV(16), SQUARE(32, 16, 16)},
    {"conv2d 32, 28 x 28", CONV(32), SQUARE(28, 32, 16)},
    {"conv2d 64, 28 x 28 (W4b)", CONV(64), SQUARE(28, 64, 64)},
    {"conv2d 64, 14 x 14", CONV(64), SQUARE(14, 64, 32)},
    {"conv2d 64, 6 x 6", CONV(64), SQUARE(6, 64, 128)},
    {"conv2d 128, 7 x 7", CONV(128), SQUARE(7, 128, 64)},
    {"conv_transpose2d 64",
     CST_JSON({"type": "conv_transpose2d", "out_channels": 32, "kernel": 4, "stride": 2, "padding": 1}),
     {3, {64, 7, 7}},
     64,
     {{32 * 16, 64 * 49, 64, 1}}},
    {"linear 256", LINEAR(256), {1, {256}}, 1024, {{256, 1024, 256, 1}}},
    {"concat_squash_linear 64",
     CST_JSON({"type": "concat_squash_linear", "out_features": 64}),
     {1, {64}},
     512,
     {{64, 512, 64, 1}}},
    {"group_norm", GROUP_NORM, {3, {64, 6, 6}}, 128, {{0}}},
    {"layer_norm", CST_JSON({"type": "layer_norm"}), {1, {256}}, 1152, {{0}}},
    {"max_pool2d", CST_JSON({"type": "max_pool2d", "kernel": 2}), {3, {64, 6, 6}}, 128, {{0}}},
    {"avg_pool2d", CST_JSON({"type": "avg_pool2d", "kernel": 2}), {3, {64, 6, 6}}, 128, {{0}}},
    SIMPLE("global_avg_pool2d"),
    SIMPLE("concat_time"),
    SIMPLE("relu"),
    SIMPLE("tanh"),
    SIMPLE("sigmoid"),
    SIMPLE("softplus"),
    SIMPLE("elu"),
    SIMPLE("silu"),
    SIMPLE("gelu"),
    SIMPLE("square"),
};

/* One measurement: the module with its arrays, and the operands a, b, c of the GEMMs. */
typedef struct bench {
    const item *item;
    cst_module *m;
    int threads;
    cst_call call;
    real *x, *y, *gx, *gy, *gtheta, *cache, *a, *b, *c;
} bench;

/* n random numbers, aligned for vector instructions; they are freed with free(). */
static real *numbers(size_t n)
{
    real *x = aligned_alloc(64, (n * sizeof *x + 64) / 64 * 64);
    if (!x) exit(EXIT_FAILURE);
    cst_rng_fill_normal(cst_rng_new(n, CST_RNG_TEST), x, n, 1);
    return x;
}

/* ---- what is timed ------------------------------------------------------------------------------------------- */

/* What is measured: one forward pass; a forward pass with the reverse pass (VJP). */
static void forward(bench *b)
{
    if (cst_module_forward(b->m, &b->call, b->x, b->y, b->cache) != CST_OK) exit(EXIT_FAILURE);
}

static void forward_vjp(bench *b)
{
    const cst_grads grads = {.scale = 1, .gx = b->gx, .gtheta = b->gtheta};
    if (cst_module_forward_vjp(b->m, &b->call, b->x, b->y, b->cache, b->gy, &grads) != CST_OK) exit(EXIT_FAILURE);
}

/* The forward products, thread i's share of the columns of B. One wide strip per thread reaches the full speed of
 * the kernels. */
static void gemm_forward_task(void *context, size_t i)
{
    const bench *b = context;
    const size_t threads = (size_t)b->threads;
    for (const product *p = b->item->gemm; p < b->item->gemm + PRODUCTS; p++) {
        const size_t first = p->n * i / threads, n = p->n * (i + 1) / threads - first;
        for (size_t r = 0; r < p->count; r++)
            cst_gemm(false, false, p->m, n, p->k, 1, b->a, p->k, b->b + first, p->n, 0, b->c + first, p->n);
    }
}

/* The forward products and the two of the reverse pass: A^T C (k, n), written to gx, and C B^T (m, k), written to
 * gtheta. Each thread has its own part of gtheta. */
static void gemm_both_task(void *context, size_t i)
{
    const bench *b = context;
    const size_t threads = (size_t)b->threads;
    gemm_forward_task(context, i);
    for (const product *p = b->item->gemm; p < b->item->gemm + PRODUCTS; p++) {
        const size_t first = p->n * i / threads, n = p->n * (i + 1) / threads - first;
        for (size_t r = 0; r < p->count; r++) {
            cst_gemm(true, false, p->k, n, p->m, 1, b->a, p->k, b->c + first, p->n, 0, b->gx + first, p->n);
            cst_gemm(false, true, p->m, p->k, n, 1, b->c + first, p->n, b->b + first, p->n, 0,
                     b->gtheta + i * p->m * p->k, p->k);
        }
    }
}

/* The limit of the other layers: thread i's share of a copy of x to y. */
static void copy_task(void *context, size_t i)
{
    const bench *b = context;
    const size_t size = b->item->n * cst_shape_size(&b->m->x), threads = (size_t)b->threads;
    const size_t first = size * i / threads, n = size * (i + 1) / threads - first;
    memcpy(b->y + first, b->x + first, n * sizeof(real));
}

/* The limits on all threads. */
static void reference_forward(bench *b)
{
    cst_parallel(b->threads, (size_t)b->threads, b->item->gemm[0].count ? gemm_forward_task : copy_task, b);
}

static void reference_both(bench *b)
{
    if (b->item->gemm[0].count) {
        cst_parallel(b->threads, (size_t)b->threads, gemm_both_task, b);
        return;
    }
    /* The limit of a forward and a reverse pass together is three copies. */
    for (int i = 0; i < 3; i++) cst_parallel(b->threads, (size_t)b->threads, copy_task, b);
}

/* ---- timing -------------------------------------------------------------------------------------------------- */

/* The best times of both in milliseconds. They run in turns, so that changes in the machine's speed affect both. */
static void race(bench *b, void (*ours)(bench *b), void (*reference)(bench *b), double best[2])
{
    best[0] = best[1] = 1e9;
    void (*const runners[2])(bench * b) = {ours, reference};
    const double end = cst_clock() + 0.8;
    for (size_t round = 0; round < 5 || cst_clock() < end; round++)
        for (size_t i = 0; i < 2; i++) {
            const double start = cst_clock();
            runners[i](b);
            const double ms = 1e3 * (cst_clock() - start);
            if (round > 1 && ms < best[i]) best[i] = ms;
        }
}

/* Allocate and fill all arrays of the measurement, and initialize the parameters. */
static void allocate(bench *b)
{
    const size_t n = b->item->n, in = n * cst_shape_size(&b->m->x), out = n * cst_shape_size(&b->m->y);
    /* The products share their operands: most.m x most.k is the size of the largest A, most.count that of B, most.n
     * that of C. */
    product most = {0};
    for (const product *p = b->item->gemm; p < b->item->gemm + PRODUCTS; p++) {
        if (p->m * p->k > most.m * most.k) most.m = p->m, most.k = p->k;
        if (p->k * p->n > most.count) most.count = p->k * p->n;
        if (p->m * p->n > most.n) most.n = p->m * p->n;
    }

    /* Arrays of the module, large enough also for what the GEMMs write into them. */
    const size_t weights = most.m * most.k * (size_t)b->threads;
    cst_plan plan = {0};
    cst_module_plan(b->m, n, 0, b->threads, &plan);
    b->x = numbers(in), b->gy = numbers(out);
    b->y = numbers(out > in ? out : in);
    b->gx = numbers(in > most.count ? in : most.count);
    b->gtheta = numbers(b->m->n_params > weights ? b->m->n_params : weights);
    b->cache = numbers(plan.cache);
    b->a = numbers(most.m * most.k), b->b = numbers(most.count), b->c = numbers(most.n);

    real *theta = numbers(b->m->n_params);
    cst_module_init(b->m, cst_rng_new(1, CST_RNG_INIT), theta);
    b->call = (cst_call){.t = 0.5, .n = n, .threads = b->threads, .theta = theta, .work = numbers(plan.work)};
}

static void release(bench *b)
{
    real *const arrays[] = {b->x, b->y, b->gx, b->gy, b->gtheta, b->cache, b->a, b->b, b->c, b->call.work};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) free(arrays[i]);
    free((void *)(size_t)b->call.theta);
    cst_module_free(b->m);
}

/* Measure one item and print its row. */
static int run(const item *it, int threads, FILE *json)
{
    bench b = {.item = it, .threads = threads};
    cst_error error = {0};
    cst_document *document = NULL;
    cst_status status = cst_document_parse(it->name, it->json, strlen(it->json), &document, &error);
    if (status == CST_OK)
        status = cst_module_from_config(&cst_all_modules, cst_document_root(document), &it->x, &b.m, &error);
    cst_document_free(document);
    if (status != CST_OK) {
        fprintf(stderr, "%s\n", error.message);
        return EXIT_FAILURE;
    }

    /* Measure, then print. */
    allocate(&b);
    double one[2], both[2];
    race(&b, forward, reference_forward, one);
    race(&b, forward_vjp, reference_both, both);
    printf("%-24s %9.3f %9.3f %7.2f   %9.3f %9.3f %7.2f   %s\n", it->name, one[0], one[1], one[0] / one[1], both[0],
           both[1], both[0] / both[1], it->gemm[0].count ? "gemm" : "memcpy");
    if (json)
        fprintf(
            json,
            "%s\n{\"name\": \"%s\", \"precision\": \"%s\", \"threads\": %d, \"limit\": \"%s\", \"forward_ms\": %.6g, "
            "\"forward_limit_ms\": %.6g, \"forward_vjp_ms\": %.6g, \"forward_vjp_limit_ms\": %.6g}",
            it == items ? "" : ",", it->name, CST_REAL_NAME, threads, it->gemm[0].count ? "gemm" : "memcpy", one[0],
            one[1], both[0], both[1]);
    release(&b);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    cst_blas_own_process();
    int threads = argc > 1 ? atoi(argv[1]) : cst_threads_available();
    if (threads < 1 || threads > CST_MAX_THREADS) threads = 1;
    FILE *json = argc > 2 ? fopen(argv[2], "w") : NULL;
    if (argc > 2 && !json) {
        fprintf(stderr, "%s: cannot write\n", argv[2]);
        return EXIT_FAILURE;
    }
    printf("%s, %d thread%s, %s\n%-24s %9s %9s %7s   %9s %9s %7s\n", CST_REAL_NAME, threads, threads > 1 ? "s" : "",
           cst_blas_name(), "", "forward", "limit", "ratio", "with vjp", "limit", "ratio");
    int failed = EXIT_SUCCESS;
    if (json) fprintf(json, "[");
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++)
        if ((argc < 4 || strstr(items[i].name, argv[3])) && run(&items[i], threads, json) != EXIT_SUCCESS)
            failed = EXIT_FAILURE;
    if (json) fprintf(json, "\n]\n");
    return json && fclose(json) != 0 ? EXIT_FAILURE : failed;
}
