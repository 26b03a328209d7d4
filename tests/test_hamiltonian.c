/* Hamiltonian fields along their solutions: energy is conserved, or decreases with damping, to the solver's tolerance.
 * A harmonic oscillator against its closed form; errors of construction; a controller's terms. */
#include "tests/helpers.h"

#include "models/registry.h"
#include "models/symoden.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LINEAR(n) "{'type': 'linear', 'out_features': " #n "}"
#define NET(hidden, out) "{'type': 'sequential', 'layers': [" LINEAR(hidden) ", {'type': 'tanh'}, " LINEAR(out) "]}"
#define GENERAL "{'type': 'hamiltonian', 'energy': " NET(8, 1)
#define SEPARABLE "{'type': 'hamiltonian', 'potential': " NET(6, 1) ", 'kinetic': " NET(6, 1)
#define SYMODEN "{'type': 'symoden', 'mass': " NET(7, 3) ", 'potential': " NET(6, 1) ", 'input': " NET(5, 4) "}"

enum { N = 5, MAX_ROW = 8 };
static const double tolerance = sizeof(real) == sizeof(float) ? 1e-5 : 1e-10;

/* Rows x at the start and y at time t, with the module of the field. */
typedef struct course {
    cst_module *block;
    const cst_module *field;
    const real *theta; /* the field's parameters */
    real *x, *y;
    test_pool pool;
} course;

static void follow(const char *field, size_t row, double t, course *c)
{
    char json[2000];
    cst_error error;
    snprintf(json, sizeof json, "{'type': 'ode', 't': [0, %g], 'field': %s, 'solver': {'rtol': %g, 'atol': %g}}", t,
             field, tolerance, tolerance);
    *c = (course){0};
    const cst_shape shape = cst_shape_1d(row);
    test_assert_ok(field, test_module_new(json, &shape, &c->block, &error), &error);
    c->field = c->block->children[0].module;
    cst_plan plan = {0};
    cst_module_plan(c->block, N, 0, 1, &plan);
    real *theta = test_pool_take(&c->pool, c->block->n_params, TEST_NAN);
    test_module_theta(c->block, 3, theta);
    for (size_t i = 0; i < c->block->n_params; i++) theta[i] *= 2; /* larger parameters, so that the rows move */
    c->theta = theta + c->block->children[0].offset;
    c->x = test_pool_take(&c->pool, N * row, TEST_NAN);
    c->y = test_pool_take(&c->pool, N * row, TEST_NAN);
    test_random(5, c->x, N * row, 1);
    if (row == MAX_ROW) { /* (cos q, sin q, q', 0) */
        for (size_t i = 0; i < N; i++) {
            for (size_t j = 0; j < 2; j++) {
                real *x = c->x + i * row;
                const double q = (double)x[j];
                x[j] = (real)cos(q), x[2 + j] = (real)sin(q), x[6 + j] = 0;
            }
        }
    }
    const cst_call call = {
        .n = N, .threads = 1, .theta = theta, .work = test_pool_take(&c->pool, plan.work, TEST_NAN), .error = &error};
    test_assert_ok(
        field, cst_module_forward(c->block, &call, c->x, c->y, test_pool_take(&c->pool, plan.cache, TEST_NAN)), &error);
}

static void clear(course *c)
{
    cst_module_free(c->block);
    test_pool_cut(&c->pool, 0);
}

/* out (N, ...) = child i of the field at rows (N, in) */
static void net(course *c, size_t i, const real *rows, real *out)
{
    const cst_module *m = c->field->children[i].module;
    cst_plan plan = {0};
    cst_error error;
    cst_module_plan(m, N, 0, 1, &plan);
    const cst_call call = {.n = N,
                           .threads = 1,
                           .theta = c->theta + c->field->children[i].offset,
                           .work = test_pool_take(&c->pool, plan.work, TEST_NAN),
                           .error = &error};
    test_assert_ok("network", cst_module_forward(m, &call, rows, out, test_pool_take(&c->pool, plan.cache, TEST_NAN)),
                   &error);
}

