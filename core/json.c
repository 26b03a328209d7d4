#include "core/json.h"

#include "core/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST_NUMBER = 63 };

/* A text being checked. Every function below returns true and moves `at` past what it accepts, or returns false and
 * fills `problem`. */
typedef struct scanner {
    const char *text;
    size_t size, at;
    size_t depth, max_depth;
    size_t n_values;          /* values that have begun so far */
    size_t wanted;            /* the number of the value to locate; SIZE_MAX: none */
    size_t value, key;        /* offsets of that value and of its key */
    cst_json_problem problem; /* the error, once a function has returned false */
} scanner;

/* ---- characters and errors ----------------------------------------------------------------------------------- */

/* The next byte, or -1 at the end of the text. */
static int peek(const scanner *s)
{
    return s->at < s->size ? (unsigned char)s->text[s->at] : -1;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(int c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static void skip_space(scanner *s)
{
    for (int c = peek(s); c == ' ' || c == '\n' || c == '\r' || c == '\t'; c = peek(s)) s->at++;
}

/* Set the problem and return false. */
static bool problem_at(scanner *s, size_t offset, const char *text)
{
    s->problem.offset = offset;
    snprintf(s->problem.text, sizeof s->problem.text, "%s", text);
    return false;
}

/* Set the problem to "expected X, got Y" at the current position, and return false. Y is a whole word, or one
 * character. */
static bool expected(scanner *s, const char *what)
{
    s->problem.offset = s->at;
    char *out = s->problem.text;
    const size_t capacity = sizeof s->problem.text;
    /* Measure the word, of at most 20 bytes, and the UTF-8 character here. */
    const char *here = s->text + s->at;
    size_t word = 0;
    while (word < 20 && s->at + word < s->size && is_word((unsigned char)here[word])) word++;
    const size_t character = cst_utf8_size(here, s->size - s->at);
    if (s->at >= s->size) {
        snprintf(out, capacity, "expected %s, got the end of the text", what);
    } else if (word > 0) {
        snprintf(out, capacity, "expected %s, got %.*s", what, (int)word, here);
    } else if (character == 0 || (unsigned char)*here < 0x20 || *here == 0x7f) {
        snprintf(out, capacity, "expected %s, got byte 0x%02X", what, (unsigned char)*here);
    } else {
        snprintf(out, capacity, "expected %s, got '%.*s'", what, (int)character, here);
    }
    return false;
}

/* ---- values -------------------------------------------------------------------------------------------------- */

/* The value of four hexadecimal digits at an offset, or -1. */
static int hex4(const scanner *s, size_t at)
{
    if (s->size - at < 4) return -1;
    int code = 0;
    for (size_t i = at; i < at + 4; i++) {
        const int c = (unsigned char)s->text[i];
        if (is_digit(c)) {
            code = code * 16 + (c - '0');
        } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
            code = code * 16 + ((c | 0x20) - 'a' + 10);
        } else {
            return -1;
        }
    }
    return code;
}

/* The rest of an escape sequence; s->at is after the backslash. */
static bool escape(scanner *s)
{
    const size_t start = s->at - 1;
    const int c = peek(s);
    s->at++;
    if (c != 'u') {
        if (c > 0 && strchr("\"\\/bfnrt", c)) return true;
        return problem_at(s, start, "unknown escape in a string");
    }
    /* \u and four digits, but not U+0000, which would end the string in C. */
    const int code = hex4(s, s->at);
    if (code < 0) return problem_at(s, start, "expected four hexadecimal digits after \\u");
    if (code == 0) return problem_at(s, start, "\\u0000 in a string");
    s->at += 4;
    /* A character beyond 16 bits is written as two surrogates, the high one first. */
    if (code < 0xd800 || code > 0xdfff) return true;
    if (code < 0xdc00 && s->size - s->at >= 6 && memcmp(s->text + s->at, "\\u", 2) == 0) {
        const int low = hex4(s, s->at + 2);
        s->at += 6;
        if (low >= 0xdc00 && low <= 0xdfff) return true;
    }
    return problem_at(s, start, "half of a surrogate pair in a string");
}

/* A string with its quotes. */
static bool string(scanner *s)
{
    const size_t start = s->at++;
    for (;;) {
        const int c = peek(s);
        if (c < 0) return problem_at(s, start, "a string without its closing quote");
        if (c < 0x20) return problem_at(s, s->at, "a control character in a string: escape it");
        const size_t size = cst_utf8_size(s->text + s->at, s->size - s->at);
        if (size == 0) return problem_at(s, s->at, "malformed UTF-8 in a string");
        s->at += size;
        if (c == '"') return true;
        if (c == '\\' && !escape(s)) return false;
    }
}

/* One or more digits. */
static bool digits(scanner *s)
{
    if (!is_digit(peek(s))) return expected(s, "a digit");
    while (is_digit(peek(s))) s->at++;
    return true;
}

/* A number: sign, integer part, fraction, exponent. */
static bool number(scanner *s)
{
    /* The integer part has no leading zeros. */
    const size_t start = s->at;
    if (peek(s) == '-') s->at++;
    if (peek(s) == '0') {
        s->at++;
        if (is_digit(peek(s))) return problem_at(s, start, "a number with a leading zero");
    } else if (!digits(s)) {
        return false;
    }
    /* Both the fraction and the exponent are optional. */
    if (peek(s) == '.') {
        s->at++;
        if (!digits(s)) return false;
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        if (peek(s) == '+' || peek(s) == '-') s->at++;
        if (!digits(s)) return false;
    }
    /* cJSON copies a number into a buffer of 64 bytes. */
    if (s->at - start > LONGEST_NUMBER) return problem_at(s, start, "a number of more than 63 characters");
    return true;
}

/* true, false or null. */
static bool literal(scanner *s)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const size_t n = strlen(words[i]);
        if (s->size - s->at >= n && memcmp(s->text + s->at, words[i], n) == 0) {
            s->at += n;
            return true;
        }
    }
    return expected(s, "a value");
}

