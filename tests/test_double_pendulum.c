/* The simulated double pendulum: its equations from the Lagrangian, its energy, its draws, and errors. */
#include "core/rng.h"
#include "datasets/double_pendulum.h"
#include "tests/data_files.h"

#include <math.h>

static const double pi = 3.141592653589793;

/* Tolerances for simulations of a few seconds, in which errors grow. */
static const double tolerance = sizeof(real) == sizeof(float) ? 2e-4 : 1e-7;

/* ---- an independent derivation ------------------------------------------------------------------------------- */

/* The kinetic energy, from the velocities of both centres of mass and the links' rotations. */
static double kinetic(const double q[2], const double v[2])
{
    const double x1 = 0.5 * cos(q[0]) * v[0], y1 = 0.5 * sin(q[0]) * v[0]; /* of the first link */
    const double both = v[0] + v[1];
    const double x2 = 2 * x1 + 0.5 * cos(q[0] + q[1]) * both, y2 = 2 * y1 + 0.5 * sin(q[0] + q[1]) * both;
    return 0.5 * (x1 * x1 + y1 * y1 + v[0] * v[0] + x2 * x2 + y2 * y2 + both * both);
}

static double potential(const double q[2])
{
    return -9.8 * 0.5 * cos(q[0]) - 9.8 * (cos(q[0]) + 0.5 * cos(q[0] + q[1]));
}

/* T = v M v / 2, so that M_ij = T(e_i + e_j) - T(e_i) - T(e_j). */
static void mass(const double q[2], double m[2][2])
{
    const double a = kinetic(q, (double[]){1, 0}), b = kinetic(q, (double[]){0, 1}), ab = kinetic(q, (double[]){1, 1});
    m[0][0] = 2 * a;
    m[1][1] = 2 * b;
    m[0][1] = m[1][0] = ab - a - b;
}

/* Lagrange: M a = Q - M' v + d(T - V)/dq, derivatives by central differences, with the generalized torques of the data:
 * Q = (-u2, u1 - M_12/M_11 u2). */
static void accelerate(const double q[2], const double v[2], const double u[2], double a[2])
{
    const double h = 1e-5;
    double m[2][2], force[2];
    mass(q, m);
    force[0] = -u[1];
    force[1] = u[0] - m[0][1] / m[0][0] * u[1];
    for (size_t i = 0; i < 2; i++) {
        double lower[2] = {q[0], q[1]}, upper[2] = {q[0], q[1]}, ml[2][2], mu[2][2];
        lower[i] -= h;
        upper[i] += h;
        force[i] += (kinetic(upper, v) - kinetic(lower, v) - potential(upper) + potential(lower)) / (2 * h);
        mass(lower, ml);
        mass(upper, mu);
        for (size_t j = 0; j < 2; j++) /* (dM/dq_i v_i) v */
            force[j] -= v[i] * ((mu[j][0] - ml[j][0]) * v[0] + (mu[j][1] - ml[j][1]) * v[1]) / (2 * h);
    }
    const double det = m[0][0] * m[1][1] - m[0][1] * m[0][1];
    a[0] = (m[1][1] * force[0] - m[0][1] * force[1]) / det;
    a[1] = (m[0][0] * force[1] - m[0][1] * force[0]) / det;
}

static void slope(const double y[4], const double u[2], double dy[4])
{
    dy[0] = y[2];
    dy[1] = y[3];
    accelerate(y, y + 2, u, dy + 2);
}

/* The classic Runge-Kutta method with n steps. */
static void rk4(double duration, size_t n, const double u[2], double y[4])
{
    const double h = duration / (double)n, weights[] = {1, 2, 2, 1}, at[] = {0, 0.5, 0.5, 1};
    for (size_t s = 0; s < n; s++) {
        double k[4] = {0}, sum[4] = {0}, stage[4];
        for (size_t i = 0; i < 4; i++) {
            for (size_t j = 0; j < 4; j++) stage[j] = y[j] + at[i] * h * k[j];
            slope(stage, u, k);
            for (size_t j = 0; j < 4; j++) sum[j] += weights[i] * k[j];
        }
        for (size_t j = 0; j < 4; j++) y[j] += h / 6 * sum[j];
    }
}

