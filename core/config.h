/* Configs: JSON documents that are read strictly. Every error names the file, the path in the document, what was
 * expected and what was found.
 *
 * The keys of a section are a table (core/key.h). cst_config_read checks a section against its table, stores the
 * values in a struct, and writes the defaults of absent keys back into the document, so that the printed document is
 * the resolved config. Only core/config*.c use cJSON. */
#ifndef CST_CORE_CONFIG_H
#define CST_CORE_CONFIG_H

#include "core/key.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cJSON;
typedef struct cst_document cst_document;

/* A reference to a value in a document, or to an absent one (node NULL). It is valid until the document is freed or
 * the value is replaced. Reading may write defaults, so that only one thread may use a document at a time. */
typedef struct cst_config {
    cst_document *document;
    struct cJSON *node;
} cst_config;

/* ---- documents ----------------------------------------------------------------------------------------------- */

/* Parse a file, or `size` bytes of text, for which messages use `name`. The caller frees the document with
 * cst_document_free. Errors: CST_EIO; CST_ENOMEM; CST_ECONFIG with line and column for malformed text, NaN or infinite
 * numbers, duplicate keys, text after the root, NUL bytes, nesting deeper than 64, or a root that is not an object.
 * *document is unchanged on failure. */
CST_MUST_CHECK cst_status cst_document_load(const char *path, cst_document **document, cst_error *error);
CST_MUST_CHECK cst_status cst_document_parse(const char *name, const char *text, size_t size, cst_document **document,
                                             cst_error *error);
/* Free a document; all its strings and cst_configs end with it. NULL is fine. */
void cst_document_free(cst_document *document);
/* Returns the root object. */
cst_config cst_document_root(cst_document *document);
/* Returns the name or path that messages use for the document. The string belongs to the document. */
const char *cst_document_name(const cst_document *document);

/* Set the value at a path such as "model.layers[2].out_channels", as the option --set does. The last key may be new
 * in an existing object; an index must exist. `value` is taken as JSON if it parses, and otherwise as a string.
 * "model...norm" sets every existing "norm" below model at any depth. Errors: CST_ECONFIG, which names the path and
 * the part of it that is malformed or does not exist; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_document_set(cst_document *document, const char *path, const char *value,
                                           cst_error *error);

/* Returns the value as JSON text, which the caller frees with free(); NULL if memory is exhausted. Numbers are written
 * so that the same doubles are read back. cst_document_print and cst_config_print_lines indent the text and end it with
 * a newline. cst_config_print writes one compact line. */
char *cst_document_print(const cst_document *document);
char *cst_config_print(cst_config config);
char *cst_config_print_lines(cst_config config);

/* Set a key of an object to the value of a JSON text, whether or not the key exists. Errors: CST_EARG if `json` is not
 * JSON; CST_ECONFIG if `object` is not an object; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_config_put(cst_config object, const char *key, const char *json, cst_error *error);

/* ---- sections ------------------------------------------------------------------------------------------------ */

/* Read a section by its table of keys into the struct `target`, to which the keys' offsets refer. If `typed`, the
 * key "type" is accepted as well. An explicit null counts as absent where the fallback is "" or "null": then the
 * member keeps its value (a cst_config becomes one that is not present). Defaults are appended to the section in the
 * table's order.
 *
 * Errors: CST_ECONFIG for a section that is not an object, an unknown key (the message has its new name, or the nearest
 * known key), a missing key, a wrong type or a number out of range; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_config_read(cst_config section, const cst_key *keys, bool typed, void *target,
                                          cst_error *error);

/* Find the section's "type" among `names`, a list ended by NULL, and write its index to *index. `what` is the kind of
 * section, for messages: "module", "optimizer". Errors: CST_ECONFIG with the nearest name. */
CST_MUST_CHECK cst_status cst_config_type(cst_config section, const char *what, const char *const *names, size_t *index,
                                          cst_error *error);

/* ---- values -------------------------------------------------------------------------------------------------- */

/* Returns whether a value exists and is not null; whether it is an object; whether it is a list. */
bool cst_config_present(cst_config config);
bool cst_config_is_object(cst_config config);
bool cst_config_is_list(cst_config config);

/* Access the elements of a list or the members of an object, in the order of the text. cst_config_length is 0 for other
 * values. cst_config_item and cst_config_next return node NULL after the last element. cst_config_get is case-sensitive
 * and returns node NULL if the key is absent. cst_config_key returns a member's key, and NULL for an element of a list;
 * the string belongs to the document. */
size_t cst_config_length(cst_config list_or_object);
cst_config cst_config_item(cst_config list_or_object, size_t i);
cst_config cst_config_next(cst_config item);
cst_config cst_config_get(cst_config object, const char *key);
const char *cst_config_key(cst_config member);

/* Returns the string, which belongs to the document; NULL if the value is not a string. */
const char *cst_config_string(cst_config config);
/* Read a number, or true or false, into *value. They return false and write nothing if the value has another type. */
bool cst_config_number(cst_config config, double *value);
bool cst_config_bool(cst_config config, bool *value);

/* Copy the numbers of a list into an array (n), which the caller frees with free(). A single number counts as a list of
 * one. Errors: CST_ECONFIG with the place if an element is not a number; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_config_reals(cst_config list, double **values, size_t *n, cst_error *error);

/* ---- messages ------------------------------------------------------------------------------------------------ */

/* Write a message with "FILE: PATH: " before it, and return CST_ECONFIG. */
cst_status cst_config_fail(cst_config config, cst_error *error, const char *format, ...) CST_PRINTF(3, 4);
/* Write the message "expected `what`, got ..." in the same way. It ends with the value, shortened to 64 characters. */
cst_status cst_config_expected(cst_config config, const char *what, cst_error *error);
/* Prepend "FILE: PATH: " to the message that *error holds already, and change its status to CST_ECONFIG. */
cst_status cst_config_place(cst_config config, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
