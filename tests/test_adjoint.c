/* The adjoint of an ODE block: closed forms, order, quadratures, gradients of times, norms. test_ode_block.c has the
 * rest. */
#include "tests/ode_rig.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adjoint/ode_block.h"

#ifdef CST_DOUBLE
static const bool exact = true;
#else
static const bool exact = false; /* single precision: the tight comparisons are made in the double build */
#endif

/* ---- closed form --------------------------------------------------------------------------------------------- */

/* e^(A t) of a 2 x 2 matrix, by the power series of A t / 2^10, squared ten times. */
static void matrix_exponential(const double a[4], double t, double e[4])
{
    double x[4], term[4] = {1, 0, 0, 1};
    for (int i = 0; i < 4; i++) x[i] = a[i] * t / 1024;
    memcpy(e, term, sizeof term);
    for (int k = 1; k < 12; k++) {
        const double next[4] = {(term[0] * x[0] + term[1] * x[2]) / k, (term[0] * x[1] + term[1] * x[3]) / k,
                                (term[2] * x[0] + term[3] * x[2]) / k, (term[2] * x[1] + term[3] * x[3]) / k};
        memcpy(term, next, sizeof term);
        for (int i = 0; i < 4; i++) e[i] += term[i];
    }
    for (int k = 0; k < 10; k++) {
        const double square[4] = {e[0] * e[0] + e[1] * e[2], e[0] * e[1] + e[1] * e[3], e[2] * e[0] + e[3] * e[2],
                                  e[2] * e[1] + e[3] * e[3]};
        memcpy(e, square, sizeof square);
    }
}

/* z' = A z: z(1) = e^A z0, dL/dz0 = e^(A^T) g, dL/dA = int_0^1 (e^(A^T (1 - t)) g) (e^(A t) z0)^T dt by Simpson's
 * rule. */
static void linear_field_has_its_closed_form(void **state)
{
    (void)state;
    ode_rig p;
    const char *json = exact ? JSON({
        "type": "ode",
        "solver": {"rtol": 1e-12, "atol": 1e-12},
        "field": {"type": "linear", "out_features": 2, "bias": false}
    })
                             : JSON({
                                   "type": "ode",
                                   "solver": {"rtol": 1e-5, "atol": 1e-5},
                                   "field": {"type": "linear", "out_features": 2, "bias": false}
                               });
    assert_int_equal(ode_rig_build(&p, json, cst_shape_1d(2), 1, 1), CST_OK);
    const double a[4] = {-0.3, 1.4, -1.1, 0.2}, at[4] = {-0.3, -1.1, 1.4, 0.2};
    for (int i = 0; i < 4; i++) p.theta[i] = (real)a[i];
    ode_rig_run(&p);
    const double z0[2] = {(double)p.x[0], (double)p.x[1]}, g[2] = {(double)p.gy[0], (double)p.gy[1]};
    double e[4], expected_y[2], expected_gx[2], expected_ga[4] = {0};
    matrix_exponential(a, 1, e);
    for (int i = 0; i < 2; i++) expected_y[i] = e[2 * i] * z0[0] + e[2 * i + 1] * z0[1];
    matrix_exponential(at, 1, e);
    for (int i = 0; i < 2; i++) expected_gx[i] = e[2 * i] * g[0] + e[2 * i + 1] * g[1];
    const int pieces = 400;
    for (int k = 0; k <= pieces; k++) {
        const double t = (double)k / pieces, weight = (k == 0 || k == pieces ? 1 : k % 2 ? 4 : 2) / (3.0 * pieces);
        double left[4], right[4];
        matrix_exponential(at, 1 - t, left);
        matrix_exponential(a, t, right);
        for (int i = 0; i < 4; i++) {
            const double az = left[2 * (i / 2)] * g[0] + left[2 * (i / 2) + 1] * g[1];
            const double z = right[2 * (i % 2)] * z0[0] + right[2 * (i % 2) + 1] * z0[1];
            expected_ga[i] += weight * az * z;
        }
    }
    const double tolerance = exact ? 1e-9 : 1e-3;
    for (int i = 0; i < 2; i++) assert_true(fabs((double)p.y[i] - expected_y[i]) < tolerance);
    for (int i = 0; i < 2; i++) assert_true(fabs((double)p.gx[i] - expected_gx[i]) < tolerance);
    for (int i = 0; i < 4; i++) assert_true(fabs((double)p.gtheta[i] - expected_ga[i]) < tolerance);
    ode_rig_clear(&p);
}

/* ---- order --------------------------------------------------------------------------------------------------- */

