/* costate list: everything that a config can name (cli/catalog.h), as text, as a JSON Schema or as Markdown. */
#include "cli/cli.h"

#include "cli/catalog.h"
#include "cli/reference.h"
#include "cli/schema.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--schema", NULL, "print a JSON Schema of configs, for editors"},
    {"--markdown", NULL, "print docs/config.md: every name with all its keys"},
    {0},
};

/* ---- all names ----------------------------------------------------------------------------------------------- */

/* Callback per entry: print a title when a new group begins. The context points to the group of the entry before. */
static void print_name(void *context, const cst_catalog_entry *entry)
{
    const cst_catalog_group **last = context;
    if (*last != entry->group) cli_print("%s%s\n", *last ? "\n" : "", entry->group->title);
    *last = entry->group;
    cli_print("  %-22s %s\n", entry->name, entry->summary);
}

/* ---- one name ------------------------------------------------------------------------------------------------ */

typedef struct search {
    const char *name; /* what is looked for */
    char nearest[64]; /* the most similar name so far, for the error */
    bool found;
} search;

static void print_key(const cst_key *key)
{
    const char *fallback = !key->fallback ? "required" : *key->fallback ? key->fallback : "-";
    cli_print("  %-18s %-20s %s", key->name, fallback, key->help);
    for (size_t i = 0; key->choices && key->choices[i]; i++) cli_print("%s%s", i == 0 ? ": " : ", ", key->choices[i]);
    cli_print("\n");
}

/* Callback per entry. A name may occur in several groups, then all of these entries are printed. */
static void print_entry(void *context, const cst_catalog_entry *entry)
{
    search *s = context;
    if (!*s->nearest || cst_text_distance(s->name, entry->name) < cst_text_distance(s->name, s->nearest))
        snprintf(s->nearest, sizeof s->nearest, "%s", entry->name);
    if (strcmp(s->name, entry->name) != 0) return;
    s->found = true;
    cli_print("%s (%s): %s\n", entry->name, entry->group->title, entry->summary);
    const cst_key *key = cst_catalog_next_key(entry, NULL);
    if (key) cli_print("  %-18s %-20s %s\n", "key", "default", "meaning");
    for (; key; key = cst_catalog_next_key(entry, key)) print_key(key);
}

/* ---- the command --------------------------------------------------------------------------------------------- */

/* Print and free the text; NULL means that memory ran out. */
static int print_and_free(char *text)
{
    if (!text) {
        cli_error("out of memory");
        return CLI_FAILED;
    }
    cli_print("%s\n", text);
    free(text);
    return CLI_DONE;
}

static int list(const cli_line *line)
{
    const bool schema = cli_flag(line, "--schema"), markdown = cli_flag(line, "--markdown");
    if (schema + markdown + (int)line->n_arguments > 1) {
        cli_error("list: expected only one of a name, --schema and --markdown");
        return CLI_USAGE;
    }
    if (schema) return print_and_free(cst_schema_print());
    if (markdown) return print_and_free(cst_reference_print());
    if (line->n_arguments == 0) {
        const cst_catalog_group *last = NULL;
        cst_catalog_visit(print_name, &last);
        cli_print("\ncostate list NAME shows the keys of NAME with their defaults.\n");
        return CLI_DONE;
    }
    search s = {.name = line->arguments[0]};
    cst_catalog_visit(print_entry, &s);
    if (s.found) return CLI_DONE;
    cli_error("unknown name \"%s\"; the nearest is \"%s\"", s.name, s.nearest);
    return CLI_USAGE;
}

const cli_command cli_list = {
    .name = "list",
    .arguments = "[NAME | OPTION]",
    .summary = "list all names that a config can use, or the keys of one",
    .example = "costate list conv2d",
    .most = 1,
    .options = options,
    .run = list,
};
