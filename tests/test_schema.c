/* The JSON schema of configs: it agrees with the reader of configs on every key and every example. */
#include "cli/catalog.h"
#include "cli/schema.h"
#include "models/registry.h"
#include "tests/data_files.h"
#include "train/experiment.h"

#include <dirent.h>
#include <math.h>

/* ---- a validator: as much of JSON Schema as ours has --------------------------------------------------------- */

static cst_document *schema_document;

static bool valid(cst_config schema, cst_config value);

static cst_config definition(const char *name)
{
    return cst_config_get(cst_config_get(cst_document_root(schema_document), "$defs"), name);
}

/* The definition that "#/$defs/NAME" refers to; fails the test if it is missing. */
static cst_config follow(const char *ref)
{
    static const char start[] = "#/$defs/";
    if (strncmp(ref, start, strlen(start)) != 0) fail_msg("a reference to elsewhere: %s", ref);
    const cst_config found = definition(ref + strlen(start));
    if (!found.node) fail_msg("%s is not defined", ref);
    return found;
}

static bool is_type(const char *type, cst_config value)
{
    double number;
    bool truth;
    const bool is_number = cst_config_number(value, &number);
    if (strcmp(type, "null") == 0) return !cst_config_present(value);
    if (strcmp(type, "integer") == 0) return is_number && number == floor(number);
    if (strcmp(type, "number") == 0) return is_number;
    if (strcmp(type, "boolean") == 0) return cst_config_bool(value, &truth);
    if (strcmp(type, "string") == 0) return cst_config_string(value) != NULL;
    if (strcmp(type, "object") == 0) return cst_config_is_object(value);
    assert_string_equal(type, "array");
    return cst_config_is_list(value);
}

static bool equal(cst_config a, cst_config b)
{
    char *x = cst_config_print(a), *y = cst_config_print(b);
    const bool same = strcmp(x, y) == 0;
    free(x);
    free(y);
    return same;
}

/* True if any (or all) of a list's members hold: types, values or schemas. */
static bool among(cst_config list, cst_config value, const char *keyword)
{
    const bool all = strcmp(keyword, "allOf") == 0;
    for (cst_config item = cst_config_item(list, 0); item.node; item = cst_config_next(item)) {
        const bool holds = strcmp(keyword, "type") == 0   ? is_type(cst_config_string(item), value)
                           : strcmp(keyword, "enum") == 0 ? equal(item, value)
                                                          : valid(item, value);
        if (holds != all) return holds;
    }
    return all;
}

static bool members_hold(cst_config schema, cst_config value)
{
    const cst_config properties = cst_config_get(schema, "properties"), names = cst_config_get(schema, "propertyNames");
    const cst_config others = cst_config_get(schema, "additionalProperties");
    if (!cst_config_is_object(value)) return true;
    for (cst_config member = cst_config_item(value, 0); member.node; member = cst_config_next(member)) {
        const cst_config known = cst_config_get(properties, cst_config_key(member));
        if (known.node ? !valid(known, member) : others.node && !valid(others, member)) return false;
        if (!names.node) continue;
        cst_text text = {0};
        cst_document *document = NULL;
        cst_text_puts(&text, "{\"name\": ");
        cst_text_quote(&text, cst_config_key(member));
        cst_text_puts(&text, "}");
        assert_int_equal(cst_document_parse("name", text.data, text.size, &document, NULL), CST_OK);
        const bool holds = valid(names, cst_config_get(cst_document_root(document), "name"));
        cst_document_free(document);
        free(text.data);
        if (!holds) return false;
    }
    const cst_config required = cst_config_get(schema, "required");
    for (cst_config name = cst_config_item(required, 0); name.node; name = cst_config_next(name))
        if (!cst_config_get(value, cst_config_string(name)).node) return false;
    return true;
}

static bool items_hold(cst_config items, cst_config value)
{
    if (!cst_config_is_list(value)) return true;
    for (cst_config item = cst_config_item(value, 0); item.node; item = cst_config_next(item))
        if (!valid(items, item)) return false;
    return true;
}

