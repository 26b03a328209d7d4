/* Where data is looked for.
 *
 * A path that the user gave: as it is, and if it is relative also below $COSTATE_DATA and below ../shared/data.
 * No path given: the system's place for this data, then its folder below these two. */
#ifndef CST_DATASETS_LOCATE_H
#define CST_DATASETS_LOCATE_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_whereabouts {
    const char *path;    /* as the user gave it; NULL: look for the data under its own name */
    const char *name;    /* "mnist": its folder below the data roots; used if path is NULL */
    const char *system;  /* a folder where a package of the system puts it, or NULL */
    const char *package; /* that package, for the message; or NULL */
    bool compressed;     /* a file that may also be there with ".gz" at its end */
} cst_whereabouts;

/* The first of the places that exists, to be freed with free(). CST_EIO naming every place tried, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_locate(const cst_whereabouts *where, char **found, cst_error *error);

/* FOLDER/NAME, or where `compressed` FOLDER/NAME.gz if that is what there is. Likewise. */
CST_MUST_CHECK cst_status cst_locate_in(const char *folder, const char *name, bool compressed, char **found,
                                        cst_error *error);

/* Several files, each NAME in the folder that the user gave, or where that is NULL a path itself; found[i] stays NULL where
 * names[i] is. Likewise; on failure too the caller frees what has been found. */
CST_MUST_CHECK cst_status cst_locate_files(const char *folder, const char *const *names, size_t n, char **found,
                                           cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
