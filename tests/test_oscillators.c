/* The simulated pendulum and mass-spring systems: energy, closed forms, defaults, and errors. */
#include "core/rng.h"
#include "datasets/oscillators.h"
#include "tests/data_files.h"

#include <math.h>

static const double tolerance = sizeof(real) == sizeof(float) ? 2e-5 : 1e-8;

static void advance(const cst_system *system, const double *constants, double duration, const real *u, real *y)
{
    cst_error error = {0};
    if (cst_system_advance(system, constants, duration, u, y, &error) != CST_OK) fail_msg("%s", error.message);
}

/* H = p^2 / (2 I) + m g l / 2 (1 - cos q) with I = m l^2 / 3 and p = I q' changes by the torque's work, u (q1 - q0). */
static void test_pendulum_energy(void **state)
{
    (void)state;
    const double constants[] = {2, 1.5, 9}, inertia = 2 * 1.5 * 1.5 / 3, weight = 2 * 9 * 1.5 / 2;
    for (uint64_t tag = 0; tag < 20; tag++) {
        real y[2], u[1] = {tag % 2 ? (real)1.5 : 0};
        cst_rng_fill_uniform(cst_rng_new(tag, CST_RNG_TEST), y, 2, -2, 2);
        const double q = (double)y[0], before = inertia / 2 * (double)(y[1] * y[1]) - weight * cos(q);
        for (size_t k = 0; k < 20; k++) {
            advance(&cst_pendulum, constants, 0.1, u, y);
            const double energy = inertia / 2 * (double)(y[1] * y[1]) - weight * cos((double)y[0]);
            test_assert_near("energy", energy, before + (double)u[0] * ((double)y[0] - q), 20 * tolerance);
        }
    }
}

/* The defaults are the paper's system: q'' = 3 p' = -15 sin q + 3 u. */
static void test_pendulum_defaults(void **state)
{
    (void)state;
    cst_dataset data;
    test_load_ok(JSON({"type": "pendulum"}), 0, &data);
    assert_int_equal(data.train.n_trajectories, 5 * 35);
    assert_int_equal(data.validation.n_trajectories, 5 * 7);
    assert_int_equal(data.test.n_trajectories, 5 * 8);
    assert_int_equal(data.train.n, 5 * 35 * 13);
    assert_int_equal(data.n_targets, 32);
    assert_true(cst_shape_equal(&data.x, &(cst_shape){1, {4}}));
    double widest = 0;
    for (size_t i = 0; i < data.train.n_trajectories; i++) {
        const real *a = data.train.trajectories + i * 80, *b = a + 4, *c = b + 4;
        const double q = atan2((double)b[1], (double)b[0]), slope = ((double)c[2] - (double)a[2]) / 0.1;
        const double expected = -15 * sin(q) + 3 * (double)b[3], v = (double)b[2];
        /* A central difference of q' differs by h^2/6 times the third derivative of q'. */
        const double third = fabs(-15 * (-sin(q) * v * v + cos(q) * expected));
        test_assert_near("q''", slope, expected, 0.0025 / 6 * third * 1.5 + 0.03);
        assert_true(b[3] == (real)((double)(i / 35) - 2));
        widest = fmax(widest, fabs(q));
    }
    assert_true(widest > 2.5); /* starts all around */
    cst_dataset_clear(&data);
}

/* In closed form: q'' + c q' + k/m q = 0. */
static void test_mass_spring(void **state)
{
    (void)state;
    const double m = 2, k = 3, c = 0.4, constants[] = {2, 3, 0.4}, w = sqrt(k / m - c * c / 4);
    real y[2] = {(real)0.5, -1};
    const double q0 = (double)y[0], v0 = (double)y[1] / m, b = (v0 + c / 2 * q0) / w;
    for (size_t i = 1; i <= 20; i++) {
        const double t = 0.3 * (double)i, decay = exp(-c / 2 * t);
        advance(&cst_mass_spring, constants, 0.3, NULL, y);
        test_assert_near("q", (double)y[0], decay * (q0 * cos(w * t) + b * sin(w * t)), tolerance);
        const double v =
            decay * (-q0 * w * sin(w * t) + b * w * cos(w * t)) - c / 2 * decay * (q0 * cos(w * t) + b * sin(w * t));
        test_assert_near("p", (double)y[1], m * v, 2 * tolerance);
    }
    cst_dataset data;
    test_load_ok(JSON({"type": "mass_spring", "stiffness": 4, "trajectories": 40, "dt": 0.2}), 0, &data);
    assert_int_equal(data.n_targets, 16);
    assert_int_equal(data.train.n_trajectories, 28);
    assert_int_equal(data.validation.n_trajectories, 6);
    assert_int_equal(data.test.n_trajectories, 6);
    for (size_t i = 0; i < 28; i++) { /* p^2 / 2 + 2 q^2 is conserved, and points turn by the angle 2 dt */
        const real *a = data.train.trajectories + i * 64, *z = a + 62;
        const double before = (double)(a[1] * a[1] / 2 + 2 * a[0] * a[0]);
        test_assert_near("energy", (double)(z[1] * z[1] / 2 + 2 * z[0] * z[0]), before, tolerance);
        test_assert_near("q", (double)a[2], (double)a[0] * cos(0.4) + (double)a[1] / 2 * sin(0.4), tolerance);
    }
    cst_dataset_clear(&data);
}

static void test_mistakes(void **state)
{
    (void)state;
    test_load_fails(JSON({"type": "pendulum", "torques": [[1]]}), CST_ECONFIG,
                    TEST_WORDS("test.json: torques[0]: expected a number in the range of " CST_REAL_NAME ", got [1]"));
    test_load_fails(JSON({"type": "pendulum", "torques": []}), CST_ECONFIG,
                    TEST_WORDS("test.json: torques: expected at least one torque, got []"));
    test_load_fails(JSON({"type": "pendulum", "mass": 0}), CST_ECONFIG,
                    TEST_WORDS("test.json: mass: expected a positive number, got 0"));
    test_load_fails(JSON({"type": "mass_spring", "torques": [1]}), CST_ECONFIG,
                    TEST_WORDS("test.json: torques: unknown key"));
    test_load_fails(JSON({"type": "mass_spring", "damping": -1}), CST_ECONFIG,
                    TEST_WORDS("test.json: damping: expected a non-negative number"));
    /* A motion of excessive speed makes loading fail; the message names the torque. */
    test_load_fails(JSON({"type": "pendulum", "torques": [0, 1e30], "mass": 1e-300, "trajectories": 2}), CST_ECONFIG,
                    TEST_WORDS("test.json: torques[1]: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pendulum_energy),
        cmocka_unit_test(test_pendulum_defaults),
        cmocka_unit_test(test_mass_spring),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