static bool bound_holds(const char *keyword, double bound, cst_config value)
{
    double x = 0;
    const bool number = cst_config_number(value, &x), list = cst_config_is_list(value);
    const double length = (double)cst_config_length(value);
    if (strcmp(keyword, "minimum") == 0) return !number || x >= bound;
    if (strcmp(keyword, "maximum") == 0) return !number || x <= bound;
    if (strcmp(keyword, "exclusiveMinimum") == 0) return !number || x > bound;
    if (strcmp(keyword, "exclusiveMaximum") == 0) return !number || x < bound;
    if (strcmp(keyword, "minItems") == 0) return !list || length >= bound;
    assert_string_equal(keyword, "maxItems");
    return !list || length <= bound;
}

/* Evaluate one member of the schema. An unknown keyword fails the test, unless it is one that only describes. */
static bool keyword_holds(cst_config schema, cst_config member, cst_config value)
{
    static const char *const silent[] = {"$schema", "$defs",    "title",         "description",          "default",
                                         "then",    "required", "propertyNames", "additionalProperties", "pattern"};
    const char *keyword = cst_config_key(member);
    double bound;
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++)
        if (strcmp(keyword, silent[i]) == 0) return true;
    if (strcmp(keyword, "$ref") == 0) return valid(follow(cst_config_string(member)), value);
    if (strcmp(keyword, "type") == 0 && cst_config_string(member)) return is_type(cst_config_string(member), value);
    if (cst_config_is_list(member)) return among(member, value, keyword);
    if (strcmp(keyword, "const") == 0) return equal(member, value);
    if (strcmp(keyword, "if") == 0) return !valid(member, value) || valid(cst_config_get(schema, "then"), value);
    if (strcmp(keyword, "items") == 0) return items_hold(member, value);
    if (cst_config_number(member, &bound)) return bound_holds(keyword, bound, value);
    assert_string_equal(keyword, "properties");
    return true;
}

static bool valid(cst_config schema, cst_config value)
{
    bool truth;
    if (cst_config_bool(schema, &truth)) return truth;
    assert_true(cst_config_is_object(schema));
    for (cst_config member = cst_config_item(schema, 0); member.node; member = cst_config_next(member))
        if (!keyword_holds(schema, member, value)) return false;
    return members_hold(schema, value);
}

/* ---- documents ----------------------------------------------------------------------------------------------- */

static int make_schema(void **state)
{
    char *text = cst_schema_print();
    if (!text) return -1;
    const cst_status status = cst_document_parse("schema", text, strlen(text), &schema_document, NULL);
    free(text);
    return status == CST_OK ? test_make_root(state) : -1;
}

static int free_schema(void **state)
{
    cst_document_free(schema_document);
    return test_remove_root(state);
}

static cst_document *parse(const char *text)
{
    cst_document *document = NULL;
    cst_error error = {0};
    if (cst_document_parse("test.json", text, strlen(text), &document, &error) != CST_OK) fail_msg("%s", error.message);
    return document;
}

static void check(const char *what, const char *definition_name, const char *text, bool expected)
{
    cst_document *document = parse(text);
    if (valid(definition(definition_name), cst_document_root(document)) != expected)
        fail_msg("%s: the schema should %s %s", what, expected ? "accept" : "refuse", text);
    cst_document_free(document);
}

/* ---- tests --------------------------------------------------------------------------------------------------- */

static void check_references(cst_config place)
{
    const char *key = cst_config_key(place), *string = cst_config_string(place);
    if (key && string && strcmp(key, "$ref") == 0) (void)follow(string);
    for (cst_config inner = cst_config_item(place, 0); inner.node; inner = cst_config_next(inner))
        check_references(inner);
}

static void test_references(void **state)
{
    (void)state;
    check_references(cst_document_root(schema_document));
}

