#include "tests/config_text.h"

#include <stdlib.h>
#include <string.h>

cst_document *config_text_parse(const char *text)
{
    cst_document *document;
    cst_error error;
    if (cst_document_parse("a.json", text, strlen(text), &document, &error) != CST_OK) fail_msg("%s", error.message);
    return document;
}

void config_text_expect(cst_config config, const char *expected)
{
    char *text = cst_config_print(config);
    assert_string_equal(text, expected);
    free(text);
}

cst_config config_text_layer(cst_document *document, size_t i)
{
    const cst_config model = cst_config_get(cst_document_root(document), "model");
    return cst_config_item(cst_config_get(model, "layers"), i);
}
