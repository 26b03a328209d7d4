/* The losses against closed forms and, signed and entry by entry, central differences of plain references. */
#include "core/rng.h"
#include "tests/helpers.h"
#include "train/loss.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N = 5, D = 4, SIZE = N * D, SEED = 11 };

static const double eps = (double)CST_REAL_EPSILON;

typedef struct data {
    real x[SIZE], values[SIZE];
    int32_t labels[N];
    cst_targets targets;
} data;

static void data_init(data *a)
{
    const cst_rng rng = cst_rng_new(SEED, CST_RNG_TEST);
    cst_rng_fill_normal(cst_rng_split(rng, 0), a->x, SIZE, 2);
    cst_rng_fill_uniform(cst_rng_split(rng, 1), a->values, SIZE, 0, 1);
    for (size_t i = 0; i < N; i++) a->labels[i] = (int32_t)cst_rng_below(cst_rng_split(rng, 2), i, D);
    a->targets = (cst_targets){a->labels, a->values};
}

/* The definitions, without care for overflow. */
static double reference(const char *name, const double *x, const data *a)
{
    double sum = 0;
    for (size_t i = 0; strcmp(name, "cross_entropy") == 0 && i < N; i++) {
        double total = 0;
        for (size_t j = 0; j < D; j++) total += exp(x[i * D + j]);
        sum -= log(exp(x[i * D + (size_t)a->labels[i]]) / total) / N;
    }
    for (size_t i = 0; i < SIZE; i++) {
        const double t = (double)a->values[i], sigmoid = 1 / (1 + exp(-x[i]));
        if (strcmp(name, "mse") == 0) sum += (x[i] - t) * (x[i] - t) / SIZE;
        if (strcmp(name, "nll") == 0) sum += (i % D == 0 ? -x[i] : x[i]) / N;
        if (strcmp(name, "l1") == 0) sum += fabs(x[i] - t) / SIZE;
        if (strcmp(name, "bce_with_logits") == 0) sum -= (t * log(sigmoid) + (1 - t) * log(1 - sigmoid)) / SIZE;
    }
    return sum;
}

static void values_and_gradients(void **state)
{
    (void)state;
    data a;
    data_init(&a);
    for (size_t l = 0; cst_losses[l]; l++) {
        const cst_loss *loss = cst_losses[l];
        double x[SIZE], value, alone;
        real gx[SIZE];
        for (size_t i = 0; i < SIZE; i++) x[i] = (double)a.x[i];
        loss->evaluate(N, D, a.x, a.targets, &value, gx);
        loss->evaluate(N, D, a.x, a.targets, &alone, NULL);
        assert_true(value == alone);
        const double expected = reference(loss->name, x, &a);
        if (!(fabs(value - expected) < 1e-13 * (1 + fabs(expected))))
            fail_msg("%s: got %.17g, expected %.17g (seed %d)", loss->name, value, expected, SEED);
        test_derivative seen = {0};
        for (size_t i = 0; i < SIZE; i++) {
            const double kept = x[i], h = 1e-5;
            x[i] = kept + h;
            const double up = reference(loss->name, x, &a);
            x[i] = kept - h;
            const double slope = (up - reference(loss->name, x, &a)) / (2 * h);
            x[i] = kept;
            test_derivative_compare(&seen, loss->name, i, (double)gx[i], slope, fmax(4 * eps, 1e-9));
        }
        test_derivative_end(&seen, loss->name, false);
    }
}

/* Scores whose exponentials overflow or vanish even in doubles. */
static void large_scores(void **state)
{
    (void)state;
    const real x[6] = {5000, 0, -5000, -5000, 0, 5000}, ones[2] = {1, 1};
    const int32_t labels[2] = {0, 0};
    double value;
    real gx[6];
    const cst_loss *loss = cst_loss_find("cross_entropy");
    loss->evaluate(2, 3, x, (cst_targets){labels, NULL}, &value, gx);
    assert_true(value == 5000); /* 0 and 10000 */
    const real expected[6] = {0, 0, 0, -0.5, 0, 0.5};
    for (size_t i = 0; i < 6; i++) assert_true(gx[i] == expected[i]);

    loss = cst_loss_find("bce_with_logits");
    loss->evaluate(1, 2, (const real[2]){5000, -5000}, (cst_targets){NULL, ones}, &value, gx);
    assert_true(value == 2500);
    assert_true(gx[0] == 0 && gx[1] == (real)-0.5);
    /* Close to a certain and right answer the loss is exp(-x), which must not round to 0. */
    loss->evaluate(1, 1, (const real[1]){50}, (cst_targets){NULL, ones}, &value, NULL);
    assert_true(fabs(value / exp(-50.0) - 1) < 1e-12);
}

static void special_values(void **state)
{
    (void)state;
    double value;
    real gx[3];
    const real zero[3] = {0, 0, 0}, nan = (real)NAN;
    cst_loss_find("l1")->evaluate(1, 3, (const real[3]){0, 2, -2}, (cst_targets){NULL, zero}, &value, gx);
    assert_true(gx[0] == 0 && gx[1] == (real)(1 / 3.0) && gx[2] == (real)(-1 / 3.0));
    for (size_t l = 0; cst_losses[l]; l++) {
        const int32_t label = 1;
        cst_losses[l]->evaluate(1, 3, (const real[3]){nan, 1, 2}, (cst_targets){&label, zero}, &value, gx);
        assert_true(isnan(value));
    }
    for (int32_t label = -2; label <= 3; label += 5) { /* not a label of three scores */
        const cst_loss *loss = cst_loss_find("cross_entropy");
        loss->evaluate(1, 3, zero, (cst_targets){&label, NULL}, &value, gx);
        assert_true(isnan(value) && isnan(gx[0]) && isnan(gx[2]));
        assert_int_equal(loss->count_correct(1, 3, zero, (cst_targets){&label, NULL}), 0);
    }
}

