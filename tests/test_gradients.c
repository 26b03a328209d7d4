/* The comparison of gradient methods: differences repeat the steps that the exact gradient belongs to. */
#include "analysis/gradients.h"
#include "formats/npy.h"
#include "tests/data_files.h"
#include "tests/helpers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#ifdef CST_DOUBLE
static const double tolerance = 1e-6;
#else
static const double tolerance = 0.1;
#endif

static const char format[] =
    "{'name': 'a', 'seed': 175, 'threads': 1, 'data': {'type': 'spirals', 'train_size': 24, 'test_size': 4, "
    "'batch_size': "
    "24}, 'model': {'type': 'sequential', 'layers': [{'type': 'linear', 'out_features': 4}, {'type': 'ode', 't': %s, "
    "'field': {'type': 'sequential', 'layers': [{'type': 'concat_time'}, {'type': 'linear', 'out_features': 7}, "
    "{'type': "
    "'tanh'}, {'type': 'linear', 'out_features': 4}]}, 'solver': {%s}}, {'type': 'linear', 'out_features': 2}]}, "
    "'epochs': 1}";

/* The slope of the loss along a direction, by the exact gradient and by differences. */
static void expect_same_slope(const char *what, const cst_gradient_row *exact, const cst_gradient_row *differences)
{
    test_derivative seen = {0};
    test_derivative_compare(&seen, what, 0, exact->along, differences->along, tolerance * fabs(exact->along));
    test_derivative_end(&seen, what, false);
}

