/* Labels or targets at every time of a series. For the loss, such a batch is the set of its times that have a label or
 * a target, one row each. */
#include "tests/data_files.h"
#include "tests/helpers.h"

#include "formats/npy.h"
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
    cst_document *optimizer = test_parse(JSON({"type": "sgd"}));
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

/* One training step with the batch, whose targets may be missing, and one with only those rows that have them. */
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
    /* Two classes as one score, with targets made from the labels. */
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
        const bool present = i % 3 != 1 && i != 11;
        for (size_t j = 0; j < OUT; j++) targets[i * OUT + j] = present ? (real)((i + j) % 2) : (real)NAN;
        if (!present) continue;
        memcpy(rest_x + n * IN, x + i * IN, IN * sizeof *x);
        memcpy(rest_targets + n++ * OUT, targets + i * OUT, OUT * sizeof *x);
    }
    const cst_batch batch = {.n = N, .steps = STEPS, .x = x, .targets = {.values = targets}};
    const cst_batch rest = {.n = n, .x = rest_x, .targets = {.values = rest_targets}};
    compare("mse", OUT, &batch, &rest, 7.0 / STEPS);
    compare("l1", OUT, &batch, &rest, 7.0 / STEPS);
    compare("bce_with_logits", OUT, &batch, &rest, 7.0 / STEPS);
}

static void test_no_targets(void **state)
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

/* ---- training ------------------------------------------------------------------------------------------------ */

enum { SERIES = 7, TIMES = 5, CLASSES = 3 };

/* Series of two channels with any ends, and labels at some of their times; returns the number of labels. */
static size_t write_series(int32_t labels[SERIES * TIMES])
{
    char path[TEST_PATH];
    real x[SERIES * TIMES * 2];
    size_t n = 0;
    test_random(4, x, SERIES * TIMES * 2, 1);
    for (size_t i = 0; i < SERIES * TIMES; i++) {
        const size_t series = i / TIMES, time = i % TIMES;
        labels[i] = (i + series) % 4 == 1 || time > series ? -1 : (int32_t)(i % CLASSES);
        n += labels[i] >= 0;
    }
    const cst_shape shape = {3, {SERIES, TIMES, 2}}, times = {2, {SERIES, TIMES}};
    assert_int_equal(cst_npy_write(test_path("x.npy", path), CST_NPY_REAL, &shape, x, NULL), CST_OK);
    assert_int_equal(cst_npy_write(test_path("y.npy", path), CST_NPY_I4, &times, labels, NULL), CST_OK);
    return n;
}

/* A readout at every time of these series. */
static void make_run(test_run *run, size_t batch_size, size_t eval_batch_size)
{
    char json[1024];
    snprintf(
        json, sizeof json,
        "{'name': 'a', 'threads': 1, 'epochs': 2, 'data': {'type': 'series_npy', 'path': '%s', 'train_x': 'x.npy', "
        "'train_y': 'y.npy', 'test_x': 'x.npy', 'test_y': 'y.npy', 'batch_size': %zu, 'eval_batch_size': %zu}, "
        "'model': {'type': 'linear', 'out_features': 3}, 'optimizer': {'type': 'sgd', 'lr': 0.1}}",
        test_root, batch_size, eval_batch_size);
    test_run_init(run, json, NULL);
}

