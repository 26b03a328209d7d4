/* Normalizing flows: densities in closed form, densities that integrate to one, inverses, scales, errors. */
#include "tests/data_files.h"
#include "tests/ode_rig.h"

#include "layers/squeeze.h"
#include "models/flow.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#ifdef CST_DOUBLE
static const bool exact = true;
#define SOLVER "'solver': {'rtol': 1e-11, 'atol': 1e-11}"
#else
static const bool exact = false; /* single precision: the tight comparisons are made in the double build */
#define SOLVER "'solver': {'rtol': 1e-5, 'atol': 1e-5}"
#endif

#define CNF(keys, hidden) "{'type': 'cnf', " keys SOLVER ", 'field': {'type': 'field_net', " hidden "}}"
#define IMAGES                                                                                                         \
    "{'type': 'flow', 'layers': [{'type': 'dequantize'}, {'type': 'logit', 'alpha': 0.05}], "                          \
    "'blocks': [[1, 1], [0, 1], [2]], 'cnf': " CNF("'kinetic': 0.1, ", "'hidden': [4]") "}"

static const double log_two_pi = 1.8378770664093454836;

/* ---- closed form ------------------------------------------------------------------------------------------------- */

/* e^A of a 2 x 2 matrix, by the power series of A / 2^10, squared ten times. */
static void matrix_exponential(const double a[4], double e[4])
{
    double term[4] = {1, 0, 0, 1};
    memcpy(e, term, sizeof term);
    for (int k = 1; k < 12; k++) {
        const double x[4] = {a[0] / 1024, a[1] / 1024, a[2] / 1024, a[3] / 1024};
        const double next[4] = {(term[0] * x[0] + term[1] * x[2]) / k, (term[0] * x[1] + term[1] * x[3]) / k,
                                (term[2] * x[0] + term[3] * x[2]) / k, (term[2] * x[1] + term[3] * x[3]) / k};
        memcpy(term, next, sizeof term);
        for (int i = 0; i < 4; i++) e[i] += term[i];
    }
    for (int k = 0; k < 10; k++) {
        const double s[4] = {e[0] * e[0] + e[1] * e[2], e[0] * e[1] + e[1] * e[3], e[2] * e[0] + e[3] * e[2],
                             e[2] * e[1] + e[3] * e[3]};
        memcpy(e, s, sizeof s);
    }
}

/* z = e^A x: log p(x) = log N(e^A x; 0, I) + log det e^A, with that determinant computed from e^A. */
static void linear_flow_has_its_closed_form(void **state)
{
    (void)state;
    enum { N = 3 };
    ode_rig r;
    test_assert_ok("flow",
                   ode_rig_build(&r,
                                 "{'type': 'flow', 'layers': [" CNF("'divergence': 'exact', ",
                                                                    "'hidden': [], 'time': 'none'") "]}",
                                 cst_shape_1d(2), N, 1),
                   &r.error);
    assert_int_equal(r.m->n_params, 6);
    const double a[4] = {-0.3, 1.4, -1.1, 0.9};
    for (int i = 0; i < 4; i++) r.theta[i] = (real)a[i];
    r.theta[4] = r.theta[5] = 0;
    ode_rig_run(&r);
    double e[4];
    matrix_exponential(a, e);
    for (size_t i = 0; i < N; i++) {
        const double x[2] = {(double)r.x[2 * i], (double)r.x[2 * i + 1]};
        const double z[2] = {e[0] * x[0] + e[1] * x[1], e[2] * x[0] + e[3] * x[1]};
        const double expected = -log_two_pi - (z[0] * z[0] + z[1] * z[1]) / 2 + log(fabs(e[0] * e[3] - e[1] * e[2]));
        if (!(fabs((double)r.y[i] - expected) < (exact ? 1e-9 : 1e-4)))
            fail_msg("row %zu: log p = %.12g, expected %.12g", i, (double)r.y[i], expected);
        /* d log p / dx = -(e^A)^T z */
        for (size_t k = 0; k < 2; k++) {
            const double slope = -(double)r.gy[i] * (e[k] * z[0] + e[2 + k] * z[1]);
            if (!(fabs((double)r.gx[2 * i + k] - slope) < (exact ? 1e-8 : 1e-3)))
                fail_msg("row %zu: gradient %.10g, expected %.10g", i, (double)r.gx[2 * i + k], slope);
        }
    }
    ode_rig_clear(&r);
}