static double energy(const real y[4])
{
    const double q[] = {(double)y[0], (double)y[1]}, v[] = {(double)y[2], (double)y[3]};
    return kinetic(q, v) + potential(q);
}

/* A state and torques from one of the test's streams. */
static void make_case(uint64_t tag, real y[4], real u[2])
{
    cst_rng_fill_uniform(cst_rng_new(tag, CST_RNG_TEST), y, 4, -3.14, 3.14);
    cst_rng_fill_uniform(cst_rng_new(tag + 1000, CST_RNG_TEST), u, 2, -2, 2);
}

/* ---- the simulator ------------------------------------------------------------------------------------------- */

static void test_equations_are_lagranges(void **state)
{
    (void)state;
    for (uint64_t tag = 0; tag < 50; tag++) {
        real y[4], u[2];
        double got[2], expected[2];
        make_case(tag, y, u);
        cst_double_pendulum_acceleration(y, u, got);
        accelerate((double[]){(double)y[0], (double)y[1]}, (double[]){(double)y[2], (double)y[3]},
                   (double[]){(double)u[0], (double)u[1]}, expected);
        for (size_t i = 0; i < 2; i++) test_assert_near("acceleration", got[i], expected[i], 1e-8);
    }
}

/* Without torques the energy is constant; under the first torque it changes by E' = u1 q2'. */
static void test_energy(void **state)
{
    (void)state;
    for (uint64_t tag = 0; tag < 20; tag++) {
        real y[4], u[2];
        cst_error error = {0};
        make_case(tag, y, u);
        if (tag % 2) u[0] = 0;
        u[1] = 0;
        const double before = energy(y), q2 = (double)y[1];
        for (size_t k = 0; k < 32; k++) {
            if (cst_double_pendulum_advance(0.05, u, y, &error) != CST_OK) fail_msg("%s", error.message);
            test_assert_near("energy", energy(y), before + (double)u[0] * ((double)y[1] - q2), tolerance);
        }
    }
}

static void test_against_tiny_steps(void **state)
{
    (void)state;
    for (uint64_t tag = 0; tag < 10; tag++) {
        real y[4], u[2];
        cst_error error = {0};
        make_case(tag, y, u);
        double reference[4], torques[] = {(double)u[0], (double)u[1]};
        for (size_t i = 0; i < 4; i++) reference[i] = (double)y[i];
        const double durations[] = {0.05, 0.4, 1e-3, 1.1};
        for (size_t k = 0; k < 4; k++) {
            if (cst_double_pendulum_advance(durations[k], u, y, &error) != CST_OK) fail_msg("%s", error.message);
            rk4(durations[k], 1000, torques, reference);
            for (size_t i = 0; i < 4; i++) test_assert_near("state", (double)y[i], reference[i], 10 * tolerance);
        }
    }
}

static void test_failures_leave_the_state(void **state)
{
    (void)state;
    cst_error error = {0};
    real y[4] = {0, 0, 1, (real)NAN}, u[2] = {0, 0};
    assert_int_not_equal(cst_double_pendulum_advance(0.05, u, y, &error), CST_OK);
    assert_true(strlen(error.message) > 0 && y[2] == 1);
    y[3] = 0;
    test_assert_failure(cst_double_pendulum_advance(0, u, y, &error), CST_EARG, &error, TEST_WORDS("times"));
    assert_true(y[2] == 1);
}

/* ---- the data set -------------------------------------------------------------------------------------------- */

