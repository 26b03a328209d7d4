/* Training steps: that their gradient is the loss's, that failures leave no trace, that nothing is allocated; evaluation,
 * batch sizes, memory. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "models/registry.h"
#include "tests/helpers.h"
#include "train/learner.h"

#include <dlfcn.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- counting allocations ------------------------------------------------------------------------------------ */

static atomic_size_t n_allocations;

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)

void __sanitizer_malloc_hook(const volatile void *block, size_t size); /* AddressSanitizer calls it */
void __sanitizer_malloc_hook(const volatile void *block, size_t size)
{
    (void)block, (void)size;
    n_allocations++;
}

#else

/* The program's functions come before the C library's for the whole process, threads and OpenBLAS included. */
#define COUNTED(type, name, parameters, arguments)                                                                     \
    type name parameters                                                                                               \
    {                                                                                                                  \
        type(*function) parameters;                                                                                    \
        void *const address = dlsym(RTLD_NEXT, #name);                                                                 \
        memcpy(&function, &address, sizeof function);                                                                  \
        n_allocations++;                                                                                               \
        return function arguments;                                                                                     \
    }

COUNTED(void *, malloc, (size_t size), (size))
COUNTED(void *, calloc, (size_t n, size_t size), (n, size))
COUNTED(void *, realloc, (void *block, size_t size), (block, size))
COUNTED(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size))
COUNTED(int, posix_memalign, (void **block, size_t alignment, size_t size), (block, alignment, size))

#endif

/* ---- a learner and batches ----------------------------------------------------------------------------------- */

enum { MAX_ROWS = 256, D = 2, CLASSES = 3 };

#define LINEAR(out) "{'type': 'linear', 'out_features': " out "}"
#define SEQUENTIAL(layers) "{'type': 'sequential', 'layers': [" layers "]}"
#define ODE_MODEL(width)                                                                                               \
    SEQUENTIAL(LINEAR(width) ", {'type': 'ode', 'field': " SEQUENTIAL(                                                 \
        "{'type': 'concat_time'}, " LINEAR(width) ", {'type': 'tanh'}") "}, " LINEAR("3"))
static const char dropout_model[] =
    SEQUENTIAL(LINEAR("16") ", {'type': 'tanh'}, {'type': 'dropout', 'p': 0.4}, " LINEAR("3"));

typedef struct rig {
    cst_module *model;
    cst_optimizer optimizer;
    cst_learner learner;
    real x[MAX_ROWS * D];
    int32_t labels[MAX_ROWS];
} rig;

static rig one, other; /* too large for a stack */

typedef struct setup {
    const char *model, *loss, *optimizer; /* optimizer NULL: evaluation only */
    double clip;
    int threads;
    size_t rows;
} setup;

static const setup usual = {
    .model = ODE_MODEL("6"), .loss = "cross_entropy", .optimizer = JSON({"type": "sgd"}), .threads = 1, .rows = 32};

/* A model and an optimizer (NULL: none) from JSON. */
static void read_parts(const setup *s, rig *r)
{
    cst_error error = {0};
    const cst_shape x = cst_shape_1d(D);
    cst_document *model = test_parse(s->model), *optimizer = test_parse(s->optimizer ? s->optimizer : "{}");
    cst_status status = cst_module_from_config(&cst_all_modules, cst_document_root(model), &x, &r->model, &error);
    test_assert_ok(s->model, status, &error);
    if (s->optimizer) status = cst_optimizer_read(cst_document_root(optimizer), &r->optimizer, &error);
    test_assert_ok(s->optimizer, status, &error);
    cst_document_free(model);
    cst_document_free(optimizer);
}

static void make_rig(rig *r, const setup *s)
{
    cst_error error = {0};
    read_parts(s, r);
    const cst_learner_options options = {.loss = cst_loss_find(s->loss),
                                         .optimizer = s->optimizer ? &r->optimizer : NULL,
                                         .clip_grad_norm = s->clip,
                                         .threads = s->threads,
                                         .rows = &s->rows,
                                         .n_rows = 1};
    const cst_rng rng = cst_rng_new(3, CST_RNG_INIT);
    test_assert_ok("learner", cst_learner_init(&r->learner, r->model, &options, rng, &error), &error);
    test_random(5, r->x, MAX_ROWS * D, 1);
    for (size_t i = 0; i < MAX_ROWS; i++) r->labels[i] = (int32_t)(i % CLASSES);
}

