/* The files of a data set in NumPy arrays: x and y of up to three splits, named by keys of a config's section. The data sets
 * `npy` and `series_npy` share them. */
#ifndef CST_DATASETS_NPY_FILES_H
#define CST_DATASETS_NPY_FILES_H

#include "core/config.h"
#include "datasets/locate.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Files in the order of the keys: x of split p is file 2 p, its y is file 2 p + 1. */
enum { CST_NPY_FILES = 6 };

typedef struct cst_npy_files {
    const char *path;                 /* the folder, or NULL */
    const char *names[CST_NPY_FILES]; /* NULL: no such file */
} cst_npy_files;

/* Their keys. `files` is the cst_npy_files in the struct `type`, which a section is read into. x and y are phrases that
 * describe the contents of the training files. y_absent is the default of train_y: NULL if y is required, "" if not. */
#define CST_NPY_KEY(type, files, key, i, absent, text) CST_PATH_KEY(key, offsetof(type, files.names[i]), absent, text)
#define CST_NPY_FILE_KEYS(type, files, x, y_absent, y)                                                                 \
    CST_INIT(                                                                                                          \
        CST_FOLDER_KEY(offsetof(type, files.path)), CST_NPY_KEY(type, files, "train_x", 0, NULL, x),                   \
        CST_NPY_KEY(type, files, "train_y", 1, y_absent, y),                                                           \
        CST_NPY_KEY(type, files, "validation_x", 2, "",                                                                \
                    "x of the validation split; without it, rows are drawn by validation_size"),                       \
        CST_NPY_KEY(type, files, "validation_y", 3, "", "y of the validation split"),                                  \
        CST_NPY_KEY(type, files, "test_x", 4, "", "x of the test split; without it, rows are drawn by test_size"),     \
        CST_NPY_KEY(type, files, "test_y", 5, "", "y of the test split"))

/* The key of the number of classes, a size_t `at` bytes into the options. */
#define CST_NPY_CLASSES_KEY(at)                                                                                        \
    CST_INIT({.name = "classes",                                                                                       \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = at,                                                                                            \
              .fallback = "",                                                                                          \
              .range = CST_BETWEEN(1, 1e9),                                                                            \
              .help = "number of classes; if absent, the largest label plus one"})

/* Find the files. found[i] stays NULL for a file that is not named; the caller initializes `found` with NULL and frees each
 * entry, on failure too. Errors: CST_ECONFIG for a y without its x, or for an x without y if the training split has a y;
 * those of cst_locate_files. */
CST_MUST_CHECK cst_status cst_npy_files_locate(cst_config section, const cst_npy_files *files,
                                               char *found[CST_NPY_FILES], cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
