/* Sections read by tables of keys: each rule with its exact message. */
#include "tests/config_text.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tables -------------------------------------------------------------------------------------------------- */

typedef struct options {
    size_t channels, groups;
    double lr, momentum, first_step;
    bool bias;
    const char *label;
    int mode;
    cst_config field, layers, norm;
} options;

static const char *const modes[] = {"relu", "tanh", "softplus", NULL};

#define AT(member) offsetof(options, member)
static const cst_key keys[] = {
    {.name = "channels", .kind = CST_KEY_SIZE, .offset = AT(channels), .range = CST_AT_LEAST(1), .help = "how many"},
    {.name = "groups", .kind = CST_KEY_SIZE, .offset = AT(groups), .fallback = "32", .range = CST_BETWEEN(1, 64)},
    {.name = "lr", .kind = CST_KEY_REAL, .offset = AT(lr), .fallback = "1e-3", .range = CST_POSITIVE},
    {.name = "momentum", .kind = CST_KEY_REAL, .offset = AT(momentum), .fallback = "0.9", .range = CST_BETWEEN(0, 1)},
    {.name = "first_step", .kind = CST_KEY_REAL, .offset = AT(first_step), .fallback = ""},
    {.name = "bias", .kind = CST_KEY_BOOL, .offset = AT(bias), .fallback = "true"},
    {.name = "label", .kind = CST_KEY_STRING, .offset = AT(label), .fallback = "\"none\""},
    {.name = "mode", .kind = CST_KEY_CHOICE, .offset = AT(mode), .fallback = "\"tanh\"", .choices = modes},
    {.name = "field", .kind = CST_KEY_SECTION, .offset = AT(field), .fallback = "{}"},
    {.name = "layers", .kind = CST_KEY_LIST, .offset = AT(layers), .fallback = ""},
    {.name = "norm", .kind = CST_KEY_ANY, .offset = AT(norm), .fallback = "null"},
    {.name = NULL},
};
#undef AT

/* Read the second layer of a document, {"type": "conv2d", ...}. */
static cst_status read_layer(const char *members, options *out, char resolved[1000], cst_error *error)
{
    char text[1000];
    snprintf(text, sizeof text, "{\"model\": {\"layers\": [{}, {\"type\": \"conv2d\"%s}]}}", members);
    cst_document *document = config_text_parse(text);
    cst_status status = CST_OK;
    for (int twice = 0; twice < 2 && status == CST_OK; twice++) {
        status = cst_config_read(config_text_layer(document, 1), keys, true, out, error);
        if (status != CST_OK || !resolved) continue;
        char *printed = cst_config_print(config_text_layer(document, 1));
        if (twice) assert_string_equal(printed, resolved); /* a second reading changes nothing */
        snprintf(resolved, 1000, "%s", printed);
        free(printed);
    }
    cst_document_free(document);
    return status;
}

static void test_read(void **state)
{
    (void)state;
    char resolved[1000];
    options o = {.first_step = -1};
    assert_int_equal(read_layer(", \"lr\": 0.5, \"channels\": 8", &o, resolved, NULL), CST_OK);
    assert_string_equal(resolved,
                        "{\"type\":\"conv2d\",\"lr\":0.5,\"channels\":8,\"groups\":32,\"momentum\":0.9,\"bias\":true,"
                        "\"label\":\"none\",\"mode\":\"tanh\",\"field\":{},\"norm\":null}");
    assert_int_equal(o.channels, 8);
    assert_int_equal(o.groups, 32);
    assert_true(o.lr == 0.5 && o.momentum == 0.9 && o.first_step == -1 && o.bias);
    assert_int_equal(o.mode, 1);
    assert_non_null(o.field.node);
    assert_null(o.layers.node);
    o = (options){.first_step = -1};
    assert_int_equal(read_layer(", \"channels\": 9007199254740992, \"groups\": 1.0, \"lr\": 1e-300, \"momentum\": 1, "
                                "\"first_step\": null, \"bias\": false, \"label\": \"\", \"mode\": \"softplus\", "
                                "\"field\": {\"x\": 1}, \"layers\": [1], \"norm\": {\"slices\": 3}",
                                &o, resolved, NULL),
                     CST_OK);
    assert_true(o.channels == 9007199254740992U && o.groups == 1 && o.lr == 1e-300 && o.momentum == 1);
    assert_true(!o.bias && o.mode == 2 && o.first_step == -1);
}

