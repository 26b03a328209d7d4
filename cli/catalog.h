/* Everything that a config can name, in the tables that check it: what `costate list` prints, the reference
 * (cli/reference.h) and the schema (cli/schema.h) are made of.
 *
 * What a key `holds` (core/config.h) is one thing of a group, a section by its name, or one of cst_catalog_shapes. */
#ifndef CST_CLI_CATALOG_H
#define CST_CLI_CATALOG_H

#include "core/config.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cst_form {
    CST_FORM_TYPED,   /* a section {"type": NAME, ...} */
    CST_FORM_SECTION, /* a section of its own keys */
    CST_FORM_NAME     /* a string, the name */
} cst_form;

typedef struct cst_catalog_group {
    const char *title; /* "data sets" */
    const char *holds; /* "data"; NULL: no key holds one, or (sections) each holds itself by name */
    cst_form form;
} cst_catalog_group;

typedef struct cst_catalog_entry {
    const cst_catalog_group *group;
    const char *name, *summary;
    const cst_key *keys; /* NULL: none */
    const cst_key *more; /* keys beside those, which these replace by name; NULL: none */
} cst_catalog_entry;

/* Calls `visit` for each thing, group by group. Texts of an entry are valid during the call only. */
typedef void (*cst_catalog_visitor)(void *context, const cst_catalog_entry *entry);
void cst_catalog_visit(cst_catalog_visitor visit, void *context);

extern const cst_catalog_group cst_catalog_groups[]; /* in order, ended by a NULL title */

/* What is made of numbers, strings and things of the groups. */
typedef struct cst_catalog_shape {
    const char *holds, *text; /* "modules", "a list of modules": Markdown, links into docs/config.md */
    size_t least, most;       /* of a list of numbers within the key's bounds; most 0: any number */
    const char *schema;       /* JSON Schema in which "#/$defs/HOLDS" is any of all these; NULL: such a list */
} cst_catalog_shape;

extern const cst_catalog_shape cst_catalog_shapes[];                /* ended by a NULL holds */
const cst_catalog_shape *cst_catalog_find_shape(const char *holds); /* NULL if it is none of them */

/* The keys of an entry in order, each once: the one after `key`, the first after NULL; NULL after the last. */
const cst_key *cst_catalog_next_key(const cst_catalog_entry *entry, const cst_key *key);

#ifdef __cplusplus
}
#endif
#endif
