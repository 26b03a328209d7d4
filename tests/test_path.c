/* Paths: values at their knots, slopes against differences, smoothness, closed forms, gaps, series with their own
 * times, errors. */
#include "tests/helpers.h"

#include "models/path.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 3, T = 7, C = 2 };
static const double times[T] = {0, 0.4, 1, 1.3, 2.2, 2.5, 3.5};
static const bool single = sizeof(real) == sizeof(float);

typedef struct made {
    cst_path path;
    real *memory;
} made;

static made make(cst_path_kind kind, const cst_knots *s)
{
    cst_error error;
    made m = {.memory = malloc((cst_path_memory(kind, s) + 1) * sizeof(real))};
    assert_non_null(m.memory);
    test_assert_ok("path", cst_path_make(kind, s, m.memory, &m.path, &error), &error);
    return m;
}

static double value(const made *m, size_t row, double t, size_t c)
{
    real x[C];
    cst_path_value(&m->path, row, 1, t, x);
    return (double)x[c];
}

static double slope(const made *m, size_t row, double t, size_t c)
{
    real dx[C];
    cst_path_slope(&m->path, row, 1, t, dx);
    return (double)dx[c];
}

static void assert_near(double got, double expected, double tolerance, const char *what)
{
    if (!(fabs(got - expected) <= tolerance)) fail_msg("%s: %.12g, expected %.12g", what, got, expected);
}

static cst_knots random_series(real x[N * T * C])
{
    test_random(1, x, N * T * C, 1);
    return (cst_knots){.n = N, .length = T, .channels = C, .t = times, .x = x};
}

/* X' by differences that are exact for cubics (Richardson's extrapolation). */
static double difference(const made *m, size_t row, double t, double h, size_t c)
{
    const double wide = (value(m, row, t + h, c) - value(m, row, t - h, c)) / (2 * h);
    const double narrow = (value(m, row, t + h / 2, c) - value(m, row, t - h / 2, c)) / h;
    return (4 * narrow - wide) / 3;
}

static void goes_through_its_knots(void **state)
{
    real x[N * T * C];
    const cst_knots s = random_series(x);
    (void)state;
    for (int kind = CST_PATH_LINEAR; kind <= CST_PATH_HERMITE; kind++) {
        const made m = make((cst_path_kind)kind, &s);
        for (size_t i = 0; i < N * T * C; i++) {
            const size_t row = i / (T * C), knot = i / C % T, c = i % C;
            assert_near(value(&m, row, times[knot], c), (double)x[i], single ? 1e-5 : 1e-13, "a knot's value");
            if (knot + 1 == T) continue;
            const double t = times[knot] + 0.37 * (times[knot + 1] - times[knot]);
            assert_near(slope(&m, row, t, c), difference(&m, row, t, 0.1, c), single ? 1e-3 : 1e-11,
                        "slope against differences");
        }
        free(m.memory);
    }
}

/* The one-sided limit of X' at t, a parabola on each side, and its derivative: exact, from values at t + h, t + 2 h, t
 * + 3 h. */
static void side(const made *m, size_t row, double t, double h, double *limit, double *derivative)
{
    const double a = slope(m, row, t + h, 0), b = slope(m, row, t + 2 * h, 0), c = slope(m, row, t + 3 * h, 0);
    *limit = 3 * a - 3 * b + c;
    *derivative = (-5 * a + 8 * b - 3 * c) / (2 * h);
}

static void cubics_are_smooth(void **state)
{
    real x[N * T * C];
    const cst_knots s = random_series(x);
    const double h = 0.05, tolerance = single ? 1e-3 : 1e-10;
    (void)state;
    for (int kind = CST_PATH_CUBIC; kind <= CST_PATH_HERMITE; kind++) {
        const made m = make((cst_path_kind)kind, &s);
        for (size_t i = 0; i < T; i++) {
            double before, after, bend_before = 0, bend_after = 0;
            before = after = slope(&m, 1, times[i], 0);
            if (i > 0) side(&m, 1, times[i], -h, &before, &bend_before);
            if (i + 1 < T) side(&m, 1, times[i], h, &after, &bend_after);
            assert_near(before, after, tolerance, "slope at a knot");
            if (kind == CST_PATH_CUBIC)
                assert_near(bend_before, bend_after, tolerance / h, "second derivative, zero at both ends");
        }
        free(m.memory);
    }
}

static void hermite_has_backward_slopes(void **state)
{
    real x[N * T * C];
    const cst_knots s = random_series(x);
    const made m = make(CST_PATH_HERMITE, &s);
    (void)state;
    for (size_t i = 0; i < T; i++) {
        const size_t b = i > 0 ? i : 1;
        const double line = (double)(x[b * C] - x[(b - 1) * C]) / (times[b] - times[b - 1]);
        assert_near(slope(&m, 0, times[i], 0), line, single ? 1e-4 : 1e-12, "backward difference");
    }
    free(m.memory);
}