static void test_read_keeps_places(void **state)
{
    (void)state;
    cst_document *document =
        config_text_parse(JSON({"channels": 1, "field": {"x": 1}, "layers": [5, 6], "label": "here"}));
    options o = {0};
    assert_int_equal(cst_config_read(cst_document_root(document), keys, false, &o, NULL), CST_OK);
    assert_string_equal(o.label, "here");
    config_text_expect(o.field, "{\"x\":1}");
    config_text_expect(o.layers, "[5,6]");
    assert_false(cst_config_present(o.norm));
    cst_error error;
    cst_config_fail(o.norm, &error, "no");
    assert_string_equal(error.message, "a.json: norm: no");
    cst_document_free(document);
}

/* Members of the layer that are wrong, and the messages about them. */
static const struct {
    const char *members, *message;
} wrong_members[] = {
    {", \"channels\": \"64\"", "channels: expected a positive integer, got \"64\""},
    {", \"channels\": 0", "channels: expected a positive integer, got 0"},
    {", \"channels\": -3", "channels: expected a positive integer, got -3"},
    {", \"channels\": 2.5", "channels: expected a positive integer, got 2.5"},
    {", \"channels\": true", "channels: expected a positive integer, got true"},
    {", \"channels\": null", "channels: expected a positive integer, got null"},
    {", \"channels\": [3]", "channels: expected a positive integer, got [3]"},
    {", \"channels\": 9007199254740994",
     "channels: expected an integer from 1 to 9007199254740992, got 9007199254740994"},
    {", \"channels\": 1e300", "channels: expected an integer from 1 to 9007199254740992, got 1e+300"},
    {"", "missing key \"channels\": expected a positive integer"},
    {", \"Channels\": 3", "Channels: unknown key; the nearest known one is \"channels\""},
    {", \"channels\": 3, \"lable\": 3", "lable: unknown key; the nearest known one is \"label\""},
    {", \"channels\": 3, \"typ\": 3", "typ: unknown key; the nearest known one is \"type\""},
    {", \"channels\": 3, \"groups\": 65", "groups: expected an integer from 1 to 64, got 65"},
    {", \"channels\": 3, \"lr\": 0", "lr: expected a positive number, got 0"},
    {", \"channels\": 3, \"lr\": \"big\\n\"", "lr: expected a positive number, got \"big\\n\""},
    {", \"channels\": 3, \"lr\": null", "lr: expected a positive number, got null"},
    {", \"channels\": 3, \"momentum\": 1.5", "momentum: expected a number in [0, 1], got 1.5"},
    {", \"channels\": 3, \"first_step\": false", "first_step: expected a number, got false"},
    {", \"channels\": 3, \"bias\": 1", "bias: expected true or false, got 1"},
    {", \"channels\": 3, \"label\": 1", "label: expected a string, got 1"},
    {", \"channels\": 3, \"mode\": \"Relu\"", "mode: expected one of \"relu\", \"tanh\", \"softplus\", got \"Relu\""},
    {", \"channels\": 3, \"mode\": 0", "mode: expected one of \"relu\", \"tanh\", \"softplus\", got 0"},
    {", \"channels\": 3, \"field\": [1]", "field: expected an object, got [1]"},
    {", \"channels\": 3, \"layers\": {}", "layers: expected a list, got {}"},
};

static void test_read_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong_members / sizeof wrong_members[0]; i++) {
        options o;
        cst_error error;
        assert_int_equal(read_layer(wrong_members[i].members, &o, NULL, &error), CST_ECONFIG);
        char expected[300];
        const bool missing = strncmp(wrong_members[i].message, "missing", 7) == 0;
        snprintf(expected, sizeof expected, "a.json: model.layers[1]%s%s", missing ? ": " : ".",
                 wrong_members[i].message);
        assert_string_equal(error.message, expected);
    }
    cst_document *document = config_text_parse(JSON({"type": "x", "l": []}));
    options o;
    cst_error error;
    static const cst_key none[] = {{.name = NULL}};
    assert_int_equal(cst_config_read(cst_document_root(document), none, false, NULL, &error), CST_ECONFIG);
    assert_string_equal(error.message, "a.json: type: unknown key; this section has no keys");
    assert_int_equal(cst_config_read(cst_document_root(document), keys, false, &o, &error), CST_ECONFIG);
    assert_string_equal(error.message, "a.json: type: unknown key; the nearest known one is \"mode\"");
    assert_int_equal(cst_config_read(cst_config_get(cst_document_root(document), "l"), keys, false, &o, &error),
                     CST_ECONFIG);
    assert_string_equal(error.message, "a.json: l: expected an object, got []");
    cst_document_free(document);
}

