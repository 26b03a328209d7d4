/* Training as a whole: it learns, it is the same twice, and the same whether or not it was interrupted; failures, and
 * callbacks. */
#include "tests/data_files.h"
#include "tests/helpers.h"
#include "train/checkpoint.h"

#include <math.h>

#define LINEAR(out) "{'type': 'linear', 'out_features': " out "}"
#define SEQUENTIAL(layers) "{'type': 'sequential', 'layers': [" layers "]}"
#define CONFIG(data, model, rest) "{'name': 'a', 'data': {" data "}, 'model': " model ", " rest "}"

/* Three batches of training and three of validation per epoch; the last of each is smaller. */
#define SPIRALS                                                                                                        \
    "'type': 'spirals', 'train_size': 45, 'validation_size': 20, 'test_size': 0, 'batch_size': 16, "                   \
    "'eval_batch_size': 8"
#define FIELD SEQUENTIAL("{'type': 'concat_time'}, " LINEAR("8") ", {'type': 'tanh'}")
#define ODE_NET                                                                                                        \
    SEQUENTIAL(LINEAR("8") ", {'type': 'ode', 'field': " FIELD "}, {'type': 'dropout', 'p': 0.2}, " LINEAR("2"))
enum { ITERATIONS = 3, EVALUATIONS = 3 };

/* z' = z^2 blows up at t = 1 / z(0). */
#define SQUARE JSON({"type": "ode", "field": {"type": "square"}})

/* A model with dropout, and with all the state that changes from epoch to epoch. */
static const char everything[] =
    CONFIG(SPIRALS, ODE_NET,
           "'seed': 3, 'threads': 1, 'epochs': 8, 'save_every': 0, 'optimizer': {'type': 'adam', 'lr': 0.05}, "
           "'schedule': {'type': 'plateau', 'patience': 1, 'factor': 0.5, 'warmup': 5, 'warmup_unit': 'iterations'}, "
           "'early_stopping': {'patience': 3, 'min_delta': 0.01}, 'monitor': 'validation_loss', 'clip_grad_norm': 1");

static void run_good(test_run *run)
{
    cst_error error = {0};
    test_assert_ok("run", cst_trainer_run(&run->trainer, &error), &error);
}

static const cst_metrics *last_metrics(const test_run *run)
{
    assert_true(run->trainer.training.n_metrics > 0);
    return &run->trainer.training.metrics[run->trainer.training.n_metrics - 1];
}

/* ---- learning ------------------------------------------------------------------------------------------------ */

static void test_learns(void **state)
{
    (void)state;
    test_run run;
    test_run_init(&run,
                  CONFIG("'type': 'circles', 'train_size': 100, 'test_size': 100, 'batch_size': 20",
                         SEQUENTIAL(LINEAR("8") ", {'type': 'ode', 'field': " FIELD "}, " LINEAR("2")),
                         "'epochs': 10, 'threads': 1, 'optimizer': {'type': 'adam', 'lr': 0.03}"),
                  NULL);
    run_good(&run);
    const cst_metrics *last = last_metrics(&run);
    assert_int_equal(run.trainer.training.n_metrics, 10);
    if (!(last->train_loss < 0.3 * log(2) && last->test_loss < 0.3 * log(2))) /* log 2 is chance's */
        fail_msg("train loss %g, test loss %g", last->train_loss, last->test_loss);
    assert_true(last->test_accuracy > 0.9 && isnan(last->validation_loss) && cst_trainer_finished(&run.trainer));
    test_run_clear(&run);
}

static void test_same_twice(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        cst_error error = {0};
        test_run runs[3];
        for (size_t i = 0; i < 3; i++) {
            test_run_init(&runs[i], everything, NULL);
            cst_trainer_clear(&runs[i].trainer);
            runs[i].experiment.threads = threads;
            runs[i].experiment.seed += i == 2;
            test_assert_ok("again", cst_trainer_init(&runs[i].trainer, &runs[i].experiment, NULL, &error), &error);
            run_good(&runs[i]);
        }
        test_assert_same_training("twice", &runs[1].trainer, &runs[0].trainer);
        assert_true(last_metrics(&runs[2])->train_loss != last_metrics(&runs[0])->train_loss);
        for (size_t i = 0; i < 3; i++) test_run_clear(&runs[i]);
    }
}

