/* Files in folders, one folder a class.
 *
 * PATH/train/CLASS/FILE and PATH/test/CLASS/FILE, or PATH/CLASS/FILE where PATH has no folder "train". Classes are
 * numbered in the order of their names by byte value, unless they are given; files come in the order of their classes'
 * numbers and then of their names. Files beside class folders and names that begin with a dot are ignored. */
#ifndef CST_DATASETS_CLASS_FOLDERS_H
#define CST_DATASETS_CLASS_FOLDERS_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_names {
    size_t n, capacity;
    char **name; /* (n), each malloc'ed */
} cst_names;

typedef struct cst_class_files {
    cst_names paths; /* with the folder before them */
    int32_t *labels; /* (n), or NULL: no files */
} cst_class_files;

typedef struct cst_class_folders {
    cst_names classes;           /* by number */
    cst_class_files train, test; /* test is empty where there is no folder for it */
} cst_class_folders;

/* Which files are looked for. */
typedef struct cst_class_kind {
    const char *what;         /* "images", for messages */
    const char *suffix;       /* ".wav": others are ignored, upper or lower case is the same; NULL: all */
    const cst_names *classes; /* only these, numbered so; NULL: all */
} cst_class_kind;

/* The folders of the parts below `path`, to be freed with free(): *test is NULL where the classes are right there.
 * CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_class_folders_find(const char *path, char **train, char **test, cst_error *error);

/* List the class folders in `train`, and in `test` unless it is NULL; not every class need be there. Errors, each naming the
 * folder: CST_EIO if it cannot be read; CST_EFORMAT for a folder without classes, a class without files, one of those given
 * that is not in `train`, and where none are given one in `test` that is not in `train`; CST_ENOMEM. Nothing is kept
 * then. */
CST_MUST_CHECK cst_status cst_class_folders_read(const char *train, const char *test, const cst_class_kind *kind,
                                                 cst_class_folders *folders, cst_error *error);
void cst_class_folders_clear(cst_class_folders *folders);

/* Add a copy. CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_names_add(cst_names *list, const char *name, cst_error *error);
void cst_names_clear(cst_names *list);

#ifdef __cplusplus
}
#endif
#endif
