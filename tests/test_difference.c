/* The first difference between two documents, and what does not count as one. */
#include "tests/helpers.h"
#include "train/difference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The path that is expected in both directions; NULL: no difference. */
static void check_one(const char *a, const char *b, const char *const *except, const char *expected)
{
    cst_document *x = test_parse(a), *y = test_parse(b);
    char *path = (char *)(uintptr_t)a; /* not NULL: the call must set it */
    cst_error error = {0};
    test_assert_ok(a, cst_config_difference(cst_document_root(x), cst_document_root(y), except, &path, &error), &error);
    if (!path != !expected) fail_msg("%s\n%s\nexpected %s, got %s", a, b, expected, path);
    if (path) assert_string_equal(path, expected);
    free(path);
    cst_document_free(x);
    cst_document_free(y);
}

static void check(const char *a, const char *b, const char *const *except, const char *expected)
{
    check_one(a, b, except, expected);
    check_one(b, a, except, expected);
}

static void test_none(void **state)
{
    (void)state;
    check("{}", "{}", NULL, NULL);
    check(JSON({"a": 1, "b": {"c": [1, {"d": "x", "e": null}], "f": true}}),
          JSON({"b": {"f": true, "c": [1, {"e": null, "d": "x"}]}, "a": 1}), NULL, NULL);
    check(JSON({"a": 1}), JSON({"a": 1.0}), NULL, NULL);
    check(JSON({"a": 1000}), JSON({"a": 1e3}), NULL, NULL);
    check("{'a': '\\u0041'}", JSON({"a": "A"}), NULL, NULL);
    check(JSON({"a": [], "b": {}}), JSON({"b": {}, "a": []}), NULL, NULL);
}

static void test_values(void **state)
{
    (void)state;
    check(JSON({"a": 1}), JSON({"a": 2}), NULL, "a");
    check(JSON({"a": 0.1}), JSON({"a": 0.10000000000000002}), NULL, "a"); /* adjacent doubles */
    check(JSON({"a": "x"}), JSON({"a": "X"}), NULL, "a");
    check(JSON({"a": true}), JSON({"a": false}), NULL, "a");
    check(JSON({"a": {"b": {"c": 1}}}), JSON({"a": {"b": {"c": 2}}}), NULL, "a.b.c");
    check(JSON({"a": [1, [2, {"b": 3}]]}), JSON({"a": [1, [2, {"b": 4}]]}), NULL, "a[1][1].b");
}

static void test_kinds(void **state)
{
    (void)state;
    static const char *const values[] = {"null", "0", "'0'", "false", "true", "[]", "{}", "[0]", JSON({"b": 0})};
    enum { N = sizeof values / sizeof values[0] };
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++) {
            char a[40], b[40];
            snprintf(a, sizeof a, "{'a': %s}", values[i]);
            snprintf(b, sizeof b, "{'a': %s}", values[j]);
            /* Two lists or two objects differ if one has a member that the other lacks. */
            const bool lists = *values[i] == '[' && *values[j] == '[', objects = *values[i] == '{' && *values[j] == '{';
            check_one(a, b, NULL, i == j ? NULL : lists ? "a[0]" : objects ? "a.b" : "a");
        }
    }
}

static void test_only_in_one(void **state)
{
    (void)state;
    check(JSON({"a": 1}), JSON({"a": 1, "b": null}), NULL, "b"); /* null is not absent */
    check(JSON({"a": {"b": 1}}), JSON({"a": {"b": 1, "c": 0}}), NULL, "a.c");
    check(JSON({"a": [1, 2]}), JSON({"a": [1, 2, 3]}), NULL, "a[2]");
    check(JSON({"a": [[], 2]}), JSON({"a": [[{}], 2]}), NULL, "a[0][0]");
    check(JSON({"a": [1, 2]}), JSON({"a": [2, 1]}), NULL, "a[0]"); /* order matters in lists only */
}

/* Differences in the order of the first document, then members that only the second one has. */
static void test_first(void **state)
{
    (void)state;
    check_one(JSON({"a": 1, "b": 2, "c": 3}), JSON({"c": 0, "d": 1, "b": 0, "a": 1}), NULL, "b");
    check_one(JSON({"c": 0, "d": 1, "b": 0, "a": 1}), JSON({"a": 1, "b": 2, "c": 3}), NULL, "c");
    check_one(JSON({"a": {"same": 1, "x": 1}, "b": 1}), JSON({"a": {"same": 1, "x": 2}, "b": 2}), NULL, "a.x");
}

static void test_exceptions(void **state)
{
    (void)state;
    static const char *const except[] = {"name", "epochs", NULL}, *const none[] = {NULL};
    check(JSON({"name": "a", "epochs": 3, "seed": 1}), JSON({"name": {}, "seed": 1}), except, NULL);
    check(JSON({"name": "a"}), JSON({"name": "b"}), none, "name");
    check(JSON({"name": "a", "seed": 1}), JSON({"name": "b", "seed": 2}), except, "seed");
    /* Exceptions apply to the root alone. */
    check(JSON({"data": {"name": "a"}}), JSON({"data": {"name": "b"}}), except, "data.name");
    check(JSON({"data": {}}), JSON({"data": {"epochs": 1}}), except, "data.epochs");
    check(JSON({"list": [{"name": 1}]}), JSON({"list": [{"name": 2}]}), except, "list[0].name");
    check(JSON({"Name": 1}), JSON({"Name": 2}), except, "Name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),        cmocka_unit_test(test_values), cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_only_in_one), cmocka_unit_test(test_first),  cmocka_unit_test(test_exceptions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