/* Two batches with the same row: each of them gets noise of its own. */
static void test_noise_of_evaluations(void **state)
{
    (void)state;
    test_run run;
    test_run_init(&run,
                  CONFIG("'type': 'circles', 'train_size': 4, 'test_size': 2, 'batch_size': 2, 'eval_batch_size': 1, "
                         "'normalize': false",
                         SEQUENTIAL("{'type': 'dequantize', 'levels': 2}, " LINEAR("2")),
                         "'threads': 1, 'epochs': 1, 'optimizer': {'type': 'sgd'}"),
                  NULL);
    cst_split *rows = &run.experiment.data.test;
    for (size_t i = 0; i < 4; i++) rows->values[i] = (real)0.5;
    rows->labels[0] = rows->labels[1] = 0;
    cst_evaluation both, first;
    assert_int_equal(cst_trainer_evaluate(&run.trainer, rows, &both, NULL), CST_OK);
    rows->n = 1;
    assert_int_equal(cst_trainer_evaluate(&run.trainer, rows, &first, NULL), CST_OK);
    assert_true(isfinite(both.loss) && both.loss != first.loss);
    test_run_clear(&run);
}

/* An accidental change of the numerics shows here: the figures of the second epoch as they were first computed. They
 * are not results, which may improve, but sums, taken so early that rounding errors have not grown. They differ by 5e-7
 * in single precision between kernels of the BLAS. The number of steps of a solve may differ, and is not compared. */
static void test_second_epoch(void **state)
{
    (void)state;
    const double tolerance = sizeof(real) == sizeof(double) ? 1e-9 : 1e-5;
    test_run run;
    test_run_init(&run, everything, NULL);
    run_good(&run);
    assert_true(run.trainer.training.n_metrics > 1);
    const cst_metrics *m = &run.trainer.training.metrics[1];
    test_assert_near("train_loss", m->train_loss, 0.64100157475709107, tolerance);
    test_assert_near("validation_loss", m->validation_loss, 0.51441408834788915, tolerance);
    test_assert_near("grad_norm", m->grad_norm, 0.42605791402716725, tolerance);
    test_run_clear(&run);
}

/* ---- interruption -------------------------------------------------------------------------------------------- */

/* Callbacks that record a run and interrupt it at the nth question. */
typedef struct listener {
    size_t asked, interrupt_at; /* 0: never */
    size_t saved, skipped;
    const char *path;  /* where checkpoints go; NULL: nowhere */
    cst_status answer; /* number of checkpoints */
    cst_error failure; /* of the last batch that was skipped */
} listener;

static bool interrupted(void *context)
{
    listener *l = context;
    return ++l->asked == l->interrupt_at;
}

static cst_status save(void *context, const cst_trainer *trainer, cst_error *error)
{
    listener *l = context;
    l->saved++;
    if (l->answer != CST_OK) return cst_fail(error, l->answer, "the disk is full");
    return l->path ? cst_checkpoint_save(l->path, trainer, error) : CST_OK;
}

static void load_checkpoint(const char *path, cst_trainer *trainer)
{
    int threads;
    cst_safetensors *file;
    cst_error error = {0};
    test_assert_ok("open", cst_checkpoint_open(path, &file, &threads, &error), &error);
    test_assert_ok("load", cst_checkpoint_load(file, trainer, &error), &error);
    assert_int_equal(threads, trainer->experiment->threads);
    cst_safetensors_close(file);
}

/* The message of an interruption at the nth question. A question follows each iteration and each batch of the
 * evaluation. */
static void expect_interruption(test_run *run, size_t nth)
{
    char message[80];
    cst_error error = {0};
    const size_t epoch = (nth - 1) / (ITERATIONS + EVALUATIONS), of_epoch = (nth - 1) % (ITERATIONS + EVALUATIONS) + 1;
    snprintf(message, sizeof message, "interrupted in epoch %zu after iteration %zu", epoch + 1,
             of_epoch < ITERATIONS ? of_epoch : ITERATIONS);
    test_assert_error(cst_trainer_run(&run->trainer, &error), CST_EINTERRUPTED, &error, message);
}

