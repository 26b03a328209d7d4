/* The catalog: everything that a config can name, collected from the tables that configs are checked by. Three
 * outputs are made from it: the text of `costate list`, docs/config.md (reference.h) and the JSON Schema (schema.h).
 *
 * The catalog has groups (modules, data sets, losses ...), and a group has entries (linear, conv2d ...). An entry
 * that is a section of a config has keys (cst_key in core/config.h). The member `holds` of a key says what values it
 * takes, by one of three names:
 *   - `holds` of a group: any one entry of the group ("module", "data");
 *   - the name of an entry of the group "sections": such a section ("solver");
 *   - `holds` of a shape below: a composite value ("numbers", "modules"). */
#ifndef CST_CLI_CATALOG_H
#define CST_CLI_CATALOG_H

#include "core/config.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How an entry of a group is written in a config. */
typedef enum cst_form {
    CST_FORM_TYPED,   /* an object {"type": NAME, ...} */
    CST_FORM_SECTION, /* an object without "type" */
    CST_FORM_NAME     /* the string NAME */
} cst_form;

/* `holds` is the name by which cst_key.holds refers to any entry of the group; NULL if no key does. */
typedef struct cst_catalog_group {
    const char *title; /* "data sets" */
    const char *holds; /* "data" */
    cst_form form;
} cst_catalog_group;

typedef struct cst_catalog_entry {
    const cst_catalog_group *group;
    const char *name, *summary; /* never NULL */
    const cst_key *keys;        /* the entry's own keys; NULL: none */
    const cst_key *more;        /* keys that the whole group shares; an own key replaces one of its name. NULL: none */
} cst_catalog_entry;

/* Call `visit` once per entry, group by group in the order of cst_catalog_groups. `context` is passed on and may be
 * NULL. The entry and its name and summary are valid only during the call; its keys and its group are static. */
typedef void (*cst_catalog_visitor)(void *context, const cst_catalog_entry *entry);
void cst_catalog_visit(cst_catalog_visitor visit, void *context);

extern const cst_catalog_group cst_catalog_groups[]; /* the last one has title NULL */

/* A composite value: a list, a union, or an object with arbitrary keys. If `schema` is NULL, it is a list of numbers
 * within the key's range, of length `least` to `most`. */
typedef struct cst_catalog_shape {
    const char *holds;  /* the name by which cst_key.holds refers to it: "modules" */
    const char *text;   /* what it is, in Markdown with links into docs/config.md: "a list of [modules](#modules)" */
    const char *schema; /* its JSON Schema; "#/$defs/HOLDS" refers to another group, section or shape */
    size_t least, most; /* most = 0: no limit */
} cst_catalog_shape;

extern const cst_catalog_shape cst_catalog_shapes[]; /* the last one has holds NULL */
/* The shape of this name; NULL if there is none. */
const cst_catalog_shape *cst_catalog_find_shape(const char *holds);

/* Iterate over the keys of an entry, own keys first, without those that own keys replace: returns the key after
 * `key`, or the first one if `key` is NULL; NULL after the last. */
const cst_key *cst_catalog_next_key(const cst_catalog_entry *entry, const cst_key *key);

#ifdef __cplusplus
}
#endif
#endif
