#include "core/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Make room for n more bytes and a NUL. The capacity doubles, so that appending n bytes one by one costs O(n). */
static bool reserve(cst_text *text, size_t n)
{
    if (text->failed) return false;
    if (n < text->capacity - text->size) return true;
    /* The sum may overflow. */
    const size_t wanted = text->size + n + 1;
    if (wanted <= n || wanted > SIZE_MAX / 2) {
        text->failed = true;
        return false;
    }
    /* On failure the old buffer stays, for the caller to free. */
    const size_t capacity = wanted < 64 ? 64 : 2 * wanted;
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void cst_text_add(cst_text *text, const char *bytes, size_t n)
{
    if (!reserve(text, n)) return;
    if (n > 0) memcpy(text->data + text->size, bytes, n); /* memcpy must not get NULL */
    text->size += n;
    text->data[text->size] = '\0';
}

void cst_text_puts(cst_text *text, const char *string)
{
    cst_text_add(text, string, strlen(string));
}

void cst_text_printf(cst_text *text, const char *format, ...)
{
    /* Measure the text, make room, then write it. */
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        text->failed = true;
        return;
    }
    if (!reserve(text, (size_t)n)) return;
    va_start(args, format);
    vsnprintf(text->data + text->size, (size_t)n + 1, format, args);
    va_end(args);
    text->size += (size_t)n;
}

void cst_text_cut(cst_text *text, size_t size)
{
    if (size >= text->size) return;
    text->size = size;
    text->data[size] = '\0';
}

/* Whether the character at s is one of U+0080 .. U+009F. These are control characters, too: U+009B begins an escape
 * sequence, as ESC [ does. */
static bool is_c1(const char *s)
{
    return (unsigned char)s[0] == 0xc2 && (unsigned char)s[1] >= 0x80 && (unsigned char)s[1] < 0xa0;
}

void cst_text_quote(cst_text *text, const char *string)
{
    /* Quotes, backslashes and control characters are escaped; other bytes are copied. */
    cst_text_add(text, "\"", 1);
    for (const char *s = string; *s; s++) {
        const unsigned char c = (unsigned char)*s;
        if (is_c1(s)) {
            cst_text_printf(text, "\\u%04x", (unsigned char)*++s);
        } else if (c == '"' || c == '\\') {
            const char escaped[2] = {'\\', *s};
            cst_text_add(text, escaped, 2);
        } else if (c == '\n') {
            cst_text_add(text, "\\n", 2);
        } else if (c == '\t') {
            cst_text_add(text, "\\t", 2);
        } else if (c < 0x20 || c == 0x7f) {
            cst_text_printf(text, "\\u%04x", c);
        } else {
            cst_text_add(text, s, 1);
        }
    }
    cst_text_add(text, "\"", 1);
}

/* The number of bytes of the character at s, or 0 if it must be escaped. s is not at the end of its string. */
static size_t shown_size(const char *s)
{
    const unsigned char c = (unsigned char)*s;
    return c < 0x20 || c == 0x7f || is_c1(s) ? 0 : cst_utf8_size(s, strnlen(s, 4));
}

void cst_text_visible(cst_text *text, const char *string)
{
    cst_text_add(text, "", 0); /* data is not NULL even for an empty string */
    while (*string) {
        const size_t n = shown_size(string);
        const char c = *string;
        if (n > 0)
            cst_text_add(text, string, n);
        else if (c == '\n' || c == '\t' || c == '\r')
            cst_text_puts(text, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
        else if (is_c1(string))
            cst_text_printf(text, "\\u%04x", (unsigned char)string[1]);
        else
            cst_text_printf(text, "\\x%02x", (unsigned char)c);
        string += n > 0 ? n : is_c1(string) ? 2 : 1;
    }
}

bool cst_text_is_visible(const char *string)
{
    for (size_t n; *string; string += n) {
        n = shown_size(string);
        if (n == 0) return false;
    }
    return true;
}

void cst_text_number(cst_text *text, double value)
{
    /* The first precision from which the same number is read back. */
    char digits[40];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value) break;
    }
    /* printf writes the locale's decimal point; JSON has '.' always. */
    for (char *c = digits; *c; c++) {
        if (!strchr("+-0123456789e", *c)) *c = '.';
    }
    cst_text_puts(text, digits);
}

size_t cst_utf8_size(const char *s, size_t left)
{
    if (left == 0) return 0;
    /* The first byte tells the size. */
    const unsigned char first = (unsigned char)s[0];
    if (first < 0x80) return 1;
    const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || size > left) return 0;
    /* The first byte holds 7 - size bits of the code point, and each following byte holds 6. */
    unsigned code = first & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        const unsigned char next = (unsigned char)s[i];
        if ((next & 0xc0) != 0x80) return 0;
        code = code << 6 | (next & 0x3fU);
    }
    /* Refuse overlong forms, code points that do not exist, and surrogates. */
    if ((size == 3 && code < 0x800) || (size == 4 && code < 0x10000) || code > 0x10ffff) return 0;
    return code >= 0xd800 && code <= 0xdfff ? 0 : size;
}

size_t cst_utf8_cut(const char *s, size_t n, size_t limit)
{
    if (n <= limit) return n;
    /* Go back to the beginning of the character that contains byte `limit`. */
    while (limit > 0 && ((unsigned char)s[limit] & 0xc0) == 0x80) limit--;
    return limit;
}

size_t cst_utf8_whole(const char *s, size_t n)
{
    /* Find the first byte of the last character: bytes that follow a first one are 10xxxxxx. */
    size_t first = n;
    for (size_t i = 0; i < 3 && first > 0 && ((unsigned char)s[first - 1] & 0xc0) == 0x80; i++) first--;
    if (first == 0 || (unsigned char)s[first - 1] < 0xc0) return n;
    /* Remove the character if its size says that bytes are missing. */
    const unsigned char lead = (unsigned char)s[--first];
    const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    return first + size > n ? first : n;
}

void cst_text_excerpt(cst_text *text, const char *string)
{
    enum { EXCERPT = 40 };
    char cut[EXCERPT + 4];
    const size_t n = cst_utf8_cut(string, strlen(string), EXCERPT);
    snprintf(cut, sizeof cut, "%.*s%s", (int)n, string, string[n] ? "..." : "");
    cst_text_quote(text, cut);
}

size_t cst_text_distance(const char *a, const char *b)
{
    enum { LONGEST = 63 };
    const size_t na = strnlen(a, LONGEST), nb = strnlen(b, LONGEST);
    /* d[i][j] is the distance between the first i bytes of a and the first j bytes of b (optimal string alignment):
     *     d[i][j] = min(d[i-1][j-1] + [a_i != b_j], d[i-1][j] + 1, d[i][j-1] + 1,
     *                   d[i-2][j-2] + 1 if the last two are swapped). */
    unsigned char d[LONGEST + 1][LONGEST + 1];
    for (size_t i = 0; i <= na; i++) d[i][0] = (unsigned char)i;
    for (size_t j = 0; j <= nb; j++) d[0][j] = (unsigned char)j;
    for (size_t i = 1; i <= na; i++) {
        for (size_t j = 1; j <= nb; j++) {
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && d[i - 2][j - 2] + 1 < best) best = d[i - 2][j - 2] + 1;
            d[i][j] = (unsigned char)best;
        }
    }
    return d[na][nb];
}
