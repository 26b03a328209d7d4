/* Layers over vectors, beyond the conformance suite: closed forms, initial distributions, parameter names, edge cases,
 * and work that is skipped. */
#include "tests/helpers.h"

#include "layers/activations.h"
#include "layers/concat_squash.h"
#include "layers/concat_time.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/residual.h"
#include "layers/sequential.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double tolerance = 20 * (double)CST_REAL_EPSILON;

static void assert_near(real got, double expected)
{
    if (fabs((double)got - expected) <= tolerance * (1 + fabs(expected))) return;
    fail_msg("got %.17g, expected %.17g", (double)got, expected);
}

static cst_module *new_linear(size_t in, size_t out, bool bias)
{
    const cst_shape x = cst_shape_1d(in);
    cst_module *m = NULL;
    assert_int_equal(cst_linear_new(&x, &(cst_linear_options){.out_features = out, .bias = bias}, &m, NULL), CST_OK);
    return m;
}

static cst_module *new_activation(size_t dim, cst_activation kind, double parameter)
{
    const cst_shape x = cst_shape_1d(dim);
    cst_module *m = NULL;
    assert_int_equal(cst_activation_new(&x, &(cst_activation_options){kind, parameter}, &m, NULL), CST_OK);
    return m;
}

/* ---- linear ------------------------------------------------------------------------------------------------------ */

static void test_linear_by_hand(void **state)
{
    (void)state;
    cst_module *m = new_linear(2, 3, true);
    const real theta[] = {1, 2, 3, 4, 5, 6, 0.5, -0.5, 0.25}, x[] = {1, -1, 2, 3}, gy[] = {1, 0, 2, -1, 1, 0};
    real y[6], gx[4], gtheta[9] = {10, 10, 10, 10, 10, 10, 10, 10, 10};
    const cst_call c = {.n = 2, .threads = 1, .theta = theta};
    assert_int_equal(cst_module_forward(m, &c, x, y, NULL), CST_OK);
    const double expected_y[] = {-0.5, -1.5, -0.75, 8.5, 17.5, 28.25};
    for (size_t i = 0; i < 6; i++) assert_near(y[i], expected_y[i]);
    const cst_grads g = {.scale = 0.5, .gx = gx, .gtheta = gtheta};
    assert_int_equal(cst_module_vjp(m, &c, &(cst_point){.x = x, .y = y}, gy, &g), CST_OK);
    const double expected_gx[] = {11, 14, 2, 2};
    for (size_t i = 0; i < 4; i++) assert_near(gx[i], expected_gx[i]);
    /* gW = gy^T x = (-1 -4; 2 3; 2 -2), gb = (0, 1, 2); half of each is added to 10 */
    const double expected_gtheta[] = {9.5, 8, 11, 11.5, 11, 9, 10, 10.5, 11};
    for (size_t i = 0; i < 9; i++) assert_near(gtheta[i], expected_gtheta[i]);
    cst_module_free(m);
}

/* Uniform in +-bound: its extremes, mean (0) and second moment (bound^2 / 3). */
static void assert_uniform(const real *w, size_t n, double bound)
{
    double mean = 0, square = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        const double v = (double)w[i] / bound;
        mean += v / (double)n;
        square += v * v / (double)n;
        largest = fmax(largest, fabs(v));
    }
    const double five_deviations = 5 / sqrt((double)n);
    assert_true(largest <= 1 + 1e-6 && largest > 1 - 10 / (double)n);
    assert_true(fabs(mean) < five_deviations * 0.5774);             /* standard deviation of v: 1/sqrt(3) */
    assert_true(fabs(square - 1.0 / 3) < five_deviations * 0.2982); /* of v^2: sqrt(4/45) */
}