/* After an interruption at that point, both the same trainer continued and a new one from the checkpoint end as `whole` did. */
static void check_interruption(const char *json, size_t nth, const char *path, const cst_trainer *whole)
{
    listener l = {.interrupt_at = nth, .path = path};
    const cst_trainer_events events = {.context = &l, .checkpoint = save, .interrupted = interrupted};
    test_run first, second;
    (void)remove(path);
    test_run_init(&first, json, &events);
    test_run_init(&second, json, NULL);
    expect_interruption(&first, nth);
    assert_int_equal(l.saved, 1);
    load_checkpoint(path, &second.trainer);
    test_assert_same_training("loaded", &second.trainer, &first.trainer);
    l.path = NULL;
    run_good(&first);
    run_good(&second);
    test_assert_same_training("went on", &first.trainer, whole);
    test_assert_same_training("resumed", &second.trainer, whole);
    test_run_clear(&first);
    test_run_clear(&second);
}

/* Interrupt the run at every question, or at every nth. Returns the number of batches that the run skips. */
static double check_interruptions(const char *json, size_t stride)
{
    char path[TEST_PATH];
    double n_skipped = 0;
    listener l = {0};
    const cst_trainer_events events = {.context = &l, .interrupted = interrupted};
    test_run whole;
    test_run_init(&whole, json, &events);
    run_good(&whole);
    const cst_training *training = &whole.trainer.training;
    assert_true(l.asked == training->epoch * (ITERATIONS + EVALUATIONS));
    for (size_t i = 0; i < training->n_metrics; i++) n_skipped += training->metrics[i].skipped;
    for (size_t nth = 1; nth <= l.asked; nth += stride)
        check_interruption(json, nth, test_path("interrupted.safetensors", path), &whole.trainer);
    test_run_clear(&whole);
    return n_skipped;
}

static void test_interruption(void **state)
{
    (void)state;
    assert_true(check_interruptions(everything, 1) == 0);
    /* Two threads, batches that fail and are skipped, a rate that changes per epoch, another optimizer. */
    assert_true(
        check_interruptions(CONFIG(SPIRALS ", 'noise': 0.3", SEQUENTIAL(SQUARE ", " ODE_NET),
                                   "'threads': 2, 'epochs': 4, 'save_every': 0, 'on_failure': 'skip', 'optimizer': "
                                   "{'type': 'rmsprop', 'momentum': 0.9}, 'schedule': {'type': 'cosine', 'warmup': 1}"),
                            5) > 0);
}

/* ---- failures ------------------------------------------------------------------------------------------------ */

/* Rows with a component above 1 blow up before the time 1. Each row is a batch of its own. */
#define BLOW_UP(rest)                                                                                                  \
    CONFIG(                                                                                                            \
        "'type': 'circles', 'noise': 0.4, 'train_size': 20, 'validation_size': 10, 'test_size': 0, 'batch_size': 1, "  \
        "'eval_batch_size': 1",                                                                                        \
        SEQUENTIAL(SQUARE ", " LINEAR("2")), "'epochs': 2, 'threads': 1, 'seed': 6" rest)

static bool is_bad(const cst_split *split, size_t row)
{
    const double larger = fmax((double)split->values[2 * row], (double)split->values[2 * row + 1]);
    assert_true(fabs(larger - 1) > 0.01); /* independent of tolerances */
    return larger > 1;
}

static size_t count_bad(const cst_split *split)
{
    size_t n = 0;
    for (size_t i = 0; i < split->n; i++) n += is_bad(split, i);
    assert_in_range(n, 2, split->n - 2);
    return n;
}

static void skipped(void *context, const cst_trainer *trainer, const cst_error *error)
{
    listener *l = context;
    (void)trainer;
    l->skipped++;
    l->failure = *error;
}

