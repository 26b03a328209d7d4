/* The files of a data set in NumPy's arrays: x and y of up to three parts, named by the keys of a config's section. */
#ifndef CST_DATASETS_NPY_FILES_H
#define CST_DATASETS_NPY_FILES_H

#include "core/config.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_NPY_FILES = 6 }; /* in the order of the keys: part p's x is file 2 p, its y file 2 p + 1 */

typedef struct cst_npy_files {
    const char *path;
    const char *names[CST_NPY_FILES];
} cst_npy_files;

/* Their keys: `files` is a cst_npy_files in the struct `type`, x and y say in a phrase what is in the training files; y_absent is
 * y's fallback: NULL, or "" where there may be none. */
#define CST_NPY_KEY(type, files, key, i, absent, text)                                                                 \
    CST_INIT({.name = key,                                                                                             \
              .kind = CST_KEY_STRING,                                                                                  \
              .offset = offsetof(type, files.names[i]),                                                                \
              .fallback = absent,                                                                                      \
              .help = text})
#define CST_NPY_FILE_KEYS(type, files, x, y_absent, y)                                                                 \
    CST_INIT({.name = "path",                                                                                          \
              .kind = CST_KEY_STRING,                                                                                  \
              .offset = offsetof(type, files.path),                                                                    \
              .fallback = "",                                                                                          \
              .help = "folder of the files; without it their names are paths"},                                        \
             CST_NPY_KEY(type, files, "train_x", 0, NULL, x), CST_NPY_KEY(type, files, "train_y", 1, y_absent, y),     \
             CST_NPY_KEY(type, files, "validation_x", 2, "",                                                           \
                         "likewise; without validation files rows are drawn by validation_size"),                      \
             CST_NPY_KEY(type, files, "validation_y", 3, "", "likewise"),                                              \
             CST_NPY_KEY(type, files, "test_x", 4, "", "likewise; without test files rows are drawn by test_size"),    \
             CST_NPY_KEY(type, files, "test_y", 5, "", "likewise"))

/* Find the files, found[i] to be freed by the caller on failure too, NULL where there is no such part. CST_ECONFIG for a y
 * without x, or an x without y where another has one; CST_EIO, CST_ENOMEM (datasets/locate.h). */
CST_MUST_CHECK cst_status cst_npy_files_locate(cst_config section, const cst_npy_files *files,
                                               char *found[CST_NPY_FILES], cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
