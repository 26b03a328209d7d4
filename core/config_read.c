/* The part of core/config.h and core/key.h that reads sections by tables of keys. It uses no cJSON, only the
 * functions of core/config.h. */
#include "core/config.h"
#include "core/renames.h"
#include "core/text.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXPECTED = CST_KEY_TEXT };

/* 2^53: doubles represent all whole numbers exactly up to there. */
static const double largest_size = 9007199254740992.0;

/* ---- what is expected, in words ------------------------------------------------------------------------------ */

cst_range cst_key_range(const cst_key *key)
{
    cst_range r = key->range;
    if (key->kind != CST_KEY_SIZE) return r;
    /* For whole numbers, an excluded bound is the same as the next whole number included. */
    if (r.low_end == CST_EXCLUDED) r.low = floor(r.low) + 1;
    if (r.high_end == CST_EXCLUDED) r.high = ceil(r.high) - 1, r.high_end = CST_INCLUDED;
    if (r.low_end == CST_NO_END || r.low < 0) r.low = 0;
    r.low_end = CST_INCLUDED;
    return r;
}

/* Whether x is in the range. */
static bool in_range(cst_range r, double x)
{
    const bool above = r.low_end == CST_NO_END || x > r.low || (r.low_end == CST_INCLUDED && x == r.low);
    const bool below = r.high_end == CST_NO_END || x < r.high || (r.high_end == CST_INCLUDED && x == r.high);
    return above && below;
}

/* What a number key expects, in words: "a positive integer", "a number in [0, 1)". `value` is the number found, or
 * 0. */
static void expect_number(const cst_key *key, double value, char text[EXPECTED])
{
    const bool whole = key->kind == CST_KEY_SIZE;
    const char *kind = whole ? "integer" : "number", *article = whole ? "an" : "a";
    cst_range r = cst_key_range(key);
    /* For a size that is too large, name the general limit if the table has none. */
    if (whole && value > largest_size && (r.high_end == CST_NO_END || r.high > largest_size))
        r.high = largest_size, r.high_end = CST_INCLUDED;
    /* An integer with an upper bound; a number with both; with an upper one; without any; with a lower one. */
    const bool low_open = r.low_end == CST_EXCLUDED, high_open = r.high_end == CST_EXCLUDED;
    if (whole && r.high_end != CST_NO_END) {
        snprintf(text, EXPECTED, "an integer from %.0f to %.0f", r.low, r.high);
    } else if (r.low_end != CST_NO_END && r.high_end != CST_NO_END) {
        snprintf(text, EXPECTED, "a number in %c%.15g, %.15g%c", low_open ? '(' : '[', r.low, r.high,
                 high_open ? ')' : ']');
    } else if (r.high_end != CST_NO_END) {
        snprintf(text, EXPECTED, "a number %s %.15g", high_open ? "below" : "of at most", r.high);
    } else if (r.low_end == CST_NO_END) {
        snprintf(text, EXPECTED, "%s %s", article, kind);
    } else if (whole ? r.low == 1 : r.low == 0 && low_open) {
        snprintf(text, EXPECTED, "a positive %s", kind);
    } else if (r.low == 0) {
        snprintf(text, EXPECTED, "a non-negative %s", kind);
    } else {
        snprintf(text, EXPECTED, "%s %s %s %.15g", article, kind, low_open ? "above" : "of at least", r.low);
    }
}

/* The accepted strings in words: "one of "a", "b"". A long list is cut. */
static void expect_choice(const char *const *choices, char text[EXPECTED])
{
    enum { LIMIT = 240 }; /* bytes */
    size_t n = (size_t)snprintf(text, EXPECTED, "%s", choices[0] && choices[1] ? "one of " : "");
    for (size_t i = 0; choices[i]; i++) {
        if (n + strlen(choices[i]) > LIMIT) {
            snprintf(text + n, EXPECTED - n, ", ...");
            return;
        }
        n += (size_t)snprintf(text + n, EXPECTED - n, "%s\"%s\"", i > 0 ? ", " : "", choices[i]);
    }
}

/* What a key expects, in words. `value` is the number found, or 0. */
static void expectation(const cst_key *key, double value, char text[EXPECTED])
{
    static const char *const kinds[] = {
        [CST_KEY_BOOL] = "true or false", [CST_KEY_STRING] = "a string", [CST_KEY_SECTION] = "an object",
        [CST_KEY_LIST] = "a list",        [CST_KEY_ANY] = "a value",
    };
    if (key->kind == CST_KEY_SIZE || key->kind == CST_KEY_REAL) {
        expect_number(key, value, text);
    } else if (key->kind == CST_KEY_CHOICE) {
        expect_choice(key->choices, text);
    } else {
        snprintf(text, EXPECTED, "%s", kinds[key->kind]);
    }
}