/* The loss is the mean over the rows that did not fail. Rows that failed count as wrong. */
static void check_evaluation(test_run *run, const cst_split *split)
{
    cst_evaluation r;
    cst_error error = {0};
    test_assert_ok("evaluation", cst_trainer_evaluate(&run->trainer, split, &r, &error), &error);
    const size_t bad = count_bad(split);
    double loss = 0;
    size_t correct = 0;
    for (size_t i = 0; i < split->n; i++) {
        const cst_batch batch = {.n = 1, .x = split->values + 2 * i, .targets = {.labels = split->labels + i}};
        cst_step step;
        if (cst_learner_evaluate(&run->trainer.learner, &batch, &step, NULL) != CST_OK) continue;
        loss += step.loss / (double)(split->n - bad);
        correct += step.correct;
    }
    assert_true(r.rows == split->n && r.skipped == bad && r.correct == correct && r.nfe > 0);
    test_assert_near("loss", r.loss, loss, 1e-14);
    test_assert_near("accuracy", r.accuracy, (double)correct / (double)split->n, 1e-15);
}

static void test_skip(void **state)
{
    (void)state;
    listener l = {0};
    const cst_trainer_events events = {.context = &l, .skipped = skipped};
    test_run run;
    test_run_init(&run, BLOW_UP(", 'on_failure': 'skip'"), &events);
    run_good(&run);
    const size_t bad = count_bad(&run.experiment.data.train);
    const cst_metrics *m = last_metrics(&run);
    assert_true(m->skipped == (double)bad && m->iterations == (double)(20 - bad) && l.skipped == 2 * bad);
    assert_true(run.trainer.learner.updates == 2 * (20 - bad) && run.trainer.training.iterations == 40);
    unsigned epoch = 0, iteration = 0;
    assert_int_equal(sscanf(l.failure.message, "epoch %u, iteration %u: dt underflow at t=", &epoch, &iteration), 2);
    assert_true(epoch == 2 && iteration >= bad && iteration <= 20);
    check_evaluation(&run, &run.experiment.data.validation);
    check_evaluation(&run, &run.experiment.data.train);
    test_run_clear(&run);
}

/* Training ends at the first row that fails, and keeps what it learned before. */
static void test_stop(void **state)
{
    (void)state;
    test_run run;
    test_run_init(&run, BLOW_UP(""), NULL);
    cst_error error = {0};
    char place[80];
    cst_evaluation r;
    assert_int_equal(cst_trainer_run(&run.trainer, &error), CST_EUNDERFLOW);
    size_t good = 0;
    while (!is_bad(&run.experiment.data.train, run.trainer.order[good])) good++;
    snprintf(place, sizeof place, "epoch 1, iteration %zu, ode block \"0\": dt underflow at t=", good + 1);
    assert_memory_equal(error.message, place, strlen(place));
    assert_true(run.trainer.learner.updates == good && run.trainer.training.iterations == good);
    assert_int_equal(cst_trainer_evaluate(&run.trainer, &run.experiment.data.validation, &r, &error), CST_EUNDERFLOW);
    assert_true(strstr(error.message, "evaluation after 0 epochs: dt underflow at t=") == error.message);
    test_run_clear(&run);
}

static void test_all_fail(void **state)
{
    (void)state;
    test_run run;
    test_run_init(&run,
                  CONFIG(SPIRALS,
                         SEQUENTIAL("{'type': 'ode', 'field': {'type': 'square'}, 'solver': "
                                    "{'max_num_steps': 1, 'first_step': 1e-3}}, " LINEAR("2")),
                         "'epochs': 2, 'on_failure': 'skip'"),
                  NULL);
    cst_error error = {0};
    cst_evaluation r;
    test_assert_error(cst_trainer_run(&run.trainer, &error), CST_ENONFINITE, &error, "every batch of epoch 1 failed");
    test_assert_error(cst_trainer_evaluate(&run.trainer, &run.experiment.data.validation, &r, &error), CST_ENONFINITE,
                      &error, "every batch of the evaluation failed");
    test_run_clear(&run);
}

static cst_status end_epoch(void *context, const cst_trainer *trainer, const cst_metrics *metrics, cst_error *error)
{
    (void)metrics;
    return save(context, trainer, error);
}

