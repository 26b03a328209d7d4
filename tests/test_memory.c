/* Memory of passes: backsolve uses its planned memory only, however many steps the solver takes. */
#include "tests/failing_alloc.inc"

#include "tests/ode_rig.h"

#include <stdio.h>

#define FIELD                                                                                                          \
    "'field': {'type': 'sequential', 'layers': [{'type': 'concat_squash_linear', 'out_features': 8}, "                 \
    "{'type': 'tanh'}, {'type': 'concat_squash_linear', 'out_features': 3}]}"

/* Steps, planned reals, and allocations of one forward and one backward pass. */
typedef struct use {
    size_t steps, plan, allocations;
} use;

static void count(void *context, const cst_module *block, bool backward, const cst_solve_stats *stats)
{
    size_t *steps = context;
    (void)block, (void)backward;
    *steps += stats->accepted;
}

static use measure(const char *type, const char *tolerance, bool trace)
{
    char json[1024];
    ode_rig r;
    use u = {0};
    snprintf(json, sizeof json, "{'type': '%s', " FIELD ", 'solver': {'rtol': %s, 'atol': %s}}", type, tolerance,
             tolerance);
    assert_int_equal(ode_rig_build(&r, json, cst_shape_1d(3), 4, 1), CST_OK);
    for (size_t i = 0; i < r.m->n_params; i++) r.theta[i] *= 3;
    cst_plan plan;
    cst_module_plan(r.m, 4, 0, 1, &plan);
    u.plan = plan.cache + plan.work;
    const cst_observer observer = {.context = &u.steps, .trace = trace, .solved = count};
    cst_call call = ode_rig_call(&r, &observer);
    call.train = true;
    const cst_point point = {r.x, r.y, r.cache};
    test_alloc_fail(0, false);
    const cst_status forward = cst_module_forward(r.m, &call, r.x, r.y, r.cache);
    const cst_status backward = cst_module_vjp(r.m, &call, &point, r.gy, &(cst_grads){.scale = 1, .gtheta = r.gtheta});
    u.allocations = test_alloc_count();
    test_assert_ok("forward", forward, &r.error);
    test_assert_ok("backward", backward, &r.error);
    ode_rig_clear(&r);
    return u;
}

static void steps_cost_backsolve_no_memory(void **state)
{
    static const char *const types[] = {"ode", "cnf"};
    const char *const tight = sizeof(real) == 4 ? "1e-6" : "1e-8";
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const use few = measure(types[i], "1e-2", false), many = measure(types[i], tight, false);
        if (many.steps < 3 * few.steps) fail_msg("%zu steps and %zu", few.steps, many.steps);
        assert_int_equal(many.plan, few.plan);
        assert_int_equal(few.allocations, 0);
        assert_int_equal(many.allocations, 0);
        assert_true(measure(types[i], tight, true).allocations > 0); /* a trace, if the observer asks for one */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps_cost_backsolve_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
