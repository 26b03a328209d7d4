/* A strict validator for JSON (RFC 8259, https://www.rfc-editor.org/rfc/rfc8259). It builds no tree: core/config.c lets
 * cJSON build one when the text is known to be valid.
 *
 * It is stricter than the RFC where a C program has to be: strings contain no NUL, nesting has a limit, and numbers
 * have at most 63 characters. It does not look for duplicate keys or for numbers that are too large for a double:
 * core/config.c checks these in the tree. */
#ifndef CST_CORE_JSON_H
#define CST_CORE_JSON_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The first error in a text. */
typedef struct cst_json_problem {
    size_t offset;  /* in bytes from the start of the text */
    char text[120]; /* "expected ',' or '}', got 'x'" */
} cst_json_problem;

/* Returns whether `size` bytes of text are one JSON value with optional white space around it, in which lists and
 * objects are nested at most max_depth deep. If it returns false, *problem is the first error. The text need not end in
 * a NUL. */
bool cst_json_check(const char *text, size_t size, size_t max_depth, cst_json_problem *problem);

/* Find the i-th value of a text that passed the check. Values are counted from 0 in the order in which they begin,
 * so that a list or an object is counted before its elements. *value is the offset of the value. *key is the offset
 * of its key, or of the value itself if it has no key. */
void cst_json_locate(const char *text, size_t size, size_t i, size_t *value, size_t *key);

/* Find the line of an offset, and the column of its character in that line. Both are counted from 1. A UTF-8 character
 * counts once. */
void cst_json_line(const char *text, size_t offset, size_t *line, size_t *column);

#ifdef __cplusplus
}
#endif
#endif