/* The examples of the conformance suite, as they are, with all their defaults, and with an unknown key. */
static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < cst_all_modules.n_types; i++) {
        const cst_module_type *type = cst_all_modules.types[i];
        for (size_t k = 0; k < type->n_examples; k++) {
            const cst_module_example *example = &type->examples[k];
            check(type->name, "module", example->json, true);
            cst_document *document = parse(example->json);
            cst_module *m = NULL;
            assert_int_equal(
                cst_module_from_config(&cst_all_modules, cst_document_root(document), &example->x, &m, NULL), CST_OK);
            cst_module_free(m);
            char *resolved = cst_document_print(document);
            check(type->name, "module", resolved, true);
            free(resolved);
            assert_int_equal(cst_config_put(cst_document_root(document), "layerz", "1", NULL), CST_OK);
            resolved = cst_document_print(document);
            check(type->name, "module", resolved, false);
            free(resolved);
            cst_document_free(document);
        }
    }
}

/* Values of every type, and values on both sides of every bound. */
static const char *const values[] = {"null",
                                     "true",
                                     "\"x\"",
                                     "\"auto\"",
                                     "\"costate\"",
                                     "-1",
                                     "0",
                                     "1e-300",
                                     "1e-7",
                                     "0.01",
                                     "0.5",
                                     "0.9999999999",
                                     "1",
                                     "1.5",
                                     "2",
                                     "3",
                                     "64",
                                     "65",
                                     "16",
                                     "1000",
                                     "1001",
                                     "1e6",
                                     "1e9",
                                     "1000000001",
                                     "9007199254740992",
                                     "9007199254740994",
                                     "1e300",
                                     "-1e300",
                                     "[]",
                                     "[1]",
                                     "[0.5, 0.9]",
                                     "[1, 2, 3]",
                                     JSON(["a"]),
                                     "{}",
                                     JSON({"z": 1}),
                                     JSON([{"type": "tanh"}]),
                                     JSON({"type": "tanh"}),
                                     "\"rms\"",
                                     JSON({"slices": "8z"}),
                                     JSON({"type": "adam"})};

/* For each key of the catalog and each value, the schema and cst_config_read agree. Where a key holds another section,
 * the schema may refuse more. */
static void compare_keys(void *context, const cst_catalog_entry *entry)
{
    size_t *compared = context;
    char name[100];
    const bool typed = entry->group->form == CST_FORM_TYPED;
    snprintf(name, sizeof name, "%s%s%s", typed ? entry->group->holds : "", typed ? "." : "", entry->name);
    for (const cst_key *key = NULL; (key = cst_catalog_next_key(entry, key));) {
        const cst_key table[] = {*key, {0}};
        static char target[1 << 14];
        assert_in_range(key->offset, 0, sizeof target - 64);
        const cst_config schema = cst_config_get(cst_config_get(definition(name), "properties"), key->name);
        if (!schema.node) fail_msg("%s has no %s", name, key->name);
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            char text[200];
            snprintf(text, sizeof text, "{\"%s\": %s}", key->name, values[i]);
            cst_document *document = parse(text);
            const cst_config root = cst_document_root(document);
            const bool said = valid(schema, cst_config_get(root, key->name));
            const bool taken = cst_config_read(root, table, false, target, NULL) == CST_OK;
            if (said != taken && (said || !key->holds))
                fail_msg("%s: %s: costate %s it, the schema does not", name, text, taken ? "takes" : "refuses");
            cst_document_free(document);
            ++*compared;
        }
    }
}

static void test_keys(void **state)
{
    (void)state;
    size_t compared = 0;
    cst_catalog_visit(compare_keys, &compared);
    assert_true(compared > 2000);
}

/* A config with every section. */
static const char whole_config[] = JSON({
    "name": "a",
    "data": {"type": "csv", "train": "a.csv", "target": ["x", "y"], "ignore": ["id"]},
    "model": {
        "type": "sequential",
        "layers": [{
            "type": "ode",
            "t": [0, 1],
            "field": {"type": "residual", "body": {"type": "tanh"}},
            "solver": {"method": "rk4", "step_t": [1]},
            "gradient": {"norm": {"norm": "seminorm", "a_t": 0.1}}
        }]
    },
    "loss": "mse",
    "optimizer": {"type": "adamw", "betas": [0.9, 0.99]},
    "schedule": {"type": "step", "step_size": 3},
    "early_stopping": {"patience": 2},
    "epochs": 3
});