static void clear_rig(rig *r)
{
    cst_learner_clear(&r->learner);
    cst_module_free(r->model);
}

static cst_batch batch_of(const rig *r, size_t n)
{
    return (cst_batch){.n = n, .x = r->x, .targets = {.labels = r->labels}, .rng = cst_rng_new(1, CST_RNG_DROPOUT)};
}

static cst_step step_good(rig *r, size_t n, double lr)
{
    const cst_batch batch = batch_of(r, n);
    cst_step step;
    cst_error error = {0};
    test_assert_ok("step", cst_learner_step(&r->learner, &batch, lr, &step, &error), &error);
    return step;
}

static cst_step evaluate_good(rig *r, size_t n)
{
    const cst_batch batch = batch_of(r, n);
    cst_step step;
    cst_error error = {0};
    test_assert_ok("evaluation", cst_learner_evaluate(&r->learner, &batch, &step, &error), &error);
    return step;
}

/* ---- learning ------------------------------------------------------------------------------------------------ */

static void assert_about(const char *what, double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance * fabs(expected)))
        fail_msg("%s: expected %.9g, got %.9g", what, expected, got);
}

/* A step of length lr |g| against the gradient lowers the loss by lr |g|^2, but for terms of second order: a gradient
 * too long by a factor would promise more than it keeps. */
static void test_gradient(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        setup s = usual;
        s.threads = threads;
        make_rig(&one, &s);
        const double before = evaluate_good(&one, 32).loss, lr = 1e-3;
        const cst_step step = step_good(&one, 32, lr);
        assert_true(step.loss == before && step.grad_norm > 0.1);
        const double after = evaluate_good(&one, 32).loss, promised = lr * step.grad_norm * step.grad_norm;
        assert_about("decrease", before - after, promised, 0.01);
        clear_rig(&one);
    }
}

static void test_learning(void **state)
{
    (void)state;
    for (size_t i = 0; cst_optimizer_types[i]; i++) {
        char json[80];
        snprintf(json, sizeof json, JSON({"type": "%s"}), cst_optimizer_types[i]->name);
        setup s = usual;
        s.optimizer = json;
        make_rig(&one, &s);
        const double before = step_good(&one, 32, 0.03).loss;
        for (size_t k = 1; k < 30; k++) step_good(&one, 32, 0.03);
        const double after = evaluate_good(&one, 32).loss;
        if (!(after < 0.95 * before)) fail_msg("%s: a loss of %g became %g", json, before, after);
        assert_int_equal(one.learner.updates, 30);
        clear_rig(&one);
    }
}

/* The clipped step is the share 0.01 / (norm + 1e-6) of the other; the norm told is the one before. */
static void test_clipping(void **state)
{
    (void)state;
    setup s = usual;
    make_rig(&one, &s);
    s.clip = 0.01;
    make_rig(&other, &s);
    real before[200], expected[200];
    const size_t n = one.model->n_params;
    assert_in_range(n, 1, 200);
    memcpy(before, one.learner.theta, n * sizeof *before);
    const double norm = step_good(&one, 32, 1).grad_norm, share = 0.01 / (norm + 1e-6);
    assert_true(step_good(&other, 32, 1).grad_norm == norm);
    for (size_t i = 0; i < n; i++)
        expected[i] = (real)((double)before[i] + share * ((double)one.learner.theta[i] - (double)before[i]));
    test_assert_close("clipped", other.learner.theta, expected, n, 4 * (double)CST_REAL_EPSILON);
    clear_rig(&one);
    clear_rig(&other);
}

