/* Something to learn at every time of a series: a batch of these is to the loss what its times are that have a label or a
 * target, one row each. */
#include "tests/helpers.h"

#include "layers/linear.h"
#include "models/registry.h"

#include <math.h>
#include <string.h>

enum { N = 4, STEPS = 3, IN = 2, OUT = 3, ROWS = N * STEPS };

typedef struct pupil {
    cst_module *model;
    cst_optimizer optimizer;
    cst_learner learner;
} pupil;

static void pupil_init(pupil *p, const cst_shape *x, size_t out, const char *loss, size_t rows)
{
    cst_error error = {0};
    cst_document *optimizer = test_parse("{'type': 'sgd'}");
    test_assert_ok("optimizer", cst_optimizer_read(cst_document_root(optimizer), &p->optimizer, &error), &error);
    cst_document_free(optimizer);
    const cst_linear_options linear = {.out_features = out, .bias = true};
    test_assert_ok("model", cst_linear_new(x, &linear, &p->model, &error), &error);
    const cst_learner_options o = {
        .loss = cst_loss_find(loss), .optimizer = &p->optimizer, .threads = 1, .rows = &rows, .n_rows = 1};
    const cst_rng rng = cst_rng_new(5, CST_RNG_INIT);
    test_assert_ok("learner", cst_learner_init(&p->learner, p->model, &o, rng, &error), &error);
}

static void pupil_clear(pupil *p)
{
    cst_learner_clear(&p->learner);
    cst_module_free(p->model);
}

/* One step with the batch, whose targets may be missing, and one with the rows alone that have theirs. */
static void compare(const char *loss, size_t out, const cst_batch *batch, const cst_batch *rest, double weight)
{
    pupil series, rows;
    cst_step got, expected;
    cst_error error = {0};
    pupil_init(&series, &(cst_shape){2, {STEPS, IN}}, out, loss, N);
    pupil_init(&rows, &(cst_shape){1, {IN}}, out, loss, rest->n);
    test_assert_ok(loss, cst_learner_evaluate(&series.learner, batch, &got, &error), &error);
    test_assert_ok(loss, cst_learner_evaluate(&rows.learner, rest, &expected, &error), &error);
    for (int i = 0; i < 2; i++) {
        const double tolerance = 8 * (double)CST_REAL_EPSILON;
        test_assert_close("loss", &(real){(real)got.loss}, &(real){(real)expected.loss}, 1, tolerance);
        assert_int_equal(got.correct, expected.correct);
        assert_int_equal(got.targeted, rest->n);
        assert_true(expected.weight == (double)rest->n && fabs(got.weight - weight) < 1e-15);
        if (i == 1) test_assert_close("gradient", series.learner.grad, rows.learner.grad, IN * out + out, tolerance);
        test_assert_ok(loss, cst_learner_step(&series.learner, batch, 0.1, &got, &error), &error);
        test_assert_ok(loss, cst_learner_step(&rows.learner, rest, 0.1, &expected, &error), &error);
    }
    pupil_clear(&series);
    pupil_clear(&rows);
}

static void test_labels(void **state)
{
    (void)state;
    static const int32_t labels[ROWS] = {2, -1, 0, 1, 2, -1, -1, -1, -1, 0, 0, 2};
    real x[ROWS * IN], rest_x[ROWS * IN];
    int32_t rest_labels[ROWS];
    size_t n = 0;
    test_random(1, x, ROWS * IN, 1);
    for (size_t i = 0; i < ROWS; i++) {
        if (labels[i] < 0) continue;
        memcpy(rest_x + n * IN, x + i * IN, IN * sizeof *x);
        rest_labels[n++] = labels[i];
    }
    const cst_batch batch = {.n = N, .steps = STEPS, .x = x, .targets = {.labels = labels}};
    const cst_batch rest = {.n = n, .x = rest_x, .targets = {.labels = rest_labels}};
    compare("cross_entropy", OUT, &batch, &rest, 7.0 / STEPS);
    /* Two classes as one score, whose targets are made from the labels. */
    static const int32_t binary[ROWS] = {1, -1, 0, 1, 0, -1, -1, -1, -1, 0, 0, 1};
    const int32_t rest_binary[] = {1, 0, 1, 0, 0, 0, 1};
    cst_batch two = batch, rest_two = rest;
    two.targets.labels = binary;
    rest_two.targets.labels = rest_binary;
    compare("bce_with_logits", 1, &two, &rest_two, 7.0 / STEPS);
}

static void test_targets(void **state)
{
    (void)state;
    real x[ROWS * IN], rest_x[ROWS * IN], targets[ROWS * OUT], rest_targets[ROWS * OUT];
    size_t n = 0;
    test_random(2, x, ROWS * IN, 1);
    for (size_t i = 0; i < ROWS; i++) {
        const bool there = i % 3 != 1 && i != 11;
        for (size_t j = 0; j < OUT; j++) targets[i * OUT + j] = there ? (real)((i + j) % 2) : (real)NAN;
        if (!there) continue;
        memcpy(rest_x + n * IN, x + i * IN, IN * sizeof *x);
        memcpy(rest_targets + n++ * OUT, targets + i * OUT, OUT * sizeof *x);
    }
    const cst_batch batch = {.n = N, .steps = STEPS, .x = x, .targets = {.values = targets}};
    const cst_batch rest = {.n = n, .x = rest_x, .targets = {.values = rest_targets}};
    compare("mse", OUT, &batch, &rest, 7.0 / STEPS);
    compare("l1", OUT, &batch, &rest, 7.0 / STEPS);
    compare("bce_with_logits", OUT, &batch, &rest, 7.0 / STEPS);
}

static void test_nothing_there(void **state)
{
    (void)state;
    const int32_t labels[ROWS] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    real x[ROWS * IN];
    pupil p;
    cst_step step;
    cst_error error = {0};
    test_random(3, x, ROWS * IN, 1);
    pupil_init(&p, &(cst_shape){2, {STEPS, IN}}, OUT, "cross_entropy", N);
    const cst_batch batch = {.n = N, .steps = STEPS, .x = x, .targets = {.labels = labels}};
    test_assert_ok("step", cst_learner_step(&p.learner, &batch, 0.1, &step, &error), &error);
    assert_true(step.loss == 0 && step.weight == 0 && step.targeted == 0 && step.correct == 0 && step.grad_norm == 0);
    pupil_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_nothing_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
