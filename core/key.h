/* Tables of keys: what a section of a config may contain. cst_config_read (core/config.h) reads a section by such a
 * table, and `costate list` and docs/config.md show the same tables.
 *
 *     static const cst_key keys[] = {
 *         {.name = "rtol", .kind = CST_KEY_REAL, .offset = offsetof(options, rtol), .fallback = "1e-6",
 *          .range = CST_POSITIVE, .help = "relative tolerance"},
 *         {0}}; */
#ifndef CST_CORE_KEY_H
#define CST_CORE_KEY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What kind of JSON value a key has, and the C type of the member into which it is read. */
typedef enum cst_key_kind {
    CST_KEY_SIZE,    /* whole number -> size_t */
    CST_KEY_REAL,    /* number -> double */
    CST_KEY_BOOL,    /* true or false -> bool */
    CST_KEY_STRING,  /* string -> const char *, owned by the document */
    CST_KEY_CHOICE,  /* one of the strings in `choices` -> int, its index */
    CST_KEY_SECTION, /* object -> cst_config */
    CST_KEY_LIST,    /* array -> cst_config */
    CST_KEY_ANY      /* anything -> cst_config; the reader checks it */
} cst_key_kind;

/* One end of a range: unbounded, or bounded with or without the bound itself. */
typedef enum cst_end { CST_NO_END, CST_INCLUDED, CST_EXCLUDED } cst_end;

/* The numbers that a key accepts. All zero means any number, so that a table can leave the range out. */
typedef struct cst_range {
    double low, high; /* not used where the end is CST_NO_END */
    cst_end low_end, high_end;
} cst_range;

/* Passes an initializer that contains commas through a macro as one argument: {...} or {...}, {...}. */
#define CST_INIT(...) __VA_ARGS__

/* Initializers of a range: .range = CST_AT_LEAST(0). */
#define CST_ANY CST_INIT({0, 0, CST_NO_END, CST_NO_END})
#define CST_POSITIVE CST_INIT({0, 0, CST_EXCLUDED, CST_NO_END})                  /* x > 0 */
#define CST_AT_LEAST(low) CST_INIT({low, 0, CST_INCLUDED, CST_NO_END})           /* x >= low */
#define CST_BETWEEN(low, high) CST_INIT({low, high, CST_INCLUDED, CST_INCLUDED}) /* low <= x <= high */
#define CST_INSIDE(low, high) CST_INIT({low, high, CST_EXCLUDED, CST_EXCLUDED})  /* low < x < high */
#define CST_BELOW(high) CST_INIT({0, high, CST_INCLUDED, CST_EXCLUDED})          /* 0 <= x < high */

/* JSON text without escaped quotes: CST_JSON({"type": "tanh"}) is "{\"type\": \"tanh\"}". The argument is a sequence
 * of C tokens; white space between them becomes at most one space, and macros inside are not expanded. */
#define CST_JSON(...) #__VA_ARGS__

/* One key of a section. All strings and tables are static. A table of keys ends with an entry whose name is NULL. */
typedef struct cst_key {
    const char *name;
    cst_key_kind kind;
    size_t offset;              /* offsetof the member in the struct that is read into */
    const char *fallback;       /* the default as JSON text; NULL: the key is required; "": the key is optional, and the
                                   member keeps its value if it is absent (a cst_config gets node NULL) */
    cst_range range;            /* of the number, or of each number in a list; a size must also be in 0 .. 2^53 */
    const char *const *choices; /* for CST_KEY_CHOICE: the accepted strings, ended by NULL */
    const char *help;           /* one phrase for `costate list` and docs/config.md */
    const char *holds;          /* what a string names, or what a section, list or value consists of, as a name that
                                   cli/catalog.h knows: "module", "numbers"; NULL: the reader alone knows */
} cst_key;

/* Returns the key's range. A size whose table gives no bounds has the whole numbers from 0, and its bounds are always
 * included ones. */
cst_range cst_key_range(const cst_key *key);

/* Describe in words what values the key accepts, such as "an integer from 0 to 64". The description is written into
 * `text` and returned. A list is always called "a list", whatever its elements are. */
enum { CST_KEY_TEXT = 320 };
const char *cst_key_text(const cst_key *key, char text[CST_KEY_TEXT]);

#ifdef __cplusplus
}
#endif
#endif
