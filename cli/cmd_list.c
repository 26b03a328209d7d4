#include "cli/cli.h"

#include "cli/catalog.h"
#include "cli/reference.h"
#include "cli/schema.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--schema", NULL, "a JSON Schema of configs, for editors"},
    {"--markdown", NULL, "all of it with all keys, as docs/config.md has it"},
    {0},
};

/* ---- the list ------------------------------------------------------------------------------------------------ */

static void print_name(void *context, const cst_catalog_entry *entry)
{
    const cst_catalog_group **last = context;
    if (*last != entry->group) cli_print("%s%s\n", *last ? "\n" : "", entry->group->title);
    *last = entry->group;
    cli_print("  %-22s %s\n", entry->name, entry->summary);
}

/* ---- one thing ----------------------------------------------------------------------------------------------- */

typedef struct search {
    const char *name;
    char nearest[64];
    bool found;
} search;

static void print_key(const cst_key *key)
{
    const char *fallback = !key->fallback ? "required" : *key->fallback ? key->fallback : "-";
    cli_print("  %-18s %-20s %s", key->name, fallback, key->help);
    for (size_t i = 0; key->choices && key->choices[i]; i++) cli_print("%s%s", i == 0 ? ": " : ", ", key->choices[i]);
    cli_print("\n");
}

static void print_thing(void *context, const cst_catalog_entry *entry)
{
    search *s = context;
    if (!*s->nearest || cst_text_distance(s->name, entry->name) < cst_text_distance(s->name, s->nearest))
        snprintf(s->nearest, sizeof s->nearest, "%s", entry->name);
    if (strcmp(s->name, entry->name) != 0) return;
    s->found = true;
    cli_print("%s (%s): %s\n", entry->name, entry->group->title, entry->summary);
    const cst_key *key = cst_catalog_next_key(entry, NULL);
    if (key) cli_print("  %-18s %-20s %s\n", "key", "default", "what it is");
    for (; key; key = cst_catalog_next_key(entry, key)) print_key(key);
}

/* ---- the command --------------------------------------------------------------------------------------------- */

static int print_whole(char *text)
{
    if (!text) {
        cli_complain("out of memory");
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
        cli_complain("list: expected a name, --schema or --markdown, one of them");
        return CLI_WRONG;
    }
    if (schema) return print_whole(cst_schema_print());
    if (markdown) return print_whole(cst_reference_print());
    if (line->n_arguments == 0) {
        const cst_catalog_group *last = NULL;
        cst_catalog_visit(print_name, &last);
        cli_print("\ncostate list NAME shows its keys with their defaults.\n");
        return CLI_DONE;
    }
    search s = {.name = line->arguments[0]};
    cst_catalog_visit(print_thing, &s);
    if (s.found) return CLI_DONE;
    cli_complain("nothing is called \"%s\"; the nearest is \"%s\"", s.name, s.nearest);
    return CLI_WRONG;
}

const cli_command cli_list = {"list",  "[NAME]", "what a config can name; the keys of one with their defaults", 0, 1,
                              options, list};
