/* group_norm, layer_norm and the pools where they are easy to get wrong: large means, constant groups, ties, NaN; and
 * what their constructors refuse and name. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "layers/norm_layers.h"
#include "layers/pool2d.h"

#include <math.h>

/* ---- numbers that are easy to get wrong ---------------------------------------------------------------------- */

/* Where reals are 2 apart, the mean of base + 0, base + 2, ..., base + 10 is not a real: its rounding error must not
 * show in the variance. The mean of squares minus the square of the mean would have no digit left. */
static void variance_survives_a_large_mean(void **state)
{
    (void)state;
    enum { M = 6 };
    cst_module *m;
    const cst_shape shape = cst_shape_1d(M);
    assert_int_equal(cst_layer_norm_new(&shape, &(cst_layer_norm_options){1e-5}, &m, NULL), CST_OK);
    real theta[2 * M], x[M], y[M], cache[64];
    cst_module_init(m, 0, theta);
    for (size_t i = 0; i < M; i++) x[i] = 2 / CST_REAL_EPSILON + (real)(2 * i); /* variance 35 / 3 */
    const cst_call c = {.n = 1, .threads = 1, .theta = theta};
    assert_int_equal(cst_module_forward(m, &c, x, y, cache), CST_OK);
    for (size_t i = 0; i < M; i++)
        assert_true(fabs((double)(y[i] - y[0]) - 2. * (double)i / sqrt(35. / 3 + 1e-5)) <
                    20 * (double)CST_REAL_EPSILON);
    x[5] = (real)NAN;
    assert_int_equal(cst_module_forward(m, &c, x, y, cache), CST_OK);
    for (size_t i = 0; i < M; i++) assert_true(isnan(y[i]));
    cst_module_free(m);
}

/* The mean of a constant rounds, and so does the variance about it. The variance must not be below -eps, whose root is
 * NaN. */
static void constant_groups_stay_finite(void **state)
{
    (void)state;
    for (size_t size = 2; size < 64; size++) {
        cst_module *m;
        const cst_shape shape = cst_shape_1d(size);
        real theta[128], x[64], y[64], cache[64];
        assert_int_equal(cst_layer_norm_new(&shape, &(cst_layer_norm_options){1e-5}, &m, NULL), CST_OK);
        cst_module_init(m, 0, theta);
        const cst_call c = {.n = 1, .threads = 1, .theta = theta};
        for (size_t i = 0; i < size; i++) x[i] = (real)(1e22 + 1e20 * (double)size);
        assert_int_equal(cst_module_forward(m, &c, x, y, cache), CST_OK);
        for (size_t i = 0; i < size; i++) assert_true(fabs((double)y[i]) < 2);
        cst_module_free(m);
    }
}

/* One plane of 2 x 2 with one window over all of it, on both paths: the vectorized one, and the one with a stride. */
static void max_pool_of(const real x[4], real *y, real gx[4], size_t stride)
{
    cst_module *m;
    const cst_shape shape = cst_shape_3d(1, 2, 2);
    assert_int_equal(cst_max_pool2d_new(&shape, &(cst_pool2d_options){2, stride, 0}, &m, NULL), CST_OK);
    const cst_call c = {.n = 1, .threads = 1};
    const real gy = 1;
    assert_int_equal(cst_module_forward(m, &c, x, y, NULL), CST_OK);
    assert_int_equal(cst_module_vjp(m, &c, &(cst_point){x, y, NULL}, &gy, &(cst_grads){.scale = 1, .gx = gx}), CST_OK);
    cst_module_free(m);
}

static void max_pool_ties_and_nans(void **state)
{
    (void)state;
    const real nan = (real)NAN, low = (real)-INFINITY;
    const struct {
        real x[4];
        size_t winner;
    } cases[] = {
        {{1, 1, 1, 1}, 0},         {{0, 1, 1, 1}, 1},         {{0, 0, 1, 1}, 2},       {{0, 0, 0, 1}, 3},
        {{-3, -2, -2, -5}, 1},     {{nan, 1, 2, 3}, 0},       {{1, 2, nan, 3}, 2},     {{1, nan, 2, nan}, 3},
        {{low, low, low, low}, 0}, {{low, nan, low, low}, 1}, {{low, low, 0, low}, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t stride = 1; stride <= 2; stride++) {
            real y, gx[4];
            max_pool_of(cases[i].x, &y, gx, stride);
            for (size_t j = 0; j < 4; j++) assert_true(gx[j] == (real)(j == cases[i].winner));
            assert_memory_equal(&y, &cases[i].x[cases[i].winner], sizeof y);
        }
    }
}

