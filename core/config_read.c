/* The part of core/config.h that checks sections against tables of keys; it sees documents only through the rest. */
#include "core/config.h"
#include "core/renames.h"
#include "core/text.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXPECTED = CST_KEY_TEXT };

static const double largest_size = 9007199254740992.0; /* 2^53: up to there a double holds every whole number */

/* ---- what is expected, in words ------------------------------------------------------------------------------ */

cst_range cst_key_range(const cst_key *key)
{
    cst_range r = key->range;
    if (key->kind != CST_KEY_SIZE) return r;
    /* The whole number beside an excluded bound is an included one. */
    if (r.low_end == CST_EXCLUDED) r.low = floor(r.low) + 1;
    if (r.high_end == CST_EXCLUDED) r.high = ceil(r.high) - 1, r.high_end = CST_INCLUDED;
    if (r.low_end == CST_NO_END || r.low < 0) r.low = 0;
    r.low_end = CST_INCLUDED;
    return r;
}

static bool in_range(cst_range r, double x)
{
    const bool above = r.low_end == CST_NO_END || x > r.low || (r.low_end == CST_INCLUDED && x == r.low);
    const bool below = r.high_end == CST_NO_END || x < r.high || (r.high_end == CST_INCLUDED && x == r.high);
    return above && below;
}

static void expect_number(const cst_key *key, double value, char text[EXPECTED])
{
    const bool whole = key->kind == CST_KEY_SIZE;
    const char *kind = whole ? "integer" : "number", *article = whole ? "an" : "a";
    cst_range r = cst_key_range(key);
    /* A size that is too large for a double: say where they end, although the table does not. */
    if (whole && value > largest_size && (r.high_end == CST_NO_END || r.high > largest_size))
        r.high = largest_size, r.high_end = CST_INCLUDED;
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

static void expect_choice(const char *const *choices, char text[EXPECTED])
{
    enum { ROOM = 240 };
    size_t n = (size_t)snprintf(text, EXPECTED, "%s", choices[0] && choices[1] ? "one of " : "");
    for (size_t i = 0; choices[i]; i++) {
        if (n + strlen(choices[i]) > ROOM) {
            snprintf(text + n, EXPECTED - n, ", ...");
            return;
        }
        n += (size_t)snprintf(text + n, EXPECTED - n, "%s\"%s\"", i > 0 ? ", " : "", choices[i]);
    }
}

/* What the key expects; of a number, given the one that is there. */
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

static cst_status fail_value(const cst_key *key, cst_config value, cst_error *error)
{
    char text[EXPECTED];
    double number = 0;
    (void)cst_config_number(value, &number);
    expectation(key, number, text);
    return cst_config_expected(value, text, error);
}

/* ---- values -------------------------------------------------------------------------------------------------- */

static void store(void *target, size_t offset, const void *value, size_t size)
{
    memcpy((char *)target + offset, value, size);
}

static cst_status read_number(const cst_key *key, cst_config value, void *target, cst_error *error)
{
    double number;
    if (!cst_config_number(value, &number) || !in_range(cst_key_range(key), number))
        return fail_value(key, value, error);
    if (key->kind == CST_KEY_REAL) {
        store(target, key->offset, &number, sizeof number);
        return CST_OK;
    }
    const double largest = (double)SIZE_MAX < largest_size ? (double)SIZE_MAX : largest_size;
    if (number > largest || number != floor(number)) return fail_value(key, value, error);
    const size_t size = (size_t)number;
    store(target, key->offset, &size, sizeof size);
    return CST_OK;
}

static cst_status read_choice(const cst_key *key, cst_config value, void *target, cst_error *error)
{
    const char *string = cst_config_string(value);
    for (int i = 0; string && key->choices[i]; i++) {
        if (strcmp(string, key->choices[i]) == 0) {
            store(target, key->offset, &i, sizeof i);
            return CST_OK;
        }
    }
    const char *now = string ? cst_new_name_among(string, key->choices) : NULL;
    if (now) return cst_config_fail(value, error, "\"%s\" is called \"%s\" now", string, now);
    return fail_value(key, value, error);
}

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
    store(target, key->offset, &value, sizeof value);
    return CST_OK;
}

/* ---- sections ------------------------------------------------------------------------------------------------ */

static const cst_key *find_key(const cst_key *keys, const char *name)
{
    while (keys->name && strcmp(keys->name, name) != 0) keys++;
    return keys->name ? keys : NULL;
}

/* "Unknown key", with the name that the key has now, or with the nearest known one. */
static cst_status fail_unknown(cst_config member, const cst_key *keys, bool typed, cst_error *error)
{
    const char *name = cst_config_key(member), *now;
    for (size_t i = 0; (now = cst_new_name(name, &i));)
        if (find_key(keys, now)) return cst_config_fail(member, error, "unknown key; it is called \"%s\" now", now);
    const char *nearest = typed ? "type" : NULL;
    for (const cst_key *key = keys; key->name; key++)
        if (!nearest || cst_text_distance(name, key->name) < cst_text_distance(name, nearest)) nearest = key->name;
    if (!nearest) return cst_config_fail(member, error, "unknown key; none is known here");
    return cst_config_fail(member, error, "unknown key; the nearest known one is \"%s\"", nearest);
}

static cst_status check_names(cst_config section, const cst_key *keys, bool typed, cst_error *error)
{
    for (cst_config member = cst_config_item(section, 0); member.node; member = cst_config_next(member)) {
        const char *name = cst_config_key(member);
        const bool known = (typed && strcmp(name, "type") == 0) || find_key(keys, name);
        if (!known) return fail_unknown(member, keys, typed, error);
    }
    return CST_OK;
}

static cst_status read_key(cst_config section, const cst_key *key, void *target, cst_error *error)
{
    cst_config value = cst_config_get(section, key->name);
    if (!value.node && !key->fallback) {
        char text[EXPECTED];
        expectation(key, 0, text);
        return cst_config_fail(section, error, "missing key \"%s\": expected %s", key->name, text);
    }
    const bool optional = key->fallback && !*key->fallback;
    if (!value.node && !optional) {
        CST_TRY(cst_config_put(section, key->name, key->fallback, error));
        value = cst_config_get(section, key->name);
    }
    const bool nullable = optional || (key->fallback && strcmp(key->fallback, "null") == 0);
    if (cst_config_present(value) || !nullable) return read_value(key, value, target, error);
    /* A null keeps its place, for messages about it. */
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
    char expected[EXPECTED];
    const char *article = strchr("aeiou", what[0]) ? "an" : "a";
    if (!cst_config_is_object(section)) {
        snprintf(expected, sizeof expected, "%s %s: an object with a \"type\"", article, what);
        return cst_config_expected(section, expected, error);
    }
    const cst_config type = cst_config_get(section, "type");
    if (!type.node)
        return cst_config_fail(section, error, "missing key \"type\": expected the name of %s %s", article, what);
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
