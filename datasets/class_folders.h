/* Files in folders, one folder per class, for the data sets `images` and `wav`.
 *
 * The files are PATH/train/CLASS/FILE and PATH/test/CLASS/FILE, or PATH/CLASS/FILE if PATH has no folder "train". Unless a
 * list of classes is given, classes are numbered in the byte order of their names. Files are in the order of their class
 * numbers, then of their names. Names that begin with a dot, and files beside the class folders, are ignored. */
#ifndef CST_DATASETS_CLASS_FOLDERS_H
#define CST_DATASETS_CLASS_FOLDERS_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A growing list of strings, which it owns. Zero-initialize it. */
typedef struct cst_names {
    size_t n, capacity;
    char **name; /* (n) */
} cst_names;

/* The files of one split. */
typedef struct cst_class_files {
    cst_names paths; /* including the folders */
    int32_t *labels; /* (n) class numbers; NULL if there are no files */
} cst_class_files;

typedef struct cst_class_folders {
    cst_names classes;           /* names, by number */
    cst_class_files train, test; /* test is empty if there is no folder for it */
} cst_class_folders;

/* The files to look for. */
typedef struct cst_class_kind {
    const char *what;         /* for messages: "images" */
    const char *suffix;       /* such as ".wav", in upper or lower case; other files are ignored. NULL: all files */
    const cst_names *classes; /* the classes to use, which get their indices as numbers. NULL: all classes */
} cst_class_kind;

/* Set *train and *test to the folders of these splits below `path`; the caller frees them. If there is no folder "train",
 * *train is `path` itself and *test is NULL. Errors: CST_ENOMEM, and both are NULL. */
CST_MUST_CHECK cst_status cst_class_folders_find(const char *path, char **train, char **test, cst_error *error);

/* List the class folders in `train` and, unless it is NULL, in `test`, where some classes may be missing. Free the result with
 * cst_class_folders_clear; on failure there is nothing to free. Errors, which name the folder: CST_EIO if it cannot be read;
 * CST_EFORMAT if it has no class folders, if a class has no files, if a class in kind->classes is missing in `train`, or, where
 * those are not given, for a class in `test` that is not in `train`; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_class_folders_read(const char *train, const char *test, const cst_class_kind *kind,
                                                 cst_class_folders *folders, cst_error *error);
void cst_class_folders_clear(cst_class_folders *folders);

/* Append a copy of the string. Errors: CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_names_add(cst_names *list, const char *name, cst_error *error);
void cst_names_clear(cst_names *list);

#ifdef __cplusplus
}
#endif
#endif