/* What the block, the second layer, did in a step is told, and added to its counts and the totals. */
static void test_counts(void **state)
{
    (void)state;
    make_rig(&one, &usual);
    uint64_t nfe[CST_N_DIRECTIONS] = {0};
    for (size_t k = 0; k < 3; k++) {
        const cst_step step = step_good(&one, 32, 0.1);
        for (int d = 0; d < CST_N_DIRECTIONS; d++) {
            assert_true(step.counts[d].nfe > 0 && step.counts[d].solves == 1 && step.counts[d].failed == 0);
            nfe[d] += step.counts[d].nfe;
            assert_int_equal(one.learner.tally.total[d].nfe, nfe[d]);
        }
    }
    assert_int_equal(one.learner.tally.n_blocks, 8);
    assert_string_equal(one.learner.tally.blocks[4].name, "1.field.0");
    for (size_t i = 0; i < 8; i++) {
        const cst_block_counts *block = &one.learner.tally.blocks[i];
        const bool is_ode = strcmp(block->name, "1") == 0;
        for (int d = 0; d < CST_N_DIRECTIONS; d++) assert_int_equal(block->counts[d].nfe, is_ode ? nfe[d] : 0);
    }
    const cst_step step = evaluate_good(&one, 32);
    assert_true(step.counts[CST_FORWARD].nfe > 0 && step.counts[CST_BACKWARD].nfe == 0 && step.grad_norm == 0);
    assert_int_equal(one.learner.tally.total[CST_FORWARD].nfe, nfe[CST_FORWARD]);
    assert_int_equal(one.learner.evaluation.total[CST_FORWARD].nfe, step.counts[CST_FORWARD].nfe);
    clear_rig(&one);
}

/* ---- failures ------------------------------------------------------------------------------------------------ */

/* z' = z^2 blows up at t = 1 / z(0); from far below 0 it takes its time, more than the backward solve is given. */
static const char square_model[] = SEQUENTIAL(LINEAR(
    "2") ", {'type': 'ode', 'field': {'type': 'square'}, 'gradient': {'solver': {'max_num_steps': 5}}}, " LINEAR("3"));

typedef struct mishap {
    real x;        /* of a row's first component; 0: as it was */
    int32_t label; /* of a row; 0: as it was */
    cst_status status;
    const char *message;
    int failed[CST_N_DIRECTIONS]; /* solves */
} mishap;

static const mishap mishaps[] = {
    {0, 7, CST_ENONFINITE, "the loss is ", {0, 0}},
    {(real)NAN, 0, CST_ENONFINITE, "non-finite values at t=0", {1, 0}},
    {3, 0, CST_EUNDERFLOW, "dt underflow at t=0.33", {1, 0}},
    {-1000, 0, CST_EMAXSTEPS, "max_num_steps exceeded (5)", {0, 1}},
};

static void make_square_rig(rig *r)
{
    setup s = usual;
    s.model = square_model;
    s.optimizer = JSON({"type": "adam"});
    make_rig(r, &s);
    for (size_t i = 0; i < MAX_ROWS * D; i++) r->x[i] *= (real)0.1;
    const real identity[6] = {1, 0, 0, 1, 0, 0}; /* weight and bias of the first layer */
    memcpy(r->learner.theta, identity, sizeof identity);
}

static void fail_step(rig *r, const mishap *m)
{
    const real x = r->x[18];
    const int32_t label = r->labels[9];
    if (m->x != 0) r->x[18] = m->x;
    if (m->label != 0) r->labels[9] = m->label;
    const cst_batch batch = batch_of(r, 32);
    cst_step step;
    cst_error error = {0};
    const cst_status status = cst_learner_step(&r->learner, &batch, 0.01, &step, &error);
    if (status != m->status) fail_msg("expected %s, got %s: %s", m->message, cst_status_name(status), error.message);
    if (!strstr(error.message, m->message)) fail_msg("expected %s, got %s", m->message, error.message);
    for (int d = 0; d < CST_N_DIRECTIONS; d++) assert_int_equal(step.counts[d].failed, m->failed[d]);
    r->x[18] = x;
    r->labels[9] = label;
}

static void assert_same_learner(const char *what, const rig *a, const rig *b)
{
    const size_t n = a->model->n_params;
    test_assert_same_bits(what, a->learner.theta, b->learner.theta, n);
    for (size_t i = 0; i < CST_OPTIMIZER_SLOTS; i++)
        test_assert_same_bits(what, a->learner.slot[i], b->learner.slot[i], n);
    assert_int_equal(a->learner.updates, b->learner.updates);
}

/* Who failed between two steps goes on as who did not. */
static void test_failures(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mishaps / sizeof mishaps[0]; i++) {
        make_square_rig(&one);
        make_square_rig(&other);
        for (size_t k = 0; k < 3; k++) {
            fail_step(&one, &mishaps[i]);
            assert_same_learner(mishaps[i].message, &one, &other);
            assert_true(step_good(&one, 32, 1e-3).loss == step_good(&other, 32, 1e-3).loss);
        }
        clear_rig(&one);
        clear_rig(&other);
    }
}