/* A piece of whole_config, and what replaces it to make the config invalid. */
static const char *const mistakes[][2] = {
    {"\"name\": \"a\", ", ""},
    {"\"epochs\"", "\"epochz\""},
    {"\"epochs\": 3", "\"epochs\": 0"},
    {"\"csv\"", "\"cvs\""},
    {"\"ignore\"", "\"ingore\""},
    {JSON(["id"]), "[1]"},
    {JSON(["x", "y"]), "7"},
    {"\"tanh\"", "\"tahn\""},
    {"[0, 1]", "[0]"},
    {"[0, 1]", JSON([0, "1"])},
    {JSON({"type": "tanh"}), "3"},
    {"\"rk4\"", "\"rk5\""},
    {"\"step_t\": [1]", "\"step_t\": 1"},
    {"\"seminorm\"", "\"semi\""},
    {"\"a_t\": 0.1", "\"a_t\": -0.1"},
    {"\"a_t\"", "\"a_q\""},
    {"\"mse\"", "\"mean\""},
    {"\"adamw\"", "\"adamz\""},
    {"0.99]", "1]"},
    {"0.99]", "0.99, 0.5]"},
    {"\"step_size\": 3", "\"step_size\": 0"},
    {"\"patience\": 2", "\"patience\": 2, \"x\": 1"},
    {JSON({"patience": 2}), "3"},
};

/* A config with every section is valid, and one error in each makes it invalid. */
static void test_configs(void **state)
{
    (void)state;
    check("the whole", "config", whole_config, true);
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        cst_text text = {0};
        const char *at = strstr(whole_config, mistakes[i][0]);
        assert_non_null(at);
        cst_text_add(&text, whole_config, (size_t)(at - whole_config));
        cst_text_printf(&text, "%s%s", mistakes[i][1], at + strlen(mistakes[i][0]));
        check(mistakes[i][1], "config", text.data, false);
        free(text.data);
    }
    static const char *const norms[] = {"\"rms\"", JSON({"weights": {"z": 1}}), JSON({"slices": 5}),
                                        JSON({"slices": "8z"}), JSON({"combine": "rms", "weights": {"a_theta": 0.1}})};
    for (size_t i = 0; i < sizeof norms / sizeof norms[0]; i++) {
        char text[200];
        snprintf(text, sizeof text, "{\"norm\": %s}", norms[i]);
        check("norm", "gradient", text, true);
    }
    check("norm", "gradient", JSON({"norm": {"slices": 5, "weights": {"z": 1}}}), false);
    check("norm", "gradient", JSON({"norm": {"weights": {"y": 1}}}), false);
    check("norm", "gradient", JSON({"norm": {"slices": 0}}), false);
}

/* The configs in configs/. */
static void test_shipped(void **state)
{
    (void)state;
    DIR *folder = opendir("configs");
    if (!folder) skip();
    for (const struct dirent *entry; (entry = readdir(folder));) {
        if (!strstr(entry->d_name, ".json")) continue;
        cst_text path = {0};
        cst_document *document = NULL;
        cst_text_printf(&path, "configs/%s", entry->d_name);
        assert_int_equal(cst_document_load(path.data, &document, NULL), CST_OK);
        if (!valid(cst_document_root(schema_document), cst_document_root(document)))
            fail_msg("the schema refuses %s", path.data);
        cst_document_free(document);
        free(path.data);
    }
    closedir(folder);
}

/* A config that was read contains all defaults and is valid again. */
static void test_resolved(void **state)
{
    (void)state;
    cst_document *document = parse(JSON({
        "name": "a",
        "data": {"type": "spirals"},
        "model": {"type": "linear", "out_features": 2},
        "schedule": {"type": "cosine"},
        "epochs": 3
    }));
    cst_experiment experiment;
    cst_error error = {0};
    if (cst_experiment_new(document, &experiment, &error) != CST_OK) fail_msg("%s", error.message);
    char *resolved = cst_document_print(document);
    check("resolved", "config", resolved, true);
    free(resolved);
    cst_experiment_clear(&experiment);
    cst_document_free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references), cmocka_unit_test(test_examples), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_configs),    cmocka_unit_test(test_shipped),  cmocka_unit_test(test_resolved),
    };
    return cmocka_run_group_tests(tests, make_schema, free_schema);
}
