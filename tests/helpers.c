#include "tests/helpers.h"

#include "models/registry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory -------------------------------------------------------------------------------------------------- */

/* The guards are as long as the last iteration of a vector loop could reach. */
enum { GUARD = 128, GUARD_BYTE = 0xfd };

struct test_array {
    unsigned char *block;
    size_t bytes; /* size of the array between the guards */
};

real *test_pool_take(test_pool *pool, size_t n, int fill)
{
    if (pool->n == pool->capacity) {
        pool->capacity = 2 * pool->capacity + 32;
        pool->arrays = realloc(pool->arrays, pool->capacity * sizeof *pool->arrays);
        assert_non_null(pool->arrays);
    }
    const size_t bytes = n * sizeof(real);
    unsigned char *block = aligned_alloc(64, (bytes + 2 * GUARD + 63) / 64 * 64);
    assert_non_null(block);
    memset(block, GUARD_BYTE, GUARD);
    memset(block + GUARD, fill, bytes);
    memset(block + GUARD + bytes, GUARD_BYTE, GUARD);
    pool->arrays[pool->n++] = (struct test_array){block, bytes};
    return (real *)(void *)(block + GUARD);
}

void test_pool_check(const test_pool *pool, const char *what)
{
    for (size_t i = 0; i < pool->n; i++) {
        const unsigned char *before = pool->arrays[i].block, *after = before + GUARD + pool->arrays[i].bytes;
        for (size_t j = 0; j < GUARD; j++)
            if (before[j] != GUARD_BYTE || after[j] != GUARD_BYTE)
                fail_msg("%s: wrote outside array %zu of %zu reals, %s it", what, i,
                         pool->arrays[i].bytes / sizeof(real), after[j] != GUARD_BYTE ? "after" : "before");
    }
}

void test_pool_cut(test_pool *pool, size_t n)
{
    while (pool->n > n) free(pool->arrays[--pool->n].block);
    if (n > 0) return;
    free(pool->arrays);
    *pool = (test_pool){0};
}

void test_random(uint64_t tag, real *x, size_t n, double deviation)
{
    cst_rng_fill_normal(cst_rng_split(cst_rng_new(0, CST_RNG_TEST), tag), x, n, deviation);
}

uint64_t test_checksum(const real *x, size_t n)
{
    uint64_t hash = 0xcbf29ce484222325u;
    const unsigned char *bytes = (const unsigned char *)x;
    for (size_t i = 0; i < n * sizeof *x; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

/* ---- comparisons --------------------------------------------------------------------------------------------- */

void test_assert_close(const char *what, const real *got, const real *expected, size_t n, double tolerance)
{
    double scale = 1, worst = -1;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) scale = fmax(scale, 1 + fabs((double)expected[i]));
    for (size_t i = 0; i < n; i++) {
        const double off = fabs((double)got[i] - (double)expected[i]);
        if (off <= worst) continue;
        worst = off; /* also where off is NaN */
        at = i;
        if (isnan(off)) break;
    }
    if (n == 0 || worst <= tolerance * scale) return;
    fail_msg("%s: [%zu] of %zu: expected %.12g, got %.12g, off by %.3g, allowed %.3g", what, at, n,
             (double)expected[at], (double)got[at], worst, tolerance * scale);
}

void test_assert_same_bits(const char *what, const real *got, const real *expected, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&got[i], &expected[i], sizeof got[i]) != 0)
            fail_msg("%s: [%zu] of %zu: expected %.17g, got %.17g: not the same bits", what, i, n, (double)expected[i],
                     (double)got[i]);
}

void test_derivative_compare(test_derivative *seen, const char *what, size_t i, double got, double expected,
                             double allowed)
{
    seen->n++;
    seen->not_zero += got != 0;
    seen->not_same += memcmp(&got, &expected, sizeof got) != 0;
    if (fabs(got - expected) <= allowed) return;
    fail_msg("%s[%zu]: the derivative is %.10g, differences give %.10g, allowed %.3g", what, i, got, expected, allowed);
}

void test_derivative_end(const test_derivative *seen, const char *what, bool zero)
{
    if (zero && seen->not_zero > 0) fail_msg("%s: %zu of %zu components are not 0", what, seen->not_zero, seen->n);
    if (zero || seen->n == 0) return;
    if (seen->not_zero == 0) fail_msg("%s: all %zu components are 0, which proves nothing", what, seen->n);
    if (seen->not_same == 0) fail_msg("%s: both sides have the same bits: are they the same array?", what);
}

void test_assert_ok(const char *what, cst_status status, const cst_error *error)
{
    if (status != CST_OK) fail_msg("%s: %s: %s", what, cst_status_name(status), error->message);
}

void test_assert_error(cst_status status, cst_status expected, const cst_error *error, const char *message)
{
    if (status != expected)
        fail_msg("expected %s: %s\n     got %s: %s", cst_status_name(expected), message, cst_status_name(status),
                 status == CST_OK ? "" : error->message);
    assert_int_equal(error->status, status);
    assert_string_equal(error->message, message);
}

/* ---- files --------------------------------------------------------------------------------------------------- */

