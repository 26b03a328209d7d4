/* Densities in the plane: where their points lie and in which numbers; splits without labels, and what a flow learns of
 * them. */
#include "datasets/densities.h"
#include "tests/data_files.h"
#include "tests/helpers.h"

#include <math.h>

enum { N = 8000 };

static real x[2 * N];

static void fill(cst_density density)
{
    cst_density_fill(cst_rng_new(1, CST_RNG_TEST), density, N, x);
}

static double radius(size_t i)
{
    return hypot((double)x[2 * i], (double)x[2 * i + 1]);
}

static void test_points_fit_into_the_picture(void **state)
{
    (void)state;
    /* The centres of mass, in the order of the list. */
    static const double middle[CST_N_DENSITIES][2] = {{0, 0}, {0, 0.3},        {0, 0}, {0, 0},
                                                      {0, 0}, {0.4, 2 / 47.1}, {0, 0}, {0, 0}};
    for (size_t k = 0; k < CST_N_DENSITIES; k++) {
        double sum[2] = {0}, squares = 0;
        fill((cst_density)k);
        for (size_t i = 0; i < 2 * N; i++) {
            assert_true(fabs((double)x[i]) < 5);
            sum[i % 2] += (double)x[i] / N;
            squares += (double)x[i] * (double)x[i] / (2 * N);
        }
        for (size_t j = 0; j < 2; j++)
            if (!(fabs(sum[j] - middle[k][j]) < 5 * sqrt(squares / N)))
                fail_msg("%s: mean of coordinate %zu is %g", cst_density_names[k], j, sum[j]);
        assert_true(squares > 0.5 && squares < 8);
    }
}

/* Half of the points are on each circle, or a quarter on each ring. */
static void test_radii(void **state)
{
    (void)state;
    static const struct {
        cst_density density;
        size_t n;
        double first, step, std;
    } cases[] = {{CST_DENSITY_circles, 2, 1.5, 1.5, 0.24}, {CST_DENSITY_rings, 4, 0.75, 0.75, 0.08}};
    for (size_t c = 0; c < 2; c++) {
        size_t count[4] = {0};
        double squares = 0;
        fill(cases[c].density);
        for (size_t i = 0; i < N; i++) {
            const double nearest = nearbyint((radius(i) - cases[c].first) / cases[c].step);
            const double k = fmin(fmax(nearest, 0), (double)(cases[c].n - 1));
            const double off = radius(i) - cases[c].first - k * cases[c].step;
            squares += off * off / N;
            count[(size_t)k]++;
        }
        test_assert_near("deviation", sqrt(squares), cases[c].std, 0.03 * cases[c].std + 0.005);
        for (size_t k = 0; k < cases[c].n; k++)
            test_assert_near("share", (double)count[k] / N, 1 / (double)cases[c].n, 0.03);
    }
}

/* Uniform on every other square: each has the same number of points. */
static void test_checkerboard(void **state)
{
    (void)state;
    size_t count[4][4] = {{0}};
    fill(CST_DENSITY_checkerboard);
    for (size_t i = 0; i < N; i++) {
        const double a = floor((double)x[2 * i] / 2) + 2, b = floor((double)x[2 * i + 1] / 2) + 2;
        assert_true(a >= 0 && a < 4 && b >= 0 && b < 4);
        count[(size_t)a][(size_t)b]++;
    }
    for (size_t a = 0; a < 4; a++)
        for (size_t b = 0; b < 4; b++)
            test_assert_near("share", (double)count[a][b] / N, (a + b) % 2 == 0 ? 0.125 : 0, 0.02);
}

static void test_gaussians(void **state)
{
    (void)state;
    size_t count[8] = {0};
    double squares = 0;
    fill(CST_DENSITY_gaussians);
    for (size_t i = 0; i < N; i++) {
        const double turn = atan2((double)x[2 * i + 1], (double)x[2 * i]) / 0.78539816339744831;
        const size_t k = (size_t)(nearbyint(turn) + 8) % 8;
        const double a = (double)x[2 * i] - 4 / 1.414 * cos(0.78539816339744831 * (double)k);
        const double b = (double)x[2 * i + 1] - 4 / 1.414 * sin(0.78539816339744831 * (double)k);
        squares += (a * a + b * b) / (2 * N);
        count[k]++;
    }
    test_assert_near("deviation", sqrt(squares), 0.5 / 1.414, 0.02);
    for (size_t k = 0; k < 8; k++) test_assert_near("share", (double)count[k] / N, 0.125, 0.02);
}

