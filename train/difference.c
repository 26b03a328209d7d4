#include "train/difference.h"

#include "core/renames.h"
#include "core/text.h"

#include <stdlib.h>
#include <string.h>

/* True if `key` is in `except`, which may be NULL. */
static bool listed(const char *const *except, const char *key)
{
    for (size_t i = 0; except && except[i]; i++)
        if (strcmp(except[i], key) == 0) return true;
    return false;
}

/* True if a and b differ; then `path` ends with the place of the first difference. Defined below: it is recursive. */
static bool differ(cst_config a, cst_config b, const char *const *except, cst_text *path);

/* The new name of a renamed key, if b has a member of that name; NULL otherwise. */
static const char *new_name(cst_config b, const char *key)
{
    const char *now;
    for (size_t i = 0; (now = cst_new_name(key, &i));)
        if (cst_config_get(b, now).node) return now;
    return NULL;
}

/* True if a member of a is missing from b or, with `values`, has another value there. */
static bool members_differ(cst_config a, cst_config b, const char *const *except, bool values, cst_text *path)
{
    for (cst_config member = cst_config_item(a, 0); member.node; member = cst_config_next(member)) {
        const char *key = cst_config_key(member);
        const cst_config other = cst_config_get(b, key);
        if (listed(except, key)) continue;
        /* Append the key; it stays in the path if this is the difference. */
        const size_t size = path->size;
        cst_text_printf(path, "%s%s", size > 0 ? "." : "", key);
        /* A missing member, which may have been renamed. */
        if (!other.node) {
            const char *now = new_name(b, key);
            if (now) cst_text_printf(path, ", now %s", now);
            return true;
        }
        if (values && differ(member, other, NULL, path)) return true;
        cst_text_cut(path, size);
    }
    return false;
}

/* True if two lists differ in an item or in their lengths. */
static bool items_differ(cst_config a, cst_config b, cst_text *path)
{
    cst_config x = cst_config_item(a, 0), y = cst_config_item(b, 0);
    for (size_t i = 0; x.node || y.node; i++, x = cst_config_next(x), y = cst_config_next(y)) {
        /* Append the index; as with keys, it stays in the path if this is the difference. */
        const size_t size = path->size;
        cst_text_printf(path, "[%zu]", i);
        if (!x.node || !y.node || differ(x, y, NULL, path)) return true;
        cst_text_cut(path, size);
    }
    return false;
}

static bool differ(cst_config a, cst_config b, const char *const *except, cst_text *path)
{
    double x, y;
    bool s, t;
    /* Values of the same kind. Objects are compared both ways, but values only once. */
    if (cst_config_is_object(a) && cst_config_is_object(b))
        return members_differ(a, b, except, true, path) || members_differ(b, a, except, false, path);
    if (cst_config_is_list(a) && cst_config_is_list(b)) return items_differ(a, b, path);
    if (cst_config_string(a) && cst_config_string(b)) return strcmp(cst_config_string(a), cst_config_string(b)) != 0;
    if (cst_config_number(a, &x) && cst_config_number(b, &y)) return x != y;
    if (cst_config_bool(a, &s) && cst_config_bool(b, &t)) return s != t;
    /* Values of different kinds differ; two nulls do not. */
    return cst_config_present(a) || cst_config_present(b);
}

cst_status cst_config_difference(cst_config a, cst_config b, const char *const *except, char **path, cst_error *error)
{
    /* An empty text is allocated too, for roots that differ in kind. */
    cst_text text = {0};
    cst_text_puts(&text, "");
    *path = NULL;
    const bool different = differ(a, b, except, &text);
    if (different && !text.failed) {
        *path = text.data;
        return CST_OK;
    }
    free(text.data);
    return text.failed ? cst_fail(error, CST_ENOMEM, "out of memory") : CST_OK;
}