/* Steps of all kinds: cut short by the end or by a stop, limited by the largest factor or by the largest step. */
static void differences_take_the_same_steps(void **state)
{
    (void)state;
    static const struct {
        const char *t, *solver;
    } cases[] = {
        {"[0, 1]", "'rtol': 1e-5, 'atol': 1e-5"},
        {"[0.9155839702944206, 0.8487649879615535, -0.3953004569214357]",
         "'profile': 'torchdiffeq', 'rtol': 1e-5, 'atol': 1e-5"},
        {"[0, 1]", "'profile': 'torchdiffeq', 'first_step': 1e-3, 'rtol': 1e-2, 'atol': 1e-2"},
        {"[0, 1]", "'first_step': 1e-6, 'ifactor': 1e6, 'pi_controller': false"},
        {"[0, 1]", "'max_step': 0.1"},
        {"[0, 1]", "'jump_t': [0.3, 0.7]"},
        {"[1, 0]", "'profile': 'torchdiffeq', 'jump_t': [0.3, 2]"},
        {"[0, 1]", "'method': 'rk4', 'step_size': 0.3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[1024];
        cst_gradient_row rows[CST_GRADIENT_ROWS];
        cst_experiment e;
        cst_error error;
        assert_in_range(snprintf(json, sizeof json, format, cases[i].t, cases[i].solver), 1, sizeof json - 1);
        cst_document *document = test_parse(json);
        test_assert_ok(cases[i].solver, cst_experiment_new(document, &e, &error), &error);
        test_assert_ok(cases[i].solver, cst_gradients_compare(&e, rows, &error), &error);
        const cst_gradient_row *exact = &rows[0], *differences = &rows[CST_GRADIENT_ROWS - 1];
        expect_same_slope(cases[i].solver, exact, differences);
        const bool fixed = strstr(cases[i].solver, "rk4") != NULL;
        if (fixed ? !isnan(exact->from_limit) : !(exact->from_limit < 0.1 && (i > 0 || exact->from_limit > 0)))
            fail_msg("%s: %g from the limit", cases[i].solver, exact->from_limit);
        cst_experiment_clear(&e);
        cst_document_free(document);
    }
}

/* A CDE on the arrays below; printf's arguments are their folder and the solver's profile. */
static const char cde_config[] = JSON({
    "name": "a",
    "threads": 1,
    "data": {"type": "npy", "path": "%s", "train_x": "x.npy", "train_y": "y.npy", "batch_size": 8, "normalize": false},
    "model": {
        "type": "sequential",
        "layers": [
            {
                "type": "cde",
                "hidden": 3,
                "field": {"type": "sequential", "layers": [{"type": "linear", "out_features": 6}, {"type": "tanh"}]},
                "solver": {"profile": "%s", "rtol": 1e-4, "atol": 1e-4}
            },
            {"type": "linear", "out_features": 2}
        ]
    },
    "epochs": 1
});

/* The knots of a CDE's path are stops too. They come from the data, and differences stop there again. */
static void differences_of_a_cde(void **state)
{
    (void)state;
    enum { N = 8, T = 5, C = 2 };
    char path[TEST_PATH], json[1024 + TEST_PATH];
    real x[N * T * C];
    double values[N * T * C];
    test_random(3, x, N * T * C, 1);
    for (size_t i = 0; i < N * T * C; i++) values[i] = (double)x[i];
    assert_int_equal(cst_npy_write(test_path("x.npy", path), CST_NPY_F8, &(cst_shape){3, {N, T, C}}, values, NULL),
                     CST_OK);
    assert_int_equal(
        cst_npy_write(test_path("y.npy", path), CST_NPY_U1, &(cst_shape){1, {N}}, "\0\1\1\0\1\0\1\1", NULL), CST_OK);
    static const char *const profiles[] = {"costate", "torchdiffeq"};
    for (size_t i = 0; i < 2; i++) {
        cst_gradient_row rows[CST_GRADIENT_ROWS];
        cst_experiment e;
        cst_error error;
        snprintf(json, sizeof json, cde_config, test_root, profiles[i]);
        cst_document *document = test_parse(json);
        test_assert_ok(json, cst_experiment_new(document, &e, &error), &error);
        test_assert_ok(json, cst_gradients_compare(&e, rows, &error), &error);
        const cst_gradient_row *exact = &rows[0], *differences = &rows[CST_GRADIENT_ROWS - 1];
        expect_same_slope(profiles[i], exact, differences);
        for (size_t row = 2; row + 1 < CST_GRADIENT_ROWS; row++)
            assert_true(rows[row].distance > 0 && rows[row].distance < 0.1); /* other methods than the config's own */
        cst_experiment_clear(&e);
        cst_document_free(document);
    }
}

/* The ODE block inside of another module is not in a section "ode", and only such sections are changed. */
static void a_block_of_another_module_is_refused(void **state)
{
    (void)state;
    char path[TEST_PATH], json[1024 + TEST_PATH];
    const double x[4 * 3 * 2] = {1, 2, 3};
    cst_gradient_row rows[CST_GRADIENT_ROWS];
    cst_experiment e;
    cst_error error;
    assert_int_equal(cst_npy_write(test_path("x.npy", path), CST_NPY_F8, &(cst_shape){3, {4, 3, 2}}, x, NULL), CST_OK);
    assert_int_equal(cst_npy_write(test_path("y.npy", path), CST_NPY_U1, &(cst_shape){1, {4}}, "\0\1\1\0", NULL),
                     CST_OK);
    snprintf(json, sizeof json, JSON({
                 "name": "a",
                 "data": {
                     "type": "npy",
                     "path": "%s",
                     "train_x": "x.npy",
                     "train_y": "y.npy",
                     "batch_size": 4,
                     "normalize": false
                 },
                 "model": {"type": "ode_rnn", "hidden": 2, "field": {"type": "tanh"}},
                 "epochs": 1
             }),
             test_root);
    cst_document *document = test_parse(json);
    test_assert_ok(json, cst_experiment_new(document, &e, &error), &error);
    test_assert_error(cst_gradients_compare(&e, rows, &error), CST_EUNSUPPORTED, &error,
                      "gradients of an ODE block that another module creates cannot be compared");
    cst_experiment_clear(&e);
    cst_document_free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(differences_take_the_same_steps),
                                       cmocka_unit_test(differences_of_a_cde),
                                       cmocka_unit_test(a_block_of_another_module_is_refused)};
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