/* Two cnfs, far from the identity: the sum of p over a grid of squares with side 0.2 is one. */
static void densities_integrate_to_one(void **state)
{
    (void)state;
    enum { SIDE = 80, N = SIDE * SIDE };
    ode_rig r;
    test_assert_ok("flow",
                   ode_rig_build(&r, JSON({
                       "type": "flow",
                       "layers": [
                           {
                               "type": "cnf",
                               "divergence": "exact",
                               "solver": {"rtol": 1e-4, "atol": 1e-4},
                               "field": {"type": "field_net", "hidden": [6], "time": "concat_squash"}
                           },
                           {
                               "type": "cnf",
                               "t": [1, 0.5],
                               "divergence": "exact",
                               "solver": {"rtol": 1e-4, "atol": 1e-4},
                               "field": {"type": "field_net", "hidden": [6]}
                           }
                       ]
                   }),
                                 cst_shape_1d(2), N, 2),
                   &r.error);
    for (size_t i = 0; i < r.m->n_params; i++) r.theta[i] *= (real)1.5;
    for (size_t i = 0; i < N; i++) {
        r.x[2 * i] = (real)(0.2 * ((double)(i / SIDE) - SIDE / 2 + 0.5));
        r.x[2 * i + 1] = (real)(0.2 * ((double)(i % SIDE) - SIDE / 2 + 0.5));
    }
    if (ode_rig_forward(&r) != CST_OK) fail_msg("%s", r.error.message);
    double sum = 0, normal = 0;
    for (size_t i = 0; i < N; i++) {
        const double x = (double)r.x[2 * i], y = (double)r.x[2 * i + 1];
        sum += 0.04 * exp((double)r.y[i]);
        normal += 0.04 * fabs(exp((double)r.y[i]) - exp(-log_two_pi - (x * x + y * y) / 2));
    }
    if (!(fabs(sum - 1) < 2e-3)) fail_msg("the density sums to %g", sum);
    assert_true(normal > 0.1); /* it differs from the base's */
    ode_rig_clear(&r);
}

/* ---- there and back ---------------------------------------------------------------------------------------------- */

/* The map from x to z and back gives x and its density again. */
static void round_trip(const char *json, cst_shape x, size_t n, bool pixels)
{
    ode_rig r;
    test_assert_ok("flow", ode_rig_build(&r, json, x, n, 1), &r.error);
    for (size_t i = 0; pixels && i < r.in; i++) r.x[i] = (real)((double)(i * 37 % 256) / 255);
    for (size_t i = 0; i < r.m->n_params; i++) r.theta[i] *= (real)1.5;
    const size_t width = r.out / n;
    test_pool pool = {0};
    real *z = test_pool_take(&pool, r.in, TEST_NAN), *back = test_pool_take(&pool, r.in, TEST_NAN),
         *logp = test_pool_take(&pool, n, TEST_NAN), *first = test_pool_take(&pool, n, TEST_NAN);
    cst_call call = {.n = n, .threads = 1, .rng = 42, .theta = r.theta, .work = r.work, .error = &r.error};
    test_assert_ok("there", cst_module_forward(r.m, &call, r.x, r.y, r.cache), &r.error);
    cst_flow_latent(r.m, n, 1, r.x, r.cache, z);
    for (size_t i = 0; i < n; i++) first[i] = r.y[i * width];
    call.work = test_pool_take(&pool, cst_flow_inverse_work(r.m, n, 1), TEST_NAN);
    test_assert_ok("back", cst_flow_inverse(r.m, &call, z, back, logp), &r.error);
    test_assert_close("x", back, r.x, r.in, exact ? 1e-8 : 1e-3);
    /* Noise that was added to pixels does not come back, and through the logit this changes the density. */
    if (!pixels) test_assert_close("log p(x)", logp, first, n, exact ? 1e-8 : 1e-3);
    for (size_t i = 0; pixels && i < n; i++)
        assert_true(fabs((double)(logp[i] - first[i])) < 1e-2 * fabs((double)first[i]));
    test_assert_ok("back without a density", cst_flow_inverse(r.m, &call, z, back, NULL), &r.error);
    test_assert_close("x again", back, r.x, r.in, exact ? 1e-8 : 1e-3);
    test_pool_check(&pool, json);
    test_pool_cut(&pool, 0);
    ode_rig_clear(&r);
}

