#include "datasets/ts_reader.h"

#include <stdlib.h>
#include <string.h>

/* Copy the header's names if no classes are known yet. */
static cst_status take_classes(const cst_ts_reader *r, cst_ts_classes *classes)
{
    if (!r->classes || classes->names) return CST_OK;
    classes->names = malloc(strlen(r->classes) + 2);
    if (!classes->names) return cst_ts_no_memory(r);
    /* Each name is followed by a NUL in place of the blanks. */
    char *to = classes->names;
    for (const char *s = r->classes; *s; classes->n++) {
        const size_t n = strcspn(s, " \t\r");
        memcpy(to, s, n);
        to[n] = '\0';
        to += n + 1;
        s += n + strspn(s + n, " \t\r");
    }
    return CST_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const cst_ts_class *)a)->name, ((const cst_ts_class *)b)->name);
}

/* Sort the classes by name for a binary search. A name that occurs twice stands for the first of its classes. */
static cst_status sort_classes(cst_ts_reader *r, const cst_ts_classes *classes)
{
    r->by_name = malloc(cst_size_mul(classes->n, sizeof *r->by_name));
    if (!r->by_name) return cst_ts_no_memory(r);
    /* The numbers are those of the order in the header. */
    const char *name = classes->names;
    for (size_t i = 0; i < classes->n; i++, name += strlen(name) + 1) r->by_name[i] = (cst_ts_class){name, (int32_t)i};
    cst_ts_class *c = r->by_name, *last = c + classes->n - 1;
    qsort(c, classes->n, sizeof *c, by_name);
    /* Equal names are neighbours now, in any order. One pass forward takes their smallest label to the last of them, and one
     * pass backward gives it to all. */
    for (; c < last; c++)
        if (by_name(c, c + 1) == 0 && c->label < c[1].label) c[1].label = c->label;
    for (; c > r->by_name; c--)
        if (by_name(c - 1, c) == 0) c[-1].label = c->label;
    return CST_OK;
}

cst_status cst_ts_use_classes(cst_ts_reader *r, cst_ts_classes *classes)
{
    CST_TRY(take_classes(r, classes));
    return r->classes ? sort_classes(r, classes) : CST_OK;
}

cst_status cst_ts_find_class(const cst_ts_reader *r, const cst_ts_classes *classes, const char *name, int32_t *label)
{
    const cst_ts_class wanted = {name, 0}, *found = bsearch(&wanted, r->by_name, classes->n, sizeof wanted, by_name);
    if (found) *label = found->label;
    return found ? CST_OK : cst_ts_fail(r, "", "a class that the training file's @classLabel names", name);
}