/* With steps of a fixed size h, the gradient converges to the exact one as h^p. */
static void gradient_converges_at_the_solvers_order(void **state)
{
    (void)state;
    if (!exact) skip();
    static const struct {
        const char *method;
        double order, h;
    } cases[] = {{"euler", 1, 0.01}, {"midpoint", 2, 0.05}, {"heun3", 3, 0.1}, {"rk4", 4, 0.125},
                 {"bosh3", 3, 0.1},  {"dopri5", 5, 0.25},   {"tsit5", 5, 0.25}};
    ode_rig reference;
    assert_int_equal(ode_rig_build(&reference,
                                   "{'type': 'ode', 'solver': {'rtol': 1e-13, 'atol': 1e-13}, 'field': " MLP "}",
                                   cst_shape_1d(3), 4, 1),
                     CST_OK);
    for (size_t i = 0; i < reference.m->n_params; i++) reference.theta[i] *= 2;
    ode_rig_run(&reference);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double error[2];
        for (int halved = 0; halved < 2; halved++) {
            const double h = cases[i].h / (1 + halved);
            char json[1024];
            /* An adaptive method takes steps of min_step = max_step whatever their error. */
            snprintf(json, sizeof json,
                     "{'type': 'ode', 'solver': {'method': '%s', 'step_size': %g, 'first_step': %g, "
                     "'min_step': %g, "
                     "'max_step': %g}, 'field': " MLP "}",
                     cases[i].method, h, h, h, h);
            ode_rig p;
            assert_int_equal(ode_rig_build(&p, json, cst_shape_1d(3), 4, 1), CST_OK);
            memcpy(p.theta, reference.theta, p.m->n_params * sizeof(real));
            ode_rig_run(&p);
            error[halved] = fmax(ode_rig_distance(p.gtheta, reference.gtheta, p.m->n_params),
                                 ode_rig_distance(p.gx, reference.gx, p.in));
            ode_rig_clear(&p);
        }
        const double order = log2(error[0] / error[1]);
        if (!(order > cases[i].order - 0.3 && order < cases[i].order + 1.2)) /* dopri5's leading term is small */
            fail_msg("%s: errors %g and %g: order %.2f, expected %g", cases[i].method, error[0], error[1], order,
                     cases[i].order);
    }
    ode_rig_clear(&reference);
}

/* ---- quadratures --------------------------------------------------------------------------------------------- */

/* A weight too small to count keeps a_theta and a_t in the state. The steps are then the same, and so are the sums to
 * rounding. */
static void quadrature_equals_the_block_in_the_state(void **state)
{
    (void)state;
    static const char *const profiles[] = {"torchdiffeq", "costate"};
    static const char *const methods[] = {"dopri5", "tsit5", "dopri8", "bosh3", "fehlberg2", "adaptive_heun", "rk4"};
    static const char *const norms[] = {"'seminorm'",
                                        JSON({"weights": {"z": 1, "a_z": 1, "a_theta": 1e-300, "a_t": 1e-300}})};
    for (size_t i = 0; i < 14; i++) {
        ode_rig p[2];
        for (int in_state = 0; in_state < 2; in_state++) {
            char json[1024];
            snprintf(json, sizeof json,
                     "{'type': 'ode', 't': [0, 0.3, 0.9, 1.7], 'output': 'all', 'learn_t': true, "
                     "'solver': {'method': '%s', 'profile': '%s', "
                     "'rtol': %s, 'atol': %s, 'step_size': 0.13, 'jump_t': [0.5]}, 'gradient': {'norm': "
                     "%s}, 'field': " MLP "}",
                     methods[i % 7], profiles[i / 7], exact ? "1e-6" : "1e-3", exact ? "1e-6" : "1e-3",
                     norms[in_state]);
            if (ode_rig_build(&p[in_state], json, cst_shape_1d(3), 4, 1) != CST_OK)
                fail_msg("%s", p[in_state].error.message);
            for (size_t j = 4; j < p[in_state].m->n_params; j++) p[in_state].theta[j] *= 3;
            ode_rig_run(&p[in_state]);
        }
        assert_int_equal(p[0].seen.nfe[1], p[1].seen.nfe[1]);
        assert_int_equal(p[0].seen.n_attempts[1], p[1].seen.n_attempts[1]);
        for (size_t j = 0; j < p[0].seen.n_attempts[1]; j++) {
            assert_true(p[0].seen.attempts[1][j].dt == p[1].seen.attempts[1][j].dt);
            assert_true(p[0].seen.attempts[1][j].accepted == p[1].seen.attempts[1][j].accepted);
        }
        const double d = ode_rig_distance(p[0].gtheta, p[1].gtheta, p[0].m->n_params);
        if (!(d < 200 * (double)CST_REAL_EPSILON)) fail_msg("%s, %s: %g apart", methods[i % 7], profiles[i / 7], d);
        assert_true(ode_rig_distance(p[0].gx, p[1].gx, p[0].in) < 20 * (double)CST_REAL_EPSILON);
        for (int k = 0; k < 2; k++) ode_rig_clear(&p[k]);
    }
}

