/* Continuous normalizing flows: the field's integrals, estimates against sums, inverses, evaluation mode, errors. */
#include "models/cnf.h"

#include "tests/ode_rig.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#ifdef CST_DOUBLE
static const bool exact = true;
#define TIGHT "'solver': {'rtol': 1e-11, 'atol': 1e-11}"
#else
static const bool exact = false; /* single precision: the tight comparisons are made in the double build */
#define TIGHT "'solver': {'rtol': 1e-5, 'atol': 1e-5}"
#endif

#define NETWORK(hidden, d)                                                                                             \
    "{'type': 'sequential', 'layers': [{'type': 'concat_squash_linear', 'out_features': " hidden                       \
    "}, {'type': 'tanh'}, {'type': 'concat_squash_linear', 'out_features': " d "}]}"
#define CNF(keys) "{'type': 'cnf', " keys ", 'field': " NETWORK("8", "3") "}"

enum { D = 3, N = 4, MAX_PARAMS = 8192 };

/* ---- the field --------------------------------------------------------------------------------------------------- */

/* A field with its arguments, memory and results. */
typedef struct field_rig {
    cst_module *m;
    size_t n, d, width;
    test_pool pool;
    real *theta, *x, *y, *gy, *gx, *gtheta, *cache, *work;
    cst_cnf_noise noise;
    cst_call call;
    cst_error error;
} field_rig;

static void field_build(field_rig *r, const char *network, cst_shape x, size_t n, int threads,
                        cst_cnf_field_options options)
{
    *r = (field_rig){.n = n, .d = cst_shape_size(&x)};
    cst_module *made = NULL;
    test_assert_ok(network, test_module_new(network, &x, &made, &r->error), &r->error);
    test_assert_ok("field", cst_cnf_field_new(made, &options, &r->m, &r->error), &r->error);
    r->width = cst_shape_size(&r->m->y);
    cst_plan plan;
    cst_module_plan(r->m, n, 0, threads, &plan);
    const size_t sizes[] = {r->m->n_params, n * r->d,       n * r->width, n * r->width,
                            n * r->d,       r->m->n_params, plan.cache,   plan.work};
    real **const arrays[] = {&r->theta, &r->x, &r->y, &r->gy, &r->gx, &r->gtheta, &r->cache, &r->work};
    for (size_t i = 0; i < 8; i++) *arrays[i] = test_pool_take(&r->pool, sizes[i], TEST_NAN);
    test_module_theta(r->m, 1, r->theta);
    test_random(2, r->x, n * r->d, 1);
    test_random(3, r->gy, n * r->width, 1);
    r->call = (cst_call){.t = 0.3, .n = n, .threads = threads, .theta = r->theta, .work = r->work, .error = &r->error};
}

static void field_clear(field_rig *r)
{
    test_pool_check(&r->pool, "field");
    cst_module_free(r->m);
    test_pool_cut(&r->pool, 0);
}

static void field_forward(field_rig *r, const real *e)
{
    r->noise = (cst_cnf_noise){.e = e};
    r->call.context = e ? &r->noise : NULL;
    test_assert_ok("forward", cst_module_forward(r->m, &r->call, r->x, r->y, r->cache), &r->error);
}

static double field_loss(field_rig *r, const real *e)
{
    double sum = 0;
    field_forward(r, e);
    for (size_t i = 0; i < r->n * r->width; i++) sum += (double)r->gy[i] * (double)r->y[i];
    return sum;
}

static void field_backward(field_rig *r)
{
    memset(r->gtheta, 0, r->m->n_params * sizeof(real));
    test_assert_ok("vjp",
                   cst_module_vjp(r->m, &r->call, &(cst_point){r->x, r->y, r->cache}, r->gy,
                                  &(cst_grads){.scale = 1, .gx = r->gx, .gtheta = r->gtheta}),
                   &r->error);
}

/* df/dz of a row by differences: its trace, and the sum of its squares. */
static void differentiate(field_rig *r, size_t row, double *trace, double *squares)
{
    *trace = *squares = 0;
    for (size_t k = 0; k < r->d; k++) {
        real *x = r->x + row * r->d + k;
        const real saved = *x, h = (real)(exact ? 1e-5 : 1e-2);
        double up[64];
        *x = saved + h;
        field_forward(r, NULL);
        for (size_t i = 0; i < r->d; i++) up[i] = (double)r->y[row * r->width + i];
        *x = saved - h;
        field_forward(r, NULL);
        for (size_t i = 0; i < r->d; i++) {
            const double slope = (up[i] - (double)r->y[row * r->width + i]) / (2 * (double)h);
            *squares += slope * slope;
            if (i == k) *trace += slope;
        }
        *x = saved;
    }
}