/* y = W2 W1 x and an l1 loss, all finite; the gradient of W1, W2^T sign x, is not. */
static void test_overflow(void **state)
{
    (void)state;
    const real values[32] = {0}, x[2] = {CST_REAL_MAX / 16, 0};
    setup s = usual;
    s.model = SEQUENTIAL(LINEAR("1") ", " LINEAR("1"));
    s.loss = "l1";
    s.clip = 0.5;
    make_rig(&one, &s);
    const real theta[5] = {(real)0x1p-10, 0, 0, 64, 0};
    memcpy(one.learner.theta, theta, sizeof theta);
    const cst_batch batch = {.n = 1, .x = x, .targets = {.values = values}};
    cst_step step;
    cst_error error = {0};
    test_assert_error(cst_learner_step(&one.learner, &batch, 0.01, &step, &error), CST_ENONFINITE, &error,
                      "the gradient's norm is inf");
    test_assert_same_bits("theta", one.learner.theta, theta, 5);
    assert_int_equal(one.learner.updates, 0);
    clear_rig(&one);
}

/* ---- evaluation ---------------------------------------------------------------------------------------------- */

/* Mean of log sum exp(y) - y[label], and the rows whose largest score is the label's, from the scores themselves. */
static void expect_cross_entropy(const rig *r, size_t n, double *loss, size_t *correct)
{
    *loss = 0;
    *correct = 0;
    for (size_t i = 0; i < n; i++) {
        const real *y = r->learner.y + i * CLASSES;
        const double chosen = (double)y[r->labels[i]];
        double sum = 0;
        bool largest = true;
        for (size_t j = 0; j < CLASSES; j++) {
            sum += exp((double)y[j]);
            largest = largest && (double)y[j] <= chosen;
        }
        *loss += (log(sum) - chosen) / (double)n;
        *correct += largest;
    }
}

static void test_evaluation(void **state)
{
    (void)state;
    setup s = usual;
    s.model = dropout_model;
    make_rig(&one, &s);
    const uint64_t theta = test_checksum(one.learner.theta, one.model->n_params);
    for (size_t n = 1; n <= 32; n += 31) {
        const cst_step step = evaluate_good(&one, n);
        double loss;
        size_t correct;
        expect_cross_entropy(&one, n, &loss, &correct);
        assert_about("loss", step.loss, loss, 1e-13);
        assert_int_equal(step.correct, correct);
        assert_true(step_good(&one, n, 0).loss != loss); /* there dropout takes part; at lr 0 theta stays */
    }
    assert_true(test_checksum(one.learner.theta, one.model->n_params) == theta);
    clear_rig(&one);
}

/* bce_with_logits on labels of two classes: the learner makes the values. */
static void test_labels(void **state)
{
    (void)state;
    setup s = usual;
    s.model = LINEAR("1");
    s.loss = "bce_with_logits";
    make_rig(&one, &s);
    for (size_t i = 0; i < MAX_ROWS; i++) one.labels[i] = i % 3 == 0;
    const cst_step step = evaluate_good(&one, 32);
    double loss = 0;
    size_t correct = 0;
    for (size_t i = 0; i < 32; i++) {
        const double logit = (double)one.learner.y[i], p = 1 / (1 + exp(-logit));
        loss -= log(one.labels[i] ? p : 1 - p) / 32;
        correct += (logit > 0) == (one.labels[i] == 1);
    }
    assert_about("loss", step.loss, loss, 1e-13);
    assert_int_equal(step.correct, correct);
    assert_true(step_good(&one, 32, 0.1).grad_norm > 0);
    assert_true(evaluate_good(&one, 32).loss < step.loss);
    clear_rig(&one);
}

/* ---- refusals, sizes ----------------------------------------------------------------------------------------- */

static void test_no_optimizer(void **state)
{
    (void)state;
    setup s = usual;
    s.optimizer = NULL;
    make_rig(&one, &s);
    const cst_batch batch = batch_of(&one, 4);
    cst_step step;
    cst_error error = {0};
    assert_true(evaluate_good(&one, 4).loss > 0);
    test_assert_error(cst_learner_step(&one.learner, &batch, 0.1, &step, &error), CST_EARG, &error,
                      "a learner without an optimizer cannot step");
    clear_rig(&one);
}