static void flows_are_inverted(void **state)
{
    (void)state;
    round_trip("{'type': 'flow', 'layers': [" CNF("", "'hidden': [6]") ", " CNF(
                   "'noise': 'normal', ", "'hidden': [5], 'time': 'concat_squash'") "]}",
               cst_shape_1d(3), 4, false);
    round_trip("{'type': 'flow', 'blocks': [[1, 1], [0, 1], [2]], 'cnf': " CNF("", "'hidden': [4]") "}",
               cst_shape_3d(1, 8, 4), 2, false);
    round_trip(IMAGES, cst_shape_3d(1, 8, 4), 2, true);
}

/* Frame 0 of the path is z, and its last frame is the inverse of z, through two different cnfs. */
static void the_inverse_path_ends_at_the_inverse(void **state)
{
    (void)state;
    enum { N = 4, D = 3, SIZE = N * D, FRAMES = 4 };
    ode_rig r;
    const char *json = "{'type': 'flow', 'layers': [" CNF("", "'hidden': [6]") ", " CNF("", "'hidden': [5]") "]}";
    test_assert_ok("flow", ode_rig_build(&r, json, cst_shape_1d(D), N, 1), &r.error);
    for (size_t i = 0; i < r.m->n_params; i++) r.theta[i] *= (real)1.5;
    test_pool pool = {0};
    real *x = test_pool_take(&pool, SIZE, TEST_NAN), *path = test_pool_take(&pool, FRAMES * SIZE, TEST_NAN);
    cst_call call = {.n = N, .threads = 1, .theta = r.theta, .error = &r.error};
    call.work = test_pool_take(&pool, cst_flow_inverse_work(r.m, N, 1), TEST_NAN);
    test_assert_ok("back", cst_flow_inverse(r.m, &call, r.x, x, NULL), &r.error);
    call.work = test_pool_take(&pool, cst_flow_path_work(r.m, N, 1), TEST_NAN);
    test_assert_ok("path", cst_flow_path(r.m, &call, r.x, FRAMES, path), &r.error);
    test_assert_same_bits("frame 0", path, r.x, SIZE);
    test_assert_close("the last frame", path + (FRAMES - 1) * SIZE, x, SIZE, exact ? 1e-8 : 1e-3);
    test_pool_check(&pool, json);
    test_pool_cut(&pool, 0);
    ode_rig_clear(&r);
}

/* ---- scales ------------------------------------------------------------------------------------------------------ */

/* The paper's architecture: after two cnfs, a squeeze and two more cnfs, half of the channels are factored out, and the
 * last scale has four cnfs. */
static void blocks_make_scales(void **state)
{
    (void)state;
    const cst_shape x = cst_shape_3d(1, 28, 28);
    cst_module *m = NULL;
    cst_error error;
    test_assert_ok(
        "flow",
        test_module_new(
            JSON({
                "type": "flow",
                "layers": [{"type": "dequantize"}, {"type": "logit"}],
                "blocks": [[2, 2], [2, 2], [4]],
                "cnf": {
                    "type": "cnf",
                    "field": {"type": "field_net", "hidden": [8, 8, 8], "activation": {"type": "softplus"}}
                }
            }),
            &x, &m, &error),
        &error);
    static const struct {
        const char *name;
        cst_shape x;
    } layers[] = {{"dequantize", {3, {1, 28, 28}}}, {"logit", {3, {1, 28, 28}}},   {"cnf", {3, {1, 28, 28}}},
                  {"cnf", {3, {1, 28, 28}}},        {"squeeze", {3, {1, 28, 28}}}, {"cnf", {3, {4, 14, 14}}},
                  {"cnf", {3, {4, 14, 14}}},        {"cnf", {3, {2, 14, 14}}},     {"cnf", {3, {2, 14, 14}}},
                  {"squeeze", {3, {2, 14, 14}}},    {"cnf", {3, {8, 7, 7}}},       {"cnf", {3, {8, 7, 7}}},
                  {"cnf", {3, {4, 7, 7}}},          {"cnf", {3, {4, 7, 7}}},       {"cnf", {3, {4, 7, 7}}},
                  {"cnf", {3, {4, 7, 7}}}};
    assert_int_equal(m->n_children, sizeof layers / sizeof layers[0]);
    for (size_t i = 0; i < m->n_children; i++) {
        assert_string_equal(m->children[i].module->ops->name, layers[i].name);
        assert_true(cst_shape_equal(&m->children[i].module->x, &layers[i].x));
    }
    const cst_shape end = cst_flow_shape(m), seven = cst_shape_3d(4, 7, 7), likelihood = cst_shape_1d(1);
    assert_true(cst_shape_equal(&end, &seven) && cst_shape_equal(&m->y, &likelihood));
    assert_true(cst_flow_wants_unit_interval(m));
    cst_module_free(m);
}