static void test_defaults(void **state)
{
    (void)state;
    cst_dataset data;
    test_load_ok(JSON({"type": "double_pendulum"}), 0, &data);
    const struct {
        const cst_split *split;
        size_t n;
    } splits[] = {{&data.train, 89}, {&data.validation, 19}, {&data.test, 20}};
    const real torques[9][2] = {{0, 0}, {0, 1}, {0, -1}, {0, 2}, {0, -2}, {1, 0}, {-1, 0}, {2, 0}, {-2, 0}};
    assert_true(cst_shape_equal(&data.x, &(cst_shape){1, {8}}));
    assert_int_equal(data.n_targets, 64);
    assert_int_equal(data.n_classes, 0);
    assert_int_equal(data.n_channels, 0);
    assert_int_equal(data.train.n, 20025);
    for (size_t p = 0; p < 3; p++) {
        const cst_split *split = splits[p].split;
        assert_int_equal(split->n_trajectories, 9 * splits[p].n);
        assert_int_equal(split->n_points, 32);
        assert_int_equal(split->n, split->n_trajectories * 25);
        for (size_t i = 0; i < split->n_trajectories * 32; i++) {
            const real *point = split->trajectories + 8 * i, *u = torques[i / 32 / splits[p].n];
            assert_true(point[6] == u[0] && point[7] == u[1]);
            assert_true(fabs((double)point[4]) <= 4 * pi - 0.001 && fabs((double)point[5]) <= 9 * pi - 0.001);
            for (size_t k = 0; k < 2; k++)
                test_assert_near("radius", hypot((double)point[k], (double)point[2 + k]), 1, 1e-6);
        }
    }
    cst_dataset_clear(&data);
}

/* Draw a trajectory as the header says, with as many draws as that takes; returns their number. */
static size_t draw(cst_rng rng, const real u[2], size_t n, real *points)
{
    for (size_t redraw = 0;; redraw++) {
        real y[4];
        bool stays = true;
        for (size_t i = 0; i < 4; i++) y[i] = (real)(3.14 * (2 * cst_rng_uniform(cst_rng_split(rng, redraw), i) - 1));
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(cst_double_pendulum_advance(0.1, u, y, NULL), CST_OK);
            stays = stays && fabs((double)y[2]) <= 4 * pi - 0.001 && fabs((double)y[3]) <= 9 * pi - 0.001;
            for (size_t i = 0; i < 2; i++) {
                points[8 * k + i] = (real)cos((double)y[i]);
                points[8 * k + 2 + i] = (real)sin((double)y[i]);
                points[8 * k + 4 + i] = y[2 + i];
                points[8 * k + 6 + i] = u[i];
            }
        }
        if (stays) return redraw + 1;
    }
}

/* Every trajectory is the first of its stream that stays within the limits. Strong torques drive some beyond them. */
static void test_trajectories_are_drawn_again(void **state)
{
    (void)state;
    enum { N = 20, POINTS = 30, LENGTH = 8 * POINTS };
    cst_dataset data;
    test_load_ok(JSON({
                     "type": "double_pendulum",
                     "torques": [[0.5, -1], [8, 3]],
                     "trajectories": 20,
                     "points": 30,
                     "dt": 0.1,
                     "window": 30
                 }),
                 3, &data);
    const real torques[2][2] = {{(real)0.5, -1}, {8, 3}};
    const cst_split *const splits[] = {&data.train, &data.validation, &data.test};
    const size_t first[] = {0, 14, 17, 20};
    size_t draws = 0;
    for (size_t g = 0; g < 2; g++) {
        for (size_t p = 0; p < 3; p++) {
            const size_t n = first[p + 1] - first[p];
            assert_int_equal(splits[p]->n_trajectories, 2 * n);
            for (size_t i = 0; i < n; i++) {
                real expected[LENGTH];
                const cst_rng rng = cst_rng_split(cst_rng_split(cst_rng_new(3, CST_RNG_DATA), g), first[p] + i);
                draws += draw(rng, torques[g], POINTS, expected);
                assert_memory_equal(splits[p]->trajectories + (g * n + i) * LENGTH, expected, sizeof expected);
            }
        }
    }
    if (draws <= 2 * N) fail_msg("no trajectory was drawn again");
    cst_dataset_clear(&data);
}