const char *cst_key_text(const cst_key *key, char text[CST_KEY_TEXT])
{
    expectation(key, 0, text);
    return text;
}

/* Fail with "expected ..., got ...". */
static cst_status fail_value(const cst_key *key, cst_config value, cst_error *error)
{
    char text[EXPECTED];
    double number = 0;
    (void)cst_config_number(value, &number);
    expectation(key, number, text);
    return cst_config_expected(value, text, error);
}

/* ---- values -------------------------------------------------------------------------------------------------- */

/* Write a value into a member of the target struct. */
static void store(void *target, size_t offset, const void *value, size_t size)
{
    memcpy((char *)target + offset, value, size);
}

/* Check a number, and store it as a double or as a size_t. */
static cst_status read_number(const cst_key *key, cst_config value, void *target, cst_error *error)
{
    double number;
    if (!cst_config_number(value, &number) || !in_range(cst_key_range(key), number))
        return fail_value(key, value, error);
    if (key->kind == CST_KEY_REAL) {
        store(target, key->offset, &number, sizeof number);
        return CST_OK;
    }
    /* A size must be whole, and small enough for both a double and a size_t. */
    const double largest = (double)SIZE_MAX < largest_size ? (double)SIZE_MAX : largest_size;
    if (number > largest || number != floor(number)) return fail_value(key, value, error);
    const size_t size = (size_t)number;
    store(target, key->offset, &size, sizeof size);
    return CST_OK;
}

/* Check a string against the accepted ones, and store its index. */
static cst_status read_choice(const cst_key *key, cst_config value, void *target, cst_error *error)
{
    const char *string = cst_config_string(value);
    /* A known string is stored as its index. */
    for (int i = 0; string && key->choices[i]; i++) {
        if (strcmp(string, key->choices[i]) == 0) {
            store(target, key->offset, &i, sizeof i);
            return CST_OK;
        }
    }
    /* For an old name, say the new one. */
    const char *now = string ? cst_new_name_among(string, key->choices) : NULL;
    if (now) return cst_config_fail(value, error, "\"%s\" is called \"%s\" now", string, now);
    return fail_value(key, value, error);
}

/* Check a value against its key and store it. */
static cst_status read_value(const cst_key *key, cst_config value, void *target, cst_error *error)
{
    bool truth;
    const char *string;
    switch (key->kind) {
    case CST_KEY_SIZE:
    case CST_KEY_REAL:
        return read_number(key, value, target, error);
    case CST_KEY_BOOL:
        if (!cst_config_bool(value, &truth)) return fail_value(key, value, error);
        store(target, key->offset, &truth, sizeof truth);
        return CST_OK;
    case CST_KEY_STRING:
        string = cst_config_string(value);
        if (!string) return fail_value(key, value, error);
        store(target, key->offset, &string, sizeof string);
        return CST_OK;
    case CST_KEY_CHOICE:
        return read_choice(key, value, target, error);
    case CST_KEY_SECTION:
        if (!cst_config_is_object(value)) return fail_value(key, value, error);
        break;
    case CST_KEY_LIST:
        if (!cst_config_is_list(value)) return fail_value(key, value, error);
        break;
    case CST_KEY_ANY:
        break;
    }
    /* The last three kinds are stored as a cst_config. */
    store(target, key->offset, &value, sizeof value);
    return CST_OK;
}

/* ---- sections ------------------------------------------------------------------------------------------------ */

/* The key of a name; NULL if the table has none. */
static const cst_key *find_key(const cst_key *keys, const char *name)
{
    while (keys->name && strcmp(keys->name, name) != 0) keys++;
    return keys->name ? keys : NULL;
}

/* Fail with "unknown key" and either its new name or the nearest known key. */
static cst_status fail_unknown(cst_config member, const cst_key *keys, bool typed, cst_error *error)
{
    const char *name = cst_config_key(member), *now;
    for (size_t i = 0; (now = cst_new_name(name, &i));)
        if (find_key(keys, now)) return cst_config_fail(member, error, "unknown key; it is called \"%s\" now", now);
    /* The nearest of the known keys, of which "type" is one. */
    const char *nearest = typed ? "type" : NULL;
    for (const cst_key *key = keys; key->name; key++)
        if (!nearest || cst_text_distance(name, key->name) < cst_text_distance(name, nearest)) nearest = key->name;
    if (!nearest) return cst_config_fail(member, error, "unknown key; this section has no keys");
    return cst_config_fail(member, error, "unknown key; the nearest known one is \"%s\"", nearest);
}

