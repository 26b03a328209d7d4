/* Text: a buffer that grows, strings and numbers in JSON's notation, escapes for terminals, UTF-8, and an edit
 * distance between names. */
#ifndef CST_CORE_TEXT_H
#define CST_CORE_TEXT_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A string that grows. Initialize it with zeros, append to it, and check `failed` once at the end: after memory was
 * exhausted, every further call is a no-op. The caller frees `data` with free(), also after a failure. */
typedef struct cst_text {
    char *data;            /* NULL until something is appended; then it ends in a NUL */
    size_t size, capacity; /* size does not count the NUL */
    bool failed;
} cst_text;

/* Append n bytes, a string, or formatted text. `bytes` may be NULL if n is 0. */
void cst_text_add(cst_text *text, const char *bytes, size_t n);
void cst_text_puts(cst_text *text, const char *string);
void cst_text_printf(cst_text *text, const char *format, ...) CST_PRINTF(2, 3);
/* Shorten the text to its first `size` bytes. It is a no-op if the text is not longer. */
void cst_text_cut(cst_text *text, size_t size);

/* Append a string in JSON's quotes. Control characters are escaped, so that the result is one line and harmless on a
 * terminal. */
void cst_text_quote(cst_text *text, const char *string);
/* Append the first 40 bytes of a string in the same way, followed by "..." if it is longer. */
void cst_text_excerpt(cst_text *text, const char *string);
/* Append a string in a form that is safe to show on a terminal or in a picture. Control characters (U+0000 ..
 * U+001F, U+007F .. U+009F) and bytes that are not UTF-8 become \n, \t, \r, \x1b, \u009b. All other characters are
 * unchanged, including backslashes, so that escaping twice has no further effect. */
void cst_text_visible(cst_text *text, const char *string);
/* Returns whether cst_text_visible would leave the string unchanged. */
bool cst_text_is_visible(const char *string);
/* Append a finite number with the fewest digits (15, 16 or 17) from which the same double is read back. The decimal
 * separator is a point in any locale. */
void cst_text_number(cst_text *text, double value);

/* Returns the number of bytes of the UTF-8 character that begins at s, of which at most `left` bytes are read. Returns
 * 0 if the character is malformed: cut off, overlong, a surrogate, or beyond U+10FFFF. */
size_t cst_utf8_size(const char *s, size_t left);

/* Returns the length of the longest prefix of the n bytes at s that has at most `limit` bytes and does not end inside a
 * character. Reads s[limit] if n > limit. */
size_t cst_utf8_cut(const char *s, size_t n, size_t limit);

/* Returns the length of the n bytes at s without an incomplete character at their end. Bytes after the first n are not
 * read. */
size_t cst_utf8_whole(const char *s, size_t n);

/* Returns the edit distance between two strings: how many insertions, deletions, replacements and swaps of neighbouring
 * bytes turn a into b. Only the first 63 bytes of each are compared. */
size_t cst_text_distance(const char *a, const char *b);

#ifdef __cplusplus
}
#endif
#endif
