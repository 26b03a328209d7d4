/* A registry with another one as its base, and modules from JSON text. */
#include "tests/helpers.h"

#include "models/registry.h"

#include <string.h>

static cst_status nothing(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    (void)m, (void)c, (void)x, (void)y, (void)cache;
    return CST_OK;
}

static const cst_module_ops own_ops = {.name = "own", .forward = nothing};

static cst_status make_own(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                           cst_error *error)
{
    (void)registry, (void)section;
    CST_TRY(cst_module_new(sizeof **m, &own_ops, x, m, error));
    (*m)->cost = 1e6; /* enough for several threads to be worth it */
    return CST_OK;
}

static const cst_module_type own = {.name = "own", .make = make_own}, tanh_of_ours = {.name = "tanh", .make = make_own};
static const cst_module_type *const types[] = {&own, &tanh_of_ours};
static const cst_registry registry = {.n_types = 2, .types = types, .base = &cst_all_modules};
static const cst_shape x = {1, {3}};

static cst_module *make(const char *json)
{
    cst_error error;
    cst_module *m;
    test_assert_ok(json, cst_module_from_json(&registry, json, &x, &m, &error), &error);
    return m;
}

static void test_base(void **state)
{
    (void)state;
    cst_module *m = make(JSON({
        "type": "sequential",
        "layers": [{"type": "own"}, {"type": "tanh"}, {"type": "relu"}]
    })); /* a type of the base builds a module of the new registry */
    assert_string_equal(m->children[0].module->ops->name, "own");
    assert_string_equal(m->children[1].module->ops->name,
                        "own"); /* of two types with the same name, the one of the new registry */
    assert_string_equal(m->children[2].module->ops->name, "relu");
    cst_module_free(m);
    cst_error error;
    assert_int_equal(cst_module_from_json(&registry, JSON({"type": "owm"}), &x, &m, &error), CST_ECONFIG);
    assert_non_null(strstr(error.message, "model: type: expected the name of a module (the nearest is \"own\")"));
    assert_null(m);
    assert_int_equal(cst_module_from_json(&cst_all_modules, JSON({"type": "own"}), &x, &m, &error), CST_ECONFIG);
    assert_int_equal(cst_module_from_json(&registry, "{\"type\": \"own\"", &x, &m, &error), CST_ECONFIG);
}

static void test_too_many(void **state)
{
    (void)state;
    enum { MOST = 256 };
    const cst_module_type *many[MOST + 1];
    for (size_t i = 0; i < MOST + 1; i++) many[i] = &own;
    const cst_registry base = {.n_types = 1, .types = types};
    cst_registry r = {.n_types = MOST - 1, .types = many, .base = &base};
    cst_error error;
    cst_module *m;
    assert_int_equal(cst_module_from_json(&r, JSON({"type": "own"}), &x, &m, &error), CST_OK);
    cst_module_free(m);
    r.n_types++;
    assert_int_equal(cst_module_from_json(&r, JSON({"type": "own"}), &x, &m, &error), CST_EARG);
    assert_non_null(strstr(error.message, "more than 256 types"));
}

static void test_no_plan(void **state)
{
    (void)state;
    cst_module *m = make(JSON({"type": "own"}));
    for (int threads = 1; threads <= 2; threads++) {
        cst_plan plan = {1, 1, 1};
        cst_module_plan(m, 1000, 2, threads, &plan);
        assert_int_equal(plan.cache + plan.tangent + plan.work, 0);
    }
    cst_module_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_no_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
