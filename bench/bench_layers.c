/* How fast the passes are, beside the product or the copy that bounds them, timed in the same run on the same threads:
 * matrix layers against GEMMs of the same shapes, the others against memcpy of x to y.
 *
 *   bench [threads]        times are the best of many, in milliseconds; ratio = ours / reference, 1 is the bound */
#include "core/blas.h"
#include "core/module.h"
#include "core/parallel.h"
#include "models/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The products of a forward pass, (m, k) (k, n) for all rows together; the reverse pass has two more of each. */
typedef struct product {
    size_t m, n, k, count; /* count 0: compare with memcpy */
} product;

typedef struct item {
    const char *name, *json;
    cst_shape x;
    size_t n;
    product gemm;
} item;

#define GROUP_NORM "{\"type\": \"group_norm\", \"groups\": 32}"
#define CONV "{\"type\": \"conv2d\", \"out_channels\": 64, \"kernel\": 3, \"padding\": 1}"
#define HALF_FIELD GROUP_NORM ", {\"type\": \"relu\"}, {\"type\": \"concat_time\"}, " CONV
static const item items[] = {
    {"ODE-Net field",
     "{\"type\": \"sequential\", \"layers\": [" HALF_FIELD ", " HALF_FIELD ", " GROUP_NORM "]}",
     {3, {64, 6, 6}},
     128,
     {64, 128 * 36, 65 * 9, 2}},
    {"conv2d 64 3x3", CONV, {3, {64, 6, 6}}, 128, {64, 128 * 36, 64 * 9, 1}},
    {"conv2d 64 3x3, 32x32", CONV, {3, {16, 32, 32}}, 16, {64, 16 * 1024, 16 * 9, 1}},
    {"linear 256", "{\"type\": \"linear\", \"out_features\": 256}", {1, {256}}, 1024, {1024, 256, 256, 1}},
    {"group_norm", GROUP_NORM, {3, {64, 6, 6}}, 128, {0}},
    {"relu", "{\"type\": \"relu\"}", {3, {64, 6, 6}}, 128, {0}},
    {"tanh", "{\"type\": \"tanh\"}", {3, {64, 6, 6}}, 128, {0}},
    {"softplus", "{\"type\": \"softplus\"}", {3, {64, 6, 6}}, 128, {0}},
};

typedef struct bench {
    const item *item;
    cst_module *m;
    int threads;
    cst_call call;
    real *x, *y, *gx, *gy, *gtheta, *cache, *a, *b, *c;
} bench;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static real *numbers(size_t n)
{
    real *x = aligned_alloc(64, (n * sizeof *x + 64) / 64 * 64);
    if (!x) exit(EXIT_FAILURE);
    cst_rng_fill_normal(cst_rng_new(n, CST_RNG_TEST), x, n, 1);
    return x;
}

/* ---- what is timed ------------------------------------------------------------------------------------------- */

static void forward(bench *b)
{
    if (cst_module_forward(b->m, &b->call, b->x, b->y, b->cache) != CST_OK) exit(EXIT_FAILURE);
}

static void forward_vjp(bench *b)
{
    const cst_grads grads = {.scale = 1, .gx = b->gx, .gtheta = b->gtheta};
    if (cst_module_forward_vjp(b->m, &b->call, b->x, b->y, b->cache, b->gy, &grads) != CST_OK) exit(EXIT_FAILURE);
}

/* The share of thread i of the forward products: columns of B. Small strips would not reach the kernels' speed. */
static void gemm_forward_task(void *context, size_t i)
{
    const bench *b = context;
    const product *p = &b->item->gemm;
    const size_t threads = (size_t)b->threads, first = p->n * i / threads, n = p->n * (i + 1) / threads - first;
    for (size_t r = 0; r < p->count; r++)
        cst_gemm(false, false, p->m, n, p->k, 1, b->a, p->k, b->b + first, p->n, 0, b->c + first, p->n);
}

