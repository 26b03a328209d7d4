/* Dropout: rate, scale, and that a mask depends only on the random stream and the position in the whole batch. */
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "layers/dropout.h"

#include <math.h>
#include <string.h>

enum { N = 40, DIM = 500, SIZE = N * DIM };

static cst_module *new_dropout(double p)
{
    const cst_shape x = cst_shape_1d(DIM);
    const cst_dropout_options options = {.p = p};
    cst_module *m = NULL;
    assert_int_equal(cst_dropout_new(&x, &options, &m, NULL), CST_OK);
    return m;
}

/* A call in training for n rows, the first of which is row number `row` of the batch. */
static cst_call new_call(size_t row, size_t n, uint64_t seed)
{
    return (cst_call){.n = n, .row = row, .threads = 1, .train = true, .rng = cst_rng_new(seed, CST_RNG_DROPOUT)};
}

static void test_rate_and_scale(void **state)
{
    (void)state;
    static real x[SIZE], y[SIZE];
    cst_rng_fill_uniform(cst_rng_new(1, CST_RNG_TEST), x, SIZE, 1, 2);
    const double ps[] = {0.1, 0.5, 0.8};
    for (size_t k = 0; k < 3; k++) {
        const double p = ps[k];
        cst_module *m = new_dropout(p);
        const cst_call c = new_call(0, N, 2);
        assert_int_equal(cst_module_forward(m, &c, x, y, NULL), CST_OK);
        size_t zeros = 0;
        for (size_t i = 0; i < SIZE; i++) {
            zeros += y[i] == 0;
            const double kept = (double)x[i] / (1 - p);
            assert_true(y[i] == 0 || fabs((double)y[i] - kept) <= 2 * (double)CST_REAL_EPSILON * kept);
        }
        /* Five standard deviations of a binomial distribution. */
        const double deviation = sqrt(p * (1 - p) / SIZE), rate = (double)zeros / SIZE;
        if (fabs(rate - p) > 5 * deviation) fail_msg("rate %g, expected %g +- %g", rate, p, deviation);
        cst_module_free(m);
    }
}

static void test_mask_depends_on_position(void **state)
{
    (void)state;
    static real x[SIZE], whole[SIZE], parts[SIZE], other[SIZE];
    for (size_t i = 0; i < SIZE; i++) x[i] = 1;
    cst_module *m = new_dropout(0.5);
    const cst_call c = new_call(0, N, 3), c_other = new_call(0, N, 4);
    assert_int_equal(cst_module_forward(m, &c, x, whole, NULL), CST_OK);
    assert_int_equal(cst_module_forward(m, &c_other, x, other, NULL), CST_OK);
    const size_t cuts[] = {0, 1, 17, N};
    for (size_t k = 0; k + 1 < 4; k++) {
        const cst_call part = new_call(cuts[k], cuts[k + 1] - cuts[k], 3);
        assert_int_equal(cst_module_forward(m, &part, x, parts + cuts[k] * DIM, NULL), CST_OK);
    }
    size_t agree = 0;
    for (size_t i = 0; i < SIZE; i++) {
        assert_true(whole[i] == parts[i]);
        agree += whole[i] == other[i];
    }
    /* Another stream has another mask: half of the positions agree by chance. The same holds for two rows. */
    assert_in_range(agree, SIZE * 4 / 10, SIZE * 6 / 10);
    agree = 0;
    for (size_t i = 0; i < DIM; i++) agree += whole[i] == whole[DIM + i];
    assert_in_range(agree, DIM * 3 / 10, DIM * 7 / 10);
    cst_module_free(m);
}

/* y = M x with a diagonal M, so gx = M gy: equal arguments have equal results. */
static void test_vjp_has_the_same_mask(void **state)
{
    (void)state;
    static real x[SIZE], y[SIZE], gx[SIZE];
    cst_rng_fill_normal(cst_rng_new(5, CST_RNG_TEST), x, SIZE, 1);
    cst_module *m = new_dropout(0.3);
    const cst_call c = new_call(7, N, 6);
    const cst_grads g = {.scale = 2, .gx = gx};
    assert_int_equal(cst_module_forward(m, &c, x, y, NULL), CST_OK);
    assert_int_equal(cst_module_vjp(m, &c, &(cst_point){.x = x, .y = y}, x, &g), CST_OK);
    for (size_t i = 0; i < SIZE; i++) assert_true(gx[i] == y[i]);
    cst_module_free(m);
}

static void test_nothing_to_drop(void **state)
{
    (void)state;
    static real x[SIZE], y[SIZE], gx[SIZE];
    cst_rng_fill_normal(cst_rng_new(7, CST_RNG_TEST), x, SIZE, 1);
    for (int evaluation = 0; evaluation < 2; evaluation++) {
        cst_module *m = new_dropout(evaluation ? 0.9 : 0);
        cst_call c = new_call(0, N, 8);
        c.train = !evaluation;
        assert_int_equal(cst_module_forward(m, &c, x, y, NULL), CST_OK);
        assert_int_equal(cst_module_vjp(m, &c, &(cst_point){.x = x, .y = y}, x, &(cst_grads){.scale = 1, .gx = gx}),
                         CST_OK);
        for (size_t i = 0; i < SIZE; i++) assert_true(y[i] == x[i] && gx[i] == x[i]);
        cst_module_free(m);
    }
}

static void test_everything_dropped(void **state)
{
    (void)state;
    static real x[SIZE], y[SIZE];
    cst_rng_fill_normal(cst_rng_new(9, CST_RNG_TEST), x, SIZE, 1);
    cst_module *m = new_dropout(1);
    const cst_call c = new_call(0, N, 10);
    assert_int_equal(cst_module_forward(m, &c, x, y, NULL), CST_OK);
    for (size_t i = 0; i < SIZE; i++) assert_true(y[i] == 0);
    cst_module_free(m);
}

static void test_errors(void **state)
{
    (void)state;
    const cst_shape x = cst_shape_1d(3);
    const double wrong[] = {-0.1, 1.1, (double)NAN};
    for (size_t i = 0; i < 3; i++) {
        cst_module *m = NULL;
        cst_error error = {0};
        assert_int_equal(cst_dropout_new(&x, &(cst_dropout_options){.p = wrong[i]}, &m, &error), CST_EARG);
        assert_null(m);
        assert_non_null(strstr(error.message, "probability"));
    }
    cst_module *m = new_dropout(0.5);
    assert_int_equal(cst_module_require(m, CST_PASS_JVP, "a cnf field", NULL), CST_EUNSUPPORTED);
    cst_module_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate_and_scale),        cmocka_unit_test(test_mask_depends_on_position),
        cmocka_unit_test(test_vjp_has_the_same_mask), cmocka_unit_test(test_nothing_to_drop),
        cmocka_unit_test(test_everything_dropped),    cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
