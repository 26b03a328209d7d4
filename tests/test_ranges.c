/* How the schema states each kind of range; tests/test_config_read.c has the messages. */
#include "cli/schema.h"
#include "core/text.h"
#include "tests/helpers.h"

#include <stdlib.h>
#include <string.h>

/* A key's range in the schema, as compact JSON. */
static void check(cst_config definitions, const char *section, const char *key, const char *expected)
{
    static const char *const keywords[] = {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"};
    const cst_config properties = cst_config_get(cst_config_get(definitions, section), "properties");
    cst_config schema = cst_config_get(properties, key);
    if (!schema.node) fail_msg("%s of %s is not in the schema", key, section);
    if (cst_config_get(schema, "items").node) schema = cst_config_get(schema, "items");
    cst_text range = {0};
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        double bound;
        if (!cst_config_number(cst_config_get(schema, keywords[i]), &bound)) continue;
        cst_text_printf(&range, "%s%s %.17g", range.size > 0 ? ", " : "", keywords[i], bound);
    }
    if (strcmp(range.size > 0 ? range.data : "", expected) != 0)
        fail_msg("%s of %s: expected \"%s\", got \"%s\"", key, section, expected, range.size > 0 ? range.data : "");
    free(range.data);
}

static void test_schema_of_ranges(void **state)
{
    (void)state;
    char *schema = cst_schema_print();
    cst_document *document = NULL;
    cst_error error = {0};
    assert_non_null(schema);
    test_assert_ok("schema", cst_document_parse("schema", schema, strlen(schema), &document, &error), &error);
    free(schema);
    const cst_config definitions = cst_config_get(cst_document_root(document), "$defs");
    /* Numbers: any, positive, at least, between, inside, below; and below for each number of a list. */
    check(definitions, "module.elu", "alpha", "");
    check(definitions, "optimizer.sgd", "lr", "exclusiveMinimum 0");
    check(definitions, "optimizer.sgd", "momentum", "minimum 0");
    check(definitions, "module.dropout", "p", "minimum 0, maximum 1");
    check(definitions, "module.logit", "alpha", "exclusiveMinimum 0, exclusiveMaximum 0.5");
    check(definitions, "optimizer.rmsprop", "alpha", "minimum 0, exclusiveMaximum 1");
    check(definitions, "optimizer.adam", "betas", "minimum 0, exclusiveMaximum 1");
    /* Sizes: any, at least 1, between. */
    check(definitions, "config", "seed", "minimum 0, maximum 9007199254740992");
    check(definitions, "data.mnist", "batch_size", "minimum 1, maximum 9007199254740992");
    check(definitions, "gradient", "kept_steps", "minimum 2, maximum 4096");
    cst_document_free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema_of_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
