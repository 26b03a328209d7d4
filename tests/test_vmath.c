/* Elementary functions against the C library's in a wider type: float against double, double against long double. */
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/rng.h"
#include "layers/vmath.h"

#include <math.h>
#include <string.h>

#ifdef CST_DOUBLE
typedef long double wide;
typedef uint64_t bits;
enum { DIGITS = DBL_MANT_DIG, MIN_EXPONENT = DBL_MIN_EXP, SAMPLES = 500000 };
#define WIDE(name) name##l
#else
typedef double wide;
typedef uint32_t bits;
enum { DIGITS = FLT_MANT_DIG, MIN_EXPONENT = FLT_MIN_EXP, SAMPLES = 1000000 };
#define WIDE(name) name
#endif

static wide exp_ref(wide x)
{
    return WIDE(exp)(x);
}

static wide expm1_ref(wide x)
{
    return WIDE(expm1)(x);
}

static wide tanh_ref(wide x)
{
    return WIDE(tanh)(x);
}

static wide sigmoid_ref(wide x)
{
    return 1 / (1 + WIDE(exp)(-x));
}

static wide softplus_ref(wide x)
{
    return x > 0 ? x + WIDE(log1p)(WIDE(exp)(-x)) : WIDE(log1p)(WIDE(exp)(x));
}

static wide erf_ref(wide x)
{
    return WIDE(erf)(x);
}

typedef struct function {
    const char *name;
    void (*over_array)(size_t n, const real *x, real *y);
    wide (*reference)(wide x);
    real at_minus_inf, at_inf;
} function;

static const function functions[] = {
    {"exp", cst_vexp, exp_ref, 0, (real)INFINITY},
    {"expm1", cst_vexpm1, expm1_ref, -1, (real)INFINITY},
    {"tanh", cst_vtanh, tanh_ref, -1, 1},
    {"sigmoid", cst_vsigmoid, sigmoid_ref, 0, 1},
    {"softplus", cst_vsoftplus, softplus_ref, 0, (real)INFINITY},
    {"erf", cst_verf, erf_ref, -1, 1},
};
enum { N_FUNCTIONS = sizeof functions / sizeof *functions, MAX_ULP = 3 };

static real real_of(bits b)
{
    real x;
    memcpy(&x, &b, sizeof x);
    return x;
}

/* |y - expected| in units of the last place that `expected` has as a real. */
static double ulps(real y, wide expected)
{
    if ((real)expected == y) return 0;
    int exponent = 0;
    (void)WIDE(frexp)(expected, &exponent);
    if (exponent < MIN_EXPONENT) exponent = MIN_EXPONENT;
    return (double)(WIDE(fabs)((wide)y - expected) / WIDE(ldexp)(1, exponent - DIGITS));
}

static void check_all(const char *what, size_t n, const real *x)
{
    static real y[4096];
    assert_true(n <= sizeof y / sizeof *y);
    for (size_t f = 0; f < N_FUNCTIONS; f++) {
        functions[f].over_array(n, x, y);
        for (size_t i = 0; i < n; i++) {
            const wide expected = functions[f].reference((wide)x[i]);
            if (ulps(y[i], expected) <= MAX_ULP) continue;
            fail_msg("%s, %s(%.17g): %.17g, expected %.17g: %g ulp", what, functions[f].name, (double)x[i],
                     (double)y[i], (double)expected, ulps(y[i], expected));
        }
    }
}

/* Every exponent equally often, subnormal numbers included. */
static void test_all_magnitudes(void **state)
{
    (void)state;
    const cst_rng rng = cst_rng_new(1, CST_RNG_TEST);
    static real x[4096];
    for (size_t done = 0; done < SAMPLES;) {
        size_t n = 0;
        for (; n < 4096; done++) {
            const real one = real_of((bits)cst_rng_bits(rng, done));
            if (isfinite(one)) x[n++] = one;
        }
        check_all("any number", n, x);
    }
}

/* Where the functions are not constant: intervals of decreasing width. */
static void test_usual_arguments(void **state)
{
    (void)state;
    static real x[4096];
    const double range[] = {800, 110, 20, 6, 1.5, 0.5, 0.01};
    for (size_t r = 0; r < sizeof range / sizeof *range; r++)
        for (uint64_t seed = 0; seed < 8; seed++) {
            cst_rng_fill_uniform(cst_rng_split(cst_rng_new(2, CST_RNG_TEST), 10 * r + seed), x, 4096, -range[r],
                                 range[r]);
            check_all("in a range", 4096, x);
        }
}

static void test_special_values(void **state)
{
    (void)state;
    const real x[] = {(real)NAN, -(real)NAN, -(real)INFINITY, (real)INFINITY,
                      0,         -(real)0.0, CST_REAL_MAX,    -CST_REAL_MAX};
    enum { N = sizeof x / sizeof *x };
    for (size_t f = 0; f < N_FUNCTIONS; f++) {
        /* Several lengths, so that both the vector part of a loop and its remainder are tested. */
        for (size_t repeats = 1; repeats <= 9; repeats++) {
            real in[9 * N], y[9 * N];
            for (size_t i = 0; i < repeats * N; i++) in[i] = x[i % N];
            functions[f].over_array(repeats * N, in, y);
            for (size_t i = 0; i < repeats * N; i += N) {
                assert_true(isnan(y[i]) && isnan(y[i + 1]));
                assert_true(y[i + 2] == functions[f].at_minus_inf && y[i + 3] == functions[f].at_inf);
                assert_true(y[i + 4] == (real)functions[f].reference(0) && y[i + 5] == y[i + 4]);
                assert_true(y[i + 6] == functions[f].at_inf || y[i + 6] == CST_REAL_MAX);
                assert_true(y[i + 7] == functions[f].at_minus_inf);
            }
        }
    }
}

/* A value has the same result at every place of arrays of every length, and in place. */
static void test_places(void **state)
{
    (void)state;
    enum { N = 70 };
    real x[N], whole[N], y[N];
    cst_rng_fill_normal(cst_rng_new(3, CST_RNG_TEST), x, N, 3);
    for (size_t f = 0; f < N_FUNCTIONS; f++) {
        functions[f].over_array(N, x, whole);
        for (size_t first = 0; first < N; first += 7)
            for (size_t n = 0; n <= N - first; n++) {
                for (size_t i = 0; i < N; i++) y[i] = x[i];
                functions[f].over_array(n, y + first, y + first);
                for (size_t i = 0; i < N; i++) assert_true(y[i] == (i >= first && i < first + n ? whole[i] : x[i]));
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_magnitudes),
        cmocka_unit_test(test_usual_arguments),
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
