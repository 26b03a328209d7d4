/* The layers of flows that are bijections: log-determinants against their Jacobians, inverses, errors. */
#include "layers/dequantize.h"
#include "layers/logit.h"
#include "layers/squeeze.h"
#include "tests/helpers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX = 16, N = 3 };

static const double eps = (double)CST_REAL_EPSILON;

/* A layer at N rows of numbers between 0 and 1. */
typedef struct layer_rig {
    cst_module *m;
    size_t d;
    real x[N * MAX], y[N * MAX];
    cst_call call;
    cst_error error;
} layer_rig;

static void build(layer_rig *r, const char *json, cst_shape x)
{
    *r = (layer_rig){.d = cst_shape_size(&x)};
    test_assert_ok(json, test_module_new(json, &x, &r->m, &r->error), &r->error);
    r->call = (cst_call){.n = N, .threads = 1, .rng = 9, .error = &r->error};
    cst_rng_fill_uniform(cst_rng_new(3, CST_RNG_TEST), r->x, N * r->d, 0.02, 0.98);
}

static void forward(layer_rig *r)
{
    test_assert_ok("forward", cst_module_forward(r->m, &r->call, r->x, r->y, NULL), &r->error);
}

/* log |det| of a matrix (d, d), by elimination. */
static double log_determinant(double a[MAX][MAX], size_t d)
{
    double sum = 0;
    for (size_t k = 0; k < d; k++) {
        size_t pivot = k;
        for (size_t i = k; i < d; i++) pivot = fabs(a[i][k]) > fabs(a[pivot][k]) ? i : pivot;
        for (size_t j = 0; j < d; j++) {
            const double swap = a[k][j];
            a[k][j] = a[pivot][j], a[pivot][j] = swap;
        }
        sum += log(fabs(a[k][k]));
        for (size_t i = k + 1; i < d; i++)
            for (size_t j = d; j-- > k;) a[i][j] -= a[i][k] / a[k][k] * a[k][j];
    }
    return sum;
}

/* The log-determinant of row 0, from the VJPs of unit vectors. */
static double log_determinant_of(layer_rig *r)
{
    double a[MAX][MAX];
    forward(r);
    for (size_t i = 0; i < r->d; i++) {
        real gy[N * MAX] = {0}, gx[N * MAX];
        gy[i] = 1;
        test_assert_ok(
            "vjp",
            cst_module_vjp(r->m, &r->call, &(cst_point){r->x, r->y, NULL}, gy, &(cst_grads){.scale = 1, .gx = gx}),
            &r->error);
        for (size_t j = 0; j < r->d; j++) a[i][j] = (double)gx[j];
    }
    return log_determinant(a, r->d);
}

static const struct {
    const char *json;
    cst_shape x;
    const cst_bijection *bijection;
    double units; /* the log-determinant has its logarithm subtracted, per dimension */
} cases[] = {
    {JSON({"type": "squeeze"}), {3, {1, 4, 2}}, &cst_squeeze_bijection, 1},
    {JSON({"type": "logit"}), {1, {5}}, &cst_logit_bijection, 1},
    {JSON({"type": "logit", "alpha": 0.3}), {3, {2, 1, 3}}, &cst_logit_bijection, 1},
    {JSON({"type": "dequantize"}), {1, {4}}, &cst_dequantize_bijection, 255},
    {JSON({"type": "dequantize", "levels": 5}), {3, {1, 2, 3}}, &cst_dequantize_bijection, 4},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static void log_determinants_are_those_of_the_jacobian(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        layer_rig r;
        build(&r, cases[i].json, cases[i].x);
        const cst_bijection *b = cases[i].bijection;
        double logdet[N] = {0.5, 0, 0};
        if (b->logdet) b->logdet(r.m, N, r.x, logdet);
        const double expected = 0.5 + log_determinant_of(&r) - (double)r.d * log(cases[i].units);
        if (!(fabs(logdet[0] - expected) < 200 * eps * (1 + fabs(expected))))
            fail_msg("%s: log-determinant %.12g, expected %.12g", cases[i].json, logdet[0], expected);
        /* The gradient of the log-determinant, by differences. */
        real gx[N * MAX] = {0};
        const real g[N] = {2, -1, (real)0.5};
        if (b->logdet_vjp) b->logdet_vjp(r.m, N, r.x, g, gx);
        test_derivative seen = {0};
        for (size_t k = 0; b->logdet && k < N * r.d; k++) {
            const real saved = r.x[k], h = (real)1e-4, above = saved + h, below = saved - h;
            double up[N] = {0}, down[N] = {0};
            r.x[k] = above;
            b->logdet(r.m, N, r.x, up);
            r.x[k] = below;
            b->logdet(r.m, N, r.x, down);
            r.x[k] = saved;
            const double slope = (double)g[k / r.d] * (up[k / r.d] - down[k / r.d]) / ((double)above - (double)below);
            const double allowed = fmax(1e-4, 1e3 * eps) * (1 + fabs(slope));
            test_derivative_compare(&seen, cases[i].json, k, (double)gx[k], slope, allowed);
        }
        /* Without a VJP the log-determinant is constant. */
        test_derivative_end(&seen, cases[i].json, b->logdet_vjp == NULL);
        cst_module_free(r.m);
    }
}