/* Only layers without parameters: log p in closed form, half of it from the channels that are factored out. */
static void factored_out_channels_count(void **state)
{
    (void)state;
    enum { N = 2, D = 8 };
    ode_rig r;
    cst_error error;
    cst_module *squeeze = NULL;
    const cst_shape x = cst_shape_3d(1, 2, 4);
    memset(&r, 0, sizeof r);
    test_assert_ok("flow", cst_flow_new(&x, &r.m, &error), &error);
    assert_int_equal(cst_flow_factor_out(r.m, &error), CST_ESHAPE);
    test_assert_ok("squeeze", cst_squeeze_new(&x, &squeeze, &error), &error);
    test_assert_ok("add", cst_flow_add(r.m, squeeze, &error), &error);
    test_assert_ok("out", cst_flow_factor_out(r.m, &error), &error);
    assert_int_equal(cst_flow_factor_out(r.m, &error), CST_ESHAPE);
    const cst_shape left = cst_flow_shape(r.m), expected_left = cst_shape_3d(2, 1, 2);
    assert_true(cst_shape_equal(&left, &expected_left));
    real data[N * D], y[N], z[N * D], gx[N * D], cache[256], work[256];
    test_random(1, data, N * D, 1);
    cst_plan plan;
    cst_module_plan(r.m, N, 0, 1, &plan);
    assert_true(plan.cache <= 256 && plan.work <= 256 && cst_flow_inverse_work(r.m, N, 1) <= 256);
    const cst_call call = {.n = N, .threads = 1, .work = work, .error = &error};
    test_assert_ok("forward", cst_module_forward(r.m, &call, data, y, cache), &error);
    const real gy[N] = {2, -3};
    test_assert_ok("vjp",
                   cst_module_vjp(r.m, &call, &(cst_point){data, y, cache}, gy, &(cst_grads){.scale = 1, .gx = gx}),
                   &error);
    cst_flow_latent(r.m, N, 1, data, cache, z);
    for (size_t i = 0; i < N; i++) {
        double sum = 0;
        for (size_t k = 0; k < D; k++) {
            sum += (double)data[i * D + k] * (double)data[i * D + k];
            assert_true(fabs((double)(gx[i * D + k] + gy[i] * data[i * D + k])) < 1e-6);
        }
        assert_true(fabs((double)y[i] + sum / 2 + 4 * log_two_pi) < 1e-5);
        /* Channels 2 and 3, the second rows, are factored out. */
        const real *row = data + i * D;
        const real expected[D] = {row[4], row[6], row[5], row[7], row[0], row[2], row[1], row[3]};
        assert_memory_equal(z + i * D, expected, sizeof expected);
    }
    real back[N * D], logp[N];
    test_assert_ok("back", cst_flow_inverse(r.m, &call, z, back, logp), &error);
    assert_memory_equal(back, data, sizeof data);
    test_assert_close("log p", logp, y, N, 10 * (double)CST_REAL_EPSILON);
    cst_module_free(r.m);
}

/* Training adds a penalty. */
static void evaluation_has_no_penalty(void **state)
{
    (void)state;
    enum { N = 2 };
    ode_rig r;
    test_assert_ok("flow",
                   ode_rig_build(&r,
                                 "{'type': 'flow', 'layers': [" CNF("'kinetic': 0.5, 'divergence': 'exact', ",
                                                                    "'hidden': [], 'time': 'none'") "]}",
                                 cst_shape_1d(2), N, 1),
                   &r.error);
    for (size_t i = 0; i < r.m->n_params; i++) r.theta[i] = i < 4 ? 0 : (real)i;
    cst_call call = {.n = N, .threads = 1, .train = true, .theta = r.theta, .work = r.work, .error = &r.error};
    for (int train = 0; train < 2; train++) {
        call.train = train != 0;
        test_assert_ok("forward", cst_module_forward(r.m, &call, r.x, r.y, r.cache), &r.error);
        for (size_t i = 0; i < N; i++) /* |f|^2 = 4^2 + 5^2 everywhere */
            assert_true(fabs((double)r.y[2 * i + 1] - (train ? 0.5 * 41 : 0)) < 1e-3);
    }
    ode_rig_clear(&r);
}

/* sum gy . y of a call */
static double loss_of(ode_rig *r, const cst_call *call)
{
    double sum = 0;
    test_assert_ok("forward", cst_module_forward(r->m, call, r->x, r->y, r->cache), &r->error);
    for (size_t i = 0; i < r->out; i++) sum += (double)r->gy[i] * (double)r->y[i];
    return sum;
}