static void test_linear_initial_distribution(void **state)
{
    (void)state;
    enum { IN = 64, OUT = 700 };
    cst_module *m = new_linear(IN, OUT, true);
    real *theta = malloc(m->n_params * sizeof *theta), *again = malloc(m->n_params * sizeof *again);
    assert_true(theta && again);
    assert_int_equal(m->n_params, IN * OUT + OUT);
    cst_module_init(m, cst_rng_new(1, CST_RNG_INIT), theta);
    cst_module_init(m, cst_rng_new(1, CST_RNG_INIT), again);
    assert_memory_equal(theta, again, m->n_params * sizeof *theta);
    assert_uniform(theta, IN * OUT, 1 / sqrt(IN));
    assert_uniform(theta + IN * OUT, OUT, 1 / sqrt(IN));
    /* The bias has its own stream of random numbers. */
    assert_memory_not_equal(theta, theta + IN * OUT, OUT * sizeof *theta);
    free(theta);
    free(again);
    cst_module_free(m);
}

/* In every pass, (N, 2, 3, in) has the results of (6 N, in). */
static void test_linear_along_the_last_dimension(void **state)
{
    (void)state;
    enum { N = 2, EACH = 6, IN = 3, OUT = 2, K = 2, ROWS = N * EACH };
    const cst_shape shape = cst_shape_3d(2, 3, IN);
    cst_module *m = NULL, *flat = new_linear(IN, OUT, true);
    assert_int_equal(cst_linear_new(&shape, &(cst_linear_options){.out_features = OUT, .bias = true}, &m, NULL),
                     CST_OK);
    assert_true(cst_shape_equal(&m->y, &(cst_shape){3, {2, 3, OUT}}));
    assert_int_equal(m->n_params, flat->n_params);
    assert_true(m->cost == EACH * flat->cost);
    real theta[IN * OUT + OUT], x[ROWS * IN], xdot[K * ROWS * IN], gy[ROWS * OUT], gydot[K * ROWS * OUT];
    const cst_rng rng = cst_rng_new(3, CST_RNG_TEST);
    cst_rng_fill_normal(cst_rng_split(rng, 0), theta, IN * OUT + OUT, 1);
    cst_rng_fill_normal(cst_rng_split(rng, 1), x, ROWS * IN, 1);
    cst_rng_fill_normal(cst_rng_split(rng, 2), xdot, K * ROWS * IN, 1);
    cst_rng_fill_normal(cst_rng_split(rng, 3), gy, ROWS * OUT, 1);
    cst_rng_fill_normal(cst_rng_split(rng, 4), gydot, K * ROWS * OUT, 1);
    struct {
        real y[ROWS * OUT], ydot[K * ROWS * OUT], gx[ROWS * IN], gxdot[K * ROWS * IN], gtheta[IN * OUT + OUT];
    } out[2] = {0};
    for (int i = 0; i < 2; i++) {
        const cst_module *module = i ? flat : m;
        const cst_call c = {.n = i ? ROWS : N, .threads = 1, .theta = theta};
        const cst_point p = {.x = x, .y = out[i].y};
        const cst_tangents d = {.count = K, .xdot = xdot, .ydot = out[i].ydot};
        const cst_tangent_point point = {.count = K, .xdot = xdot};
        const cst_grads g = {.scale = 1, .gx = out[i].gx, .gxdot = out[i].gxdot, .gtheta = out[i].gtheta};
        assert_int_equal(cst_module_forward(module, &c, x, out[i].y, NULL), CST_OK);
        assert_int_equal(cst_module_jvp(module, &c, &p, &d), CST_OK);
        assert_int_equal(cst_module_jvp_vjp(module, &c, &p, &point, gy, gydot, &g), CST_OK);
    }
    assert_memory_equal(&out[0], &out[1], sizeof out[0]);
    cst_module_free(m);
    cst_module_free(flat);
}

static void test_linear_errors(void **state)
{
    (void)state;
    const cst_shape empty = cst_shape_3d(1, 0, 3), row = cst_shape_1d(2), none = {0};
    cst_module *m = NULL;
    cst_error error = {0};
    assert_int_equal(cst_linear_new(&empty, &(cst_linear_options){.out_features = 3}, &m, &error), CST_ESHAPE);
    assert_non_null(strstr(error.message, "(1, 0, 3)"));
    assert_int_equal(cst_linear_new(&none, &(cst_linear_options){.out_features = 3}, &m, &error), CST_ESHAPE);
    assert_int_equal(cst_concat_squash_linear_new(&(cst_shape){2, {2, 3}}, &(cst_linear_options){1, true}, &m, &error),
                     CST_ESHAPE);
    assert_non_null(strstr(error.message, "(2, 3)"));
    assert_int_equal(cst_linear_new(&row, &(cst_linear_options){.out_features = 0}, &m, &error), CST_EARG);
    assert_null(m);
}

