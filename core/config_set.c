/* The part of core/config.h that changes documents. */
#include "core/config_internal.h"
#include "core/text.h"

#include <cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_TAIL = 160 }; /* of a path, characters shown in a message */

/* Where a path leads: a child of `parent`, NULL if there is none of that key yet. */
typedef struct slot {
    cJSON *parent, *child;
    const char *key; /* if parent is an object */
    size_t depth;    /* lists and objects around the child */
} slot;

/* Put node where the slot is; takes it. */
static cst_status fill_slot(const slot *s, cJSON *node, cst_error *error)
{
    bool done;
    if (s->child) {
        node->string = s->child->string; /* cJSON's function leaves the key behind */
        s->child->string = NULL;
        done = cJSON_ReplaceItemViaPointer(s->parent, s->child, node);
    } else {
        done = cJSON_AddItemToObject(s->parent, s->key, node);
    }
    if (done) return CST_OK;
    cJSON_Delete(node);
    return cst_fail(error, CST_ENOMEM, "out of memory");
}

cst_status cst_config_put(cst_config object, const char *key, const char *json, cst_error *error)
{
    if (!cst_config_is_object(object)) return cst_config_expected(object, "an object", error);
    cJSON *node;
    const cst_status status = cst_config_parse("value", json, strlen(json), CST_CONFIG_DEPTH, &node, NULL);
    if (status == CST_ENOMEM) return cst_fail(error, status, "out of memory");
    if (status != CST_OK) return cst_fail(error, CST_EARG, "the value for \"%s\" is not JSON: %s", key, json);
    const slot s = {.parent = object.node, .child = cst_config_get(object, key).node, .key = key};
    return fill_slot(&s, node, error);
}

/* Following a path: KEY, then any number of .KEY and [INDEX]. */
typedef struct walk {
    const char *path;
    size_t i;     /* as far as it has been followed, */
    char *parent; /* which is the path of slot.parent */
    char *key;    /* storage for slot.key */
    slot slot;
    cst_config place; /* for messages: the document */
} walk;

static cst_status fail_walk(const walk *w, cst_error *error, const char *format, ...) CST_PRINTF(3, 4);
static cst_status fail_walk(const walk *w, cst_error *error, const char *format, ...)
{
    char why[2 * PATH_TAIL];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return cst_config_fail(w->place, error, "cannot set \"%.*s\": %s", PATH_TAIL, w->path, why);
}

static cst_status find_item(walk *w, cst_error *error)
{
    const char *index = w->path + w->i + 1;
    const size_t n = strspn(index, "0123456789");
    if (n == 0 || n > 9 || index[n] != ']') return fail_walk(w, error, "expected [INDEX] at character %zu", w->i + 1);
    if (!cJSON_IsArray(w->slot.parent)) return fail_walk(w, error, "%s is not a list", w->parent);
    w->slot.child = cJSON_GetArrayItem(w->slot.parent, atoi(index));
    const int length = cJSON_GetArraySize(w->slot.parent);
    if (!w->slot.child) {
        return fail_walk(w, error, "%s has %d item%s, counted from 0", w->parent, length, length == 1 ? "" : "s");
    }
    w->i += n + 2;
    return CST_OK;
}

static cst_status find_member(walk *w, cst_error *error)
{
    const size_t dot = w->i > 0; /* every key but the first comes after one */
    const char *key = w->path + w->i + dot;
    const size_t n = dot && key[-1] != '.' ? 0 : strcspn(key, ".[]");
    if (n == 0) return fail_walk(w, error, "expected %s at character %zu", dot ? ".KEY" : "KEY", w->i + 1);
    if (!cJSON_IsObject(w->slot.parent)) return fail_walk(w, error, "%s is not an object", w->parent);
    memcpy(w->key, key, n);
    w->key[n] = '\0';
    w->slot.child = cJSON_GetObjectItemCaseSensitive(w->slot.parent, w->key);
    w->i += dot + n;
    if (w->slot.child || !w->path[w->i]) return CST_OK;
    const char *nearest = NULL;
    for (const cJSON *child = w->slot.parent->child; child; child = child->next) {
        if (!nearest || cst_text_distance(w->key, child->string) < cst_text_distance(w->key, nearest))
            nearest = child->string;
    }
    if (!nearest) return fail_walk(w, error, "%s has no keys", w->parent);
    return fail_walk(w, error, "%s has no \"%s\"; the nearest key is \"%s\"", w->parent, w->key, nearest);
}

