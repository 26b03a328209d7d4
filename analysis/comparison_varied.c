/* The part of analysis/comparison.h that reads varied options. */
#include "analysis/comparison.h"

#include <stdlib.h>
#include <string.h>

/* The end of the value that `text` begins with: a comma outside brackets and quotes, or the end of the text. */
static const char *end_of_value(const char *text)
{
    int depth = 0;
    bool quoted = false;
    for (; *text; text++) {
        /* An escaped character in quotes is skipped. */
        if (*text == '\\' && quoted && text[1])
            text++;
        else if (*text == '"')
            quoted = !quoted;
        else if (!quoted && strchr("[{", *text))
            depth++;
        else if (!quoted && strchr("]}", *text))
            depth--;
        else if (!quoted && depth <= 0 && *text == ',')
            break;
    }
    return text;
}

/* The first n bytes of a text, allocated. NULL if out of memory. */
static char *copy(const char *text, size_t n)
{
    char *result = malloc(n + 1);
    if (!result) return NULL;
    memcpy(result, text, n);
    result[n] = '\0';
    return result;
}

/* Append a copy of a value. */
static cst_status add_value(cst_varied *v, const char *text, size_t n, cst_error *error)
{
    /* The array keeps its old size if the copy cannot be allocated. */
    char **values = realloc(v->values, (v->n + 1) * sizeof *values);
    if (values) v->values = values;
    char *value = values ? copy(text, n) : NULL;
    if (!value) return cst_fail(error, CST_ENOMEM, "out of memory");
    v->values[v->n++] = value;
    return CST_OK;
}

cst_status cst_varied_parse(const char *text, cst_varied *v, cst_error *error)
{
    const char *equals = strchr(text, '=');
    *v = (cst_varied){0};
    if (!equals || equals == text || !equals[1])
        return cst_fail(error, CST_EARG, "expected PATH=VALUE,VALUE,..., got \"%s\"", text);
    /* The path, then the values between commas. */
    v->path = copy(text, (size_t)(equals - text));
    cst_status status = v->path ? CST_OK : cst_fail(error, CST_ENOMEM, "out of memory");
    for (const char *value = equals + 1; status == CST_OK;) {
        /* An empty value is a mistake, as in "lr=0.1,,0.2". */
        const char *end = end_of_value(value);
        if (end == value) status = cst_fail(error, CST_EARG, "expected a value before \"%s\" in \"%s\"", end, text);
        if (status == CST_OK) status = add_value(v, value, (size_t)(end - value), error);
        if (!*end) break;
        value = end + 1;
    }
    if (status != CST_OK) cst_varied_clear(v);
    return status;
}

void cst_varied_clear(cst_varied *v)
{
    for (size_t i = 0; i < v->n; i++) free(v->values[i]);
    free(v->values);
    free(v->path);
    *v = (cst_varied){0};
}