/* ---- activations ------------------------------------------------------------------------------------------------- */

static const struct {
    cst_activation kind;
    double parameter, x, y, slope; /* y = s(x), slope = s'(x) */
} points[] = {
    {CST_RELU, 0, 2, 2, 1},
    {CST_RELU, 0, -2, 0, 0},
    {CST_RELU, 0, 0, 0, 0},
    {CST_RELU, 0, -(double)INFINITY, 0, 0},
    {CST_LEAKY_RELU, 0.01, -2, -0.02, 0.01},
    {CST_LEAKY_RELU, 0.01, 3, 3, 1},
    {CST_TANH, 0, 1, 0.76159415595576489, 0.41997434161402607},
    {CST_SIGMOID, 0, 1, 0.73105857863000488, 0.19661193324148185},
    {CST_SOFTPLUS, 0, 0, 0.69314718055994531, 0.5},
    {CST_SOFTPLUS, 0, 1000, 1000, 1},
    {CST_SOFTPLUS, 0, -1000, 0, 0},
    {CST_ELU, 1, -1, -0.63212055882855768, 0.36787944117144232},
    {CST_ELU, 2, -1, -1.26424111765711536, 0.73575888234288464},
    {CST_ELU, 1, 2, 2, 1},
    {CST_SILU, 0, 1, 0.73105857863000488, 0.92767051187148672},
    {CST_GELU, 0, 1, 0.84134474606854295, 1.08331547058768623},
    {CST_GELU, 0, -1, -0.15865525393145705, -0.08331547058768623},
    {CST_SQUARE, 0, -3, 9, -6},
    {CST_IDENTITY, 0, -3, -3, 1},
};

static void test_activations_at_points(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        cst_module *m = new_activation(1, points[i].kind, points[i].parameter);
        const cst_call c = {.n = 1, .threads = 1};
        const real x = (real)points[i].x, gy = 1, nan = (real)NAN;
        real y = 0, gx = 0;
        assert_int_equal(cst_module_forward(m, &c, &x, &y, NULL), CST_OK);
        assert_near(y, points[i].y);
        assert_int_equal(
            cst_module_vjp(m, &c, &(cst_point){.x = &x, .y = &y}, &gy, &(cst_grads){.scale = 1, .gx = &gx}), CST_OK);
        assert_near(gx, points[i].slope);
        assert_int_equal(cst_module_forward(m, &c, &nan, &y, NULL), CST_OK);
        if (!isnan(y)) fail_msg("%s made %g of a NaN", m->ops->name, (double)y);
        cst_module_free(m);
    }
}