/* H of rows (q, p) of four numbers, by one network or two. */
static void energy(course *c, const real *x, double h[N])
{
    real value[N], half[2][N * 2];
    memset(h, 0, N * sizeof *h);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < 2; j++) half[0][2 * i + j] = x[4 * i + j], half[1][2 * i + j] = x[4 * i + 2 + j];
    for (size_t k = 0; k < c->field->n_children; k++) {
        net(c, k, c->field->n_children == 1 ? x : half[k], value);
        for (size_t i = 0; i < N; i++) h[i] += (double)value[i];
    }
}

/* p^T M^-1 p / 2 + V = q'^T p / 2 + V, with M^-1 = L L^T + 0.1 I of two degrees of freedom inverted by hand. */
static void symoden_energy(course *c, const real *x, double h[N])
{
    real at[N * 4], entries[N * 3], value[N];
    for (size_t i = 0; i < N; i++) memcpy(at + 4 * i, x + 8 * i, 4 * sizeof *at);
    net(c, 0, at, entries);
    net(c, 1, at, value);
    for (size_t i = 0; i < N; i++) {
        const double a = (double)entries[3 * i], b = (double)entries[3 * i + 1], l = (double)entries[3 * i + 2];
        const double w11 = a * a + 0.1, w12 = a * l, w22 = l * l + b * b + 0.1, det = w11 * w22 - w12 * w12;
        const double v = (double)x[8 * i + 4], w = (double)x[8 * i + 5];
        h[i] = (v * v * w22 - 2 * v * w * w12 + w * w * w11) / (2 * det) + (double)value[i];
    }
}

/* The largest |a - b|, for moves of rows and for changes of their energy. */
static double largest_change(const double a[N], const double b[N])
{
    double most = 0;
    for (size_t i = 0; i < N; i++) most = fmax(most, fabs(a[i] - b[i]));
    return most;
}

static void check_kept(const char *field, size_t row, void (*of)(course *, const real *, double *))
{
    course c;
    double before[N], after[N], moved = 0;
    follow(field, row, 2, &c);
    of(&c, c.x, before);
    of(&c, c.y, after);
    for (size_t i = 0; i < N * row; i++) moved = fmax(moved, fabs((double)(c.x[i] - c.y[i])));
    print_message("%.30s...: moved by %.2g, energy by %.2g\n", field, moved, largest_change(before, after));
    assert_true(moved > 0.1);
    assert_true(largest_change(before, after) < 100 * tolerance);
    clear(&c);
}

static void energy_is_conserved(void **state)
{
    (void)state;
    check_kept(GENERAL "}", 4, energy);
    check_kept(SEPARABLE "}", 4, energy);
    check_kept(SYMODEN, MAX_ROW, symoden_energy);
}

static void damping_decreases_energy(void **state)
{
    static const char *const fields[] = {GENERAL ", 'damping': true}", SEPARABLE ", 'damping': true}"};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        course c;
        double before[N], after[N];
        follow(fields[k], 4, 2, &c);
        energy(&c, c.x, before);
        energy(&c, c.y, after);
        for (size_t i = 0; i < N; i++) assert_true(after[i] < before[i]);
        assert_true(largest_change(before, after) > 1e-3);
        clear(&c);
    }
}

/* (cos q, sin q) stays on the circle. */
static void angles_stay_on_the_circle(void **state)
{
    course c;
    (void)state;
    follow(SYMODEN, MAX_ROW, 2, &c);
    for (size_t i = 0; i < N * 2; i++) {
        const real *y = c.y + i / 2 * MAX_ROW + i % 2;
        assert_true(fabs((double)y[0] * (double)y[0] + (double)y[2] * (double)y[2] - 1) < 100 * tolerance);
    }
    clear(&c);
}