static void test_seeds_and_sizes(void **state)
{
    (void)state;
    const char *few = JSON({"type": "double_pendulum", "trajectories": 10, "points": 9});
    cst_dataset a, b, c, d;
    test_load_ok(few, 1, &a);
    test_load_ok(few, 1, &b);
    test_load_ok(few, 2, &c);
    test_load_ok(JSON({
                     "type": "double_pendulum",
                     "trajectories": 10,
                     "points": 9,
                     "train_size": 5,
                     "validation_size": 1,
                     "test_size": 4,
                     "torques": [[0, 0]]
                 }),
                 1, &d);
    assert_int_equal(a.train.n, 9 * 7 * 2);
    assert_memory_equal(a.train.targets, b.train.targets, a.train.n * a.n_targets * sizeof(real));
    assert_memory_not_equal(a.train.targets, c.train.targets, a.train.n * a.n_targets * sizeof(real));
    assert_int_equal(d.train.n, 5);
    assert_int_equal(d.validation.n, 1);
    assert_int_equal(d.test.n, 4);
    assert_memory_equal(a.train.trajectories, d.train.trajectories, 7 * 9 * 8 * sizeof(real));
    cst_dataset_clear(&a);
    cst_dataset_clear(&b);
    cst_dataset_clear(&c);
    cst_dataset_clear(&d);
}

static void fails(const char *keys, const char *const *words)
{
    char json[400];
    snprintf(json, sizeof json, "{'type': 'double_pendulum', %s}", keys);
    test_load_fails(json, CST_ECONFIG, words);
}

static void test_mistakes(void **state)
{
    (void)state;
    fails("'window': 33", TEST_WORDS("test.json: window: expected at most 32, the points of a trajectory, got 33"));
    fails("'window': 1", TEST_WORDS("test.json: window: expected an integer from 2"));
    fails("'dt': 0", TEST_WORDS("test.json: dt: expected"));
    fails("'trajectories': 1", TEST_WORDS("test.json: trajectories: expected an integer from 2"));
    fails("'points': 1", TEST_WORDS("test.json: points: expected an integer from 2"));
    fails("'torques': []", TEST_WORDS("test.json: torques: expected at least one torque, got []"));
    fails("'torques': [[0, 0], [1]]",
          TEST_WORDS("test.json: torques[1]: expected a list of 2 numbers in the range of " CST_REAL_NAME ", got [1]"));
    fails("'torques': [0]",
          TEST_WORDS("test.json: torques[0]: expected a list of 2 numbers in the range of " CST_REAL_NAME ", got 0"));
    fails("'torques': [[0, 'a']]", TEST_WORDS("test.json: torques[0]: expected a list of 2 numbers"));
    fails("'torques': [[0, 0], [500, 0]], 'trajectories': 2",
          TEST_WORDS("test.json: torques[1]: none of 1000 trajectories stays within the limits"));
    fails("'trajectories': 2, 'validation_size': 1",
          TEST_WORDS("test.json: validation_size: expected 0, because this split has no trajectories, got 1"));
    fails("'trajectories': 10, 'test_size': 1000", TEST_WORDS("test.json: test_size: expected at most 450"));
    test_load_fails(JSON({"type": "double_pendulum", "trajectories": 1000000, "points": 1000000}), CST_ENOMEM,
                    TEST_WORDS("out of memory for 6300000 trajectories of 1000000 points"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equations_are_lagranges),
        cmocka_unit_test(test_energy),
        cmocka_unit_test(test_against_tiny_steps),
        cmocka_unit_test(test_failures_leave_the_state),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_trajectories_are_drawn_again),
        cmocka_unit_test(test_seeds_and_sizes),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
