/* A summary adds up the metrics of a run. */
#include "tests/data_files.h"
#include "tests/helpers.h"

#include "train/summary.h"

#include <math.h>

/* The paper counts ten times the backward evaluations of epochs 1, 11, ... and of the last epoch. */
static void the_papers_count_is_of_every_tenth_epoch(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 10, 11, 12, 23};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        test_run run;
        cst_summary summary;
        test_run_init(
            &run,
            "{'name': 'a', 'data': {'type': 'circles', 'train_size': 4, 'test_size': 4}, 'epochs': 1, 'model': "
            "{'type': 'linear', 'out_features': 2}, 'optimizer': {'type': 'sgd'}}",
            NULL);
        cst_training *training = &run.trainer.training;
        assert_int_equal(cst_training_reserve(training, lengths[i], NULL), CST_OK);
        double paper = 0, iterations = 0, skipped = 0, seconds = 0;
        for (size_t e = 0; e < lengths[i]; e++) {
            const double n = (double)e;
            training->metrics[e] =
                (cst_metrics){.iterations = 5 + n, .skipped = 2, .backward_nfe = 7 + n * n, .seconds = n};
            if (e % 10 == 0 || e == lengths[i] - 1) paper += 10 * (7 + n * n) * (5 + n + 2);
            iterations += 5 + n;
            skipped += 2;
            seconds += n;
        }
        training->n_metrics = lengths[i];
        assert_int_equal(cst_summary_make(&run.trainer, &summary, NULL), CST_OK);
        test_assert_near("nfe_paper", summary.nfe_paper, paper, 1e-9 * paper);
        test_assert_near("iterations", summary.iterations, iterations, 0);
        test_assert_near("skipped", summary.skipped, skipped, 0);
        test_assert_near("seconds", summary.seconds, seconds, 0);
        test_run_clear(&run);
    }
}

/* A loss in nats for 3 numbers is loss / (3 log 2) bits per dimension. Only likelihoods have bits per dimension. */
static void likelihoods_have_bits(void **state)
{
    (void)state;
    cst_experiment e = {.loss = cst_loss_find("nll"), .data = {.x = cst_shape_1d(3)}};
    test_assert_near("bits", cst_experiment_bits(&e, 1.5), 1.5 / (3 * log(2)), 1e-14);
    e.loss = cst_loss_find("mse");
    assert_true(isnan(cst_experiment_bits(&e, 1.5)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_papers_count_is_of_every_tenth_epoch),
                                       cmocka_unit_test(likelihoods_have_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