/* The loss of a split is the mean over its labels however it is cut into batches. So is the accuracy. */
static void test_evaluation(void **state)
{
    (void)state;
    static int32_t labels[SERIES * TIMES];
    const size_t n = write_series(labels);
    double loss = 0;
    size_t correct = 0;
    for (size_t size = 1; size <= SERIES + 1; size++) {
        test_run run;
        cst_evaluation r;
        cst_error error = {0};
        make_run(&run, SERIES, size);
        test_assert_ok("evaluation", cst_trainer_evaluate(&run.trainer, &run.experiment.data.test, &r, &error), &error);
        assert_true(r.rows == SERIES && r.targeted == n && r.correct <= n);
        test_assert_near("accuracy", r.accuracy, (double)r.correct / (double)n, 1e-15);
        if (size == 1) {
            loss = r.loss;
            correct = r.correct;
        }
        test_assert_near("loss", r.loss, loss, 4 * (double)CST_REAL_EPSILON);
        assert_int_equal(r.correct, correct);
        /* By hand, one label at a time. */
        const cst_dataset *data = &run.experiment.data;
        double sum = 0;
        real x[TIMES * 3];
        const real *w = run.trainer.learner.theta, *b = w + 9;
        for (size_t i = 0; i < SERIES * TIMES; i++) {
            if (labels[i] < 0) continue;
            double y[CLASSES], total = 0;
            cst_dataset_gather(data, &data->test, (const size_t[]){i / TIMES}, 1, x, NULL, NULL);
            for (size_t j = 0; j < CLASSES; j++) {
                y[j] = (double)b[j];
                for (size_t c = 0; c < 3; c++) y[j] += (double)w[j * 3 + c] * (double)x[i % TIMES * 3 + c];
                total += exp(y[j]);
            }
            sum += log(total) - y[labels[i]];
        }
        test_assert_near("loss by hand", r.loss, sum / (double)n, 100 * (double)CST_REAL_EPSILON);
        test_run_clear(&run);
    }
}

static void test_epochs(void **state)
{
    (void)state;
    static int32_t labels[SERIES * TIMES];
    test_run run;
    cst_error error = {0};
    write_series(labels);
    make_run(&run, 3, 4);
    cst_evaluation train, test;
    const cst_dataset *data = &run.experiment.data;
    test_assert_ok("before", cst_trainer_evaluate(&run.trainer, &data->train, &train, &error), &error);
    test_assert_ok("before", cst_trainer_evaluate(&run.trainer, &data->test, &test, &error), &error);
    test_assert_ok("training", cst_trainer_run(&run.trainer, &error), &error);
    const cst_metrics *m = run.trainer.training.metrics;
    assert_int_equal(run.trainer.training.n_metrics, 2);
    assert_true(m[1].train_loss < train.loss && m[1].test_loss < test.loss);
    assert_true(m[0].train_accuracy >= 0 && m[0].train_accuracy <= 1);
    test_run_clear(&run);
}

static void refuse_model(const char *model, const char *loss, const char *message)
{
    char json[1024];
    cst_experiment e;
    cst_error error = {0};
    snprintf(json, sizeof json,
             "{'name': 'a', 'epochs': 1, 'data': {'type': 'series_npy', 'path': '%s', 'train_x': 'x.npy', 'train_y': "
             "'y.npy'}, 'model': %s, 'loss': '%s'}",
             test_root, model, loss);
    cst_document *document = test_parse(json);
    test_assert_error(cst_experiment_new(document, &e, &error), CST_ECONFIG, &error, message);
    cst_document_free(document);
}

static void test_models_that_do_not_fit(void **state)
{
    (void)state;
    static int32_t labels[SERIES * TIMES];
    write_series(labels);
    refuse_model(
        JSON({"type": "linear", "out_features": 2}), "cross_entropy",
        "test.json: model: expected rows of shape (5, 3), one output per class at each time of a series, got (5, 2)");
    refuse_model(
        JSON({"type": "sequential", "layers": [{"type": "flatten"}, {"type": "linear", "out_features": 15}]}),
        "cross_entropy",
        "test.json: model: expected rows of shape (5, 3), one output per class at each time of a series, got (15)");
    refuse_model(JSON({"type": "linear", "out_features": 1}), "bce_with_logits",
                 "test.json: model: bce_with_logits expects 2 classes and one output, got 3 classes and rows of shape "
                 "(5, 1)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),     cmocka_unit_test(test_targets),
        cmocka_unit_test(test_no_targets), cmocka_unit_test(test_evaluation),
        cmocka_unit_test(test_epochs),     cmocka_unit_test(test_models_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