/* How a message words the range of a key, with a value outside of the range and one inside. */
static const struct {
    cst_key_kind kind;
    cst_range range;
    const char *words, *outside, *inside;
} bounds[] = {
    {CST_KEY_SIZE, CST_ANY, "a non-negative integer", "-1", "0"},
    {CST_KEY_SIZE, CST_POSITIVE, "a positive integer", "0", "1"},
    {CST_KEY_SIZE, CST_AT_LEAST(1), "a positive integer", "0", "1"},
    {CST_KEY_SIZE, CST_AT_LEAST(3), "an integer of at least 3", "2", "3"},
    {CST_KEY_SIZE, {0, 5, CST_NO_END, CST_INCLUDED}, "an integer from 0 to 5", "6", "5"},
    {CST_KEY_SIZE, CST_BETWEEN(-4, 5), "an integer from 0 to 5", "-1", "0"},
    {CST_KEY_SIZE, CST_INSIDE(2, 5), "an integer from 3 to 4", "5", "4"},
    {CST_KEY_SIZE, CST_INSIDE(2, 5), "an integer from 3 to 4", "2", "3"},
    {CST_KEY_SIZE, CST_BELOW(5), "an integer from 0 to 4", "5", "4"},
    {CST_KEY_REAL, CST_ANY, "a number", "\"x\"", "-1e300"},
    {CST_KEY_REAL, CST_POSITIVE, "a positive number", "0", "1e-300"},
    {CST_KEY_REAL, CST_AT_LEAST(0), "a non-negative number", "-1", "0"},
    {CST_KEY_REAL, CST_AT_LEAST(0.5), "a number of at least 0.5", "0.4", "0.5"},
    {CST_KEY_REAL, {0.5, 0, CST_EXCLUDED, CST_NO_END}, "a number above 0.5", "0.5", "0.6"},
    {CST_KEY_REAL, {0, 0.5, CST_NO_END, CST_INCLUDED}, "a number of at most 0.5", "0.6", "0.5"},
    {CST_KEY_REAL, {0, 0.5, CST_NO_END, CST_EXCLUDED}, "a number below 0.5", "0.5", "-3"},
    {CST_KEY_REAL, CST_BETWEEN(-2, 0), "a number in [-2, 0]", "0.1", "-2"},
    {CST_KEY_REAL, CST_BETWEEN(-2, 0), "a number in [-2, 0]", "-2.1", "0"},
    {CST_KEY_REAL, CST_INSIDE(0, 1), "a number in (0, 1)", "0", "0.99"},
    {CST_KEY_REAL, CST_INSIDE(0, 1), "a number in (0, 1)", "1", "1e-300"},
    {CST_KEY_REAL, CST_BELOW(1), "a number in [0, 1)", "1", "0"},
    {CST_KEY_REAL, CST_BELOW(1), "a number in [0, 1)", "-0.1", "0.99"},
    {CST_KEY_REAL, {1, 2, CST_EXCLUDED, CST_INCLUDED}, "a number in (1, 2]", "1", "2"},
};

/* How messages word the bounds of a table. */
static void test_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        union {
            size_t size;
            double real;
        } value;
        const cst_key table[] = {{.name = "x", .kind = bounds[i].kind, .range = bounds[i].range}, {.name = NULL}};
        char text[64], expected[200];
        cst_error error;
        snprintf(text, sizeof text, "{\"x\": %s}", bounds[i].outside);
        cst_document *document = config_text_parse(text);
        assert_int_equal(cst_config_read(cst_document_root(document), table, false, &value, &error), CST_ECONFIG);
        snprintf(expected, sizeof expected, "a.json: x: expected %s, got %s", bounds[i].words, bounds[i].outside);
        assert_string_equal(error.message, expected);
        cst_document_free(document);
        snprintf(text, sizeof text, "{\"x\": %s}", bounds[i].inside);
        document = config_text_parse(text);
        assert_int_equal(cst_config_read(cst_document_root(document), table, false, &value, &error), CST_OK);
        cst_document_free(document);
    }
}