static void expect_near(const char *what, double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance * (1 + fabs(expected))))
        fail_msg("%s: expected %.12g, got %.12g", what, expected, got);
}

/* Every stride-th of n components of a gradient against central differences. */
static void expect_slopes(const char *what, field_rig *r, real *at, const real *gradient, size_t n, size_t stride)
{
    const real h = (real)1e-5;
    test_derivative seen = {0};
    for (size_t k = 0; k < n; k += stride) {
        const real saved = at[k];
        at[k] = saved + h;
        const double up = field_loss(r, NULL);
        at[k] = saved - h;
        const double slope = (up - field_loss(r, NULL)) / (2 * (double)h);
        at[k] = saved;
        test_derivative_compare(&seen, what, k, (double)gradient[k], slope, 1e-7 * (1 + fabs(slope)));
    }
    test_derivative_end(&seen, what, false);
}

/* Values and gradients. The second network has room for 16 of the 40 unit vectors at a time. */
static void field_is_made_of_derivatives(void **state)
{
    (void)state;
    static const struct {
        const char *network;
        size_t d;
    } cases[] = {{NETWORK("8", "3"), 3}, {NETWORK("2000", "40"), 40}};
    for (size_t i = 0; i < 2; i++) {
        field_rig r;
        field_build(&r, cases[i].network, cst_shape_1d(cases[i].d), 2, 1,
                    (cst_cnf_field_options){.kinetic = true, .jacobian = true});
        for (size_t row = 0; row < 2; row++) {
            double trace, squares, energy = 0;
            differentiate(&r, row, &trace, &squares);
            field_forward(&r, NULL);
            const real *y = r.y + row * r.width;
            for (size_t k = 0; k < r.d; k++) energy += (double)y[k] * (double)y[k];
            expect_near("-div f", (double)y[r.d], -trace, exact ? 1e-8 : 1e-2);
            expect_near("|f|^2", (double)y[r.d + 1], energy, exact ? 1e-14 : 1e-5);
            expect_near("|df/dz|^2", (double)y[r.d + 2], squares, exact ? 1e-8 : 2e-2);
        }
        field_backward(&r);
        if (exact) {
            real gx[2 * 40];
            memcpy(gx, r.gx, 2 * r.d * sizeof *gx);
            expect_slopes("gtheta", &r, r.theta, r.gtheta, r.m->n_params, 1 + r.m->n_params / 60);
            expect_slopes("gx", &r, r.x, gx, 2 * r.d, 5);
        }
        field_clear(&r);
    }
}

/* E e e^T = I: over all 2^D sign vectors, the mean of the estimate is the sum over all unit vectors exactly. So is the
 * mean of the gradients. */
static void estimates_have_the_right_mean(void **state)
{
    (void)state;
    enum { SIGNS = 1 << D };
    field_rig sum, estimate;
    cst_cnf_field_options o = {.kinetic = true, .jacobian = true};
    field_build(&sum, NETWORK("8", "3"), cst_shape_1d(D), N, 1, o);
    o.divergence = CST_DIVERGENCE_HUTCHINSON;
    field_build(&estimate, NETWORK("8", "3"), cst_shape_1d(D), N, 1, o);
    field_forward(&sum, NULL);
    field_backward(&sum);
    real mean[N * (D + 3)] = {0}, gx[N * D] = {0}, gtheta[256] = {0};
    for (size_t signs = 0; signs < SIGNS; signs++) {
        real e[N * D];
        for (size_t i = 0; i < N * D; i++) e[i] = signs >> i % D & 1 ? -1 : 1;
        field_forward(&estimate, e);
        field_backward(&estimate);
        for (size_t i = 0; i < N * (D + 3); i++) mean[i] += estimate.y[i] / SIGNS;
        for (size_t i = 0; i < N * D; i++) gx[i] += estimate.gx[i] / SIGNS;
        for (size_t i = 0; i < sum.m->n_params; i++) gtheta[i] += estimate.gtheta[i] / SIGNS;
    }
    const double tolerance = 100 * (double)CST_REAL_EPSILON;
    test_assert_close("the estimate's mean", mean, sum.y, N * (D + 3), tolerance);
    test_assert_close("its gradient's", gx, sum.gx, N * D, tolerance);
    test_assert_close("its parameters'", gtheta, sum.gtheta, sum.m->n_params, tolerance);
    field_clear(&sum);
    field_clear(&estimate);
}

