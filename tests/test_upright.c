/* When a controlled pendulum counts as upright. */
#include "tests/helpers.h"

#include "analysis/control.h"

#include <math.h>

enum { MAX_POINTS = 6 };
static const double pi = 3.14159265358979323846;

/* (q1, q2, q1', q2') of points one second apart. */
static cst_control judged(const double y[][4], size_t n, cst_control_point points[MAX_POINTS])
{
    cst_control_options o;
    cst_control c = {.points = points, .n = n};
    cst_control_options_init(&o);
    for (size_t i = 0; i < n; i++) {
        points[i] = (cst_control_point){.t = (double)i};
        for (size_t j = 0; j < 4; j++) points[i].y[j] = (real)y[i][j];
    }
    cst_control_judge(&o, &c);
    return c;
}

static void it_counts_from_the_time_it_stays(void **state)
{
    const double y[][4] = {{0, 0, 0, 0},         {pi, 0.1, 0, 0}, {pi + 0.3, 0, 0, 0},
                           {pi - 0.19, 0, 0, 0}, {pi, 0, 0.4, 0}, {3 * pi, -2 * pi, 0, -0.4}};
    cst_control_point points[MAX_POINTS];
    (void)state;
    const cst_control c = judged(y, 6, points);
    assert_true(c.reached);
    assert_true(c.since == 3);
    assert_true(fabs(c.closest) < 1e-6 && c.when == 4);
}

static void it_must_be_at_rest_and_upright_at_the_end(void **state)
{
    static const double last[][4] = {{3.14, 0, 0.6, 0}, {3.14, 0, 0, -0.6}, {3.14, 0.3, 0, 0}, {2.8, 0, 0, 0}};
    cst_control_point points[MAX_POINTS];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const double y[][4] = {{3.14, 0, 0, 0}, {last[i][0], last[i][1], last[i][2], last[i][3]}};
        assert_false(judged(y, 2, points).reached);
    }
    const double hanging[][4] = {{0, 0, 0, 0}, {0.5, -0.1, 0, 0}};
    const cst_control c = judged(hanging, 2, points);
    assert_false(c.reached);
    assert_true(fabs(c.closest - (pi - 0.5)) < 1e-6 && c.when == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_counts_from_the_time_it_stays),
                                       cmocka_unit_test(it_must_be_at_rest_and_upright_at_the_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
