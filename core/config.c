#include "core/config.h"

#include "core/config_internal.h"
#include "core/file.h"
#include "core/json.h"
#include "core/text.h"

#include <cJSON.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_SIZE = 64 << 20, /* bytes of a file; a larger file is not a config */
    NAME_TAIL = 120,     /* bytes of a file's name that a message shows */
    PATH_TAIL = 160,     /* bytes of a path in a document that a message shows */
    PLACE = NAME_TAIL + PATH_TAIL + 16,
    VALUE = 64 /* bytes of a value that a message shows */
};

struct cst_document {
    cJSON *root;
    char *name;
};

static cst_config config_at(cst_document *document, cJSON *node)
{
    return (cst_config){document, node};
}

/* The first child of a list or an object; NULL for all other nodes and for NULL. */
static cJSON *first_child(const cJSON *node)
{
    return node && (cJSON_IsObject(node) || cJSON_IsArray(node)) ? node->child : NULL;
}

/* ---- messages ------------------------------------------------------------------------------------------------ */

/* Append the path from the node `from` down to `node`. Returns false and appends nothing if `node` is not below
 * `from`. */
static bool find_path(const cJSON *from, const cJSON *node, cst_text *path)
{
    if (from == node) return true;
    size_t i = 0;
    for (const cJSON *child = first_child(from); child; child = child->next, i++) {
        /* Append this child's index or key. */
        const size_t size = path->size;
        if (!cJSON_IsObject(from)) {
            cst_text_printf(path, "[%zu]", i);
        } else if (*child->string && !strpbrk(child->string, ".[]\"\\ ") && cst_text_is_visible(child->string)) {
            cst_text_printf(path, "%s%s", size > 0 ? "." : "", child->string);
        } else { /* a key that is ambiguous without quotes */
            cst_text_puts(path, "[");
            cst_text_quote(path, child->string);
            cst_text_puts(path, "]");
        }
        /* Search below the child, and remove the key again if the node is elsewhere. */
        if (find_path(child, node, path)) return true;
        cst_text_cut(path, size);
    }
    return false;
}

/* Write the last `capacity` bytes of a name to `out`, which has room for a NUL as well. Dots stand for what is left
 * out, and control characters are escaped. Returns the number of bytes without the NUL. */
static size_t put_tail(char *out, const char *name, size_t capacity)
{
    cst_text visible = {0};
    cst_text_visible(&visible, name);
    const char *shown = visible.failed ? "..." : visible.data;
    const size_t n = strlen(shown);
    size_t skipped = n > capacity ? n - capacity + 3 : 0;
    while (((unsigned char)shown[skipped] & 0xc0) == 0x80) skipped++; /* begin with a whole character */
    const int written = snprintf(out, capacity + 1, "%s%s", skipped > 0 ? "..." : "", shown + skipped);
    free(visible.data);
    return (size_t)written;
}

/* Write "FILE: PATH: ", or "FILE: " for the root or an absent node, or nothing without a document. */
static void describe_place(cst_config config, char place[PLACE])
{
    *place = '\0';
    if (!config.document) return;
    size_t n = put_tail(place, config.document->name, NAME_TAIL);
    memcpy(place + n, ": ", 3);
    cst_text path = {0};
    if (config.node && find_path(config.document->root, config.node, &path) && path.size > 0 && !path.failed) {
        n += 2 + put_tail(place + n + 2, path.data, PATH_TAIL);
        memcpy(place + n, ": ", 3);
    }
    free(path.data);
}

cst_status cst_config_fail(cst_config config, cst_error *error, const char *format, ...)
{
    if (!error) return CST_ECONFIG;
    char place[PLACE], message[sizeof error->message];
    describe_place(config, place);
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return cst_fail(error, CST_ECONFIG, "%s%s", place, message);
}

