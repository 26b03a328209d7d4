#include "cli/reference.h"

#include "cli/catalog.h"
#include "core/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char introduction[] =
    "# Configs\n"
    "\n"
    "This page lists every key that a config can have. `make docs` writes it from the tables that costate checks\n"
    "configs by, and `build/costate list NAME` prints a part of it. [data.md](data.md) explains how to use your own\n"
    "data.\n"
    "\n"
    "The column \"default\" says **required** for a key that must be present, and - for a key that has no default and\n"
    "may be left out or be null. Modules, data sets, optimizers and schedules are objects whose key `type` says what\n"
    "they are: `{\"type\": \"tanh\"}`.\n"
    "\n"
    "Editors that know JSON Schema can complete and check configs while you type.\n"
    "`build/costate list --schema >costate.schema.json` writes the schema. In VS Code, for example, the setting\n"
    "`\"json.schemas\": [{\"fileMatch\": [\"configs/*.json\"], \"url\": \"./costate.schema.json\"}]` applies it.\n";

/* ---- keys ---------------------------------------------------------------------------------------------------- */

/* The anchor of a heading in a link: lower case, with dashes for blanks. */
static void put_anchor(cst_text *text, const char *title)
{
    for (; *title; title++) {
        const char c = *title == ' ' ? '-' : (char)tolower((unsigned char)*title);
        cst_text_add(text, &c, 1);
    }
}

/* Text in a cell of a table, where an unescaped bar would end the cell. */
static void put_cell(cst_text *text, const char *words)
{
    for (; *words; words++) {
        if (*words == '|') cst_text_puts(text, "\\");
        cst_text_add(text, words, 1);
    }
}

/* The group that cst_key.holds refers to; NULL if there is none. */
static const cst_catalog_group *find_group(const char *holds)
{
    for (const cst_catalog_group *group = cst_catalog_groups; group->title; group++)
        if (group->holds && strcmp(group->holds, holds) == 0) return group;
    return NULL;
}

/* The cell that says what values a key takes, with links. */
static void put_value(cst_text *text, const cst_key *key)
{
    char words[CST_KEY_TEXT];
    const cst_catalog_group *group = key->holds ? find_group(key->holds) : NULL;
    const cst_catalog_shape *shape = key->holds ? cst_catalog_find_shape(key->holds) : NULL;
    if (group) {
        cst_text_printf(text, "one of the [%s](#", group->title);
        put_anchor(text, group->title);
        cst_text_puts(text, ")");
    } else if (shape) {
        put_cell(text, shape->text);
    } else if (key->holds) {
        cst_text_printf(text, "a section [%s](#", key->holds);
        put_anchor(text, key->holds);
        cst_text_puts(text, ")");
    } else {
        put_cell(text, cst_key_text(key, words));
    }
}

/* A row of the table of keys: key, value, default, meaning. */
static void put_key(cst_text *text, const cst_key *key)
{
    cst_text_printf(text, "| `%s` | ", key->name);
    put_value(text, key);
    cst_text_puts(text, " | ");
    if (!key->fallback) {
        cst_text_puts(text, "**required**");
    } else if (!*key->fallback) {
        cst_text_puts(text, "-");
    } else {
        cst_text_puts(text, "`");
        put_cell(text, key->fallback);
        cst_text_puts(text, "`");
    }
    cst_text_puts(text, " | ");
    if (key->help) put_cell(text, key->help);
    cst_text_puts(text, " |\n");
}

/* ---- entries ------------------------------------------------------------------------------------------------- */

/* The text so far, and the group of the entry before. */
typedef struct page {
    cst_text text;
    const cst_catalog_group *group;
} page;

/* Callback per entry: a heading with the summary and the table of keys, or an item of a list for an entry that is
 * only a name. */
static void put_entry(void *context, const cst_catalog_entry *entry)
{
    page *p = context;
    /* The title of a new group, with its first letter in upper case. */
    if (p->group != entry->group) {
        cst_text_puts(&p->text, "\n## ");
        const char first = (char)toupper((unsigned char)entry->group->title[0]);
        cst_text_add(&p->text, &first, 1);
        cst_text_printf(&p->text, "%s\n", entry->group->title + 1);
        if (entry->group->form == CST_FORM_NAME) cst_text_puts(&p->text, "\n");
    }
    p->group = entry->group;

    if (entry->group->form == CST_FORM_NAME) {
        cst_text_printf(&p->text, "- `\"%s\"`: %s\n", entry->name, entry->summary);
        return;
    }
    cst_text_printf(&p->text, "\n### %s\n\n%s\n", entry->name, entry->summary);
    const cst_key *key = cst_catalog_next_key(entry, NULL);
    if (!key) return;
    cst_text_puts(&p->text, "\n| key | value | default | |\n| --- | --- | --- | --- |\n");
    for (; key; key = cst_catalog_next_key(entry, key)) put_key(&p->text, key);
}

char *cst_reference_print(void)
{
    page p = {0};
    cst_text_puts(&p.text, introduction);
    cst_catalog_visit(put_entry, &p);
    if (!p.text.failed) {
        cst_text_cut(&p.text, p.text.size - 1); /* the last newline: the caller prints it */
        return p.text.data;
    }
    free(p.text.data);
    return NULL;
}
