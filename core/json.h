/* Whether a text is strictly JSON (RFC 8259), and where it is not. Builds nothing.
 *
 * Stricter than the RFC where a C program has to be: no NUL in strings, no nesting beyond a limit, no numbers of more
 * than 63 characters. Duplicate keys and numbers too large for a double show in what a parser makes of the text. */
#ifndef CST_CORE_JSON_H
#define CST_CORE_JSON_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_json_problem {
    size_t offset;
    char text[120]; /* "expected ',' or '}', got 'x'" */
} cst_json_problem;

/* Whether `size` bytes of text are one JSON value, white space around it, in which lists and objects are nested
 * at most max_depth deep; if not, the first problem. */
bool cst_json_check(const char *text, size_t size, size_t max_depth, cst_json_problem *problem);

/* In a text that passed the check: where its i-th value begins, a list or object counted before what is in it, and
 * where its key does (the value itself if it has none). */
void cst_json_locate(const char *text, size_t size, size_t i, size_t *value, size_t *key);

/* The line of an offset and the character in it, both from 1. */
void cst_json_line(const char *text, size_t offset, size_t *line, size_t *column);

#ifdef __cplusplus
}
#endif
#endif
