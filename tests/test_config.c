/* Places in documents, messages about them, and setting values by path. */
#include "tests/config_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- places -------------------------------------------------------------------------------------------------- */

static void test_places(void **state)
{
    (void)state;
    cst_document *document = config_text_parse(JSON({"a": 1, "A": "two", "l": [1, {"b": null}], "t": true}));
    const cst_config root = cst_document_root(document);
    double number = 0;
    bool truth = false;
    assert_true(cst_config_number(cst_config_get(root, "a"), &number) && number == 1);
    assert_string_equal(cst_config_string(cst_config_get(root, "A")), "two"); /* case matters */
    assert_null(cst_config_get(root, "L").node);
    assert_false(cst_config_present(cst_config_get(root, "L")));
    assert_null(cst_config_string(cst_config_get(root, "a")));
    assert_false(cst_config_number(cst_config_get(root, "A"), &number));
    assert_true(cst_config_bool(cst_config_get(root, "t"), &truth) && truth);
    assert_false(cst_config_bool(cst_config_get(root, "a"), &truth));
    const cst_config list = cst_config_get(root, "l");
    assert_true(cst_config_is_list(list) && !cst_config_is_object(list));
    assert_true(cst_config_is_object(root) && !cst_config_is_list(root));
    assert_int_equal(cst_config_length(list), 2);
    assert_int_equal(cst_config_length(root), 4);
    assert_int_equal(cst_config_length(cst_config_get(root, "A")), 0);
    assert_null(cst_config_item(list, 2).node);
    assert_null(cst_config_item(cst_config_get(root, "A"), 0).node);
    assert_string_equal(cst_config_key(cst_config_item(root, 2)), "l");
    assert_null(cst_config_key(cst_config_item(list, 0)));
    assert_null(cst_config_key(root));
    const cst_config null = cst_config_get(cst_config_item(list, 1), "b");
    assert_non_null(null.node);
    assert_false(cst_config_present(null));
    assert_true(cst_config_next(cst_config_item(list, 0)).node == cst_config_item(list, 1).node);
    assert_null(cst_config_next(cst_config_item(list, 1)).node);
    /* missing places answer all questions */
    const cst_config absent = cst_config_get(root, "none");
    assert_false(cst_config_is_object(absent) || cst_config_is_list(absent));
    assert_int_equal(cst_config_length(absent), 0);
    assert_null(cst_config_get(absent, "x").node);
    assert_null(cst_config_string(absent));
    cst_document_free(document);
}

static void test_messages(void **state)
{
    (void)state;
    cst_document *document = config_text_parse(JSON({"model": {"layers": [{}, {"k": 1, "odd key": 2, "a.b\n": 3}]}}));
    cst_error error;
    const cst_config second = config_text_layer(document, 1);
    assert_int_equal(cst_config_fail(cst_config_get(second, "k"), &error, "no %d", 7), CST_ECONFIG);
    assert_string_equal(error.message, "a.json: model.layers[1].k: no 7");
    assert_int_equal(error.status, CST_ECONFIG);
    cst_config_fail(second, &error, "no");
    assert_string_equal(error.message, "a.json: model.layers[1]: no");
    cst_config_fail(cst_document_root(document), &error, "no");
    assert_string_equal(error.message, "a.json: no");
    cst_config_fail(cst_config_get(second, "odd key"), &error, "no");
    assert_string_equal(error.message, "a.json: model.layers[1][\"odd key\"]: no");
    cst_config_fail(cst_config_get(second, "a.b\n"), &error, "no");
    assert_string_equal(error.message, "a.json: model.layers[1][\"a.b\\n\"]: no");
    cst_config_expected(cst_config_get(second, "absent"), "a number", &error);
    assert_string_equal(error.message, "a.json: expected a number, got nothing");
    assert_int_equal(cst_fail(&error, CST_ESHAPE, "expected (3), got (4) and 100%%"), CST_ESHAPE);
    assert_int_equal(cst_config_place(second, &error), CST_ECONFIG);
    assert_string_equal(error.message, "a.json: model.layers[1]: expected (3), got (4) and 100%");
    assert_int_equal(error.status, CST_ECONFIG);
    assert_int_equal(cst_config_place(second, NULL), CST_ECONFIG);
    assert_int_equal(cst_config_fail(second, NULL, "no"), CST_ECONFIG);
    cst_document_free(document);
}

