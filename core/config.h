/* JSON documents read strictly: every error names the file, the path, what was expected and what was there.
 *
 * A section's keys are a table (cst_key). cst_config_read checks a section against its table, stores the values in a
 * struct and writes the defaults of absent keys back into the document, so that a printed document is the resolved
 * config. Only core/config*.c know cJSON. */
#ifndef CST_CORE_CONFIG_H
#define CST_CORE_CONFIG_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cJSON;
typedef struct cst_document cst_document;

/* A place in a document: valid as long as the document is and nothing is set in its stead. node is NULL for "absent".
 * Reading may write defaults, so a document is for one thread at a time. */
typedef struct cst_config {
    cst_document *document;
    struct cJSON *node;
} cst_config;

/* ---- documents ----------------------------------------------------------------------------------------------- */

/* Parse a file, or `size` bytes of text called `name` in messages. Errors: CST_EIO, CST_ENOMEM; CST_ECONFIG with line
 * and column for malformed text, NaN or infinite numbers, duplicate keys, trailing text, NUL bytes, nesting deeper
 * than 64, or a root that is not an object. */
CST_MUST_CHECK cst_status cst_document_load(const char *path, cst_document **document, cst_error *error);
CST_MUST_CHECK cst_status cst_document_parse(const char *name, const char *text, size_t size, cst_document **document,
                                             cst_error *error);
void cst_document_free(cst_document *document); /* NULL is fine */
cst_config cst_document_root(cst_document *document);
const char *cst_document_name(const cst_document *document); /* as messages have it */

/* Set "model.layers[2].out_channels" (an existing object's key may be new, an array's index must exist) to a value:
 * JSON if it parses as such, a string otherwise. For --set. "model...norm" is every "norm" that is there below model,
 * however deep. CST_ECONFIG, naming the path and the part of it that is malformed or does not exist. */
CST_MUST_CHECK cst_status cst_document_set(cst_document *document, const char *path, const char *value,
                                           cst_error *error);

/* The document as indented JSON text, to be freed with free(); NULL if out of memory. Numbers round-trip. */
char *cst_document_print(const cst_document *document);
/* A section or value as compact JSON, likewise. */
char *cst_config_print(cst_config config);
char *cst_config_print_lines(cst_config config); /* like a document */

/* Give an object's key a value, JSON text, whether or not it has one. CST_EARG if `json` is no JSON. */
CST_MUST_CHECK cst_status cst_config_put(cst_config object, const char *key, const char *json, cst_error *error);

/* ---- tables of keys ------------------------------------------------------------------------------------------ */

typedef enum cst_key_kind {
    CST_KEY_SIZE,    /* whole number -> size_t */
    CST_KEY_REAL,    /* number -> double */
    CST_KEY_BOOL,    /* true or false -> bool */
    CST_KEY_STRING,  /* -> const char *, the document's */
    CST_KEY_CHOICE,  /* one of `choices` -> int, its index */
    CST_KEY_SECTION, /* object -> cst_config */
    CST_KEY_LIST,    /* array -> cst_config */
    CST_KEY_ANY      /* anything -> cst_config; the reader checks it */
} cst_key_kind;

/* The numbers that a key may have. All zero means any number, so that a table can leave it out. */
typedef enum cst_end { CST_NO_END, CST_INCLUDED, CST_EXCLUDED } cst_end;
typedef struct cst_range {
    double low, high;
    cst_end low_end, high_end; /* whether there is a bound, and whether it is in the range */
} cst_range;

/* The body of a macro that is an initializer, or several of them with commas between: {...}, {...}. */
#define CST_INIT(...) __VA_ARGS__

