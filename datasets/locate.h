/* Where data files are looked for.
 *
 * A path from the config is tried as it is and, if it is relative, below the folder $COSTATE_DATA and below ../shared/data as
 * well. Without a path, the folder where the system's package puts the data is tried, and then the data set's own folder below
 * these two roots. The first place that exists is taken. */
#ifndef CST_DATASETS_LOCATE_H
#define CST_DATASETS_LOCATE_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_data_location {
    const char *path;    /* the path from the config; NULL: look for `name` */
    const char *name;    /* folder of the data set below the roots, such as "mnist"; used if path is NULL */
    const char *system;  /* folder where a package of the system puts the data; may be NULL */
    const char *package; /* the name of that package, for the message; may be NULL */
    bool compressed;     /* also try each place with ".gz" appended */
} cst_data_location;

/* A cst_key (core/config.h) for a path or file name: a const char *, `at` bytes into the options. `value` is its default,
 * "" for an optional one and NULL for a required one. */
#define CST_PATH_KEY(key, at, value, text)                                                                             \
    CST_INIT({.name = key, .kind = CST_KEY_STRING, .offset = at, .fallback = value, .help = text})

/* The optional key "path" of the data sets that read several named files (cst_locate_files). */
#define CST_FOLDER_KEY(at) CST_PATH_KEY("path", at, "", "folder of the files; without it their names are paths")

/* Set *found to the first place that exists; the caller frees it. Errors: CST_EIO, naming each place that was tried;
 * CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_locate(const cst_data_location *where, char **found, cst_error *error);

/* Set *found to FOLDER/NAME or, if that is missing and `compressed`, to FOLDER/NAME.gz; the caller frees it. Errors as
 * above. */
CST_MUST_CHECK cst_status cst_locate_in(const char *folder, const char *name, bool compressed, char **found,
                                        cst_error *error);

/* Find n files: each names[i] is a name in `folder` or, if that is NULL, a path of its own. found[i] stays as it was where
 * names[i] is NULL. The caller initializes `found` with NULL and frees each found[i], on failure too. Errors as above. */
CST_MUST_CHECK cst_status cst_locate_files(const char *folder, const char *const *names, size_t n, char **found,
                                           cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