void test_poke(const char *path, size_t offset, char byte)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)offset, SEEK_SET), 0);
    assert_int_equal(fputc((unsigned char)byte, file), (unsigned char)byte);
    assert_int_equal(fclose(file), 0);
}

/* ---- documents ----------------------------------------------------------------------------------------------- */

/* A copy with " in place of '; the caller frees it. */
static char *json_of(const char *json)
{
    char *text = strdup(json);
    assert_non_null(text);
    test_double_quotes(text);
    return text;
}

cst_document *test_parse(const char *json)
{
    cst_document *document = NULL;
    cst_error error = {0};
    char *text = json_of(json);
    test_assert_ok(json, cst_document_parse("test.json", text, strlen(text), &document, &error), &error);
    free(text);
    return document;
}

/* ---- modules ------------------------------------------------------------------------------------------------- */

cst_status test_module_new(const char *json, const cst_shape *x, cst_module **m, cst_error *error)
{
    char *text = json_of(json);
    const cst_status status = cst_module_from_json(&cst_all_modules, text, x, m, error);
    free(text);
    return status;
}

typedef struct move {
    real *theta;
    uint64_t tag;
} move;

static cst_status move_tensor(void *context, const char *name, const cst_shape *shape, size_t offset)
{
    const move *m = context;
    const size_t n = cst_shape_size(shape);
    const cst_rng rng = cst_rng_split(cst_rng_new(m->tag, CST_RNG_TEST), offset);
    const char *dot = strrchr(name, '.');
    const double deviation = strcmp(dot ? dot + 1 : name, "t") == 0 ? 0.01 : 0.15;
    for (size_t i = 0; i < n; i++) m->theta[offset + i] += (real)(deviation * cst_rng_normal(rng, i));
    return CST_OK;
}

void test_module_theta(const cst_module *m, uint64_t tag, real *theta)
{
    cst_module_init(m, cst_rng_new(tag, CST_RNG_INIT), theta);
    assert_int_equal(cst_module_visit_tensors(m, move_tensor, &(move){theta, tag}), CST_OK);
}

/* ---- training ------------------------------------------------------------------------------------------------ */

void test_run_init(test_run *run, const char *json, const cst_trainer_events *events)
{
    cst_error error = {0};
    *run = (test_run){.document = test_parse(json)};
    test_assert_ok(json, cst_experiment_new(run->document, &run->experiment, &error), &error);
    test_assert_ok(json, cst_trainer_init(&run->trainer, &run->experiment, events, &error), &error);
}

void test_run_clear(test_run *run)
{
    cst_trainer_clear(&run->trainer);
    cst_experiment_clear(&run->experiment);
    cst_document_free(run->document);
}

static void assert_same_learner(const char *what, const cst_learner *got, const cst_learner *expected)
{
    const size_t n = expected->model->n_params;
    test_assert_same_bits(what, got->theta, expected->theta, n);
    for (size_t i = 0; i < cst_optimizer_slots(&expected->optimizer); i++)
        test_assert_same_bits(what, got->slot[i], expected->slot[i], n);
    assert_int_equal(got->updates, expected->updates);
    assert_int_equal(got->tally.n_blocks, expected->tally.n_blocks);
    for (size_t i = 0; i < expected->tally.n_blocks; i++)
        assert_memory_equal(got->tally.blocks[i].counts, expected->tally.blocks[i].counts,
                            sizeof expected->tally.blocks[i].counts);
    assert_memory_equal(got->tally.total, expected->tally.total, sizeof expected->tally.total);
}

/* Two runs take different times. */
static cst_metrics without_seconds(cst_metrics m)
{
    m.seconds = m.forward_seconds = m.backward_seconds = m.eval_seconds = 0;
    return m;
}

static cst_epoch_sums sums_without_seconds(cst_epoch_sums sums)
{
    sums.seconds = sums.forward_seconds = sums.backward_seconds = 0;
    return sums;
}

void test_assert_same_training(const char *what, const cst_trainer *got, const cst_trainer *expected)
{
    assert_same_learner(what, &got->learner, &expected->learner);
    const cst_training *a = &got->training, *b = &expected->training;
    assert_true(a->epoch == b->epoch && a->iteration == b->iteration && a->iterations == b->iterations);
    assert_true(a->best_epoch == b->best_epoch && a->epochs_without_improvement == b->epochs_without_improvement &&
                a->stopped == b->stopped);
    assert_true(a->best == b->best && a->best_for_stopping == b->best_for_stopping);
    assert_memory_equal(&a->schedule, &b->schedule, sizeof a->schedule);
    const cst_epoch_sums sums[2] = {sums_without_seconds(a->sums), sums_without_seconds(b->sums)};
    assert_memory_equal(&sums[0], &sums[1], sizeof sums[0]);
    assert_int_equal(a->n_metrics, b->n_metrics);
    for (size_t i = 0; i < b->n_metrics; i++) {
        const cst_metrics m[2] = {without_seconds(a->metrics[i]), without_seconds(b->metrics[i])};
        assert_memory_equal(&m[0], &m[1], sizeof m[0]);
    }
    assert_int_equal(!got->best, !expected->best);
    if (expected->best) test_assert_same_bits(what, got->best, expected->best, expected->experiment->model->n_params);
}
