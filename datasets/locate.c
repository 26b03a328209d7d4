#include "datasets/locate.h"

#include "core/text.h"

#include <stdlib.h>
#include <sys/stat.h>

static const char shared_data[] = "../shared/data"; /* a folder of data beside the project */

/* The state of a search. */
typedef struct search {
    cst_text tried; /* the places so far, for the message */
    char *found;    /* the first place that exists, or NULL */
    bool failed;    /* out of memory */
} search;

/* Look at FOLDER/NAMESUFFIX, unless the search is over. */
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

/* Look for a name in a folder, then for its compressed form. With the folder "" the name is a path of its own. */
static void try_folder(search *s, const char *folder, const char *name, bool compressed)
{
    try_place(s, folder, name, "");
    if (compressed) try_place(s, folder, name, ".gz");
}

/* Look below $COSTATE_DATA and the shared folder. */
static void try_roots(search *s, const char *name, bool compressed)
{
    const char *root = getenv("COSTATE_DATA");
    if (root && *root) try_folder(s, root, name, compressed);
    try_folder(s, shared_data, name, compressed);
}

/* Return the place that was found, or report what was tried. */
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

cst_status cst_locate(const cst_data_location *where, char **found, cst_error *error)
{
    /* A path from the config: as it is, and below the roots unless it is absolute. */
    search s = {0};
    if (where->path) {
        try_folder(&s, "", where->path, where->compressed);
        if (*where->path != '/') try_roots(&s, where->path, where->compressed);
        return finish(&s, NULL, found, error);
    }
    /* No path: the system's folder, then the data set's own below the roots. */
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
    if (folder) CST_TRY(cst_locate(&(cst_data_location){.path = folder}, &place, error));
    cst_status status = CST_OK;
    /* Without a folder each name is a path, which is looked for below the roots, too. */
    for (size_t i = 0; status == CST_OK && i < n; i++) {
        if (!names[i]) continue;
        status = place ? cst_locate_in(place, names[i], false, &found[i], error)
                       : cst_locate(&(cst_data_location){.path = names[i]}, &found[i], error);
    }
    free(place);
    return status;
}