/* Along a spiral the angle grows with the radius. The two arms are mirror images of each other in the origin. */
static void test_arms(void **state)
{
    (void)state;
    const double two_pi = 6.283185307179586;
    size_t near = 0, first = 0;
    fill(CST_DENSITY_swiss_roll);
    for (size_t i = 0; i < N; i++) {
        const double t = atan2((double)x[2 * i + 1], (double)x[2 * i]), turns = (5 * radius(i) - t) / two_pi;
        near += fabs(turns - nearbyint(turns)) < 0.4;
    }
    assert_true(10 * near > 9 * N);
    near = 0;
    fill(CST_DENSITY_spirals);
    for (size_t i = 0; i < N; i++) {
        const double t = atan2((double)x[2 * i + 1], -(double)x[2 * i]), half = (3 * radius(i) - t) / (two_pi / 2);
        near += fabs(half - nearbyint(half)) < 0.25;
        first += fmod(nearbyint(half) + 8, 2) == 0;
    }
    assert_true(4 * near > 3 * N);
    test_assert_near("share of an arm", (double)first / N, 0.5, 0.03);
    /* Five arms: after a turn by a fifth, the pinwheel's points have the same distribution of angles. */
    size_t sector[5] = {0};
    fill(CST_DENSITY_pinwheel);
    for (size_t i = 0; i < N; i++)
        sector[(size_t)((atan2((double)x[2 * i + 1], (double)x[2 * i]) / two_pi + 1) * 5) % 5]++;
    for (size_t k = 0; k < 5; k++) test_assert_near("share of a sector", (double)sector[k] / N, 0.2, 0.03);
}

static void test_moons(void **state)
{
    (void)state;
    size_t upper = 0;
    double squares = 0;
    fill(CST_DENSITY_moons);
    for (size_t i = 0; i < N; i++) {
        const double a = ((double)x[2 * i] + 1) / 2, b = ((double)x[2 * i + 1] + 0.2) / 2;
        const double up = fabs(hypot(a, b) - 1) + (b < -0.4), down = fabs(hypot(a - 1, b - 0.5) - 1) + (b > 0.9);
        const double off = up < down ? up : down;
        upper += up < down;
        squares += off * off / N;
    }
    test_assert_near("share", (double)upper / N, 0.5, 0.05);
    assert_true(sqrt(squares) > 0.07 && sqrt(squares) < 0.11);
}

static void test_splits(void **state)
{
    (void)state;
    cst_dataset a, b;
    test_load_ok(JSON({"type": "density", "name": "moons", "train_size": 30, "validation_size": 10, "test_size": 20}),
                 5, &a);
    test_load_ok(JSON({"type": "density", "name": "moons", "train_size": 40, "test_size": 20}), 5, &b);
    assert_true(a.train.n == 30 && a.validation.n == 10 && a.test.n == 20 && b.validation.n == 0);
    assert_true(a.n_classes == 0 && a.n_targets == 0 && !a.train.labels && !a.train.targets);
    assert_memory_equal(a.train.values, b.train.values, 60 * sizeof(real));
    assert_memory_equal(a.test.values, b.test.values, 40 * sizeof(real));
    assert_true(a.train.values[0] != a.test.values[0]);
    cst_dataset_clear(&a);
    cst_dataset_clear(&b);
    test_load_ok(JSON({"type": "density", "name": "rings", "normalize": true}), 5, &a);
    assert_true(a.train.n == 10000 && a.test.n == 5000 && a.std && a.std[0] > 1 && a.std[0] < 2);
    cst_dataset_clear(&a);
    test_load_fails(JSON({"type": "density"}), CST_ECONFIG, TEST_WORDS("test.json", "missing key \"name\""));
    test_load_fails(JSON({"type": "density", "name": "stars"}), CST_ECONFIG,
                    TEST_WORDS("test.json: name", "checkerboard"));
}

/* In five epochs of small batches, a flow improves well on the base's likelihood. */
static void test_flow_learns(void **state)
{
    (void)state;
    test_run run;
    test_run_init(&run, JSON({
        "name": "a",
        "epochs": 5,
        "loss": "nll",
        "data": {"type": "density", "name": "gaussians", "train_size": 2000, "test_size": 500, "batch_size": 100},
        "model": {
            "type": "flow",
            "layers": [{
                "type": "cnf",
                "divergence": "exact",
                "kinetic": 1e-3,
                "field": {"type": "field_net", "hidden": [32, 32], "time": "concat_squash"}
            }]
        },
        "optimizer": {"type": "adam", "lr": 1e-2}
    }),
                  NULL);
    cst_evaluation before, after;
    cst_error error;
    test_assert_ok("before", cst_trainer_evaluate(&run.trainer, &run.experiment.data.test, &before, &error), &error);
    test_assert_ok("training", cst_trainer_run(&run.trainer, &error), &error);
    test_assert_ok("after", cst_trainer_evaluate(&run.trainer, &run.experiment.data.test, &after, &error), &error);
    if (!(before.loss > 4.5 && after.loss < 3.6)) fail_msg("loss %g, then %g", before.loss, after.loss);
    /* Under the density itself, 500 points have on average the loss 2.84, its entropy, with a standard deviation of 1 /
     * sqrt(500). A model whose loss is four of these lower has no normalized density. */
    assert_true(after.loss > 2.84 - 4 * 0.045);
    test_assert_near("bits a dimension", cst_experiment_bits(&run.experiment, 2 * log(2)), 1, 1e-12);
    assert_true(isnan(after.accuracy));
    test_run_clear(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points_fit_into_the_picture),
        cmocka_unit_test(test_radii),
        cmocka_unit_test(test_checkerboard),
        cmocka_unit_test(test_gaussians),
        cmocka_unit_test(test_arms),
        cmocka_unit_test(test_moons),
        cmocka_unit_test(test_splits),
        cmocka_unit_test(test_flow_learns),
    };
    return cmocka_run_group_tests(tests, test_make_root, test_remove_root);
}