static void test_long_messages(void **state)
{
    (void)state;
    cst_document *document = config_text_parse(JSON({
        "model":
            {"layers": [1, {"a": "line 1\nline 2 of a text that goes on and on beyond what anybody wants to read"}]}
    }));
    cst_error error;
    cst_config_expected(cst_config_get(config_text_layer(document, 1), "a"), "a number", &error);
    assert_string_equal(error.message, "a.json: model.layers[1].a: expected a number, got "
                                       "\"line 1\\nline 2 of a text that goes on and on beyond what any...");
    cst_config_expected(config_text_layer(document, 1), "a list", &error);
    assert_string_equal(error.message, "a.json: model.layers[1]: expected a list, got "
                                       "{\"a\": \"line 1\\nline 2 of a text that goes on and on beyond wh...");
    cst_document_free(document);
    /* for a name and a path longer than a message, the message keeps the end */
    char text[2000] = "{\"x", name[1000];
    memset(text + 3, 'k', 900);
    strcpy(text + 903, "\": {\"z\": 1}}");
    memset(name, 'n', sizeof name);
    strcpy(name + sizeof name - 6, "\n.end");
    assert_int_equal(cst_document_parse(name, text, strlen(text), &document, NULL), CST_OK);
    cst_config_expected(cst_config_get(cst_config_item(cst_document_root(document), 0), "z"), "a list", &error);
    assert_non_null(strstr(error.message, "n\\n.end: ...kkk"));
    assert_non_null(strstr(error.message, "kkk.z: expected a list, got 1"));
    assert_int_equal(strncmp(error.message, "...nnn", 6), 0);
    cst_document_free(document);
}

/* ---- setting ------------------------------------------------------------------------------------------------- */

static const char settable[] = JSON({"lr": 1, "model": {"layers": [{"k": 1}, {"k": 2}], "type": "x"}, "none": {}});

static void test_set(void **state)
{
    (void)state;
    static const struct {
        const char *path, *value, *expected;
    } steps[] = {
        {"lr", "1e-4", "{\"lr\":0.0001,\"model\":{\"layers\":[{\"k\":1},{\"k\":2}],\"type\":\"x\"},\"none\":{}}"},
        {"model.layers[1].k", "true",
         "{\"lr\":0.0001,\"model\":{\"layers\":[{\"k\":1},{\"k\":true}],\"type\":\"x\"},\"none\":{}}"},
        {"model.layers[0]", JSON({"q": [1, 2]}),
         "{\"lr\":0.0001,\"model\":{\"layers\":[{\"q\":[1,2]},{\"k\":true}],\"type\":\"x\"},\"none\":{}}"},
        {"model.layers[0].q[1]", "seminorm",
         "{\"lr\":0.0001,\"model\":{\"layers\":[{\"q\":[1,\"seminorm\"]},{\"k\":true}],\"type\":\"x\"},\"none\":{}}"},
        {"model.layers", "[]", "{\"lr\":0.0001,\"model\":{\"layers\":[],\"type\":\"x\"},\"none\":{}}"},
        {"model.type", "\"3\"", "{\"lr\":0.0001,\"model\":{\"layers\":[],\"type\":\"3\"},\"none\":{}}"},
        {"none.new", "1e999", "{\"lr\":0.0001,\"model\":{\"layers\":[],\"type\":\"3\"},\"none\":{\"new\":\"1e999\"}}"},
        {"model", "null", "{\"lr\":0.0001,\"model\":null,\"none\":{\"new\":\"1e999\"}}"},
        {"none", "{\"a\":1,\"a\":2}", "{\"lr\":0.0001,\"model\":null,\"none\":\"{\\\"a\\\":1,\\\"a\\\":2}\"}"},
        {"none", "", "{\"lr\":0.0001,\"model\":null,\"none\":\"\"}"},
        {"last", "a\nb", "{\"lr\":0.0001,\"model\":null,\"none\":\"\",\"last\":\"a\\nb\"}"},
    };
    cst_document *document = config_text_parse(settable);
    cst_error error;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (cst_document_set(document, steps[i].path, steps[i].value, &error) != CST_OK) fail_msg("%s", error.message);
        config_text_expect(cst_document_root(document), steps[i].expected);
    }
    cst_document_free(document);
}