/* A natural spline through sin on [0, pi], whose second derivative is 0 at both ends, has an error of O(h^4). */
static void spline_converges(void **state)
{
    double error[2];
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        enum { MOST = 17 };
        const size_t n = k == 0 ? 9 : 17;
        double t[MOST];
        real x[MOST];
        for (size_t i = 0; i < n; i++) t[i] = 3.14159265358979 * (double)i / (double)(n - 1), x[i] = (real)sin(t[i]);
        const made m = make(CST_PATH_CUBIC, &(cst_knots){.n = 1, .length = n, .channels = 1, .t = t, .x = x});
        error[k] = 0;
        for (double at = 0; at < 3.14; at += 0.01) error[k] = fmax(error[k], fabs(value(&m, 0, at, 0) - sin(at)));
        free(m.memory);
    }
    assert_true(error[0] < 2e-4);
    if (!single) assert_true(error[0] / error[1] > 14 && error[0] / error[1] < 18);
}

/* Removing a value that the others determine changes nothing. Ends are constant. A channel without values is 0. */
static void gaps_are_filled(void **state)
{
    static const cst_path_kind kinds[] = {CST_PATH_LINEAR, CST_PATH_CUBIC, CST_PATH_HERMITE};
    const double tolerance = single ? 1e-5 : 1e-12;
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        real x[T * C], whole[T * C];
        for (size_t i = 0; i < T; i++) whole[i * C] = (real)(2 - 3 * times[i]), whole[i * C + 1] = 0;
        memcpy(x, whole, sizeof x);
        x[2 * C] = x[3 * C] = (real)NAN;
        for (size_t i = 0; i < T; i++) x[i * C + 1] = (real)NAN;
        const cst_knots s = {.n = 1, .length = T, .channels = C, .t = times, .x = x};
        made m = make(kinds[k], &s);
        for (double t = 0; t <= 3.5; t += 0.17) {
            assert_near(value(&m, 0, t, 0), 2 - 3 * t, 10 * tolerance, "a line with gaps");
            assert_near(slope(&m, 0, t, 0), -3, 100 * tolerance, "its slope");
            assert_near(value(&m, 0, t, 1), 0, 0, "a channel without values");
            assert_near(slope(&m, 0, t, 1), 0, 0, "its slope");
        }
        free(m.memory);
        x[0] = x[C] = x[(T - 1) * C] = (real)NAN;
        m = make(kinds[k], &s);
        assert_near(value(&m, 0, 0, 0), 2 - 3 * times[4], tolerance, "before the first observation");
        assert_near(value(&m, 0, 3.5, 0), 2 - 3 * times[5], tolerance, "after the last one");
        free(m.memory);
    }
}

/* A spline with a gap is the spline through the other knots. */
static void spline_with_a_gap(void **state)
{
    real x[N * T * C], some[(T - 1) * C];
    double t[T - 1];
    const cst_knots s = random_series(x);
    size_t n = 0;
    (void)state;
    for (size_t i = 0; i < T; i++) {
        if (i == 3) continue;
        t[n] = times[i];
        memcpy(some + n++ * C, x + i * C, C * sizeof *x);
    }
    for (size_t c = 0; c < C; c++) x[3 * C + c] = (real)NAN;
    const made a = make(CST_PATH_CUBIC, &s);
    const made b = make(CST_PATH_CUBIC, &(cst_knots){.n = 1, .length = T - 1, .channels = C, .t = t, .x = some});
    for (double at = 0; at <= 3.5; at += 0.1) {
        assert_near(value(&a, 0, at, 1), value(&b, 0, at, 1), single ? 1e-5 : 1e-12, "value");
        assert_near(slope(&a, 0, at, 1), slope(&b, 0, at, 1), single ? 1e-4 : 1e-11, "slope");
    }
    free(a.memory);
    free(b.memory);
}