/* ---- construction -------------------------------------------------------------------------------------------- */

static void constructors_check_shapes(void **state)
{
    (void)state;
    cst_module *m;
    cst_error error;
    const cst_shape image = cst_shape_3d(6, 4, 5), vector = cst_shape_1d(6), empty = cst_shape_3d(6, 0, 5),
                    scalar = {0, {0}};
    assert_int_equal(cst_group_norm_new(&image, &(cst_group_norm_options){4, 1e-5}, &m, &error), CST_ESHAPE);
    assert_string_equal(error.message, "4 groups do not divide the 6 channels of rows (6, 4, 5)");
    assert_int_equal(cst_group_norm_new(&image, &(cst_group_norm_options){0, 1e-5}, &m, &error), CST_ESHAPE);
    assert_int_equal(cst_group_norm_new(&scalar, &(cst_group_norm_options){1, 1e-5}, &m, &error), CST_ESHAPE);
    assert_int_equal(cst_group_norm_new(&empty, &(cst_group_norm_options){2, 1e-5}, &m, &error), CST_ESHAPE);
    assert_int_equal(cst_group_norm_new(&image, &(cst_group_norm_options){2, 0}, &m, &error), CST_EARG);
    assert_int_equal(cst_layer_norm_new(&vector, &(cst_layer_norm_options){(double)INFINITY}, &m, &error), CST_EARG);
    assert_int_equal(cst_avg_pool2d_new(&vector, &(cst_pool2d_options){2, 0, 0}, &m, &error), CST_ESHAPE);
    assert_int_equal(cst_avg_pool2d_new(&empty, &(cst_pool2d_options){1, 0, 0}, &m, &error), CST_ESHAPE);
    assert_int_equal(cst_avg_pool2d_new(&image, &(cst_pool2d_options){0, 0, 0}, &m, &error), CST_EARG);
    assert_int_equal(cst_max_pool2d_new(&image, &(cst_pool2d_options){3, 1, 2}, &m, &error), CST_EARG);
    assert_int_equal(cst_max_pool2d_new(&image, &(cst_pool2d_options){5, 1, 0}, &m, &error), CST_ESHAPE);
    assert_null(m);
    assert_int_equal(cst_max_pool2d_new(&image, &(cst_pool2d_options){5, 1, 1}, &m, &error), CST_OK);
    assert_true(cst_shape_equal(&m->y, &(cst_shape){3, {6, 2, 3}}));
    cst_module_free(m);
    assert_int_equal(cst_max_pool2d_new(&image, &(cst_pool2d_options){3, 0, 1}, &m, &error), CST_OK);
    assert_true(cst_shape_equal(&m->y, &(cst_shape){3, {6, 2, 2}})); /* a stride of 0 is the kernel's 3 */
    cst_module_free(m);
    assert_int_equal(cst_global_avg_pool2d_new(&vector, &m, &error), CST_ESHAPE);
}

static void tensors_are_pytorchs(void **state)
{
    (void)state;
    cst_module *m;
    const cst_shape image = cst_shape_3d(6, 4, 5);
    real theta[240];
    assert_int_equal(cst_group_norm_new(&image, &(cst_group_norm_options){2, 1e-5}, &m, NULL), CST_OK);
    assert_int_equal(m->n_params, 12);
    assert_string_equal(m->tensors[0].name, "weight");
    assert_string_equal(m->tensors[1].name, "bias");
    assert_true(cst_shape_equal(&m->tensors[1].shape, &(cst_shape){1, {6}}));
    cst_module_init(m, 0, theta);
    for (size_t i = 0; i < 12; i++) assert_true(theta[i] == (real)(i < 6));
    cst_module_free(m);
    assert_int_equal(cst_layer_norm_new(&image, &(cst_layer_norm_options){1e-5}, &m, NULL), CST_OK);
    assert_int_equal(m->n_params, 240);
    assert_true(cst_shape_equal(&m->tensors[0].shape, &image));
    cst_module_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variance_survives_a_large_mean), cmocka_unit_test(constant_groups_stay_finite),
        cmocka_unit_test(max_pool_ties_and_nans),         cmocka_unit_test(constructors_check_shapes),
        cmocka_unit_test(tensors_are_pytorchs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