static void expect_slopes(const char *what, ode_rig *r, const cst_call *call, real *at, const real *gradient, size_t n)
{
    const real h = (real)1e-5;
    test_derivative seen = {0};
    for (size_t i = 0; i < n; i++) {
        const real saved = at[i];
        at[i] = saved + h;
        const double up = loss_of(r, call);
        at[i] = saved - h;
        const double slope = (up - loss_of(r, call)) / (2 * (double)h);
        test_derivative_compare(&seen, what, i, (double)gradient[i], slope, 1e-7 * (1 + fabs(slope)));
        at[i] = saved;
    }
    test_derivative_end(&seen, what, false);
}

/* In training, the penalty is the weighted sum of the cnf's own columns, and its gradient is that of the sum alone.
 * Evaluation has no penalty. */
static void penalties_are_the_cnfs(void **state)
{
    (void)state;
    enum { N = 2, D = 2 };
#define PENALIZED(keys) CNF("'divergence': 'exact', " keys ", ", "'hidden': [3], 'time': 'concat_squash'")
    static const struct {
        const char *json, *flow;
        size_t columns;
        double weights[2];
    } cases[] = {
#define CASE(keys) PENALIZED(keys), "{'type': 'flow', 'layers': [" PENALIZED(keys) "]}"
        {CASE("'jacobian': 0.7"), 1, {0.7}},
        {CASE("'kinetic': 0.3"), 1, {0.3}},
        {CASE("'kinetic': 0.3, 'jacobian': 0.7"), 2, {0.3, 0.7}},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        ode_rig r, cnf;
        test_assert_ok("flow", ode_rig_build(&r, cases[k].flow, cst_shape_1d(D), N, 1), &r.error);
        test_assert_ok("cnf", ode_rig_build(&cnf, cases[k].json, cst_shape_1d(D), N, 1), &cnf.error);
        assert_int_equal(r.m->n_params, cnf.m->n_params);
        for (size_t i = 0; i < r.m->n_params; i++) r.theta[i] *= 3;
        memcpy(cnf.theta, r.theta, r.m->n_params * sizeof(real));
        memcpy(cnf.x, r.x, r.in * sizeof(real));
        test_assert_ok("cnf forward", ode_rig_forward(&cnf), &cnf.error);
        for (size_t i = 0; i < N; i++) r.gy[2 * i] = 0;
        cst_call call = {.n = N, .threads = 1, .train = true, .theta = r.theta, .work = r.work, .error = &r.error};
        (void)loss_of(&r, &call);
        for (size_t i = 0; i < N; i++) {
            double expected = 0;
            for (size_t j = 0; j < cases[k].columns; j++)
                expected += cases[k].weights[j] * (double)cnf.y[i * (D + 1 + cases[k].columns) + D + 1 + j];
            assert_true(fabs(expected) > 1e-2);
            test_assert_near("penalty", (double)r.y[2 * i + 1], expected, exact ? 1e-8 : 1e-4);
        }
        const cst_point point = {r.x, r.y, r.cache};
        const cst_grads grads = {.scale = 1, .gx = r.gx, .gtheta = r.gtheta};
        memset(r.gtheta, 0, r.m->n_params * sizeof(real));
        test_assert_ok("vjp", cst_module_vjp(r.m, &call, &point, r.gy, &grads), &r.error);
        if (exact) expect_slopes("x", &r, &call, r.x, r.gx, r.in);
        if (exact) expect_slopes("theta", &r, &call, r.theta, r.gtheta, r.m->n_params);
        call.train = false;
        assert_true(loss_of(&r, &call) == 0);
        memset(r.gtheta, 0, r.m->n_params * sizeof(real));
        test_assert_ok("vjp of evaluation", cst_module_vjp(r.m, &call, &point, r.gy, &grads), &r.error);
        for (size_t i = 0; i < r.in; i++) assert_true(r.gx[i] == 0);
        for (size_t i = 0; i < r.m->n_params; i++) assert_true(r.gtheta[i] == 0);
        ode_rig_clear(&r);
        ode_rig_clear(&cnf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_flow_has_its_closed_form),
        cmocka_unit_test(densities_integrate_to_one),
        cmocka_unit_test(flows_are_inverted),
        cmocka_unit_test(the_inverse_path_ends_at_the_inverse),
        cmocka_unit_test(blocks_make_scales),
        cmocka_unit_test(factored_out_channels_count),
        cmocka_unit_test(evaluation_has_no_penalty),
        cmocka_unit_test(penalties_are_the_cnfs),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
