/* The Fourier transform against its definition, summed term by term in long double. Lengths of every kind: powers of
 * two, each radix and several of them, and primes beyond these, which need a convolution. */
#include "tests/data_files.h"
#include "tests/helpers.h"

#include "formats/fourier.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static cst_fourier *fourier_new(size_t n)
{
    cst_fourier *f;
    cst_error error = {0};
    if (cst_fourier_new(n, &f, &error) != CST_OK) fail_msg("length %zu: %s", n, error.message);
    return f;
}

/* The power spectrum; the work memory is poisoned, and a mark follows each array. */
static void power_of(const cst_fourier *f, size_t n, const double *x, double *power)
{
    const size_t n_work = cst_fourier_work(f);
    double *work = malloc((n_work + 1) * sizeof *work);
    assert_non_null(work);
    for (size_t i = 0; i < n_work; i++) work[i] = (double)NAN;
    work[n_work] = power[n / 2 + 1] = 12345;
    cst_fourier_power(f, x, work, power);
    assert_true(work[n_work] == 12345 && power[n / 2 + 1] == 12345);
    free(work);
}

/* cos and sin of 2 pi j / n, j < n, one array after the other; the caller frees them. */
static long double *circle(size_t n)
{
    const long double pi = 3.14159265358979323846264338L;
    long double *c = malloc(2 * n * sizeof *c);
    assert_non_null(c);
    for (size_t j = 0; j < n; j++) {
        c[j] = cosl(2 * pi * (long double)j / (long double)n);
        c[n + j] = sinl(2 * pi * (long double)j / (long double)n);
    }
    return c;
}

/* |sum_j x_j e^(-2 pi i j k / n)|^2 */
static double direct_power(size_t n, const long double *circle, const double *x, size_t k)
{
    long double re = 0, im = 0;
    for (size_t j = 0; j < n; j++) {
        re += (long double)x[j] * circle[j * k % n];
        im += (long double)x[j] * circle[n + j * k % n];
    }
    return (double)(re * re + im * im);
}

/* `every`: the distance between the frequencies that are compared. */
static void check_length(size_t n, size_t every)
{
    double *x = malloc(n * sizeof *x), *power = malloc((n / 2 + 2) * sizeof *power), total = 0;
    assert_true(x && power);
    for (size_t j = 0; j < n; j++) {
        x[j] = sin(0.7 * (double)j * (double)j) + 0.3 * cos(1.1 * (double)j) + 0.25;
        total += x[j] * x[j];
    }
    long double *roots = circle(n);
    cst_fourier *f = fourier_new(n);
    power_of(f, n, x, power);
    double mean = power[0] + power[n / 2]; /* sum_k |X_k|^2 / n over all n frequencies */
    for (size_t k = 1; k < n / 2; k++) mean += 2 * power[k];
    mean /= (double)n;
    if (!(fabs(mean - total) <= 1e-13 * total))
        fail_msg("length %zu: Parseval's sums are %.17g and %.17g", n, mean, total);
    for (size_t k = 0; k <= n / 2; k += every) {
        const double expected = direct_power(n, roots, x, k), error = fabs(power[k] - expected);
        /* The error of X_k is relative to the norm of x, so |X|^2 is off by 2 |X| times that error. */
        const double tolerance = 1e-14 * sqrt((double)n * total) * (sqrt(expected) + 1e-14 * sqrt((double)n * total));
        if (!(error <= tolerance))
            fail_msg("length %zu, frequency %zu: %.17g, by its definition %.17g", n, k, power[k], expected);
    }
    cst_fourier_free(f);
    free(roots);
    free(power);
    free(x);
}

static void test_every_length(void **state)
{
    (void)state;
    for (size_t n = 2; n <= 256; n += 2) check_length(n, 1);
}

static void test_long(void **state)
{
    (void)state;
    const size_t lengths[] = {1024, 2 * 2187, 4000, 2 * 2003, 2 * 2401, 2 * 11 * 13 * 17, 2 * 3 * 3 * 5 * 7 * 11 * 13};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) check_length(lengths[i], 211);
    check_length(1 << 16, 16384);
    check_length(2 * 65537, 16384); /* a prime */
}

/* e^(-2 pi i j k / n): a single number that is not 0 has the same modulus at every frequency, and a constant has one
 * frequency. */
static void test_closed_forms(void **state)
{
    (void)state;
    const size_t lengths[] = {2, 8, 30, 34, 200, 202};
    double x[202], power[103];
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        const size_t n = lengths[i];
        cst_fourier *f = fourier_new(n);
        memset(x, 0, sizeof x);
        x[n - 1] = -3;
        power_of(f, n, x, power);
        for (size_t k = 0; k <= n / 2; k++) test_assert_near("an impulse", power[k], 9, 1e-13);
        for (size_t j = 0; j < n; j++) x[j] = 0.5;
        power_of(f, n, x, power);
        test_assert_near("a constant", power[0], 0.25 * (double)(n * n), 1e-13);
        for (size_t k = 1; k <= n / 2; k++) assert_true(power[k] < 1e-25 * (double)(n * n));
        cst_fourier_free(f);
    }
}

static void test_lengths_refused(void **state)
{
    (void)state;
    cst_fourier *f;
    cst_error error = {0};
    test_assert_failure(cst_fourier_new(0, &f, &error), CST_EARG, &error, TEST_WORDS("even", "got 0"));
    test_assert_failure(cst_fourier_new(15, &f, &error), CST_EARG, &error, TEST_WORDS("even", "got 15"));
    test_assert_failure(cst_fourier_new((size_t)1 << 40, &f, &error), CST_EARG, &error, TEST_WORDS("2 to"));
    assert_null(f);
    cst_fourier_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_closed_forms),
        cmocka_unit_test(test_lengths_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