/* The same with the two products of the reverse pass: A^T C into B's place (k, n), and C B^T into A's (m, k). */
static void gemm_both_task(void *context, size_t i)
{
    const bench *b = context;
    const product *p = &b->item->gemm;
    const size_t threads = (size_t)b->threads, first = p->n * i / threads, n = p->n * (i + 1) / threads - first;
    gemm_forward_task(context, i);
    for (size_t r = 0; r < p->count; r++) {
        cst_gemm(true, false, p->k, n, p->m, 1, b->a, p->k, b->c + first, p->n, 0, b->gx + first, p->n);
        cst_gemm(false, true, p->m, p->k, n, 1, b->c + first, p->n, b->b + first, p->n, 0, b->gtheta + i * p->m * p->k,
                 p->k);
    }
}

static void copy_task(void *context, size_t i)
{
    const bench *b = context;
    const size_t size = b->item->n * cst_shape_size(&b->m->x), threads = (size_t)b->threads;
    const size_t first = size * i / threads, n = size * (i + 1) / threads - first;
    memcpy(b->y + first, b->x + first, n * sizeof(real));
}

static void reference_forward(bench *b)
{
    cst_parallel(b->threads, (size_t)b->threads, b->item->gemm.count ? gemm_forward_task : copy_task, b);
}

static void reference_both(bench *b)
{
    if (b->item->gemm.count) {
        cst_parallel(b->threads, (size_t)b->threads, gemm_both_task, b);
        return;
    }
    for (int i = 0; i < 3; i++) cst_parallel(b->threads, (size_t)b->threads, copy_task, b);
}

/* ---- timing -------------------------------------------------------------------------------------------------- */

/* Best times of both in milliseconds, taken in turns so that both see the same machine. */
static void race(bench *b, void (*ours)(bench *b), void (*reference)(bench *b), double best[2])
{
    best[0] = best[1] = 1e9;
    void (*const runners[2])(bench * b) = {ours, reference};
    const double end = now() + 0.8;
    for (size_t round = 0; round < 5 || now() < end; round++)
        for (size_t i = 0; i < 2; i++) {
            const double start = now();
            runners[i](b);
            const double ms = 1e3 * (now() - start);
            if (round > 1 && ms < best[i]) best[i] = ms;
        }
}

static void allocate(bench *b)
{
    const size_t n = b->item->n, in = n * cst_shape_size(&b->m->x), out = n * cst_shape_size(&b->m->y);
    const product *p = &b->item->gemm;
    const size_t weights = p->m * p->k * (size_t)b->threads;
    cst_plan plan = {0};
    cst_module_plan(b->m, n, 0, b->threads, &plan);
    b->x = numbers(in), b->gy = numbers(out);
    b->y = numbers(out > in ? out : in);
    b->gx = numbers(in > p->k * p->n ? in : p->k * p->n);
    b->gtheta = numbers(b->m->n_params > weights ? b->m->n_params : weights);
    b->cache = numbers(plan.cache);
    b->a = numbers(p->m * p->k), b->b = numbers(p->k * p->n), b->c = numbers(p->m * p->n);
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

static int run(const item *it, int threads)
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
    allocate(&b);
    double one[2], both[2];
    race(&b, forward, reference_forward, one);
    race(&b, forward_vjp, reference_both, both);
    printf("%-22s %9.3f %9.3f %7.2f   %9.3f %9.3f %7.2f   %s\n", it->name, one[0], one[1], one[0] / one[1], both[0],
           both[1], both[0] / both[1], it->gemm.count ? "gemm" : "memcpy");
    release(&b);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : cst_threads_available();
    if (threads < 1 || threads > CST_MAX_THREADS) threads = 1;
    printf("%s, %d threads, %s\n%-22s %9s %9s %7s   %9s %9s %7s\n", CST_REAL_NAME, threads, cst_blas_name(), "",
           "forward", "reference", "ratio", "with vjp", "reference", "ratio");
    int failed = EXIT_SUCCESS;
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++)
        if (run(&items[i], threads) != EXIT_SUCCESS) failed = EXIT_FAILURE;
    return failed;
}