/* The seminorm needs five products per step instead of seven: here, the fraction of evaluations with products. */
static void seminorm_pays_fewer_products(void **state)
{
    (void)state;
    ode_rig p;
    assert_int_equal(ode_rig_build(&p, "{'type': 'ode', 't': [0, 2], 'solver': {'max_step': 0.1}, 'field': " MLP "}",
                                   cst_shape_1d(3), 4, 1),
                     CST_OK);
    ode_rig_run(&p);
    const double share = (double)p.seen.quadrature_nfe[1] / (double)p.seen.nfe[1];
    if (!(share < 5.0 / 6 + 0.01)) fail_msg("%zu products in %zu evaluations", p.seen.quadrature_nfe[1], p.seen.nfe[1]);
    ode_rig_clear(&p);
}

/* ---- times --------------------------------------------------------------------------------------------------- */

static void times_have_gradients(void **state)
{
    (void)state;
    if (!exact) skip();
    static const char *const variants[] = {"'solver': {'rtol': 1e-11, 'atol': 1e-11}",
                                           "'solver': {'rtol': 1e-11, 'atol': 1e-11}, 'gradient': {'norm': 'default'}",
                                           "'solver': {'rtol': 1e-11, 'atol': 1e-11, 'profile': 'torchdiffeq'}"};
    static const char *const times[] = {"[0, 0.4, 1]", "[1, 0.7, -0.5]"};
    static const char *const outputs[] = {"all", "last"};
    for (size_t i = 0; i < 12; i++) {
        ode_rig p;
        char json[1024], what[40];
        snprintf(json, sizeof json, "{'type': 'ode', 't': %s, 'output': '%s', 'learn_t': true, %s, 'field': " MLP "}",
                 times[i % 2], outputs[i / 2 % 2], variants[i / 4]);
        assert_int_equal(ode_rig_build(&p, json, cst_shape_1d(3), 4, 1), CST_OK);
        ode_rig_run(&p);
        snprintf(what, sizeof what, "variant %zu, parameter", i);
        ode_rig_compare_theta(&p, what, 1, 1e-7);
        ode_rig_clear(&p);
    }
}

/* ---- norms --------------------------------------------------------------------------------------------------- */

static double seminorm_by_hand(void *context, const real *v, const cst_block *blocks, size_t n_blocks)
{
    double worst = 0;
    size_t *calls = context;
    ++*calls;
    assert_true(n_blocks == 4 && strcmp(blocks[3].name, "a_t") == 0);
    for (size_t b = 0; b < 2; b++) {
        double sum = 0;
        for (size_t i = 0; i < blocks[b].size; i++, v++) sum += (double)*v * (double)*v;
        worst = fmax(worst, sqrt(sum / (double)blocks[b].size));
    }
    return worst;
}

static void callback_is_a_norm(void **state)
{
    (void)state;
    ode_rig p;
    assert_int_equal(ode_rig_build(&p, "{'type': 'ode', 'field': " MLP "}", cst_shape_1d(3), 4, 1), CST_OK);
    ode_rig_run(&p);
    const size_t nfe = p.seen.nfe[1];
    real gtheta[128], theta[128];
    assert_true(p.m->n_params <= 128);
    memcpy(gtheta, p.gtheta, p.m->n_params * sizeof(real));
    memcpy(theta, p.theta, p.m->n_params * sizeof(real));
    ode_rig_clear(&p);

    size_t calls = 0;
    cst_ode_options options;
    cst_ode_options_init(&options);
    options.forward.rtol = options.forward.atol = options.backward.rtol = options.backward.atol = 1e-3;
    assert_int_equal(cst_adjoint_norm_init(&options.norm, "default", NULL), CST_OK);
    options.norm.norm = (cst_norm){.ops = &cst_norm_callback, .callback = seminorm_by_hand, .context = &calls};
    ode_rig q;
    assert_int_equal(ode_rig_build(&q, MLP, cst_shape_1d(3), 4, 1), CST_OK);
    cst_module *field = q.m, *block = NULL;
    assert_int_equal(cst_ode_new(field, &options, &block, &q.error), CST_OK);
    cst_plan plan;
    cst_module_plan(block, 4, 0, 1, &plan);
    cst_arena arena;
    assert_int_equal(cst_arena_init(&arena, cst_size_align(plan.cache) + cst_size_align(plan.work), &q.error), CST_OK);
    memcpy(q.theta, theta, block->n_params * sizeof(real));
    q.m = block;
    q.cache = cst_arena_take(&arena, plan.cache);
    q.work = cst_arena_take(&arena, plan.work);
    ode_rig_run(&q);
    assert_true(calls > 0);
    assert_int_equal(q.seen.nfe[1], nfe);
    assert_true(ode_rig_distance(q.gtheta, gtheta, q.m->n_params) < 200 * (double)CST_REAL_EPSILON);
    cst_arena_clear(&arena);
    ode_rig_clear(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_field_has_its_closed_form),
        cmocka_unit_test(gradient_converges_at_the_solvers_order),
        cmocka_unit_test(quadrature_equals_the_block_in_the_state),
        cmocka_unit_test(seminorm_pays_fewer_products),
        cmocka_unit_test(times_have_gradients),
        cmocka_unit_test(callback_is_a_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