/* Initializers of a range: .range = CST_AT_LEAST(0). */
#define CST_ANY CST_INIT({0, 0, CST_NO_END, CST_NO_END})
#define CST_POSITIVE CST_INIT({0, 0, CST_EXCLUDED, CST_NO_END})                  /* x > 0 */
#define CST_AT_LEAST(low) CST_INIT({low, 0, CST_INCLUDED, CST_NO_END})           /* x >= low */
#define CST_AT_MOST(high) CST_INIT({0, high, CST_NO_END, CST_INCLUDED})          /* x <= high */
#define CST_BETWEEN(low, high) CST_INIT({low, high, CST_INCLUDED, CST_INCLUDED}) /* low <= x <= high */
#define CST_INSIDE(low, high) CST_INIT({low, high, CST_EXCLUDED, CST_EXCLUDED})  /* low < x < high */
#define CST_BELOW(high) CST_INIT({0, high, CST_INCLUDED, CST_EXCLUDED})          /* 0 <= x < high */

typedef struct cst_key {
    const char *name;
    cst_key_kind kind;
    size_t offset;              /* offsetof the value in the struct read into */
    const char *fallback;       /* default as JSON text; NULL: the key is required; "": optional, the value stays
                                   what it was (node NULL for configs) */
    cst_range range;            /* of a number, or of a list's numbers; a size is from 0 to 2^53 besides */
    const char *const *choices; /* CST_KEY_CHOICE: names, ended by NULL */
    const char *help;           /* one phrase for `costate list` and the documentation */
    const char *holds;          /* what a string names, or a section, list or value is made of, by a name that
                                   cli/catalog.h knows: "module", "numbers"; NULL: anything, checked elsewhere */
} cst_key;

/* Read a section by its table (ended by an entry with name NULL). Errors (CST_ECONFIG): unknown key (with the name
 * that it has now, or the nearest known one), missing key, wrong type, number out of range. `target` is the struct that offsets refer to. The key
 * "type" is accepted beside the table's where `typed`. An explicit null counts as absent where fallback is "" or
 * "null"; either way the value stays what it was (a cst_config is one that is not present). Defaults are added behind
 * the keys that are there, in the table's order. */
CST_MUST_CHECK cst_status cst_config_read(cst_config section, const cst_key *keys, bool typed, void *target,
                                          cst_error *error);

/* The key's range; that of a size has included bounds, whole numbers from 0. */
cst_range cst_key_range(const cst_key *key);

/* What a key expects, in words: "an integer from 0 to 64"; but "a list" whatever it holds. Returns text. */
enum { CST_KEY_TEXT = 320 };
const char *cst_key_text(const cst_key *key, char text[CST_KEY_TEXT]);

/* The index of the section's "type" among `names` (ended by NULL). `what` is "module", "optimizer" ... for messages. */
CST_MUST_CHECK cst_status cst_config_type(cst_config section, const char *what, const char *const *names, size_t *index,
                                          cst_error *error);

/* ---- places -------------------------------------------------------------------------------------------------- */

bool cst_config_present(cst_config config); /* false for absent and for null */
bool cst_config_is_object(cst_config config);
bool cst_config_is_list(cst_config config);
size_t cst_config_length(cst_config list_or_object); /* 0 for anything else */
cst_config cst_config_item(cst_config list_or_object, size_t i);
const char *cst_config_key(cst_config member);                 /* its name in its object; NULL in a list */
cst_config cst_config_get(cst_config object, const char *key); /* case-sensitive; absent: node NULL */
cst_config cst_config_next(cst_config item);              /* the one after it in its list or object; node NULL: none */
const char *cst_config_string(cst_config config);         /* NULL if it is no string */
bool cst_config_number(cst_config config, double *value); /* false if it is no number */
bool cst_config_bool(cst_config config, bool *value);     /* false if it is neither true nor false */

/* A list of numbers (a single number counts as a list of one): allocated, to be freed with free(). */
CST_MUST_CHECK cst_status cst_config_reals(cst_config list, double **values, size_t *n, cst_error *error);

/* CST_ECONFIG with "FILE: PATH: " before the message. */
cst_status cst_config_fail(cst_config config, cst_error *error, const char *format, ...) CST_PRINTF(3, 4);
/* The same with "expected `what`, got ...", the value there shortened. */
cst_status cst_config_expected(cst_config config, const char *what, cst_error *error);
/* Put "FILE: PATH: " before the message that *error has already, and make it CST_ECONFIG. */
cst_status cst_config_place(cst_config config, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