/* More elements than the passes take at a time, with tangents as far apart: tanh, in closed form. */
static void test_activations_of_many_elements(void **state)
{
    (void)state;
    enum { DIM = 2500, N = 2, SIZE = N * DIM, K = 2 };
    static real x[SIZE], xdot[K * SIZE], gy[SIZE], gydot[K * SIZE], y[SIZE], ydot[K * SIZE], gx[SIZE], gxdot[K * SIZE];
    const cst_rng rng = cst_rng_new(2, CST_RNG_TEST);
    cst_rng_fill_normal(cst_rng_split(rng, 0), x, SIZE, 1);
    cst_rng_fill_normal(cst_rng_split(rng, 1), xdot, K * SIZE, 1);
    cst_rng_fill_normal(cst_rng_split(rng, 2), gy, SIZE, 1);
    cst_rng_fill_normal(cst_rng_split(rng, 3), gydot, K * SIZE, 1);
    cst_module *m = new_activation(DIM, CST_TANH, 0);
    const cst_call c = {.n = N, .threads = 1};
    const cst_point p = {.x = x, .y = y};
    const cst_tangents d = {.capacity = K, .count = K, .xdot = xdot, .ydot = ydot};
    assert_int_equal(cst_module_forward(m, &c, x, y, NULL), CST_OK);
    assert_int_equal(cst_module_jvp(m, &c, &p, &d), CST_OK);
    const cst_tangent_point point = {.capacity = K, .count = K, .xdot = xdot};
    assert_int_equal(
        cst_module_jvp_vjp(m, &c, &p, &point, gy, gydot, &(cst_grads){.scale = 1, .gx = gx, .gxdot = gxdot}), CST_OK);
    for (size_t i = 0; i < SIZE; i++) {
        const double v = tanh((double)x[i]), slope = 1 - v * v, bend = -2 * v * slope;
        double expected = slope * (double)gy[i];
        for (size_t k = 0; k < K; k++) {
            const size_t at = k * SIZE + i;
            assert_near(ydot[at], slope * (double)xdot[at]);
            assert_near(gxdot[at], slope * (double)gydot[at]);
            expected += bend * (double)gydot[at] * (double)xdot[at];
        }
        assert_near(gx[i], expected);
    }
    cst_module_free(m);
}

/* ---- concat_time and concat_squash ------------------------------------------------------------------------------- */

static void test_concat_time_comes_first(void **state)
{
    (void)state;
    const cst_shape image = cst_shape_3d(1, 1, 2), matrix = {.rank = 2, .dim = {2, 2}};
    const real x[] = {1, 2, 3, 4}, gy[] = {1, 10, 100, 1000, 2, 20, 200, 2000};
    real y[8], gx[4];
    double gt = 5;
    cst_module *m = NULL;
    cst_error error = {0};
    assert_int_equal(cst_concat_time_new(&matrix, &m, &error), CST_ESHAPE);
    assert_int_equal(cst_concat_time_new(&image, &m, &error), CST_OK);
    const cst_call c = {.t = 0.25, .n = 2, .threads = 1};
    const real expected_y[] = {0.25, 0.25, 1, 2, 0.25, 0.25, 3, 4}, expected_gx[] = {100, 1000, 200, 2000};
    assert_int_equal(cst_module_forward(m, &c, x, y, NULL), CST_OK);
    assert_memory_equal(y, expected_y, sizeof y);
    assert_int_equal(
        cst_module_vjp(m, &c, &(cst_point){.x = x, .y = y}, gy, &(cst_grads){.scale = 0.5, .gx = gx, .gt = &gt}),
        CST_OK);
    assert_memory_equal(gx, expected_gx, sizeof gx);
    assert_true(gt == 5 + 0.5 * (1 + 10 + 2 + 20));
    cst_module_free(m);
}