/* A batch cut over threads keeps each row's noise. */
static void threads_change_rounding_only(void **state)
{
    (void)state;
    enum { ROWS = 301 };
    field_rig r[2];
    const cst_cnf_field_options o = {.divergence = CST_DIVERGENCE_HUTCHINSON, .kinetic = true, .jacobian = true};
    real e[ROWS * D];
    test_random(4, e, ROWS * D, 1);
    for (int i = 0; i < 2; i++) {
        field_build(&r[i], NETWORK("128", "3"), cst_shape_1d(D), ROWS, 1 + 2 * i, o);
        field_forward(&r[i], e);
        field_backward(&r[i]);
    }
    const double tolerance = 1000 * (double)CST_REAL_EPSILON;
    test_assert_close("y", r[1].y, r[0].y, ROWS * r[0].width, tolerance);
    test_assert_close("gx", r[1].gx, r[0].gx, ROWS * D, tolerance);
    test_assert_close("gtheta", r[1].gtheta, r[0].gtheta, r[0].m->n_params, tolerance);
    for (int i = 0; i < 2; i++) field_clear(&r[i]);
}

/* ---- the flow ---------------------------------------------------------------------------------------------------- */

/* A row's values depend on the other rows of its batch only through the solver's steps: its noise is its own. */
static void noise_belongs_to_the_row(void **state)
{
    (void)state;
    ode_rig r;
    assert_int_equal(ode_rig_build(&r, CNF(TIGHT), cst_shape_1d(D), N, 1), CST_OK);
    real all[N * (D + 1)];
    cst_call call = {.n = N, .threads = 1, .rng = 77, .theta = r.theta, .work = r.work, .error = &r.error};
    test_assert_ok("all", cst_module_forward(r.m, &call, r.x, all, r.cache), &r.error);
    call.n = 2, call.row = 2;
    test_assert_ok("two", cst_module_forward(r.m, &call, r.x + 2 * D, r.y, r.cache), &r.error);
    test_assert_close("rows 2 and 3", r.y, all + 2 * (D + 1), 2 * (D + 1), exact ? 1e-9 : 1e-4);
    call.rng = 78;
    test_assert_ok("other noise", cst_module_forward(r.m, &call, r.x + 2 * D, r.y, r.cache), &r.error);
    assert_true(fabs((double)(r.y[D] - all[2 * (D + 1) + D])) > 1e-3);
    test_assert_close("the same z", r.y, all + 2 * (D + 1), D, exact ? 1e-9 : 1e-4);
    ode_rig_clear(&r);
}

/* Over many draws of signs or normal numbers, the mean log-density is the exact one. */
static void mean_of_many_solves_is_exact(void **state)
{
    (void)state;
    enum { DRAWS = 400 };
    static const char *const noises[] = {"'noise': 'rademacher', ", "'noise': 'normal', "};
    ode_rig sum;
    assert_int_equal(ode_rig_build(&sum, CNF("'divergence': 'exact', 'jacobian': 1, " TIGHT), cst_shape_1d(D), N, 1),
                     CST_OK);
    for (size_t i = 0; i < sum.m->n_params; i++) sum.theta[i] *= 3;
    ode_rig_run(&sum);
    for (size_t k = 0; k < 2; k++) {
        char json[1024];
        snprintf(json, sizeof json, "{'type': 'cnf', %s'jacobian': 1, 'field': " NETWORK("8", "3") "}", noises[k]);
        ode_rig r;
        assert_int_equal(ode_rig_build(&r, json, cst_shape_1d(D), N, 1), CST_OK);
        memcpy(r.theta, sum.theta, r.m->n_params * sizeof(real));
        double mean[N][2] = {{0}}, square[N][2] = {{0}};
        for (size_t draw = 0; draw < DRAWS; draw++) {
            const cst_call call = {
                .n = N, .threads = 1, .rng = cst_rng_split(k, draw), .theta = r.theta, .work = r.work};
            assert_int_equal(cst_module_forward(r.m, &call, r.x, r.y, r.cache), CST_OK);
            for (size_t i = 0; i < N * 2; i++) {
                const double v = (double)r.y[i / 2 * (D + 2) + D + i % 2];
                mean[i / 2][i % 2] += v / DRAWS;
                square[i / 2][i % 2] += v * v / DRAWS;
            }
        }
        for (size_t i = 0; i < N * 2; i++) {
            const double expected = (double)sum.y[i / 2 * (D + 2) + D + i % 2], m = mean[i / 2][i % 2];
            const double error = sqrt((square[i / 2][i % 2] - m * m) / DRAWS);
            if (!(fabs(m - expected) < 4 * error + 2e-3))
                fail_msg("%s row %zu: mean %g, expected %g +- %g", noises[k], i / 2, m, expected, error);
            assert_true(error > 1e-4); /* the noise is not constant */
        }
        ode_rig_clear(&r);
    }
    ode_rig_clear(&sum);
}

