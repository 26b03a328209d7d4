/* The part of core/config.h that prints values. It uses no cJSON, only the functions of core/config.h. */
#include "core/config.h"
#include "core/text.h"

#include <stdlib.h>

enum {
    LINE = 100, /* lists and objects of at most this many characters are printed on one line */
    VALUE = 64  /* bytes of a value that a message shows */
};

/* How to print: separators, and whether long lists and objects are broken into lines. */
typedef struct style {
    const char *comma, *colon;
    bool lines;
} style;

static const style compact = {",", ":", false}, spaced = {", ", ": ", false}, indented = {", ", ": ", true};

static void print_value(cst_text *out, cst_config value, const style *how, size_t indent);

/* Print the elements of a list or the members of an object, without brackets. */
static void print_children(cst_text *out, cst_config value, const style *how, size_t indent)
{
    const cst_config first = cst_config_item(value, 0);
    for (cst_config child = first; child.node; child = cst_config_next(child)) {
        if (child.node != first.node) cst_text_puts(out, how->lines ? "," : how->comma);
        if (how->lines) cst_text_printf(out, "\n%*s", (int)(2 * indent + 2), "");
        if (cst_config_key(child)) {
            cst_text_quote(out, cst_config_key(child));
            cst_text_puts(out, how->colon);
        }
        print_value(out, child, how, indent + 1);
    }
    if (how->lines && first.node) cst_text_printf(out, "\n%*s", (int)(2 * indent), "");
}

/* Print a list or an object. */
static void print_container(cst_text *out, cst_config value, const style *how, size_t indent)
{
    const size_t start = out->size;
    cst_text_puts(out, cst_config_is_object(value) ? "{" : "[");
    /* Try one line first. If it is too long, discard it and print one child per line. The root is always broken. */
    const style line = {how->comma, how->colon, false};
    if (!how->lines || indent > 0) print_children(out, value, &line, indent);
    if (how->lines && (indent == 0 || out->size - start + 2 * indent > LINE)) {
        cst_text_cut(out, start + 1);
        print_children(out, value, how, indent);
    }
    cst_text_puts(out, cst_config_is_object(value) ? "}" : "]");
}

static void print_value(cst_text *out, cst_config value, const style *how, size_t indent)
{
    /* By type; a value of no other type is null. */
    double number;
    bool truth;
    if (cst_config_is_object(value) || cst_config_is_list(value)) {
        print_container(out, value, how, indent);
    } else if (cst_config_string(value)) {
        cst_text_quote(out, cst_config_string(value));
    } else if (cst_config_number(value, &number)) {
        cst_text_number(out, number);
    } else if (cst_config_bool(value, &truth)) {
        cst_text_puts(out, truth ? "true" : "false");
    } else {
        cst_text_puts(out, "null");
    }
}

/* Return the text, or free it and return NULL after a failure. */
static char *finish(cst_text *text)
{
    if (!text->failed) return text->data;
    free(text->data);
    return NULL;
}

char *cst_config_print(cst_config config)
{
    cst_text text = {0};
    print_value(&text, config, &compact, 0);
    return finish(&text);
}

char *cst_config_print_lines(cst_config config)
{
    cst_text text = {0};
    print_value(&text, config, &indented, 0);
    cst_text_puts(&text, "\n");
    return finish(&text);
}

cst_status cst_config_expected(cst_config config, const char *what, cst_error *error)
{
    if (!error) return CST_ECONFIG;
    if (!config.node) return cst_config_fail(config, error, "expected %s, got nothing", what);
    /* Print the value on one line, and cut it after a whole character. */
    cst_text value = {0};
    print_value(&value, config, &spaced, 0);
    if (value.size > VALUE) {
        cst_text_cut(&value, cst_utf8_cut(value.data, value.size, VALUE - 3));
        cst_text_puts(&value, "...");
    }
    cst_config_fail(config, error, "expected %s, got %s", what, value.failed ? "something else" : value.data);
    free(value.data);
    return CST_ECONFIG;
}
