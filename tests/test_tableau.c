/* Order conditions of every tableau, over all rooted trees (Butcher; Hairer, Norsett, Wanner, II.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "ode/tableau.h"

enum { MAX_ORDER = 8 };

/* Turn a rooted tree, the depths of its nodes in preorder, into its successor in Beyer and Hedetniemi's order; false
 * after the last one. */
static int next_tree(size_t level[MAX_ORDER], size_t n)
{
    size_t p = n;
    while (p > 0 && level[p - 1] <= 1) p--;
    if (p-- == 0) return 0;
    size_t q = p;
    while (level[q] != level[p] - 1) q--;
    for (size_t i = p; i < n; i++) level[i] = level[i - (p - q)];
    return 1;
}

/* gamma and the elementary weights u_i of a tree's root: the product over its children c of sum_j a_ij u_j(c). */
static double elementary_weights(const cst_tableau *t, const size_t level[MAX_ORDER], size_t n,
                                 double u[CST_MAX_STAGES])
{
    double weight[MAX_ORDER][CST_MAX_STAGES], gamma = 1;
    size_t size[MAX_ORDER];
    for (size_t node = n; node-- > 0;) {
        size[node] = 1;
        for (size_t i = 0; i < t->stages; i++) weight[node][i] = 1;
        for (size_t child = node + 1; child < n && level[child] > level[node]; child++) {
            if (level[child] != level[node] + 1) continue;
            size[node] += size[child];
            for (size_t i = 0; i < t->stages; i++) {
                double sum = 0;
                for (size_t j = 0; j < i; j++) sum += t->a[i][j] * weight[child][j];
                weight[node][i] *= sum;
            }
        }
        gamma *= (double)size[node];
    }
    memcpy(u, weight[0], sizeof weight[0]);
    return gamma;
}

/* Largest violation of sum_i w_i u_i = x^n / gamma among the trees of n nodes (of sum = 0 where x is 0). */
static double violation(const cst_tableau *t, const double w[CST_MAX_STAGES], double x, size_t n)
{
    double worst = 0;
    size_t level[MAX_ORDER];
    for (size_t i = 0; i < n; i++) level[i] = i;
    do {
        double u[CST_MAX_STAGES], sum = 0;
        const double gamma = elementary_weights(t, level, n, u);
        for (size_t i = 0; i < t->stages; i++) sum += w[i] * u[i];
        worst = fmax(worst, fabs(sum - pow(x, (double)n) / gamma));
    } while (next_tree(level, n));
    return worst;
}

static size_t order_of(const cst_tableau *t, const double w[CST_MAX_STAGES], double x)
{
    size_t n = 0;
    while (n < MAX_ORDER && violation(t, w, x, n + 1) < 1e-12) n++;
    return n;
}

static void there_are_200_trees_of_up_to_eight_nodes(void **state)
{
    (void)state;
    size_t trees = 0;
    for (size_t n = 1; n <= MAX_ORDER; n++) {
        size_t level[MAX_ORDER];
        for (size_t i = 0; i < n; i++) level[i] = i;
        do trees++;
        while (next_tree(level, n));
    }
    assert_int_equal(trees, 200); /* 1 + 1 + 2 + 4 + 9 + 20 + 48 + 115 */
}

static void rows_sum_to_c(void **state)
{
    (void)state;
    for (size_t k = 0; cst_tableaus[k]; k++) {
        const cst_tableau *t = cst_tableaus[k];
        for (size_t i = 0; i < t->stages; i++) {
            double sum = 0;
            for (size_t j = 0; j < CST_MAX_STAGES; j++) {
                sum += t->a[i][j];
                if (j >= i && t->a[i][j] != 0)
                    fail_msg("%s: a[%zu][%zu] is not 0, so stage %zu is not explicit", t->name, i, j, i);
            }
            if (!(fabs(sum - t->c[i]) < 1e-14))
                fail_msg("%s, stage %zu: %.17g, expected %.17g", t->name, i, sum, t->c[i]);
        }
        for (size_t i = 0; t->fsal && i < t->stages; i++)
            if (t->a[t->stages - 1][i] != t->b[i])
                fail_msg("%s: fsal, but the last row of a differs from b at stage %zu", t->name, i);
    }
}