/* f = a z of one number: the estimate is a e^2 everywhere, so each row reveals its e^2. For signs that is 1. For normal
 * numbers e^2 and e^4 have the means 1 and 3, the variances 2 and 96. The bounds are four standard deviations, of 1 +
 * mean. */
static void noise_has_its_moments(void **state)
{
    (void)state;
    enum { ROWS = 4096 };
    static const char *const noises[] = {"rademacher", "normal"};
    for (size_t k = 0; k < 2; k++) {
        char json[256];
        snprintf(json, sizeof json,
                 JSON({"type": "cnf", "noise": "%s", "field": {"type": "linear", "out_features": 1}}), noises[k]);
        ode_rig r;
        test_assert_ok("cnf", ode_rig_build(&r, json, cst_shape_1d(1), ROWS, 1), &r.error);
        r.theta[0] = (real)0.5;
        test_assert_ok("forward", ode_rig_forward(&r), &r.error);
        double second = 0, fourth = 0;
        for (size_t i = 0; i < ROWS; i++) {
            const double square = fabs((double)r.y[2 * i + 1]) / 0.5;
            if (k == 0) expect_near("e^2 of a sign", square, 1, 1e-5);
            second += square / ROWS;
            fourth += square * square / ROWS;
        }
        expect_near("E e^2", second, 1, k == 0 ? 1e-5 : 4 * sqrt(2.0 / ROWS) / 2);
        expect_near("E e^4", fourth, k == 0 ? 1 : 3, k == 0 ? 1e-5 : 4 * sqrt(96.0 / ROWS) / 4);
        ode_rig_clear(&r);
    }
}

static void inverse_restores_the_input(void **state)
{
    (void)state;
    ode_rig r;
    assert_int_equal(ode_rig_build(&r, CNF("'t': [0.2, 1], 'kinetic': 1, " TIGHT), cst_shape_1d(D), N, 1), CST_OK);
    const cst_call call = {.n = N, .threads = 1, .rng = 5, .theta = r.theta, .work = r.work, .error = &r.error};
    test_assert_ok("there", cst_module_forward(r.m, &call, r.x, r.y, r.cache), &r.error);
    real z[N * D], x[N * (D + 2)], expected[N * (D + 2)];
    for (size_t i = 0; i < N; i++) {
        memcpy(z + i * D, r.y + i * (D + 2), D * sizeof *z);
        memcpy(expected + i * (D + 2), r.x + i * D, D * sizeof *z);
        for (size_t k = D; k < D + 2; k++) expected[i * (D + 2) + k] = -r.y[i * (D + 2) + k];
    }
    test_assert_ok("and back", cst_cnf_inverse(r.m, &call, z, x, r.cache), &r.error);
    test_assert_close("x, and the integrals backwards", x, expected, N * (D + 2), exact ? 1e-9 : 1e-4);
    ode_rig_clear(&r);
}

/* Evaluation mode has its own tolerances and divergence, and shares theta with training. */
static void evaluation_has_its_own_options(void **state)
{
    (void)state;
    ode_rig r, sum;
    assert_int_equal(ode_rig_build(&r,
                                   CNF("'solver': {'rtol': 1e-2, 'atol': 1e-2}, 'evaluation': {'rtol': 1e-5, "
                                       "'atol': 1e-5, 'divergence': 'exact'}"),
                                   cst_shape_1d(D), N, 1),
                     CST_OK);
    assert_int_equal(ode_rig_build(&sum, CNF("'solver': {'rtol': 1e-5, 'atol': 1e-5}, 'divergence': 'exact'"),
                                   cst_shape_1d(D), N, 1),
                     CST_OK);
    ode_rig_run(&r); /* the rig's calls use evaluation mode */
    ode_rig_run(&sum);
    test_assert_same_bits("value", r.y, sum.y, r.out);
    assert_int_equal(r.seen.nfe[0], sum.seen.nfe[0]);
    const size_t nfe = r.seen.nfe[0];
    const cst_observer observer = {.context = &r.seen, .solved = NULL};
    cst_call call = ode_rig_call(&r, &observer);
    call.train = true;
    test_assert_ok("training", cst_module_forward(r.m, &call, r.x, r.y, r.cache), &r.error);
    assert_true(fabs((double)(r.y[D] - sum.y[D])) > 1e-6);
    assert_true(nfe > 0);
    ode_rig_clear(&r);
    ode_rig_clear(&sum);
}

