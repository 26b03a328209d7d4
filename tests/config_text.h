/* Documents that messages call "a.json", whose model is a list of layers: for tests of core/config.h. */
#ifndef CST_TESTS_CONFIG_TEXT_H
#define CST_TESTS_CONFIG_TEXT_H

#include "tests/helpers.h"

/* Parse a JSON text, quotes as they are; malformed text fails the test. The caller frees the document. */
cst_document *config_text_parse(const char *text);

/* Fail the test unless the value prints as `expected`. */
void config_text_expect(cst_config config, const char *expected);

/* model.layers[i] of a document. */
cst_config config_text_layer(cst_document *document, size_t i);

#endif
