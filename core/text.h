/* Text: a buffer that grows, JSON's way of writing strings and numbers, UTF-8, and which of some names looks like
 * another. */
#ifndef CST_CORE_TEXT_H
#define CST_CORE_TEXT_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Zero-initialize it, add to it, look at `failed` once at the end: out of memory makes every later addition do
 * nothing. data is NULL until something is added, then ends in a NUL that size does not count. Free it. */
typedef struct cst_text {
    char *data;
    size_t size, capacity;
    bool failed;
} cst_text;

void cst_text_add(cst_text *text, const char *bytes, size_t n);
void cst_text_puts(cst_text *text, const char *string);
void cst_text_printf(cst_text *text, const char *format, ...) CST_PRINTF(2, 3);
void cst_text_cut(cst_text *text, size_t size); /* forget what comes after the first `size` bytes */

/* A string in JSON's quotes, control characters escaped, so that it stays on one line and no terminal obeys it. */
void cst_text_quote(cst_text *text, const char *string);
/* Likewise what a file has, cut to its first 40 bytes, with dots for the rest. */
void cst_text_excerpt(cst_text *text, const char *string);
/* A string as it may be shown on a terminal or in a picture: control characters (U+0000 .. U+001F, U+007F .. U+009F) and bytes that
 * are not UTF-8 become \n, \t, \r, \x1b, \u009b; all else is unchanged, backslashes too, so that doing it twice does no harm. */
void cst_text_visible(cst_text *text, const char *string);
bool cst_text_is_visible(const char *string); /* whether that changes nothing */
/* A finite number in the fewest digits (of 15, 16 or 17) that read back as the same double, in any locale. */
void cst_text_number(cst_text *text, double value);

/* Bytes of the UTF-8 character that begins at s, of which `left` bytes may be looked at; 0 if it is malformed (cut
 * off, overlong, a surrogate, beyond U+10FFFF). */
size_t cst_utf8_size(const char *s, size_t left);

/* The largest m <= n, limit at which s does not break inside a character. */
size_t cst_utf8_cut(const char *s, size_t n, size_t limit);

/* n bytes, without those at the end that a cut has left of a character. */
size_t cst_utf8_whole(const char *s, size_t n);

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b. Looks at 63 bytes of each. */
size_t cst_text_distance(const char *a, const char *b);

#ifdef __cplusplus
}
#endif
#endif