static void series_have_times_of_their_own(void **state)
{
    real x[N * T * C], alone[T * C];
    double t[N * T];
    cst_knots s = random_series(x);
    (void)state;
    for (size_t i = 0; i < N * T; i++) t[i] = times[i % T] * (1 + 0.1 * (double)(i / T));
    t[T + 4] = t[T + 5] = t[T + 6] = (double)NAN; /* the second one ends at its fourth knot */
    s.own_times = true, s.t = t;
    for (int kind = CST_PATH_LINEAR; kind <= CST_PATH_HERMITE; kind++) {
        const made all = make((cst_path_kind)kind, &s);
        for (size_t row = 0; row < N; row++) {
            const size_t knots = row == 1 ? 4 : T;
            memcpy(alone, x + row * T * C, knots * C * sizeof *x);
            const made one = make((cst_path_kind)kind,
                                  &(cst_knots){.n = 1, .length = knots, .channels = C, .t = t + row * T, .x = alone});
            for (double at = 0; at <= t[row * T + knots - 1]; at += 0.13) {
                assert_true(value(&all, row, at, 0) == value(&one, 0, at, 0));
                assert_true(slope(&all, row, at, 0) == slope(&one, 0, at, 0));
            }
            free(one.memory);
        }
        const double end = t[T + 3];
        assert_true(slope(&all, 1, nextafter(end, 9), 0) == 0 && value(&all, 1, 3, 0) == value(&all, 1, end, 0));
        assert_true(slope(&all, 1, end, 0) != 0); /* a knot belongs to the interval before it */
        real rows[N * C];
        cst_path_slope(&all.path, 0, N, 1.1, rows);
        for (size_t row = 0; row < N; row++) assert_true((double)rows[row * C + 1] == slope(&all, row, 1.1, 1));
        free(all.memory);
    }
}

static void knots_belong_to_the_interval_before(void **state)
{
    real x[N * T * C];
    const cst_knots s = random_series(x);
    const made m = make(CST_PATH_LINEAR, &s);
    (void)state;
    assert_ptr_equal(m.path.series.x, x); /* nothing copied */
    for (size_t i = 0; i < T; i++) {
        const size_t p = i > 0 ? i - 1 : 0;
        const double line = (double)(x[(p + 1) * C] - x[p * C]) / (times[p + 1] - times[p]);
        assert_near(slope(&m, 0, times[i], 0), line, single ? 1e-5 : 1e-13, "at a knot");
        if (i + 1 < T) assert_true(slope(&m, 0, nextafter(times[i], 9), 0) == slope(&m, 0, times[i + 1], 0));
    }
    assert_true(slope(&m, 0, nextafter(3.5, 9), 0) == slope(&m, 0, 3.5, 0)); /* rounding does not move the end */
    free(m.memory);
}

static void rectilinear_knots(void **state)
{
    const double t[3] = {0, 1, 3};
    const real nan = (real)NAN, x[3 * C] = {0, 5, 1, nan, 3, 7};
    const real expected[5 * C] = {0, 5, 1, 5, 1, 5, 3, 5, 3, 7};
    double made_t[5];
    real made_x[5 * C];
    (void)state;
    cst_path_rectify(&(cst_knots){.n = 1, .length = 3, .channels = C, .t = t, .x = x}, 0, made_t, made_x);
    test_assert_same_bits("knots", made_x, expected, 5 * C);
    static const double at[5] = {0, 0.5, 1, 2, 3};
    for (size_t i = 0; i < 5; i++) assert_true(made_t[i] == at[i]);
}

static void mistakes_have_messages(void **state)
{
    real x[N * T * C];
    double t[N * T];
    cst_knots s = random_series(x);
    cst_path path;
    cst_error error;
    (void)state;
    for (size_t i = 0; i < N * T; i++) t[i] = times[i % T];
    s.own_times = true, s.t = t;
    real *memory = malloc(cst_path_memory(CST_PATH_CUBIC, &s) * sizeof *memory);
    t[T + 2] = t[T + 1];
    test_assert_error(cst_path_make(CST_PATH_CUBIC, &s, memory, &path, &error), CST_EARG, &error,
                      "series 1: expected times that increase, got t[2] = 0.4 after 0.4");
    t[T] = (double)NAN;
    test_assert_error(cst_path_make(CST_PATH_CUBIC, &s, memory, &path, &error), CST_EARG, &error,
                      "series 1: expected at least 1 time, got 0");
    s.own_times = false, s.length = 1;
    test_assert_error(cst_path_make(CST_PATH_CUBIC, &s, memory, &path, &error), CST_EARG, &error,
                      "series 0: expected at least 2 times, got 1");
    s.length = T;
    t[3] = (double)INFINITY;
    test_assert_error(cst_path_make(CST_PATH_LINEAR, &s, memory, &path, &error), CST_EARG, &error,
                      "series 0: expected finite times, got t[3] = inf");
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_through_its_knots),
        cmocka_unit_test(cubics_are_smooth),
        cmocka_unit_test(hermite_has_backward_slopes),
        cmocka_unit_test(spline_converges),
        cmocka_unit_test(gaps_are_filled),
        cmocka_unit_test(spline_with_a_gap),
        cmocka_unit_test(series_have_times_of_their_own),
        cmocka_unit_test(knots_belong_to_the_interval_before),
        cmocka_unit_test(rectilinear_knots),
        cmocka_unit_test(mistakes_have_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
