/* How training ends: early stopping, and the weights of the best epoch. */
#include "tests/data_files.h"
#include "tests/helpers.h"

#include <string.h>

#define LINEAR(out) "{'type': 'linear', 'out_features': " out "}"
#define CONFIG(data, model, rest) "{'name': 'a', 'data': {" data "}, 'model': " model ", " rest "}"

static void run_good(test_run *run)
{
    cst_error error = {0};
    test_assert_ok("run", cst_trainer_run(&run->trainer, &error), &error);
}

/* Full batches, so that the loss falls steadily. It falls by less than min_delta, or the rate is so small that it does
 * not fall at all. */
static void test_early_stopping(void **state)
{
    (void)state;
    static const struct {
        const char *lr, *min_delta;
        size_t epochs, best_epoch;
    } cases[] = {{"0.1", "0", 6, 6}, {"0.1", "10", 4, 4}, {"1e-30", "0", 4, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[1000];
        snprintf(json, sizeof json,
                 CONFIG("'type': 'circles', 'train_size': 30, 'validation_size': 9, 'batch_size': 30", LINEAR("2"),
                        "'epochs': 6, 'monitor': 'validation_loss', 'optimizer': {'type': 'sgd', 'lr': %s}, "
                        "'early_stopping': {'patience': 3, 'min_delta': %s}"),
                 cases[i].lr, cases[i].min_delta);
        test_run run;
        test_run_init(&run, json, NULL);
        run_good(&run);
        const cst_training *training = &run.trainer.training;
        assert_int_equal(training->epoch, cases[i].epochs);
        assert_int_equal(training->n_metrics, cases[i].epochs);
        assert_int_equal(training->stopped, cases[i].epochs < 6);
        assert_int_equal(training->best_epoch, cases[i].best_epoch);
        test_run_clear(&run);
    }
}

/* The weights of every epoch at the time of the trainer's callback. */
enum { EPOCHS = 12, P = 2 * 8 + 8 + 8 * 2 + 2 };
typedef struct history {
    real theta[EPOCHS][P];
    size_t n, best; /* number of callbacks; the last epoch that was the best so far */
} history;

static cst_status remember(void *context, const cst_trainer *trainer, const cst_metrics *metrics, cst_error *error)
{
    history *h = context;
    (void)error;
    assert_true(metrics->epoch == (double)(h->n + 1) && trainer->training.epoch == h->n + 1);
    memcpy(h->theta[h->n++], trainer->learner.theta, sizeof h->theta[0]);
    return CST_OK;
}

static cst_status remember_best(void *context, const cst_trainer *trainer, cst_error *error)
{
    history *h = context;
    (void)error;
    assert_true(trainer->training.best_epoch == h->n + 1);
    h->best = h->n;
    return CST_OK;
}

static bool check_best(const char *monitor, int seed)
{
    char json[1000];
    static history h;
    h = (history){0};
    const cst_trainer_events events = {.context = &h, .epoch = remember, .best = remember_best};
    snprintf(json, sizeof json,
             CONFIG("'type': 'spirals', 'train_size': 45, 'validation_size': 20, 'test_size': 0, 'batch_size': 16, "
                    "'noise': 0.3",
                    "{'type': 'sequential', 'layers': [" LINEAR("8") ", {'type': 'tanh'}, " LINEAR("2") "]}",
                    "'epochs': 12, 'seed': %d, 'monitor': '%s', 'optimizer': {'type': 'adam', 'lr': 0.3}"),
             seed, monitor);
    test_run run;
    test_run_init(&run, json, &events);
    run_good(&run);
    const cst_metrics *metrics = run.trainer.training.metrics;
    const bool accuracy = strcmp(monitor, "validation_accuracy") == 0;
    size_t best = 0;
    for (size_t i = 1; i < EPOCHS; i++) {
        if (accuracy ? metrics[i].validation_accuracy > metrics[best].validation_accuracy
                     : metrics[i].validation_loss < metrics[best].validation_loss)
            best = i;
    }
    assert_true(h.best == best && run.trainer.training.best_epoch == best + 1);
    test_assert_same_bits("last", run.trainer.learner.theta, h.theta[EPOCHS - 1], P);
    cst_trainer_use_best(&run.trainer);
    test_assert_same_bits("best", run.trainer.learner.theta, h.theta[best], P);
    cst_evaluation r;
    assert_int_equal(cst_trainer_evaluate(&run.trainer, &run.experiment.data.validation, &r, NULL), CST_OK);
    assert_true(r.loss == metrics[best].validation_loss && r.accuracy == metrics[best].validation_accuracy);
    test_run_clear(&run);
    return best > 0 && best < EPOCHS - 1; /* neither the first nor the last */
}

static void test_best(void **state)
{
    (void)state;
    static const char *const monitors[] = {"validation_loss", "validation_accuracy"};
    for (size_t i = 0; i < 2; i++) {
        int between = 0; /* which seeds have this result depends on rounding */
        for (int seed = 0; seed < 8; seed++) between += check_best(monitors[i], seed);
        assert_true(between > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_early_stopping), cmocka_unit_test(test_best)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