/* Check that the section has no unknown keys. */
static cst_status check_names(cst_config section, const cst_key *keys, bool typed, cst_error *error)
{
    for (cst_config member = cst_config_item(section, 0); member.node; member = cst_config_next(member)) {
        const char *name = cst_config_key(member);
        const bool known = (typed && strcmp(name, "type") == 0) || find_key(keys, name);
        if (!known) return fail_unknown(member, keys, typed, error);
    }
    return CST_OK;
}

/* Read one key of a section, and write its default into the section if it is absent. */
static cst_status read_key(cst_config section, const cst_key *key, void *target, cst_error *error)
{
    /* A required key. */
    cst_config value = cst_config_get(section, key->name);
    if (!value.node && !key->fallback) {
        char text[EXPECTED];
        expectation(key, 0, text);
        return cst_config_fail(section, error, "missing key \"%s\": expected %s", key->name, text);
    }
    /* An absent key with a default. */
    const bool optional = key->fallback && !*key->fallback;
    if (!value.node && !optional) {
        CST_TRY(cst_config_put(section, key->name, key->fallback, error));
        value = cst_config_get(section, key->name);
    }
    /* Where null is allowed, the member keeps its value. */
    const bool nullable = optional || (key->fallback && strcmp(key->fallback, "null") == 0);
    if (cst_config_present(value) || !nullable) return read_value(key, value, target, error);
    /* Keep the node of a null, so that later errors can point at it. */
    const bool is_config = key->kind == CST_KEY_SECTION || key->kind == CST_KEY_LIST || key->kind == CST_KEY_ANY;
    if (is_config) store(target, key->offset, &value, sizeof value);
    return CST_OK;
}

cst_status cst_config_read(cst_config section, const cst_key *keys, bool typed, void *target, cst_error *error)
{
    if (!cst_config_is_object(section)) return cst_config_expected(section, "an object", error);
    CST_TRY(check_names(section, keys, typed, error));
    for (const cst_key *key = keys; key->name; key++) CST_TRY(read_key(section, key, target, error));
    return CST_OK;
}

cst_status cst_config_type(cst_config section, const char *what, const char *const *names, size_t *index,
                           cst_error *error)
{
    /* The section must be an object with a "type". */
    char expected[EXPECTED];
    const char *article = strchr("aeiou", what[0]) ? "an" : "a";
    if (!cst_config_is_object(section)) {
        snprintf(expected, sizeof expected, "%s %s: an object with a \"type\"", article, what);
        return cst_config_expected(section, expected, error);
    }
    const cst_config type = cst_config_get(section, "type");
    if (!type.node)
        return cst_config_fail(section, error, "missing key \"type\": expected the name of %s %s", article, what);
    /* Search the name, and remember the nearest one for the message. */
    const char *name = cst_config_string(type);
    const char *nearest = NULL;
    for (size_t i = 0; name && names[i]; i++) {
        if (strcmp(name, names[i]) == 0) {
            *index = i;
            return CST_OK;
        }
        if (!nearest || cst_text_distance(name, names[i]) < cst_text_distance(name, nearest)) nearest = names[i];
    }
    snprintf(expected, sizeof expected, "the name of %s %s%s%s%s", article, what, nearest ? " (the nearest is \"" : "",
             nearest ? nearest : "", nearest ? "\")" : "");
    return cst_config_expected(type, expected, error);
}

cst_status cst_config_reals(cst_config list, double **values, size_t *n, cst_error *error)
{
    /* A single number is read as a list of one. */
    double number;
    const bool single = cst_config_number(list, &number);
    if (!single && !cst_config_is_list(list)) return cst_config_expected(list, "a list of numbers", error);
    const size_t length = single ? 1 : cst_config_length(list);
    double *out = malloc((length > 0 ? length : 1) * sizeof *out);
    if (!out) return cst_fail(error, CST_ENOMEM, "out of memory");
    cst_config item = single ? list : cst_config_item(list, 0);
    for (size_t i = 0; i < length; i++, item = cst_config_next(item)) {
        if (!cst_config_number(item, &out[i])) {
            free(out);
            return cst_config_expected(item, "a number", error);
        }
    }
    *values = out;
    *n = length;
    return CST_OK;
}