static void test_long_choices(void **state)
{
    (void)state;
    static const char *const many[] = {"one_of_the_many_names",
                                       "two_of_the_many_names",
                                       "three_of_the_many_names",
                                       "four_of_the_many_names",
                                       "five_of_the_many_names",
                                       "six_of_the_many_names",
                                       "seven_of_the_many_names",
                                       "eight_of_the_many_names",
                                       "nine_of_the_many_names",
                                       "ten_of_the_many_names",
                                       "eleven_of_the_many_names",
                                       "twelve_of_the_many_names",
                                       NULL};
    static const cst_key table[] = {{.name = "x", .kind = CST_KEY_CHOICE, .choices = many}, {.name = NULL}};
    cst_document *document = config_text_parse(JSON({"x": "other"}));
    cst_error error;
    int choice;
    assert_int_equal(cst_config_read(cst_document_root(document), table, false, &choice, &error), CST_ECONFIG);
    assert_non_null(strstr(error.message, ", ..., got \"other\""));
    cst_document_free(document);
}

static void test_type(void **state)
{
    (void)state;
    static const char *const names[] = {"linear", "conv2d", "ode", NULL};
    static const struct {
        const char *section, *message;
    } cases[] = {
        {"3", "a.json: m: expected a module: an object with a \"type\", got 3"},
        {"{}", "a.json: m: missing key \"type\": expected the name of a module"},
        {JSON({"type": 3}), "a.json: m.type: expected the name of a module, got 3"},
        {JSON({"type": "conv2"}),
         "a.json: m.type: expected the name of a module (the nearest is \"conv2d\"), got \"conv2\""},
        {JSON({"type": "Linear"}),
         "a.json: m.type: expected the name of a module (the nearest is \"linear\"), got \"Linear\""},
    };
    size_t index = 7;
    cst_error error;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"m\": %s}", cases[i].section);
        cst_document *document = config_text_parse(text);
        const cst_config section = cst_config_get(cst_document_root(document), "m");
        assert_int_equal(cst_config_type(section, "module", names, &index, &error), CST_ECONFIG);
        assert_string_equal(error.message, cases[i].message);
        cst_document_free(document);
    }
    cst_document *document = config_text_parse(JSON({"type": "ode"}));
    assert_int_equal(cst_config_type(cst_document_root(document), "optimizer", names, &index, &error), CST_OK);
    assert_int_equal(index, 2);
    cst_document_free(document);
    document = config_text_parse("{}");
    assert_int_equal(cst_config_type(cst_document_root(document), "optimizer", names, &index, &error), CST_ECONFIG);
    assert_string_equal(error.message, "a.json: missing key \"type\": expected the name of an optimizer");
    cst_document_free(document);
}

static void test_reals(void **state)
{
    (void)state;
    cst_document *document = config_text_parse(JSON({"a": [0, 0.5, -1e3], "b": 7, "c": [], "d": [1, "x"], "e": "x"}));
    const cst_config root = cst_document_root(document);
    double *values;
    size_t n;
    cst_error error;
    assert_int_equal(cst_config_reals(cst_config_get(root, "a"), &values, &n, &error), CST_OK);
    assert_int_equal(n, 3);
    assert_true(values[0] == 0 && values[1] == 0.5 && values[2] == -1000);
    free(values);
    assert_int_equal(cst_config_reals(cst_config_get(root, "b"), &values, &n, &error), CST_OK);
    assert_true(n == 1 && values[0] == 7);
    free(values);
    assert_int_equal(cst_config_reals(cst_config_get(root, "c"), &values, &n, &error), CST_OK);
    assert_int_equal(n, 0);
    free(values);
    assert_int_equal(cst_config_reals(cst_config_get(root, "d"), &values, &n, &error), CST_ECONFIG);
    assert_string_equal(error.message, "a.json: d[1]: expected a number, got \"x\"");
    assert_int_equal(cst_config_reals(cst_config_get(root, "e"), &values, &n, &error), CST_ECONFIG);
    assert_string_equal(error.message, "a.json: e: expected a list of numbers, got \"x\"");
    cst_document_free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),   cmocka_unit_test(test_read_keeps_places), cmocka_unit_test(test_read_errors),
        cmocka_unit_test(test_bounds), cmocka_unit_test(test_long_choices),      cmocka_unit_test(test_type),
        cmocka_unit_test(test_reals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