/* Paths that cannot be set, and the reasons. */
static const struct {
    const char *path, *message;
} unsettable[] = {
    {"", "expected KEY at character 1"},
    {".lr", "expected KEY at character 1"},
    {"model..type", "expected .KEY at character 6"},
    {"model.", "expected .KEY at character 6"},
    {"model]", "expected .KEY at character 6"},
    {"model.layers[]", "expected [INDEX] at character 13"},
    {"model.layers[x]", "expected [INDEX] at character 13"},
    {"model.layers[-1]", "expected [INDEX] at character 13"},
    {"model.layers[1", "expected [INDEX] at character 13"},
    {"model.layers[99999999999999999999]", "expected [INDEX] at character 13"},
    {"model.layers[0]k", "expected .KEY at character 16"},
    {"model.layers[2]", "model.layers has 2 items, counted from 0"},
    {"model.layers[2].k", "model.layers has 2 items, counted from 0"},
    {"model.layers.k", "model.layers is not an object"},
    {"[0]", "the document is not a list"},
    {"model[0]", "model is not a list"},
    {"lr.x", "lr is not an object"},
    {"modle.x", "the document has no \"modle\"; the nearest key is \"model\""},
    {"model.layer[0]", "model has no \"layer\"; the nearest key is \"layers\""},
    {"none.x.y", "none has no keys"},
};

static void test_set_errors(void **state)
{
    (void)state;
    cst_document *document = config_text_parse(settable);
    char *before = cst_document_print(document);
    cst_error error;
    for (size_t i = 0; i < sizeof unsettable / sizeof unsettable[0]; i++) {
        char expected[300];
        snprintf(expected, sizeof expected, "a.json: cannot set \"%s\": %s", unsettable[i].path, unsettable[i].message);
        assert_int_equal(cst_document_set(document, unsettable[i].path, "1", &error), CST_ECONFIG);
        assert_string_equal(error.message, expected);
    }
    assert_int_equal(cst_document_set(document, "l\xc3", "1", &error),
                     CST_ECONFIG); /* a key that could not be parsed again */
    assert_non_null(strstr(error.message, "malformed UTF-8 in the path"));
    assert_int_equal(cst_document_set(document, "lr", "\xff", &error), CST_ECONFIG);
    assert_string_equal(error.message, "a.json: cannot set \"lr\": malformed UTF-8 in the value");
    /* too deep to be parsed again, so it is not JSON but a string */
    char deep[129];
    memset(deep, '[', 64);
    memset(deep + 64, ']', 64);
    deep[128] = '\0';
    assert_int_equal(cst_document_set(document, "lr", deep, &error), CST_OK);
    assert_non_null(cst_config_string(cst_config_get(cst_document_root(document), "lr")));
    assert_int_equal(cst_document_set(document, "lr", "1", &error), CST_OK);
    char *after = cst_document_print(document);
    assert_string_equal(after, before);
    free(before);
    free(after);
    cst_document_free(document);
}

static void test_put(void **state)
{
    (void)state;
    cst_document *document = config_text_parse(JSON({"a": 1, "b": 2}));
    const cst_config root = cst_document_root(document);
    cst_error error;
    assert_int_equal(cst_config_put(root, "a", "[1, 2]", &error), CST_OK);
    assert_int_equal(cst_config_put(root, "odd.key", "\"x\"", &error), CST_OK);
    config_text_expect(root, "{\"a\":[1,2],\"b\":2,\"odd.key\":\"x\"}");
    assert_int_equal(cst_config_put(root, "a", "[1, 2", &error), CST_EARG);
    assert_int_equal(cst_config_put(cst_config_get(root, "a"), "a", "1", &error), CST_ECONFIG);
    cst_document_free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places), cmocka_unit_test(test_messages),   cmocka_unit_test(test_long_messages),
        cmocka_unit_test(test_set),    cmocka_unit_test(test_set_errors), cmocka_unit_test(test_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
