#include "datasets/ts_reader.h"

#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void cst_ts_reader_clear(cst_ts_reader *r)
{
    free(r->by_name);
    free(r->starts);
    free(r->heads);
    free(r->times);
    free(r->values);
}

cst_status cst_ts_no_memory(const cst_ts_reader *r)
{
    return cst_fail(r->error, CST_ENOMEM, "%s: out of memory", r->path);
}

cst_status cst_ts_fail(const cst_ts_reader *r, const char *place, const char *what, const char *found)
{
    /* Shortened and with control characters escaped. */
    cst_text text = {0};
    cst_text_excerpt(&text, found);
    const cst_status status = text.failed ? cst_ts_no_memory(r)
                                          : cst_fail(r->error, CST_EFORMAT, "%s: line %zu%s: expected %s, found %s",
                                                     r->path, r->line, place, what, text.data);
    free(text.data);
    return status;
}

/* ---- text ---------------------------------------------------------------------------------------------------- */

/* A carriage return counts as a blank, for files with DOS line ends. */
static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

char *cst_ts_trim(char *s)
{
    while (is_blank(*s)) s++;
    /* Drop the blanks at the end. */
    size_t n = strlen(s);
    while (n > 0 && is_blank(s[n - 1])) n--;
    s[n] = '\0';
    return s;
}

char *cst_ts_next_line(cst_ts_reader *r)
{
    while (r->next < r->end) {
        /* Cut the text at the line's end. */
        char *line = r->next, *end = memchr(line, '\n', (size_t)(r->end - line));
        r->next = end ? end + 1 : r->end;
        if (end) *end = '\0';
        r->line++;
        line = cst_ts_trim(line);
        if (*line && *line != '#') return line;
    }
    return NULL;
}

char *cst_ts_cut(char *s, char separator)
{
    bool inside = false;
    for (; *s; s++) {
        if (*s == '(') inside = true;
        if (*s == ')') inside = false;
        if (*s != separator || inside) continue;
        *s = '\0';
        return s + 1;
    }
    return NULL;
}

/* ---- the header ---------------------------------------------------------------------------------------------- */

/* The trimmed value after "@KEY", or NULL if the line has another key. */
static char *value_of(char *line, const char *key)
{
    const size_t n = strlen(key);
    if (strncasecmp(line, key, n) != 0 || (line[n] && !is_blank(line[n]))) return NULL;
    return cst_ts_trim(line + n);
}

/* "true" or "false", in any case. */
static cst_status read_bool(const cst_ts_reader *r, const char *key, const char *value, bool *result)
{
    char place[40];
    *result = strcasecmp(value, "true") == 0;
    if (*result || strcasecmp(value, "false") == 0) return CST_OK;
    snprintf(place, sizeof place, ", %s", key);
    return cst_ts_fail(r, place, "true or false", value);
}

/* "@classLabel true NAME ..." or "@classLabel false": keep the names. */
static cst_status read_classes(cst_ts_reader *r, char *value)
{
    /* The first word is the bool, the rest are names. */
    bool labelled;
    char *names = value + strcspn(value, " \t");
    if (*names) *names++ = '\0';
    CST_TRY(read_bool(r, "@classLabel", value, &labelled));
    r->classes = labelled ? cst_ts_trim(names) : NULL;
    if (!labelled || *r->classes) return CST_OK;
    return cst_ts_fail(r, ", @classLabel", "the names of the classes after \"true\"", names);
}

/* "@dimensions N" */
static cst_status read_dimensions(cst_ts_reader *r, const char *value)
{
    char *end;
    const unsigned long long n = strtoull(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || n < 1 || n >= SIZE_MAX)
        return cst_ts_fail(r, ", @dimensions", "a positive integer", value);
    r->dimensions = (size_t)n;
    return CST_OK;
}

/* One line of the header. Keys that are not listed are ignored. */
static cst_status read_key(cst_ts_reader *r, char *line)
{
    char *value;
    bool univariate;
    /* Keys are compared in any case; @dimension is accepted for @dimensions. */
    if ((value = value_of(line, "@timestamps"))) return read_bool(r, "@timeStamps", value, &r->timed);
    if ((value = value_of(line, "@targetlabel"))) return read_bool(r, "@targetLabel", value, &r->target);
    if ((value = value_of(line, "@classlabel"))) return read_classes(r, value);
    if ((value = value_of(line, "@dimensions"))) return read_dimensions(r, value);
    if ((value = value_of(line, "@dimension"))) return read_dimensions(r, value);
    if ((value = value_of(line, "@univariate"))) {
        CST_TRY(read_bool(r, "@univariate", value, &univariate));
        if (univariate) r->dimensions = 1;
    }
    return CST_OK;
}

cst_status cst_ts_read_header(cst_ts_reader *r)
{
    char *line;
    /* Every line before @data must be a key. */
    while ((line = cst_ts_next_line(r))) {
        if (*line != '@') return cst_ts_fail(r, "", "a line with @ or # at its beginning before @data", line);
        if (value_of(line, "@data")) break;
        CST_TRY(read_key(r, line));
    }
    if (!line)
        return cst_fail(r->error, CST_EFORMAT, "%s: expected a line @data, found the end of the file after %zu lines",
                        r->path, r->line);
    /* Exactly one of classes and targets. */
    if (!r->classes != !r->target) return CST_OK;
    return cst_fail(r->error, CST_EFORMAT,
                    "%s: line %zu: expected one of @classLabel true and @targetLabel true before @data, found %s",
                    r->path, r->line, r->target ? "both" : "neither");
}