static cst_status find_slot(walk *w, cJSON *root, cst_error *error)
{
    w->slot = (slot){.child = root, .key = w->key};
    do {
        w->slot.parent = w->slot.child;
        w->slot.depth++;
        const char *parent = w->i > 0 ? w->path : "the document";
        const size_t n = w->i > 0 ? w->i : strlen(parent);
        memcpy(w->parent, parent, n);
        w->parent[n] = '\0';
        CST_TRY(w->path[w->i] == '[' ? find_item(w, error) : find_member(w, error));
    } while (w->path[w->i]);
    return CST_OK;
}

static bool is_utf8(const char *text)
{
    const size_t size = strlen(text);
    for (size_t i = 0, n; i < size; i += n) {
        n = cst_utf8_size(text + i, size - i);
        if (n == 0) return false;
    }
    return true;
}

/* A value for the slot: JSON if it is that, the text itself as a string otherwise. */
static cst_status make_value(const walk *w, const char *text, cJSON **node, cst_error *error)
{
    const size_t size = strlen(text);
    const cst_status status = cst_config_parse("value", text, size, CST_CONFIG_DEPTH - w->slot.depth, node, NULL);
    if (status == CST_OK) return CST_OK;
    if (!is_utf8(text)) return fail_walk(w, error, "malformed UTF-8 in the value");
    *node = status == CST_ENOMEM ? NULL : cJSON_CreateString(text);
    return *node ? CST_OK : cst_fail(error, CST_ENOMEM, "out of memory");
}

/* Set what is at w->path, seen from `from`. */
static cst_status set_from(walk *w, cJSON *from, const char *value, cst_error *error)
{
    cJSON *node = NULL;
    CST_TRY(find_slot(w, from, error));
    CST_TRY(make_value(w, value, &node, error));
    return fill_slot(&w->slot, node, error);
}

/* Set what is at the walk's path from wherever below `from`, or at it, something is; *n goes up by how often. What is
 * below comes first: a value that is replaced has been seen. */
static cst_status set_below(walk *w, cJSON *from, const char *value, size_t *n, cst_error *error)
{
    const bool nested = cJSON_IsObject(from) || cJSON_IsArray(from);
    for (cJSON *child = nested ? from->child : NULL; child; child = child->next)
        CST_TRY(set_below(w, child, value, n, error));
    w->i = 0;
    if (!cJSON_IsObject(from) || find_slot(w, from, NULL) != CST_OK || !w->slot.child) return CST_OK;
    ++*n;
    w->i = 0;
    return set_from(w, from, value, error);
}

/* "model...norm": the part before the dots is followed (none: the root), the part after them sought below it. */
static cst_status set_everywhere(walk *w, const char *dots, cJSON *root, const char *value, cst_error *error)
{
    const size_t before = (size_t)(dots - w->path);
    walk below = {.path = dots + 3, .parent = w->parent, .key = w->key, .place = w->place};
    cJSON *from = root;
    if (before > 0) {
        char *prefix = malloc(before + 1);
        if (!prefix) return cst_fail(error, CST_ENOMEM, "out of memory");
        memcpy(prefix, w->path, before);
        prefix[before] = '\0';
        walk above = {.path = prefix, .parent = w->parent, .key = w->key, .place = w->place};
        const cst_status status = find_slot(&above, root, error);
        from = above.slot.child;
        free(prefix);
        CST_TRY(status);
    }
    size_t n = 0;
    CST_TRY(set_below(&below, from, value, &n, error));
    if (n > 0) return CST_OK;
    return fail_walk(w, error, "there is no \"%s\" %s%.*s", below.path, before > 0 ? "below " : "anywhere", (int)before,
                     w->path);
}

cst_status cst_document_set(cst_document *document, const char *path, const char *value, cst_error *error)
{
    const size_t capacity = strlen(path) + sizeof "the document";
    const char *dots = strstr(path, "...");
    walk w = {.path = path, .parent = malloc(capacity), .key = malloc(capacity), .place = {document, NULL}};
    cst_status status = CST_OK;
    if (!is_utf8(path))
        status = fail_walk(&w, error, "malformed UTF-8 in the path");
    else if (!w.parent || !w.key)
        status = cst_fail(error, CST_ENOMEM, "out of memory");
    else if (dots)
        status = set_everywhere(&w, dots, cst_document_root(document).node, value, error);
    else
        status = set_from(&w, cst_document_root(document).node, value, error);
    free(w.parent);
    free(w.key);
    return status;
}
