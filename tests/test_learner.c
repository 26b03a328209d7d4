/* Training steps: their gradient is the loss's, failures leave no trace; evaluation and batch sizes.
 * test_learner_memory.c has memory and allocations. */
#include "tests/learner_rig.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static rig one, other; /* too large for a stack */

/* ---- learning ------------------------------------------------------------------------------------------------ */

static void assert_about(const char *what, double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance * fabs(expected)))
        fail_msg("%s: expected %.9g, got %.9g", what, expected, got);
}

/* A step of length lr |g| against the gradient lowers the loss by lr |g|^2, up to terms of second order. A gradient
 * that is too long by a factor predicts a larger decrease than the step has. */
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

/* The clipped step is 0.01 / (norm + 1e-6) times the other step. The reported norm is that before clipping. */
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

/* A step reports the counts of its ODE block, the second layer, and adds them to the block's counts and the totals. */
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

/* z' = z^2 blows up at t = 1 / z(0). From far below 0 it is stiff, and needs more steps backward than allowed. */
static const char square_model[] = SEQUENTIAL(LINEAR(
    "2") ", {'type': 'ode', 'field': {'type': 'square'}, 'gradient': {'solver': {'max_num_steps': 5}}}, " LINEAR("3"));

typedef struct mishap {
    real x;        /* for a row's first component; 0: unchanged */
    int32_t label; /* for a row; 0: unchanged */
    cst_status status;
    const char *message;
    int failed[CST_N_DIRECTIONS]; /* number of failed solves */
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

/* A learner whose steps failed in between continues like one whose steps did not. */
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

/* y = W2 W1 x and an l1 loss are finite, but the gradient of W1, W2^T sign x, is not. */
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

/* From the scores: the mean of log sum exp(y) - y[label], and the number of rows whose largest score is the label's. */
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

static const char dropout_model[] =
    SEQUENTIAL(LINEAR("16") ", {'type': 'tanh'}, {'type': 'dropout', 'p': 0.4}, " LINEAR("3"));

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
        assert_true(step_good(&one, n, 0).loss != loss); /* a training step applies dropout; lr 0 keeps theta */
    }
    assert_true(test_checksum(one.learner.theta, one.model->n_params) == theta);
    clear_rig(&one);
}

/* bce_with_logits on labels of two classes: the learner makes the targets from the labels. */
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
        assert_true(isfinite(step_good(&one, n, 0.1).loss)); /* also sizes that were not planned */
    clear_rig(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient),    cmocka_unit_test(test_learning), cmocka_unit_test(test_clipping),
        cmocka_unit_test(test_counts),      cmocka_unit_test(test_failures), cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_evaluation),  cmocka_unit_test(test_labels),   cmocka_unit_test(test_no_optimizer),
        cmocka_unit_test(test_batch_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