static void order_conditions_hold(void **state)
{
    (void)state;
    for (size_t k = 0; cst_tableaus[k]; k++) {
        const cst_tableau *t = cst_tableaus[k];
        const size_t order = order_of(t, t->b, 1);
        if (order != t->order) fail_msg("%s: order %zu, expected %zu", t->name, order, t->order);
    }
}

/* The companion solution b - e is one order lower. dopri8's is 7: it satisfies two of the conditions of the order
 * above. */
static void error_estimates_have_their_order(void **state)
{
    (void)state;
    for (size_t k = 0; cst_tableaus[k]; k++) {
        const cst_tableau *t = cst_tableaus[k];
        if (!t->adaptive) continue;
        const size_t order = order_of(t, t->e, 0);
        if (order != t->order - 1)
            fail_msg("%s: error estimate of order %zu, expected %zu", t->name, order, t->order - 1);
    }
}

/* Dense output is a quartic whose slope at t + h is the last stage (ode/tableau.c). A method with another last stage
 * needs a dense output of its own, which does not exist yet. */
static void the_last_stage_of_adaptive_methods_is_at_the_end(void **state)
{
    (void)state;
    for (size_t k = 0; cst_tableaus[k]; k++) {
        const cst_tableau *t = cst_tableaus[k];
        const double c = t->c[t->stages - 1];
        if (t->adaptive && c != 1)
            fail_msg(
                "%s: its last stage has c = %.17g, but dense output takes the last stage as the slope at t + h, so an "
                "adaptive method must have c = 1 there",
                t->name, c);
    }
}

static void dense_output_meets_the_ends_and_has_its_order(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t order, refined;
    } cases[] = {{"dopri5", 4, 4}, {"tsit5", 4, 4},     {"dopri8", 4, 4},
                 {"bosh3", 1, 3},  {"fehlberg2", 1, 2}, {"adaptive_heun", 1, 2}};
    const size_t n_cases = sizeof cases / sizeof cases[0];
    for (size_t i = 0; cst_tableaus[i]; i++) {
        size_t k = 0;
        while (k < n_cases && strcmp(cases[k].name, cst_tableaus[i]->name) != 0) k++;
        if (cst_tableaus[i]->adaptive && k == n_cases)
            fail_msg("%s: adaptive, but `cases` of this test lacks its orders of dense output", cst_tableaus[i]->name);
    }
    for (size_t k = 0; k < n_cases; k++) {
        const cst_tableau *t = cst_tableau_find(cases[k].name);
        assert_non_null(t);
        double w[CST_MAX_STAGES];
        cst_tableau_dense(t, false, 0, w);
        for (size_t i = 0; i < t->stages; i++) assert_true(w[i] == 0);
        cst_tableau_dense(t, false, 1, w);
        for (size_t i = 0; i < t->stages; i++) assert_true(fabs(w[i] - t->b[i]) < 1e-14);
        cst_tableau_dense(t, false, 0.5, w);
        for (size_t i = 0; i < t->stages; i++) assert_true(fabs(w[i] - t->m[i]) < 1e-14);
        for (int refine = 0; refine < 2; refine++) {
            cst_tableau_dense(t, refine, 0.3, w);
            const size_t order = order_of(t, w, 0.3), expected = refine ? cases[k].refined : cases[k].order;
            if (order != expected) fail_msg("%s: dense output of order %zu, expected %zu", t->name, order, expected);
            cst_tableau_dense(t, refine, 1, w);
            for (size_t i = 0; i < t->stages; i++) assert_true(fabs(w[i] - t->b[i]) < 1e-14);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_200_trees_of_up_to_eight_nodes),
        cmocka_unit_test(rows_sum_to_c),
        cmocka_unit_test(order_conditions_hold),
        cmocka_unit_test(error_estimates_have_their_order),
        cmocka_unit_test(the_last_stage_of_adaptive_methods_is_at_the_end),
        cmocka_unit_test(dense_output_meets_the_ends_and_has_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
