#include "datasets/npy_files.h"

static const char *const keys[CST_NPY_FILES] = {"train_x",      "train_y", "validation_x",
                                                "validation_y", "test_x",  "test_y"};

cst_status cst_npy_files_locate(cst_config section, const cst_npy_files *files, char *found[CST_NPY_FILES],
                                cst_error *error)
{
    for (size_t x = 0, y = 1; x < CST_NPY_FILES; x += 2, y += 2) {
        /* Every split has a y if the training split has one, and none otherwise. `beside` names the key that demands the
         * missing one. */
        size_t missing = CST_NPY_FILES, beside = y;
        if (files->names[y] && !files->names[x]) missing = x;
        if (files->names[y] && !files->names[1]) missing = 1;
        if (files->names[x] && !files->names[y] && files->names[1]) missing = y, beside = x;
        if (missing < CST_NPY_FILES)
            return cst_config_fail(section, error, "missing key \"%s\": expected a string beside \"%s\"", keys[missing],
                                   keys[beside]);
    }
    return cst_locate_files(files->path, files->names, CST_NPY_FILES, found, error);
}