/* One number in, one out: y = (w x + b) s(v t + k) + u t, with theta = (w, b, u, v, k). */
static void test_concat_squash_by_hand(void **state)
{
    (void)state;
    const cst_shape row = cst_shape_1d(1);
    const real theta[] = {2, (real)-0.3, (real)0.7, (real)1.1, (real)-0.4}, x = (real)0.9, gy = (real)1.5;
    const double t = 0.6, w = (double)theta[0], b = (double)theta[1], u = (double)theta[2], v = (double)theta[3];
    const double s = 1 / (1 + exp(-(v * t + (double)theta[4]))), value = w * (double)x + b, slope = s * (1 - s);
    cst_module *m = NULL;
    assert_int_equal(cst_concat_squash_linear_new(&row, &(cst_linear_options){1, true}, &m, NULL), CST_OK);
    cst_plan plan;
    cst_module_plan(m, 1, 0, 1, &plan);
    real *cache = malloc(plan.cache * sizeof *cache), *work = malloc(plan.work * sizeof *work);
    assert_true(cache && work);
    real y, gx, gtheta[5] = {0};
    double gt = 0;
    const cst_call c = {.t = t, .n = 1, .threads = 1, .theta = theta, .work = work};
    assert_int_equal(cst_module_forward(m, &c, &x, &y, cache), CST_OK);
    assert_near(y, value * s + u * t);
    const cst_grads g = {.scale = 2, .gx = &gx, .gtheta = gtheta, .gt = &gt};
    assert_int_equal(cst_module_vjp(m, &c, &(cst_point){&x, &y, cache}, &gy, &g), CST_OK);
    assert_near(gx, 1.5 * w * s);
    const double expected[] = {3 * (double)x * s, 3 * s, 3 * t, 3 * value * slope * t, 3 * value * slope};
    for (size_t i = 0; i < 5; i++) assert_near(gtheta[i], expected[i]);
    assert_near((real)gt, 3 * (value * slope * v + u));
    free(cache);
    free(work);
    cst_module_free(m);
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static cst_status append_name(void *context, const char *name, const cst_shape *shape, size_t offset)
{
    char *text = context, dims[CST_SHAPE_TEXT];
    const size_t used = strlen(text);
    snprintf(text + used, 1000 - used, "%s %s %zu; ", name, cst_shape_text(shape, dims), offset);
    return CST_OK;
}

static void test_parameter_names(void **state)
{
    (void)state;
    const cst_shape row = cst_shape_1d(2);
    cst_module *s = NULL, *squash = NULL, *r = NULL;
    assert_int_equal(cst_sequential_new(&row, &s, NULL), CST_OK);
    assert_int_equal(cst_concat_squash_linear_new(&row, &(cst_linear_options){3, true}, &squash, NULL), CST_OK);
    assert_int_equal(cst_sequential_add(s, squash, NULL), CST_OK);
    assert_int_equal(cst_sequential_add(s, new_activation(3, CST_TANH, 0), NULL), CST_OK);
    assert_int_equal(cst_sequential_add(s, new_linear(3, 2, false), NULL), CST_OK);
    assert_int_equal(cst_residual_new(s, &r, NULL), CST_OK);
    char text[1000] = "";
    assert_int_equal(cst_module_visit_tensors(r, append_name, text), CST_OK);
    assert_string_equal(text, "body.0.layer.weight (3, 2) 0; body.0.layer.bias (3) 6; "
                              "body.0.hyper_bias.weight (3, 1) 9; body.0.hyper_gate.weight (3, 1) 12; "
                              "body.0.hyper_gate.bias (3) 15; body.2.weight (2, 3) 18; ");
    assert_int_equal(r->n_params, 24);
    cst_module_free(r);
}

/* ---- composites -------------------------------------------------------------------------------------------------- */

static void test_shapes_that_do_not_fit(void **state)
{
    (void)state;
    const cst_shape row = cst_shape_1d(3);
    cst_module *s = NULL, *r = NULL;
    cst_error error = {0};
    assert_int_equal(cst_sequential_new(&row, &s, &error), CST_OK);
    assert_int_equal(cst_sequential_add(s, new_linear(3, 4, true), &error), CST_OK);
    assert_int_equal(cst_sequential_add(s, new_linear(5, 4, true), &error), CST_ESHAPE);
    assert_non_null(strstr(error.message, "(4)"));
    assert_non_null(strstr(error.message, "(5)"));
    assert_int_equal(s->n_children, 1);
    assert_int_equal(cst_residual_new(s, &r, &error), CST_ESHAPE); /* takes ownership of s, also on failure */
    assert_non_null(strstr(error.message, "from (3) to (4)"));
    assert_null(r);
}

/* The identity, with a count of its reverse passes. */
typedef struct spy {
    cst_module base;
    int *visits;
} spy;

static cst_status spy_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    (void)cache;
    memcpy(y, x, c->n * cst_shape_size(&m->x) * sizeof *y);
    return CST_OK;
}

static cst_status spy_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                          const cst_grads *g)
{
    (void)p;
    ++*((const spy *)(const void *)m)->visits;
    if (g->gx) memcpy(g->gx, gy, c->n * cst_shape_size(&m->x) * sizeof *gy);
    return CST_OK;
}