static bool container(scanner *s);

/* Any value. `key` is the offset of its key, or of the value itself. */
static bool value(scanner *s, size_t key)
{
    if (s->n_values++ == s->wanted) {
        s->value = s->at;
        s->key = key;
    }
    const int c = peek(s);
    if (c == '{' || c == '[') return container(s);
    if (c == '"') return string(s);
    if (c == '-' || is_digit(c)) return number(s);
    return literal(s);
}

/* A list or an object with all its values. */
static bool container(scanner *s)
{
    const bool object = peek(s) == '{';
    const int close = object ? '}' : ']';
    if (s->depth == s->max_depth) {
        s->problem.offset = s->at;
        snprintf(s->problem.text, sizeof s->problem.text, "nested deeper than %zu lists and objects", s->max_depth);
        return false;
    }
    /* Values with commas between them; those of an object have a key and a colon first. */
    s->depth++;
    s->at++;
    skip_space(s);
    bool more = peek(s) != close;
    while (more) {
        skip_space(s);
        const size_t start = s->at;
        if (object) {
            if (peek(s) != '"') return expected(s, "a key in double quotes");
            if (!string(s)) return false;
            skip_space(s);
            if (peek(s) != ':') return expected(s, "':'");
            s->at++;
            skip_space(s);
        }
        if (!value(s, start)) return false;
        skip_space(s);
        more = peek(s) == ',';
        if (more) s->at++;
    }
    if (peek(s) != close) return expected(s, object ? "',' or '}'" : "',' or ']'");
    s->at++;
    s->depth--;
    return true;
}

/* ---- public functions ---------------------------------------------------------------------------------------- */

bool cst_json_check(const char *text, size_t size, size_t max_depth, cst_json_problem *problem)
{
    scanner s = {.text = text, .size = size, .max_depth = max_depth, .wanted = SIZE_MAX};
    skip_space(&s);
    bool good = value(&s, s.at);
    skip_space(&s);
    if (good && s.at < size) good = expected(&s, "the end of the text");
    if (!good) *problem = s.problem;
    return good;
}

void cst_json_locate(const char *text, size_t size, size_t i, size_t *where, size_t *key)
{
    scanner s = {.text = text, .size = size, .max_depth = SIZE_MAX, .wanted = i};
    skip_space(&s);
    (void)value(&s, s.at);
    *where = s.value;
    *key = s.key;
}

void cst_json_line(const char *text, size_t offset, size_t *line, size_t *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)text[i] & 0xc0) != 0x80) { /* a UTF-8 character counts at its first byte */
            ++*column;
        }
    }
}
