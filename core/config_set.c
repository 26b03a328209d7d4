/* The part of core/config.h that changes documents. */
#include "core/config_internal.h"
#include "core/text.h"

#include <cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_TAIL = 160 }; /* bytes of a path that a message shows */

/* The place to which a path leads: a child of `parent`, or NULL if the object has no such key yet. */
typedef struct slot {
    cJSON *parent, *child;
    const char *key; /* the child's key if the parent is an object */
    size_t depth;    /* number of lists and objects around the child */
} slot;

/* Put a node into a slot, which replaces the child. Takes ownership of the node. */
static cst_status fill_slot(const slot *s, cJSON *node, cst_error *error)
{
    bool done;
    if (s->child) {
        /* cJSON does not copy the key to the new node: move it. */
        node->string = s->child->string;
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

/* The state of following a path, which is KEY and then any number of .KEY and [INDEX]. */
typedef struct walk {
    const char *path;
    size_t i;     /* how much of the path has been followed, in bytes */
    char *parent; /* the followed part as a string: the path of slot.parent, for messages */
    char *key;    /* memory for slot.key */
    slot slot;
    cst_config place; /* the document, for messages */
} walk;

/* Fail with "cannot set "PATH": ...". */
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

/* Follow an [INDEX]. */
static cst_status find_item(walk *w, cst_error *error)
{
    const char *index = w->path + w->i + 1;
    const size_t n = strspn(index, "0123456789");
    if (n == 0 || n > 9 || index[n] != ']') return fail_walk(w, error, "expected [INDEX] at character %zu", w->i + 1);
    /* The parent must be a list that has the element. */
    if (!cJSON_IsArray(w->slot.parent)) return fail_walk(w, error, "%s is not a list", w->parent);
    w->slot.child = cJSON_GetArrayItem(w->slot.parent, atoi(index));
    const int length = cJSON_GetArraySize(w->slot.parent);
    if (!w->slot.child) {
        return fail_walk(w, error, "%s has %d item%s, counted from 0", w->parent, length, length == 1 ? "" : "s");
    }
    w->i += n + 2;
    return CST_OK;
}

/* Follow a KEY or .KEY. Only the last key of a path may be absent. */
static cst_status find_member(walk *w, cst_error *error)
{
    const size_t dot = w->i > 0; /* every key but the first follows a dot */
    const char *key = w->path + w->i + dot;
    const size_t n = dot && key[-1] != '.' ? 0 : strcspn(key, ".[]");
    if (n == 0) return fail_walk(w, error, "expected %s at character %zu", dot ? ".KEY" : "KEY", w->i + 1);
    if (!cJSON_IsObject(w->slot.parent)) return fail_walk(w, error, "%s is not an object", w->parent);
    /* Look the key up. */
    memcpy(w->key, key, n);
    w->key[n] = '\0';
    w->slot.child = cJSON_GetObjectItemCaseSensitive(w->slot.parent, w->key);
    w->i += dot + n;
    if (w->slot.child || !w->path[w->i]) return CST_OK;
    /* It is absent in the middle of the path: name the nearest key. */
    const char *nearest = NULL;
    for (const cJSON *child = w->slot.parent->child; child; child = child->next) {
        if (!nearest || cst_text_distance(w->key, child->string) < cst_text_distance(w->key, nearest))
            nearest = child->string;
    }
    if (!nearest) return fail_walk(w, error, "%s has no keys", w->parent);
    return fail_walk(w, error, "%s has no \"%s\"; the nearest key is \"%s\"", w->parent, w->key, nearest);
}

/* Follow the whole path from `root`. */
static cst_status find_slot(walk *w, cJSON *root, cst_error *error)
{
    w->slot = (slot){.child = root, .key = w->key};
    do {
        w->slot.parent = w->slot.child;
        w->slot.depth++;
        /* Record the followed part of the path for messages. */
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

/* Make a node from a text: parse it as JSON, or take it as a string if that fails. */
static cst_status make_value(const walk *w, const char *text, cJSON **node, cst_error *error)
{
    const size_t size = strlen(text);
    /* Nesting counts from the root of the document. */
    const cst_status status = cst_config_parse("value", text, size, CST_CONFIG_DEPTH - w->slot.depth, node, NULL);
    if (status == CST_OK) return CST_OK;
    if (!is_utf8(text)) return fail_walk(w, error, "malformed UTF-8 in the value");
    *node = status == CST_ENOMEM ? NULL : cJSON_CreateString(text);
    return *node ? CST_OK : cst_fail(error, CST_ENOMEM, "out of memory");
}

/* Set the value at w->path relative to the node `from`. */
static cst_status set_from(walk *w, cJSON *from, const char *value, cst_error *error)
{
    cJSON *node = NULL;
    CST_TRY(find_slot(w, from, error));
    CST_TRY(make_value(w, value, &node, error));
    return fill_slot(&w->slot, node, error);
}

/* Set the path relative to every node in the subtree of `from` where it exists. *n counts the matches. Children come
 * before their parent, so that a replaced value is not visited again. */
static cst_status set_below(walk *w, cJSON *from, const char *value, size_t *n, cst_error *error)
{
    const bool nested = cJSON_IsObject(from) || cJSON_IsArray(from);
    for (cJSON *child = nested ? from->child : NULL; child; child = child->next)
        CST_TRY(set_below(w, child, value, n, error));
    /* Set it if the path exists here. */
    w->i = 0;
    if (!cJSON_IsObject(from) || find_slot(w, from, NULL) != CST_OK || !w->slot.child) return CST_OK;
    ++*n;
    w->i = 0;
    return set_from(w, from, value, error);
}

/* Set a path such as "model...norm": follow the part before the dots from the root, then set the part after them
 * wherever it exists below. */
static cst_status set_everywhere(walk *w, const char *dots, cJSON *root, const char *value, cst_error *error)
{
    /* Follow the part before the dots, if there is any. */
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
    /* Set the rest, which must exist at least once. */
    size_t n = 0;
    CST_TRY(set_below(&below, from, value, &n, error));
    if (n > 0) return CST_OK;
    return fail_walk(w, error, "\"%s\" does not exist %s%.*s", below.path, before > 0 ? "below " : "anywhere",
                     (int)before, w->path);
}

cst_status cst_document_set(cst_document *document, const char *path, const char *value, cst_error *error)
{
    /* Enough for any part of the path, and for "the document" in messages. */
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