static const cst_module_ops spy_ops = {.name = "spy", .forward = spy_forward, .vjp = spy_vjp};

/* The layers before the first parameters have a reverse pass only if gx or gt is wanted. */
static void test_sequential_stops_early(void **state)
{
    (void)state;
    const cst_shape row = cst_shape_1d(2);
    int visits = 0;
    cst_module *s = NULL;
    assert_int_equal(cst_sequential_new(&row, &s, NULL), CST_OK);
    for (size_t i = 0; i < 2; i++) {
        cst_module *m = NULL;
        assert_int_equal(cst_module_new(sizeof(spy), &spy_ops, &row, &m, NULL), CST_OK);
        ((spy *)(void *)m)->visits = &visits;
        assert_int_equal(cst_sequential_add(s, m, NULL), CST_OK);
    }
    assert_int_equal(cst_sequential_add(s, new_linear(2, 2, false), NULL), CST_OK);
    cst_plan plan;
    cst_module_plan(s, 1, 0, 1, &plan);
    real *cache = malloc(plan.cache * sizeof *cache), *work = malloc(plan.work * sizeof *work);
    assert_true(cache && work);
    const real theta[] = {1, 2, 3, 4}, x[] = {1, -1}, gy[] = {1, 2};
    real y[2], gx[2], gtheta[4] = {0};
    double gt = 0;
    const cst_call c = {.n = 1, .threads = 1, .theta = theta, .work = work};
    const cst_point p = {.x = x, .y = y, .cache = cache};
    assert_int_equal(cst_module_forward(s, &c, x, y, cache), CST_OK);
    assert_int_equal(cst_module_vjp(s, &c, &p, gy, &(cst_grads){.scale = 1, .gtheta = gtheta}), CST_OK);
    assert_int_equal(visits, 0);
    assert_near(gtheta[2], 2);
    assert_int_equal(cst_module_vjp(s, &c, &p, gy, &(cst_grads){.scale = 1, .gt = &gt}), CST_OK);
    assert_int_equal(visits, 2);
    assert_int_equal(cst_module_vjp(s, &c, &p, gy, &(cst_grads){.scale = 1, .gx = gx}), CST_OK);
    assert_int_equal(visits, 4);
    assert_near(gx[0], 7);
    assert_near(gx[1], 10);
    free(cache);
    free(work);
    cst_module_free(s);
}

/* From 20 on y = x with slope 1, as in PyTorch; below, y = log(1 + exp(x)). */
static void softplus_is_pytorchs(void **state)
{
    (void)state;
    const cst_shape shape = cst_shape_1d(2);
    const real x[2] = {(real)19.5, (real)20.5}, gy[2] = {1, 1};
    real y[2], gx[2];
    cst_module *m;
    cst_error error;
    test_assert_ok("softplus", test_module_new(JSON({"type": "softplus"}), &shape, &m, &error), &error);
    const cst_call call = {.n = 1, .threads = 1, .error = &error};
    test_assert_ok("forward", cst_module_forward(m, &call, x, y, NULL), &error);
    test_assert_ok("vjp", cst_module_vjp(m, &call, &(cst_point){x, y, NULL}, gy, &(cst_grads){.scale = 1, .gx = gx}),
                   &error);
    assert_true(y[1] == x[1] && gx[1] == 1);
    if (sizeof(real) == sizeof(double)) assert_true(y[0] > x[0] && gx[0] < 1);
    cst_module_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softplus_is_pytorchs),
        cmocka_unit_test(test_linear_by_hand),
        cmocka_unit_test(test_linear_initial_distribution),
        cmocka_unit_test(test_linear_along_the_last_dimension),
        cmocka_unit_test(test_linear_errors),
        cmocka_unit_test(test_activations_at_points),
        cmocka_unit_test(test_activations_of_many_elements),
        cmocka_unit_test(test_concat_time_comes_first),
        cmocka_unit_test(test_concat_squash_by_hand),
        cmocka_unit_test(test_parameter_names),
        cmocka_unit_test(test_shapes_that_do_not_fit),
        cmocka_unit_test(test_sequential_stops_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