/* on_failure does not apply to every failure. */
static void test_events_fail(void **state)
{
    (void)state;
    listener l = {.answer = CST_EIO};
    const cst_trainer_events events[] = {
        {.context = &l, .checkpoint = save}, {.context = &l, .best = save}, {.context = &l, .epoch = end_epoch}};
    for (size_t i = 0; i < 3; i++) {
        test_run run;
        cst_error error = {0};
        test_run_init(&run, BLOW_UP(", 'on_failure': 'skip'"), &events[i]);
        test_assert_error(cst_trainer_run(&run.trainer, &error), CST_EIO, &error, "the disk is full");
        assert_int_equal(l.saved, i + 1);
        test_run_clear(&run);
    }
}

/* ---- reports ------------------------------------------------------------------------------------------------- */

/* At a rate too small to change anything, an epoch's means are those of an evaluation of the split, given fixed steps,
 * so that a row does not depend on its batch. */
static void test_metrics(void **state)
{
    (void)state;
    const double rounding = 10 * (double)CST_REAL_EPSILON;
    test_run run;
    test_run_init(&run,
                  CONFIG(SPIRALS,
                         SEQUENTIAL(LINEAR("8") ", {'type': 'ode', 'field': " FIELD
                                                ", 'solver': {'method': 'rk4', 'step_size': 0.5}}, " LINEAR("2")),
                         "'epochs': 2, 'threads': 1, 'optimizer': {'type': 'sgd', 'lr': 1e-60}, "
                         "'schedule': {'type': 'constant', 'warmup': 4}"),
                  NULL);
    run_good(&run);
    cst_evaluation train, validation;
    assert_int_equal(cst_trainer_evaluate(&run.trainer, &run.experiment.data.train, &train, NULL), CST_OK);
    assert_int_equal(cst_trainer_evaluate(&run.trainer, &run.experiment.data.validation, &validation, NULL), CST_OK);
    for (size_t i = 0; i < 2; i++) {
        const cst_metrics *m = &run.trainer.training.metrics[i];
        test_assert_near("train_loss", m->train_loss, train.loss, rounding);
        test_assert_near("train_accuracy", m->train_accuracy, train.accuracy, rounding);
        assert_true(m->validation_loss == validation.loss && m->validation_accuracy == validation.accuracy);
        assert_true(m->eval_nfe == 8 && isnan(m->test_loss) && isnan(m->test_accuracy));
        assert_true(m->epoch == (double)(i + 1) && m->iterations == ITERATIONS && m->skipped == 0);
        assert_true(m->forward_nfe == 8 && m->backward_nfe >= 8 && m->backward_quadrature_nfe > 0 && m->grad_norm > 0);
        assert_true(m->seconds >= m->forward_seconds + m->backward_seconds + m->eval_seconds && m->eval_seconds > 0);
        /* The rate of the epoch's last iteration: 3 and 6 of the 12 that warm-up takes. */
        test_assert_near("lr", m->lr, 1e-60 * (double)(i + 1) / 4, 1e-75);
    }
    test_run_clear(&run);
}

/* Every epoch sees every row once, in an order of its own. */
static size_t orders[4][45];

static void note_order(void *context, const cst_trainer *trainer)
{
    (void)context;
    if (trainer->training.iteration == 1) memcpy(orders[trainer->training.epoch], trainer->order, sizeof orders[0]);
}

static void test_order(void **state)
{
    (void)state;
    const cst_trainer_events events = {.iteration = note_order};
    test_run run;
    test_run_init(&run, CONFIG(SPIRALS, LINEAR("2"), "'epochs': 4"), &events);
    run_good(&run);
    for (size_t epoch = 0; epoch < 4; epoch++) {
        int seen[45] = {0};
        for (size_t i = 0; i < 45; i++) seen[orders[epoch][i]]++;
        for (size_t i = 0; i < 45; i++) assert_int_equal(seen[i], 1);
        if (epoch > 0) assert_memory_not_equal(orders[epoch], orders[epoch - 1], sizeof orders[0]);
    }
    test_run_clear(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_same_twice),
        cmocka_unit_test(test_second_epoch),
        cmocka_unit_test(test_interruption),
        cmocka_unit_test(test_skip),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_all_fail),
        cmocka_unit_test(test_events_fail),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_noise_of_evaluations),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
