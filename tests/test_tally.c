/* Counts of solves per quantity, block and direction. */
#include "tests/helpers.h"

#include "layers/linear.h"
#include "ode/stats.h"
#include "train/tally.h"

static void assert_counts(const char *what, const cst_counts *got, const cst_counts *expected)
{
    const uint64_t *a = (const uint64_t *)(const void *)got, *b = (const uint64_t *)(const void *)expected;
    for (size_t i = 0; i < CST_N_COUNTS; i++)
        if (a[i] != b[i])
            fail_msg("%s, number %zu: got %llu, expected %llu", what, i, (unsigned long long)a[i],
                     (unsigned long long)b[i]);
}

static void solves_are_counted(void **state)
{
    (void)state;
    const cst_shape x = cst_shape_1d(2);
    cst_module *m = NULL, *other = NULL;
    cst_tally tally;
    assert_int_equal(cst_linear_new(&x, &(cst_linear_options){.out_features = 1}, &m, NULL), CST_OK);
    assert_int_equal(cst_linear_new(&x, &(cst_linear_options){.out_features = 1}, &other, NULL), CST_OK);
    assert_int_equal(cst_tally_init(&tally, m, NULL), CST_OK);
    const cst_observer observer = cst_tally_observer(&tally);
    const cst_solve_stats stats = {
        .nfe = 100, .quadrature_nfe = 30, .solves = 2, .accepted = 11, .rejected = 5, .seconds = 0.5};
    cst_solve_stats failed = {.nfe = 7, .failure = CST_EMAXSTEPS};
    observer.solved(observer.context, m, false, &stats);
    observer.solved(observer.context, m, false, &stats);
    observer.solved(observer.context, m, true, &failed);
    observer.solved(observer.context, other, true, &stats); /* counts in the total only */
    const cst_counts twice = {200, 60, 4, 22, 10, 0}, once = {7, 0, 0, 0, 0, 1}, total = {107, 30, 2, 11, 5, 1};
    assert_counts("forward", &tally.blocks[0].counts[CST_FORWARD], &twice);
    assert_counts("backward", &tally.blocks[0].counts[CST_BACKWARD], &once);
    assert_counts("all forward", &tally.total[CST_FORWARD], &twice);
    assert_counts("all backward", &tally.total[CST_BACKWARD], &total);
    assert_true(tally.blocks[0].seconds[CST_FORWARD] == 1 && tally.failed == tally.blocks[0].name);

    cst_counts sum = {1, 2, 3, 4, 5, 6};
    const cst_counts added = {194, 62, 7, 26, 15, 5};
    cst_counts_add_difference(&sum, &twice, &once);
    assert_counts("sum", &sum, &added);
    cst_tally_clear(&tally);
    cst_module_free(m);
    cst_module_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(solves_are_counted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
