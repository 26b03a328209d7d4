#include "cli/schema.h"

#include "cli/catalog.h"
#include "core/text.h"

#include <stdlib.h>
#include <string.h>

/* ---- JSON text, written from left to right ------------------------------------------------------------------- */

/* A comma, unless the next value is the first of its object or list, or follows the name of a member: the text so
 * far tells. */
static void comma(cst_text *text)
{
    if (text->size > 0 && !strchr("{[:", text->data[text->size - 1])) cst_text_puts(text, ",");
}

/* An opening bracket. */
static void begin(cst_text *text, const char *bracket)
{
    comma(text);
    cst_text_puts(text, bracket);
}

/* The name of a member of an object; its value follows. */
static void member(cst_text *text, const char *name)
{
    comma(text);
    cst_text_quote(text, name);
    cst_text_puts(text, ":");
}

static void string(cst_text *text, const char *value)
{
    comma(text);
    cst_text_quote(text, value);
}

/* JSON text as it stands. */
static void raw(cst_text *text, const char *json)
{
    comma(text);
    cst_text_puts(text, json);
}

static void string_member(cst_text *text, const char *name, const char *value)
{
    member(text, name);
    string(text, value);
}

static void number_member(cst_text *text, const char *name, double value)
{
    member(text, name);
    cst_text_number(text, value);
}

/* ---- one key ------------------------------------------------------------------------------------------------- */

/* The bounds of a number. */
static void put_range(cst_text *text, const cst_key *key)
{
    /* Sizes end at 2^53: JSON numbers are read as doubles, which do not hold every larger integer. */
    const double largest_size = 0x1p53;
    cst_range r = cst_key_range(key);
    if (key->kind == CST_KEY_SIZE && (r.high_end == CST_NO_END || r.high > largest_size))
        r.high = largest_size, r.high_end = CST_INCLUDED;
    if (r.low_end != CST_NO_END) number_member(text, r.low_end == CST_EXCLUDED ? "exclusiveMinimum" : "minimum", r.low);
    if (r.high_end != CST_NO_END)
        number_member(text, r.high_end == CST_EXCLUDED ? "exclusiveMaximum" : "maximum", r.high);
}

/* "type": TYPE, or null where `nullable`. */
static void put_type(cst_text *text, const char *type, bool nullable)
{
    member(text, "type");
    if (nullable) begin(text, "[");
    string(text, type);
    if (nullable) raw(text, "\"null\"]");
}

/* One of the names of a key's choices. */
static void put_choices(cst_text *text, const cst_key *key, bool nullable)
{
    member(text, "enum");
    begin(text, "[");
    for (size_t i = 0; key->choices[i]; i++) string(text, key->choices[i]);
    if (nullable) raw(text, "null");
    cst_text_puts(text, "]");
}

/* A reference to the definition of HOLDS. JSON Schema has no nullable reference: that is a union with null. */
static void put_ref(cst_text *text, const char *holds, bool nullable)
{
    if (nullable) {
        member(text, "anyOf");
        begin(text, "[{");
    }
    member(text, "$ref");
    cst_text_printf(text, "\"#/$defs/%s\"", holds);
    if (nullable) cst_text_puts(text, "}, {\"type\": \"null\"}]");
}

/* A list of numbers within the range of the key. */
static void put_numbers(cst_text *text, const cst_key *key, const cst_catalog_shape *shape, bool nullable)
{
    put_type(text, "array", nullable);
    member(text, "items");
    begin(text, "{");
    put_type(text, "number", false);
    put_range(text, key);
    cst_text_puts(text, "}");
    if (shape->least > 0) number_member(text, "minItems", (double)shape->least);
    if (shape->most > 0) number_member(text, "maxItems", (double)shape->most);
}

/* A value of a plain kind. CST_KEY_ANY has no restriction. */
static void put_kind(cst_text *text, const cst_key *key, bool nullable)
{
    static const char *const types[] = {
        [CST_KEY_SIZE] = "integer",  [CST_KEY_REAL] = "number",    [CST_KEY_BOOL] = "boolean",
        [CST_KEY_STRING] = "string", [CST_KEY_SECTION] = "object", [CST_KEY_LIST] = "array",
    };
    if (key->kind == CST_KEY_CHOICE) {
        put_choices(text, key, nullable);
    } else if (key->kind != CST_KEY_ANY) {
        put_type(text, types[key->kind], nullable);
    }
    if (key->kind == CST_KEY_SIZE || key->kind == CST_KEY_REAL) put_range(text, key);
}

/* One key as a member of "properties". An explicit null is allowed where it means the same as leaving the key out. */
static void put_key(cst_text *text, const cst_key *key)
{
    const bool optional = key->fallback && !*key->fallback;
    const bool nullable = optional || (key->fallback && strcmp(key->fallback, "null") == 0);
    const cst_catalog_shape *shape = key->holds ? cst_catalog_find_shape(key->holds) : NULL;
    member(text, key->name);
    begin(text, "{");
    if (key->help) string_member(text, "description", key->help);

    /* The value: a composite one, a reference to a definition, or a plain kind. */
    if (shape && !shape->schema) {
        put_numbers(text, key, shape, nullable);
    } else if (key->holds) {
        put_ref(text, key->holds, nullable);
    } else {
        put_kind(text, key, nullable);
    }

    if (key->fallback && !optional) {
        member(text, "default");
        raw(text, key->fallback);
    }
    cst_text_puts(text, "}");
}