static void inverses_go_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        layer_rig r;
        build(&r, cases[i].json, cases[i].x);
        for (size_t k = 0; cases[i].units > 1 && k < N * r.d; k++) /* pixels: both ends and numbers between */
            r.x[k] = (real)(floor(((double)k / (double)(N * r.d - 1)) * cases[i].units) / cases[i].units);
        real x[N * MAX];
        forward(&r);
        cases[i].bijection->inverse(r.m, N, r.y, x);
        test_assert_close(cases[i].json, x, r.x, N * r.d, 20 * eps);
        cst_module_free(r.m);
    }
    /* Numbers outside of the image's range map to the nearest end. */
    layer_rig r;
    const real far[3] = {-100, 0, 100}, out[3] = {(real)-0.3, (real)0.5, (real)1.7};
    real x[3];
    build(&r, JSON({"type": "logit"}), cst_shape_1d(3));
    cst_logit_bijection.inverse(r.m, 1, far, x);
    assert_true(x[0] == 0 && fabs((double)x[1] - 0.5) < 4 * eps && x[2] == 1);
    cst_module_free(r.m);
    build(&r, JSON({"type": "dequantize"}), cst_shape_1d(3));
    cst_dequantize_bijection.inverse(r.m, 1, out, x);
    assert_true(x[0] == 0 && x[2] == 1);
    cst_module_free(r.m);
}

/* Channel 4 c + 2 a + b has the pixels of rows a, a + 2, ... and columns b, b + 2, ... */
static void squeeze_takes_patches(void **state)
{
    (void)state;
    layer_rig r;
    build(&r, JSON({"type": "squeeze"}), cst_shape_3d(1, 2, 4));
    for (size_t i = 0; i < 8; i++) r.x[i] = (real)i;
    forward(&r);
    const real expected[8] = {0, 2, 1, 3, 4, 6, 5, 7};
    assert_memory_equal(r.y, expected, sizeof expected);
    cst_module_free(r.m);
}

/* The noise fills a level. A row's noise is its own, wherever the row is in the batch. */
static void noise_is_uniform(void **state)
{
    (void)state;
    enum { ROWS = 2000 };
    layer_rig r;
    build(&r, JSON({"type": "dequantize", "levels": 4}), cst_shape_1d(2));
    static real x[ROWS * 2], y[ROWS * 2], one[2];
    for (size_t i = 0; i < ROWS * 2; i++) x[i] = (real)(1.0 / 3);
    r.call.n = ROWS;
    assert_int_equal(cst_module_forward(r.m, &r.call, x, y, NULL), CST_OK);
    double sum = 0, low = 1, high = 0;
    for (size_t i = 0; i < ROWS * 2; i++) {
        sum += (double)y[i];
        low = fmin(low, (double)y[i]);
        high = fmax(high, (double)y[i]);
    }
    assert_true(low >= 0.25 - eps && low < 0.251 && high < 0.5 + eps && high > 0.499);
    assert_true(fabs(sum / (ROWS * 2) - 0.375) < 4 * 0.25 / sqrt(12 * ROWS * 2.0));
    r.call.n = 1, r.call.row = 1234;
    assert_int_equal(cst_module_forward(r.m, &r.call, x, one, NULL), CST_OK);
    assert_memory_equal(one, y + 2 * 1234, sizeof one);
    cst_module_free(r.m);
}

static void wrong_shapes_and_options_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        cst_shape x;
        const char *message;
    } bad[] = {
        {JSON({"type": "logit", "alpha": 0}), {1, {2}}, "model: alpha: expected"},
        {JSON({"type": "logit", "alpha": 0.5}), {1, {2}}, "model: alpha: expected"},
        {JSON({"type": "dequantize", "levels": 1}), {1, {2}}, "model: levels: expected"},
        {JSON({"type": "squeeze"}),
         {3, {1, 3, 4}},
         "model: expected images (C, H, W) with H and W even to squeeze, got (1, 3, 4)"},
        {JSON({"type": "squeeze"}), {3, {1, 4, 7}}, "with H and W even"},
        {JSON({"type": "squeeze"}), {1, {4}}, "(C, H, W)"},
    };
    cst_module *m = NULL;
    cst_error error;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(test_module_new(bad[i].json, &bad[i].x, &m, &error), CST_ECONFIG);
        if (!strstr(error.message, bad[i].message)) fail_msg("case %zu: %s", i, error.message);
    }
    const cst_shape row = cst_shape_1d(2);
    for (int i = 0; i < 3; i++) {
        const double alpha[3] = {-0.1, 0.6, (double)NAN};
        assert_int_equal(cst_logit_new(&row, &(cst_logit_options){alpha[i]}, &m, &error), CST_EARG);
    }
    static const char *const layers[] = {JSON({"type": "logit"}), JSON({"type": "dequantize"})};
    const real values[3] = {(real)-0.01, (real)1.01, (real)NAN};
    for (size_t i = 0; i < 6; i++) {
        layer_rig r;
        build(&r, layers[i / 3], row);
        r.call.row = 10;
        r.x[3] = values[i % 3];
        assert_int_equal(cst_module_forward(r.m, &r.call, r.x, r.y, NULL), CST_EARG);
        if (!strstr(r.error.message, "from 0 to 1, got") || !strstr(r.error.message, "in row 11 of the batch, entry 1"))
            fail_msg("%s", r.error.message);
        cst_module_free(r.m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_determinants_are_those_of_the_jacobian),
        cmocka_unit_test(inverses_go_back),
        cmocka_unit_test(squeeze_takes_patches),
        cmocka_unit_test(noise_is_uniform),
        cmocka_unit_test(wrong_shapes_and_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