cst_status cst_config_place(cst_config config, cst_error *error)
{
    if (!error) return CST_ECONFIG;
    /* A copy, because the new message is written over the old one. */
    char message[sizeof error->message];
    snprintf(message, sizeof message, "%s", error->message);
    return cst_config_fail(config, error, "%s", message);
}

/* Fail with "NAME:LINE:COLUMN: MESSAGE" for an error in the text at an offset. */
static cst_status fail_in_text(const char *name, const char *text, size_t offset, const char *message, cst_error *error)
{
    size_t line, column;
    cst_json_line(text, offset, &line, &column);
    char shown[PLACE];
    put_tail(shown, name, NAME_TAIL);
    return cst_fail(error, CST_ECONFIG, "%s:%zu:%zu: %s", shown, line, column, message);
}

/* ---- parsing ------------------------------------------------------------------------------------------------- */

/* Errors in a valid text that cJSON accepts. */
typedef enum flaw { NO_FLAW, DUPLICATE_KEY, TOO_LARGE, NO_MEMORY } flaw;

/* A key of an object, and its position there. */
typedef struct key_place {
    const char *key;
    size_t i;
} key_place;

/* Order by key, and equal keys by position. */
static int compare_keys(const void *a, const void *b)
{
    const key_place *x = a, *y = b;
    const int order = strcmp(x->key, y->key);
    return order != 0 ? order : (x->i > y->i) - (x->i < y->i);
}

/* Find the first child of an object whose key an earlier child has. *position is SIZE_MAX if there is none. */
static flaw find_duplicate(const cJSON *object, size_t *position)
{
    *position = SIZE_MAX;
    size_t n = 0;
    for (const cJSON *child = object->child; child; child = child->next) n++;
    if (n < 2) return NO_FLAW;
    /* Sort the keys, so that equal ones are neighbours: O(n log n). */
    key_place *keys = malloc(n * sizeof *keys);
    if (!keys) return NO_MEMORY;
    n = 0;
    for (const cJSON *child = object->child; child; child = child->next, n++) keys[n] = (key_place){child->string, n};
    qsort(keys, n, sizeof *keys, compare_keys);
    /* Of all duplicates take the one that comes first in the text. */
    for (size_t i = 1; i < n; i++) {
        if (strcmp(keys[i - 1].key, keys[i].key) == 0 && keys[i].i < *position) *position = keys[i].i;
    }
    free(keys);
    return NO_FLAW;
}

/* Find the first flaw in a tree. *count is incremented for each value in the order of the text, so that it ends as
 * the index of the value at fault, as cst_json_locate counts. */
static flaw find_flaw(const cJSON *node, size_t *count)
{
    if (cJSON_IsNumber(node) && !isfinite(node->valuedouble)) return TOO_LARGE;
    size_t duplicate = SIZE_MAX, position = 0;
    if (cJSON_IsObject(node) && find_duplicate(node, &duplicate) != NO_FLAW) return NO_MEMORY;
    for (const cJSON *child = first_child(node); child; child = child->next, position++) {
        ++*count;
        if (position == duplicate) return DUPLICATE_KEY;
        const flaw found = find_flaw(child, count);
        if (found != NO_FLAW) return found;
    }
    return NO_FLAW;
}