/* ---- sections ------------------------------------------------------------------------------------------------ */

/* The object with an entry's keys. `typed`: it also has the key "type" with the entry's name. No other key is
 * allowed. */
static void put_section(cst_text *text, const cst_catalog_entry *entry, bool typed)
{
    begin(text, "{");
    string_member(text, "description", entry->summary);
    put_type(text, "object", false);
    member(text, "properties");
    begin(text, "{");
    if (typed) {
        member(text, "type");
        begin(text, "{");
        string_member(text, "const", entry->name);
        cst_text_puts(text, "}");
    }
    for (const cst_key *key = NULL; (key = cst_catalog_next_key(entry, key));) put_key(text, key);
    cst_text_puts(text, "}");

    /* Keys without a default are required. */
    member(text, "required");
    begin(text, "[");
    if (typed) string(text, "type");
    for (const cst_key *key = NULL; (key = cst_catalog_next_key(entry, key));)
        if (!key->fallback) string(text, key->name);
    cst_text_puts(text, "]");

    member(text, "additionalProperties");
    raw(text, "false}");
}

/* One pass over the catalog: the callbacks below handle the entries of this group and skip the others. */
typedef struct pass {
    cst_text *text;
    const cst_catalog_group *group;
} pass;

/* The definition of an entry: "module.conv2d", or "solver" for a section without type. Names alone need none. */
static void put_definition(void *context, const cst_catalog_entry *entry)
{
    const pass *p = context;
    if (entry->group != p->group || entry->group->form == CST_FORM_NAME) return;
    const bool typed = entry->group->form == CST_FORM_TYPED;
    cst_text name = {0};
    cst_text_printf(&name, "%s%s%s", typed ? entry->group->holds : "", typed ? "." : "", entry->name);
    if (!name.failed) member(p->text, name.data);
    p->text->failed = p->text->failed || name.failed;
    free(name.data);
    put_section(p->text, entry, typed);
}

/* The name of an entry as an item of a list. */
static void put_name(void *context, const cst_catalog_entry *entry)
{
    const pass *p = context;
    if (entry->group == p->group) string(p->text, entry->name);
}

/* If "type" is this entry's name, then the object must match the entry's definition. A union (anyOf) would accept
 * the same, but an editor would show one error per alternative instead of the one that matters. */
static void put_branch(void *context, const cst_catalog_entry *entry)
{
    const pass *p = context;
    if (entry->group != p->group) return;
    begin(p->text, "{");
    member(p->text, "if");
    raw(p->text, "{\"properties\": {\"type\": {\"const\": ");
    cst_text_quote(p->text, entry->name);
    cst_text_puts(p->text, "}}, \"required\": [\"type\"]}");
    member(p->text, "then");
    cst_text_printf(p->text, "{\"$ref\": \"#/$defs/%s.%s\"}}", p->group->holds, entry->name);
}

/* The definition of any entry of a group: an object whose "type" selects the branch, or one of the names. */
static void put_group(cst_text *text, const cst_catalog_group *group)
{
    pass p = {text, group};
    if (!group->holds) return;
    member(text, group->holds);
    begin(text, "{");
    if (group->form == CST_FORM_TYPED) {
        put_type(text, "object", false);
        raw(text, "\"properties\": {\"type\": {\"enum\": [");
        cst_catalog_visit(put_name, &p);
        cst_text_puts(text, "]}}");
        raw(text, "\"required\": [\"type\"]");
        member(text, "allOf");
        begin(text, "[");
        cst_catalog_visit(put_branch, &p);
    } else {
        member(text, "enum");
        begin(text, "[");
        cst_catalog_visit(put_name, &p);
    }
    cst_text_puts(text, "]}");
}

/* ---- the whole ----------------------------------------------------------------------------------------------- */

char *cst_schema_print(void)
{
    cst_text text = {0};
    raw(&text, "{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\", \"title\": \"a config of costate\", "
               "\"$ref\": \"#/$defs/config\", \"$defs\": {");

    /* Definitions of groups with their entries, then of shapes. */
    for (const cst_catalog_group *group = cst_catalog_groups; group->title; group++) {
        pass p = {&text, group};
        put_group(&text, group);
        cst_catalog_visit(put_definition, &p);
    }
    for (const cst_catalog_shape *shape = cst_catalog_shapes; shape->holds; shape++) {
        if (!shape->schema) continue;
        member(&text, shape->holds);
        raw(&text, shape->schema);
    }
    cst_text_puts(&text, "}}");

    /* Parse the text, which checks it, and print it with indentation. */
    cst_document *document = NULL;
    char *printed = NULL;
    if (!text.failed && cst_document_parse("schema", text.data, text.size, &document, NULL) == CST_OK)
        printed = cst_document_print(document);
    cst_document_free(document);
    free(text.data);
    return printed;
}