/* Missing targets have no influence, whatever the score: the loss is that of the other targets alone. */
static void missing_targets(void **state)
{
    (void)state;
    const real nan = (real)NAN, x[8] = {1, -2, nan, 4, (real)0.5, 6, -7, 8};
    const real values[8] = {0, nan, nan, 1, nan, nan, 1, 0}, rest[4] = {1, 4, -7, 8}, rest_values[4] = {0, 1, 1, 0};
    const int32_t labels[4] = {1, -1, 0, -1}, rest_labels[2] = {1, 0};
    const real labelled[8] = {1, -2, nan, 4, (real)0.5, 6, nan, nan}, rest_labelled[4] = {1, -2, (real)0.5, 6};
    for (size_t l = 0; cst_losses[l]; l++) {
        const cst_loss *loss = cst_losses[l];
        if (loss->needs_no_targets) continue;
        const cst_targets all = {labels, values}, some = {rest_labels, rest_values};
        double value, expected;
        real gx[8], expected_gx[4];
        loss->evaluate(4, 2, loss->labels ? labelled : x, all, &value, gx);
        loss->evaluate(loss->labels ? 2 : 4, loss->labels ? 2 : 1, loss->labels ? rest_labelled : rest, some, &expected,
                       expected_gx);
        if (!(fabs(value - expected) <= 1e-15 * fabs(expected)))
            fail_msg("%s: got %.17g, expected %.17g", loss->name, value, expected);
        for (size_t i = 0, next = 0; i < 8; i++) {
            const bool present = loss->labels ? labels[i / 2] >= 0 : !isnan(values[i]);
            assert_true(gx[i] == (present ? expected_gx[next++] : 0));
        }
        const cst_target_count count = cst_loss_count_targets(loss, 4, 2, all);
        assert_int_equal(count.terms, loss->labels ? 2 : 4);
        assert_int_equal(count.rows, loss->labels ? 2 : 3);
        /* All targets are missing. */
        const int32_t no_labels[2] = {-1, -1};
        const real no_values[4] = {nan, nan, nan, nan};
        loss->evaluate(2, 2, x, (cst_targets){no_labels, no_values}, &value, gx);
        assert_true(value == 0 && gx[0] == 0 && gx[1] == 0 && gx[2] == 0 && gx[3] == 0);
        if (loss->count_correct) assert_int_equal(loss->count_correct(2, 2, x, (cst_targets){no_labels, no_values}), 0);
    }
    const cst_loss *loss = cst_loss_find("cross_entropy");
    assert_int_equal(loss->count_correct(4, 2, labelled, (cst_targets){labels, NULL}), 0);
    assert_int_equal(loss->count_correct(4, 2, labelled, (cst_targets){(int32_t[]){0, 0, 1, -1}, NULL}), 2);
    loss = cst_loss_find("bce_with_logits"); /* of the rows (1 .) (. 4) (. .) (-7 8), only the second is right */
    assert_int_equal(loss->count_correct(4, 2, x, (cst_targets){NULL, values}), 1);
}

static void accuracy(void **state)
{
    (void)state;
    const real nan = (real)NAN;
    const cst_loss *loss = cst_loss_find("cross_entropy");
    const struct {
        real x[3];
        int32_t label;
        size_t correct;
    } rows[] = {{{1, 2, 3}, 2, 1},   {{1, 2, 3}, 1, 0},   {{3, 3, 1}, 0, 1},       {{3, 3, 1}, 1, 0},
                {{nan, 1, 2}, 2, 0}, {{5, 1, nan}, 0, 0}, {{nan, nan, nan}, 0, 0}, {{-3, -2, -4}, 1, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(loss->count_correct(1, 3, rows[i].x, (cst_targets){&rows[i].label, NULL}), rows[i].correct);
    const int32_t labels[3] = {0, 1, 0};
    assert_int_equal(loss->count_correct(3, 2, (const real[6]){2, 1, 2, 1, 2, 1}, (cst_targets){labels, NULL}), 2);

    loss = cst_loss_find("bce_with_logits");
    const real x[10] = {1, -1, 1, 1, nan, -1, 1, nan, 2, -3}, t[10] = {1, 0, 1, 0, 1, 0, 1, 0, (real)0.5, (real)0.25};
    assert_int_equal(loss->count_correct(5, 2, x, (cst_targets){NULL, t}), 2);
    assert_null(cst_loss_find("mse")->count_correct);
    assert_null(cst_loss_find("l1")->count_correct);
}

static void names(void **state)
{
    (void)state;
    const char *const expected[] = {"cross_entropy", "mse", "l1", "bce_with_logits", "nll"};
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(cst_losses[i]->name, expected[i]);
        assert_ptr_equal(cst_loss_find(expected[i]), cst_losses[i]);
        assert_int_equal(cst_losses[i]->labels, i == 0);
        assert_int_equal(cst_losses[i]->needs_no_targets, i == 4);
    }
    assert_null(cst_losses[5]);
    assert_null(cst_loss_find("hinge"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_gradients), cmocka_unit_test(large_scores), cmocka_unit_test(special_values),
        cmocka_unit_test(missing_targets),      cmocka_unit_test(accuracy),     cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
