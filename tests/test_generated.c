/* The generated data sets spirals and circles: geometry, noise, splits and seeds. */
#include "datasets/generated.h"
#include "tests/data_files.h"

#include <math.h>

static const double two_pi = 6.283185307179586;

/* Without noise a point's angle follows from its radius and class. */
static void test_spirals_lie_on_their_arms(void **state)
{
    (void)state;
    enum { N = 3000, CLASSES = 3 };
    static real x[2 * N];
    static int32_t labels[N];
    const double turns = 1.5;
    cst_spirals_fill(cst_rng_new(1, CST_RNG_TEST), CLASSES, turns, 0, N, x, labels);
    size_t inner = 0;
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(labels[i], i % CLASSES);
        const double a = (double)x[2 * i], b = (double)x[2 * i + 1], r = hypot(a, b);
        assert_true(r <= 1 + 1e-6);
        inner += r * r < 0.5;
        const double angle = two_pi * (turns * r + labels[i] / (double)CLASSES);
        test_assert_near("cos", a, r * cos(angle), 20 * (double)CST_REAL_EPSILON);
        test_assert_near("sin", b, r * sin(angle), 20 * (double)CST_REAL_EPSILON);
    }
    test_assert_near("share of r^2 < 1/2", (double)inner / N, 0.5, 5 * 0.5 / sqrt(N)); /* five deviations */
}

static void test_noise_has_its_deviation(void **state)
{
    (void)state;
    enum { N = 4000 };
    static real clean[2 * N], noisy[2 * N];
    static int32_t labels[N];
    const cst_rng rng = cst_rng_new(2, CST_RNG_TEST);
    for (int circles = 0; circles < 2; circles++) {
        if (circles) {
            cst_circles_fill(rng, 2, 0, N, clean, labels);
            cst_circles_fill(rng, 2, 0.1, N, noisy, labels);
        } else {
            cst_spirals_fill(rng, 2, 1, 0, N, clean, labels);
            cst_spirals_fill(rng, 2, 1, 0.1, N, noisy, labels);
        }
        double sum = 0, squares = 0;
        for (size_t i = 0; i < 2 * N; i++) {
            const double d = (double)(noisy[i] - clean[i]);
            sum += d;
            squares += d * d;
        }
        test_assert_near("mean", sum / (2 * N), 0, 0.1 * 5 / sqrt(2 * N));
        test_assert_near("variance", squares / (2 * N), 0.01, 0.01 * 5 * sqrt(2.0 / (2 * N)));
    }
}

/* Radii have the quantiles of a uniform distribution in the ball and in the shell; the mean of the directions is 0. */
static void test_circles_are_uniform(void **state)
{
    (void)state;
    enum { N = 6000, MOST = 5 };
    static real x[MOST * N];
    static int32_t labels[N];
    const size_t dimensions[] = {1, 2, MOST};
    for (size_t k = 0; k < 3; k++) {
        const size_t d = dimensions[k];
        const double n = (double)d, middle[2] = {0.5 * pow(0.5, 1 / n), pow((1 + pow(1.5, n)) / 2, 1 / n)};
        size_t below[2] = {0};
        double sum = 0;
        cst_circles_fill(cst_rng_new(3, CST_RNG_TEST), d, 0, N, x, labels);
        for (size_t i = 0; i < N; i++) {
            double squares = 0;
            for (size_t j = 0; j < d; j++) squares += (double)x[i * d + j] * (double)x[i * d + j];
            const double r = sqrt(squares);
            assert_int_equal(labels[i], i % 2);
            assert_true(labels[i] ? r > 1 - 1e-6 && r < 1.5 + 1e-6 : r < 0.5 + 1e-6);
            below[labels[i]] += r < middle[labels[i]];
            sum += (double)x[i * d];
        }
        for (size_t c = 0; c < 2; c++) {
            test_assert_near("share below the middle", (double)below[c] / (N / 2), 0.5, 5 * 0.5 / sqrt(N / 2));
        }
        test_assert_near("mean", sum / N, 0, 5 * 1.5 / sqrt(N));
    }
}

static void test_splits_and_seeds(void **state)
{
    (void)state;
    const char *json = JSON({"type": "spirals", "train_size": 30, "test_size": 20, "validation_size": 10});
    cst_dataset a, b, c;
    test_load_ok(json, 5, &a);
    test_load_ok(JSON({"type": "spirals", "train_size": 40, "test_size": 20}), 5, &b);
    test_load_ok(json, 6, &c);
    assert_int_equal(a.train.n, 30);
    assert_int_equal(a.validation.n, 10);
    assert_int_equal(a.test.n, 20);
    assert_int_equal(a.n_classes, 2);
    assert_int_equal(a.n_channels, 0);
    /* A split's size changes neither its first rows nor another split. Splits and seeds differ. */
    assert_memory_equal(a.train.values, b.train.values, 60 * sizeof(real));
    assert_memory_equal(a.test.values, b.test.values, 40 * sizeof(real));
    assert_int_equal(b.validation.n, 0);
    assert_true(a.train.values[0] != a.test.values[0] && a.train.values[0] != a.validation.values[0]);
    assert_true(a.train.values[0] != c.train.values[0]);
    cst_dataset_clear(&a);
    cst_dataset_clear(&b);
    cst_dataset_clear(&c);
    test_load_ok(JSON({"type": "circles", "dimension": 3}), 5, &a);
    assert_int_equal(a.train.n, 1000);
    assert_int_equal(a.test.n, 1000);
    assert_true(cst_shape_equal(&a.x, &(cst_shape){1, {3}}));
    cst_dataset_clear(&a);
    test_load_fails(JSON({"type": "spirals", "dimension": 3}), CST_ECONFIG,
                    TEST_WORDS("test.json: dimension", "unknown key"));
    test_load_fails(JSON({"type": "spirals", "classes": 1}), CST_ECONFIG, TEST_WORDS("test.json: classes"));
    test_load_fails(JSON({"type": "circles", "noise": -1}), CST_ECONFIG,
                    TEST_WORDS("test.json: noise", "non-negative"));
    test_load_fails(JSON({"type": "circles", "train_size": 0}), CST_ECONFIG, TEST_WORDS("test.json: train_size"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spirals_lie_on_their_arms),
        cmocka_unit_test(test_noise_has_its_deviation),
        cmocka_unit_test(test_circles_are_uniform),
        cmocka_unit_test(test_splits_and_seeds),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