/* dV/dq against differences of V(cos q, sin q), and g against its network. */
static void controller_has_its_terms(void **state)
{
    course c;
    cst_error error;
    (void)state;
    follow(SYMODEN, MAX_ROW, 1, &c);
    real at[N * 4], slope[N * 2], gain[N * 4], expected[N * 4], value[2][N];
    for (size_t i = 0; i < N; i++) memcpy(at + 4 * i, c.x + 8 * i, 4 * sizeof *at);
    real *work = test_pool_take(&c.pool, cst_symoden_control_work(c.field, N), TEST_NAN);
    const cst_call call = {.n = N, .threads = 1, .theta = c.theta, .work = work, .error = &error};
    test_assert_ok("control", cst_symoden_control(c.field, &call, at, slope, gain), &error);
    net(&c, 2, at, expected);
    test_assert_close("g", gain, expected, N * 4, 10 * (double)CST_REAL_EPSILON);
    for (size_t j = 0; j < 2; j++) {
        const double step = sizeof(real) == sizeof(float) ? 1e-2 : 1e-5;
        const double allowed = sizeof(real) == sizeof(float) ? 1e-3 : 1e-9;
        real moved[N * 4];
        test_derivative seen = {0};
        for (int side = 0; side < 2; side++) {
            memcpy(moved, at, sizeof moved);
            for (size_t i = 0; i < N; i++) {
                const double q = atan2((double)at[4 * i + 2 + j], (double)at[4 * i + j]) + (side ? step : -step);
                moved[4 * i + j] = (real)cos(q), moved[4 * i + 2 + j] = (real)sin(q);
            }
            net(&c, 1, moved, value[side]);
        }
        for (size_t i = 0; i < N; i++) {
            const double difference = ((double)value[1][i] - (double)value[0][i]) / (2 * step);
            test_derivative_compare(&seen, "dV/dq", i, (double)slope[2 * i + j], difference,
                                    allowed * (1 + fabs(difference)));
        }
        test_derivative_end(&seen, "dV/dq", false);
    }
    clear(&c);
}

static void wrong_networks_are_refused(void **state)
{
    static const struct {
        const char *json;
        size_t row;
        cst_status status;
        const char *message;
    } cases[] = {
        {SYMODEN, 6, CST_ECONFIG, "model: expected rows (cos q, sin q, q', u) of 4 n numbers, got 6"},
        {SYMODEN, 12, CST_ECONFIG, "model: mass: expected \"mass\" to map rows of 6 to 6 numbers, got (6) -> (3)"},
        {GENERAL "}", 3, CST_ECONFIG, "model: expected rows (q, p) of 2 n numbers, got 3"},
        {GENERAL ", 'kinetic': " NET(3, 1) "}", 4, CST_ECONFIG,
         "model: expected either \"energy\", or both \"potential\" and \"kinetic\""},
        {"{'type': 'hamiltonian', 'potential': " NET(3, 1) "}", 4, CST_ECONFIG,
         "model: expected either \"energy\", or both \"potential\" and \"kinetic\""},
        {"{'type': 'hamiltonian', 'energy': " NET(3, 2) "}", 4, CST_ECONFIG,
         "model: energy: expected \"energy\" to have one output per row, got (2)"},
        {"{'type': 'hamiltonian', 'energy': {'type': 'sequential', 'layers': [{'type': 'dropout', "
         "'p': 0.5}, " LINEAR(1) "]}}",
         4, CST_ECONFIG, "model: energy: dropout has no jvp: not usable in an energy"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cst_module *m = NULL;
        cst_error error;
        const cst_shape x = cst_shape_1d(cases[i].row);
        const cst_status status = test_module_new(cases[i].json, &x, &m, &error);
        test_assert_error(status, cases[i].status, &error, cases[i].message);
        assert_null(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(energy_is_conserved),        cmocka_unit_test(damping_decreases_energy),
        cmocka_unit_test(angles_stay_on_the_circle),  cmocka_unit_test(controller_has_its_terms),
        cmocka_unit_test(wrong_networks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