static void test_batch_sizes(void **state)
{
    (void)state;
    static const size_t bad[] = {0, 33, SIZE_MAX};
    make_rig(&one, &usual);
    const uint64_t theta = test_checksum(one.learner.theta, one.model->n_params);
    for (size_t i = 0; i < 3; i++) {
        const cst_batch batch = batch_of(&one, bad[i]);
        cst_step step;
        cst_error error = {0};
        char message[80];
        snprintf(message, sizeof message, "expected a batch of 1 to 32 rows, got %zu", bad[i]);
        test_assert_error(cst_learner_step(&one.learner, &batch, 0.1, &step, &error), CST_EARG, &error, message);
        test_assert_error(cst_learner_evaluate(&one.learner, &batch, &step, &error), CST_EARG, &error, message);
    }
    assert_true(test_checksum(one.learner.theta, one.model->n_params) == theta);
    for (size_t n = 1; n <= 32; n++)
        assert_true(isfinite(step_good(&one, n, 0.1).loss)); /* also what was not planned */
    clear_rig(&one);
}

static void test_plan(void **state)
{
    (void)state;
    setup s = usual;
    s.optimizer = JSON({"type": "adam"});
    make_rig(&one, &s);
    const size_t few = 32, many = SIZE_MAX / 64;
    cst_learner_options options = {.optimizer = &one.optimizer, .threads = 1, .rows = &few, .n_rows = 1};
    cst_memory_plan plan;
    cst_error error = {0};
    assert_int_equal(cst_learner_plan(one.model, &options, &plan, NULL), CST_OK);
    assert_true(plan.params >= 4 * one.model->n_params && plan.state >= few * 3 * CLASSES && plan.cache > 0);
    assert_int_equal(plan.params + plan.state + plan.cache + plan.work, one.learner.arena.size);
    assert_int_equal(one.learner.arena.used, one.learner.arena.size);
    options.n_rows = 0; /* nothing is planned, and no batch is taken */
    cst_learner none;
    const cst_rng rng = cst_rng_new(1, CST_RNG_INIT);
    const cst_batch batch = batch_of(&one, 1);
    assert_int_equal(cst_learner_init(&none, one.model, &options, rng, NULL), CST_OK);
    assert_int_equal(cst_learner_evaluate(&none, &batch, &(cst_step){0}, NULL), CST_EARG);
    cst_learner_clear(&none);
    options.n_rows = 1;
    options.rows = &many;
    test_assert_error(cst_learner_plan(one.model, &options, &plan, &error), CST_EARG, &error,
                      "the model needs more memory than can be addressed with batches of 288230376151711743 rows");
    assert_int_equal(cst_learner_init(&none, one.model, &options, rng, NULL), CST_EARG);
    clear_rig(&one);
}

/* ---- allocations --------------------------------------------------------------------------------------------- */

/* After two rounds, in which threads and the BLAS may set themselves up. */
static void test_allocations(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        setup s = usual;
        s.model = ODE_MODEL("32"); /* wide enough for a batch to be cut */
        s.optimizer = JSON({"type": "adamw"});
        s.clip = 1;
        s.threads = threads;
        s.rows = MAX_ROWS;
        n_allocations = 0;
        make_rig(&one, &s);
        if (n_allocations == 0) skip(); /* where a tool's allocator, valgrind's, comes before even the program's */
        for (size_t k = 0; k < 2; k++) step_good(&one, MAX_ROWS, 0.01), evaluate_good(&one, MAX_ROWS);
        n_allocations = 0;
        for (size_t k = 0; k < 10; k++) step_good(&one, MAX_ROWS, 0.01), evaluate_good(&one, MAX_ROWS);
        const size_t n = n_allocations;
        if (n != 0) fail_msg("%zu allocations in ten iterations with %d threads", n, threads);
        clear_rig(&one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient),    cmocka_unit_test(test_learning), cmocka_unit_test(test_clipping),
        cmocka_unit_test(test_counts),      cmocka_unit_test(test_failures), cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_evaluation),  cmocka_unit_test(test_labels),   cmocka_unit_test(test_no_optimizer),
        cmocka_unit_test(test_batch_sizes), cmocka_unit_test(test_plan),     cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