cst_status cst_config_parse(const char *name, const char *text, size_t size, size_t max_depth, cJSON **tree,
                            cst_error *error)
{
    /* Check the text before cJSON sees it, because cJSON accepts more than JSON. */
    cst_json_problem problem;
    if (!cst_json_check(text, size, max_depth, &problem)) {
        return fail_in_text(name, text, problem.offset, problem.text, error);
    }
    cJSON *node = cJSON_ParseWithLengthOpts(text, size, NULL, false);
    if (!node) return cst_fail(error, CST_ENOMEM, "%s: out of memory", name);
    /* Check the tree for what the text does not show. */
    size_t i = 0, value, key;
    const flaw found = find_flaw(node, &i);
    if (found == NO_FLAW) {
        *tree = node;
        return CST_OK;
    }
    cJSON_Delete(node);
    if (found == NO_MEMORY) return cst_fail(error, CST_ENOMEM, "%s: out of memory", name);
    /* Find the value at fault in the text, for line and column. */
    cst_json_locate(text, size, i, &value, &key);
    if (found == TOO_LARGE) return fail_in_text(name, text, value, "a number too large for a double", error);
    while (value > key && text[value - 1] != '"') value--; /* back to the end of the key */
    char message[100];
    snprintf(message, sizeof message, "duplicate key %.*s", (int)cst_utf8_cut(text + key, value - key, VALUE),
             text + key);
    return fail_in_text(name, text, key, message, error);
}

cst_status cst_document_parse(const char *name, const char *text, size_t size, cst_document **document,
                              cst_error *error)
{
    cst_document *d = calloc(1, sizeof *d);
    /* The document keeps a copy of the name for messages. */
    if (d) d->name = strdup(name);
    if (!d || !d->name) {
        cst_document_free(d);
        return cst_fail(error, CST_ENOMEM, "%s: out of memory", name);
    }
    cst_status status = cst_config_parse(name, text, size, CST_CONFIG_DEPTH, &d->root, error);
    if (status == CST_OK && !cJSON_IsObject(d->root))
        status = cst_config_expected(config_at(d, d->root), "an object", error);
    if (status != CST_OK) {
        cst_document_free(d);
        return status;
    }
    *document = d;
    return CST_OK;
}

cst_status cst_document_load(const char *path, cst_document **document, cst_error *error)
{
    char *text;
    size_t size;
    CST_TRY(cst_file_read(path, MAX_SIZE, &text, &size, error));
    const cst_status status = cst_document_parse(path, text, size, document, error);
    free(text);
    return status;
}

void cst_document_free(cst_document *document)
{
    if (!document) return;
    cJSON_Delete(document->root);
    free(document->name);
    free(document);
}

cst_config cst_document_root(cst_document *document)
{
    return config_at(document, document->root);
}

const char *cst_document_name(const cst_document *document)
{
    return document->name;
}

char *cst_document_print(const cst_document *document)
{
    return cst_config_print_lines(config_at(NULL, document->root));
}

/* ---- places -------------------------------------------------------------------------------------------------- */

bool cst_config_present(cst_config config)
{
    return config.node && !cJSON_IsNull(config.node);
}

bool cst_config_is_object(cst_config config)
{
    return cJSON_IsObject(config.node);
}

bool cst_config_is_list(cst_config config)
{
    return cJSON_IsArray(config.node);
}

size_t cst_config_length(cst_config list_or_object)
{
    size_t n = 0;
    for (const cJSON *child = first_child(list_or_object.node); child; child = child->next) n++;
    return n;
}

cst_config cst_config_item(cst_config list_or_object, size_t i)
{
    cJSON *child = first_child(list_or_object.node);
    while (child && i-- > 0) child = child->next;
    return config_at(list_or_object.document, child);
}

cst_config cst_config_next(cst_config item)
{
    return config_at(item.document, item.node ? item.node->next : NULL);
}

const char *cst_config_key(cst_config member)
{
    return member.node ? member.node->string : NULL;
}

cst_config cst_config_get(cst_config object, const char *key)
{
    return config_at(object.document, cJSON_GetObjectItemCaseSensitive(object.node, key));
}

const char *cst_config_string(cst_config config)
{
    return cJSON_GetStringValue(config.node);
}

bool cst_config_number(cst_config config, double *value)
{
    if (!cJSON_IsNumber(config.node)) return false;
    *value = config.node->valuedouble;
    return true;
}

bool cst_config_bool(cst_config config, bool *value)
{
    if (!cJSON_IsBool(config.node)) return false;
    *value = cJSON_IsTrue(config.node);
    return true;
}
