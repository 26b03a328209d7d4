#include "datasets/locate.h"

#include "core/text.h"

#include <stdlib.h>
#include <sys/stat.h>

static const char shared_data[] = "../shared/data"; /* beside the project, where its contributors keep data */

/* A search under way: what has been tried, and the first place that exists. */
typedef struct search {
    cst_text tried;
    char *found;
    bool failed; /* out of memory */
} search;

static void try_place(search *s, const char *folder, const char *name, const char *suffix)
{
    if (s->found || s->failed) return;
    cst_text place = {0};
    cst_text_printf(&place, "%s%s%s%s", folder, *folder ? "/" : "", name, suffix);
    cst_text_printf(&s->tried, "%s%s", s->tried.size > 0 ? ", " : "", place.failed ? "" : place.data);
    s->failed = place.failed || s->tried.failed;
    struct stat info;
    if (!s->failed && stat(place.data, &info) == 0) {
        s->found = place.data;
        return;
    }
    free(place.data);
}

/* NAME in a folder ("" is the current one, or none if the name is absolute), as it is and then compressed. */
static void try_folder(search *s, const char *folder, const char *name, bool compressed)
{
    try_place(s, folder, name, "");
    if (compressed) try_place(s, folder, name, ".gz");
}

static void try_roots(search *s, const char *name, bool compressed)
{
    const char *root = getenv("COSTATE_DATA");
    if (root && *root) try_folder(s, root, name, compressed);
    try_folder(s, shared_data, name, compressed);
}

static cst_status finish(search *s, const char *package, char **found, cst_error *error)
{
    cst_status status = CST_OK;
    if (s->failed) {
        free(s->found);
        status = cst_fail(error, CST_ENOMEM, "out of memory");
    } else if (s->found) {
        *found = s->found;
    } else if (package) {
        status = cst_fail(error, CST_EIO, "no data found: install the Debian package %s, or set \"path\"; tried %s",
                          package, s->tried.data);
    } else {
        status = cst_fail(error, CST_EIO, "no data found: tried %s", s->tried.data);
    }
    free(s->tried.data);
    return status;
}

cst_status cst_locate(const cst_whereabouts *where, char **found, cst_error *error)
{
    search s = {0};
    if (where->path) {
        try_folder(&s, "", where->path, where->compressed);
        if (*where->path != '/') try_roots(&s, where->path, where->compressed);
        return finish(&s, NULL, found, error);
    }
    if (where->system) try_folder(&s, "", where->system, where->compressed);
    try_roots(&s, where->name, where->compressed);
    return finish(&s, where->package, found, error);
}

cst_status cst_locate_in(const char *folder, const char *name, bool compressed, char **found, cst_error *error)
{
    search s = {0};
    try_folder(&s, folder, name, compressed);
    return finish(&s, NULL, found, error);
}

cst_status cst_locate_files(const char *folder, const char *const *names, size_t n, char **found, cst_error *error)
{
    char *place = NULL;
    if (folder) CST_TRY(cst_locate(&(cst_whereabouts){.path = folder}, &place, error));
    cst_status status = CST_OK;
    for (size_t i = 0; status == CST_OK && i < n; i++) {
        if (!names[i]) continue;
        status = place ? cst_locate_in(place, names[i], false, &found[i], error)
                       : cst_locate(&(cst_whereabouts){.path = names[i]}, &found[i], error);
    }
    free(place);
    return status;
}