/* With weight 0 the integrals do not change the steps, and values change by their own error only. */
static void weights_are_in_both_norms(void **state)
{
    (void)state;
    static const char *const sections[] = {
        CNF("'solver': {'rtol': 1e-4, 'atol': 1e-4}"),
        CNF("'solver': {'rtol': 1e-4, 'atol': 1e-4}, 'integrals': {'logp': 0}, 'gradient': {'norm': "
            "{'norm': 'seminorm', 'logp': 0}}"),
        CNF("'solver': {'rtol': 1e-4, 'atol': 1e-4}, 'integrals': {'logp': 0}, 'gradient': {'norm': "
            "{'weights': {'z': 1, 'a_z': 1, 'a_logp': 1}}}"),
    };
    size_t nfe[3][2];
    for (size_t i = 0; i < 3; i++) {
        ode_rig r;
        if (ode_rig_build(&r, sections[i], cst_shape_1d(D), N, 1) != CST_OK) fail_msg("%s", r.error.message);
        for (size_t k = 0; k < r.m->n_params; k++) r.theta[k] *= 4;
        ode_rig_run(&r);
        nfe[i][0] = r.seen.nfe[0], nfe[i][1] = r.seen.nfe[1];
        ode_rig_clear(&r);
    }
    assert_true(nfe[1][0] <= nfe[0][0] && nfe[1][1] <= nfe[0][1] && nfe[1][0] + nfe[1][1] < nfe[0][0] + nfe[0][1]);
    assert_true(nfe[2][0] == nfe[1][0] && nfe[2][1] == nfe[1][1]); /* a_logp is constant */
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

static void bad_sections_are_refused(void **state)
{
    (void)state;
#define LAYERS(layers) "{'type': 'cnf', 'field': {'type': 'sequential', 'layers': [" layers "]}}"
    static const struct {
        const char *json, *message;
    } cases[] = {
        {JSON({"type": "cnf"}), "field"},
        {LAYERS(JSON({"type": "linear", "out_features": 2})), "keeps the shape of its state, got (3) -> (2)"},
        {LAYERS(JSON({"type": "dropout"})), "dropout has no jvp: not usable in a cnf field"},
        {LAYERS(JSON({"type": "ode", "field": {"type": "tanh"}})), "ode has no jvp: not usable in a cnf field"},
        {CNF("'t': [0, 1, 2]"), "t: expected two times, got 3"},
        {CNF("'t': [1, 1]"), "increase or decrease"},
        {CNF("'divergence': 'trace'"), "divergence"},
        {CNF("'noise': 'uniform'"), "noise"},
        {CNF("'kinetic': -1"), "kinetic"},
        {CNF("'integrals': {'logp': -1}"), "integrals.logp"},
        {CNF("'integrals': {'log': 1}"), "logp"},
        {CNF("'evaluation': {'rtol': 0, 'atol': 0}"), "evaluation: expected tolerances"},
        {CNF("'gradient': {'norm': {'norm': 'seminorm', 'kinetic': 0}}"),
         "expected a block (z, a_z, a_theta, a_t, logp, a_logp), got \"kinetic\""},
        {CNF("'gradient': {'norm': {'weights': {'a_logp': 1}}}"), "weight above 0"},
        {JSON({"type": "ode", "field": {"type": "tanh"}, "gradient": {"norm": {"weights": {"logp": 1}}}}),
         "expected a block (z, a_z, a_theta, a_t), got \"logp\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ode_rig r;
        const cst_status status = ode_rig_build(&r, cases[i].json, cst_shape_1d(D), 1, 1);
        if (status != CST_ECONFIG || !strstr(r.error.message, cases[i].message))
            fail_msg("case %zu: %s: %s", i, cst_status_name(status), r.error.message);
        ode_rig_clear(&r);
    }
    field_rig f;
    field_build(&f, NETWORK("8", "3"), cst_shape_1d(D), 1, 1,
                (cst_cnf_field_options){.divergence = CST_DIVERGENCE_HUTCHINSON});
    assert_int_equal(cst_module_forward(f.m, &f.call, f.x, f.y, f.cache), CST_EARG);
    field_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(field_is_made_of_derivatives), cmocka_unit_test(estimates_have_the_right_mean),
        cmocka_unit_test(threads_change_rounding_only), cmocka_unit_test(noise_belongs_to_the_row),
        cmocka_unit_test(mean_of_many_solves_is_exact), cmocka_unit_test(noise_has_its_moments),
        cmocka_unit_test(inverse_restores_the_input),   cmocka_unit_test(evaluation_has_its_own_options),
        cmocka_unit_test(weights_are_in_both_norms),    cmocka_unit_test(bad_sections_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
