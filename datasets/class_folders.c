#include "datasets/class_folders.h"

#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static cst_status no_memory(const char *path, cst_error *error)
{
    return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
}

/* ---- names in a folder --------------------------------------------------------------------------------------- */

void cst_names_clear(cst_names *list)
{
    for (size_t i = 0; i < list->n; i++) free(list->name[i]);
    free(list->name);
    *list = (cst_names){0};
}

/* Append a malloc'ed name, or NULL. The list owns it from here on; it is freed if the list cannot grow. */
static bool take_name(cst_names *list, char *name)
{
    /* Double the capacity when it is reached. */
    if (name && list->n == list->capacity) {
        const size_t capacity = list->capacity > 0 ? 2 * list->capacity : 64;
        char **larger = realloc(list->name, capacity * sizeof *larger);
        if (larger) {
            list->name = larger;
            list->capacity = capacity;
        }
    }
    if (!name || list->n == list->capacity) {
        free(name);
        return false;
    }
    list->name[list->n++] = name;
    return true;
}

cst_status cst_names_add(cst_names *list, const char *name, cst_error *error)
{
    return take_name(list, strdup(name)) ? CST_OK : no_memory(name, error);
}

static const size_t not_found = (size_t)-1;

/* The index of a name, or not_found. */
static size_t find_name(const cst_names *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->name[i], name) == 0) return i;
    }
    return not_found;
}

/* By byte value and not by locale, so that classes have the same numbers on every machine. */
static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In upper or lower case; NULL is a suffix of every name. */
static bool has_suffix(const char *name, const char *suffix)
{
    const size_t n = strlen(name), m = suffix ? strlen(suffix) : 0;
    return n >= m && (m == 0 || strcasecmp(name + n - m, suffix) == 0);
}

/* List the sorted names in a folder that have the suffix and do not begin with a dot; with `only_folders`, those of folders. */
static cst_status read_names(const char *path, bool only_folders, const char *suffix, cst_names *list, cst_error *error)
{
    *list = (cst_names){0};
    DIR *folder = opendir(path);
    if (!folder) return cst_fail_io(error, path, "cannot open the folder", errno);
    cst_status status = CST_OK;
    const struct dirent *entry;
    while (status == CST_OK && (errno = 0, entry = readdir(folder))) {
        if (entry->d_name[0] == '.' || !has_suffix(entry->d_name, suffix)) continue;
        /* Whether an entry is a folder is only known from its path. */
        char *whole = only_folders ? cst_path_join(path, entry->d_name) : NULL;
        const bool wanted = !only_folders || (whole && cst_path_is_folder(whole));
        if ((only_folders && !whole) || (wanted && !take_name(list, strdup(entry->d_name))))
            status = no_memory(path, error);
        free(whole);
    }
    /* readdir returns NULL both at the end and on an error. */
    if (status == CST_OK && errno != 0) {
        status = cst_fail_io(error, path, "cannot read the folder", errno);
    }
    /* readdir's order is arbitrary. */
    closedir(folder);
    if (status != CST_OK) {
        cst_names_clear(list);
    } else if (list->n > 0) {
        qsort(list->name, list->n, sizeof *list->name, by_name);
    }
    return status;
}

/* ---- a split ------------------------------------------------------------------------------------------------- */

/* Append the files of one class. */
static cst_status add_class(const char *path, const cst_class_kind *kind, size_t label, cst_class_files *files,
                            cst_error *error)
{
    cst_names in_class;
    CST_TRY(read_names(path, false, kind->suffix, &in_class, error));
    cst_status status = CST_OK;
    if (in_class.n == 0)
        status = cst_fail(error, CST_EFORMAT, "%s: expected %s in this class, found none", path, kind->what);
    /* All files of a class have the same label. */
    const size_t total = files->paths.n + in_class.n;
    int32_t *larger = status == CST_OK ? realloc(files->labels, total * sizeof *larger) : NULL;
    if (status == CST_OK && !larger) status = no_memory(path, error);
    if (larger) files->labels = larger;
    for (size_t i = 0; status == CST_OK && i < in_class.n; i++) {
        files->labels[files->paths.n] = (int32_t)label;
        if (!take_name(&files->paths, cst_path_join(path, in_class.name[i]))) status = no_memory(path, error);
    }
    cst_names_clear(&in_class);
    return status;
}

/* Append the files of all classes, in the order of their numbers, leaving out those that do not exist in the folder. */
static cst_status add_classes(const char *root, const cst_class_kind *kind, const cst_names *classes,
                              const cst_names *exists, cst_class_files *files, cst_error *error)
{
    for (size_t c = 0; c < classes->n; c++) {
        if (find_name(exists, classes->name[c]) == not_found) continue;
        char *path = cst_path_join(root, classes->name[c]);
        const cst_status status = path ? add_class(path, kind, c, files, error) : no_memory(root, error);
        free(path);
        CST_TRY(status);
    }
    return CST_OK;
}

/* Check the class folders that exist: at least one; with `every`, all classes; no unknown ones, unless the config lists the
 * classes to use. */
static cst_status check_classes(const char *root, const cst_class_kind *kind, const cst_names *classes,
                                const cst_names *exists, bool every, cst_error *error)
{
    if (exists->n == 0) return cst_fail(error, CST_EFORMAT, "%s: expected one folder per class, found none", root);
    for (size_t c = 0; every && c < classes->n; c++) {
        if (find_name(exists, classes->name[c]) == not_found)
            return cst_fail(error, CST_EFORMAT, "%s: expected the folder \"%s\", one of the classes, found none", root,
                            classes->name[c]);
    }
    for (size_t c = 0; !kind->classes && c < exists->n; c++) {
        if (find_name(classes, exists->name[c]) == not_found)
            return cst_fail(error, CST_EFORMAT, "%s: expected only classes of the training %s, found class \"%s\"",
                            root, kind->what, exists->name[c]);
    }
    return CST_OK;
}

/* Append copies of all names. */
static cst_status copy_names(const cst_names *from, cst_names *to, cst_error *error)
{
    for (size_t i = 0; i < from->n; i++) CST_TRY(cst_names_add(to, from->name[i], error));
    return CST_OK;
}

/* List one split. The training split determines the classes. */
static cst_status read_split(const char *root, const cst_class_kind *kind, bool train, cst_class_folders *folders,
                             cst_class_files *files, cst_error *error)
{
    cst_names exists;
    CST_TRY(read_names(root, true, NULL, &exists, error));
    cst_status status = CST_OK;
    /* The numbers of the classes: by the given list, or by the sorted names of the folders. */
    if (train) status = copy_names(kind->classes ? kind->classes : &exists, &folders->classes, error);
    if (status == CST_OK) status = check_classes(root, kind, &folders->classes, &exists, train, error);
    if (status == CST_OK) status = add_classes(root, kind, &folders->classes, &exists, files, error);
    if (status == CST_OK && files->paths.n == 0)
        status = cst_fail(error, CST_EFORMAT, "%s: expected a folder of one of the classes, found none", root);
    cst_names_clear(&exists);
    return status;
}

/* ---- for callers --------------------------------------------------------------------------------------------- */

cst_status cst_class_folders_find(const char *path, char **train, char **test, cst_error *error)
{
    *train = cst_path_join(path, "train");
    *test = cst_path_join(path, "test");
    /* Without a folder "train" the classes are in `path`. */
    if (*train && *test && !cst_path_is_folder(*train)) {
        free(*train);
        free(*test);
        *train = strdup(path);
        *test = NULL;
        return *train ? CST_OK : no_memory(path, error);
    }
    if (*train && *test) return CST_OK;
    free(*train);
    free(*test);
    *train = *test = NULL;
    return no_memory(path, error);
}

cst_status cst_class_folders_read(const char *train, const char *test, const cst_class_kind *kind,
                                  cst_class_folders *folders, cst_error *error)
{
    *folders = (cst_class_folders){0};
    cst_status status = read_split(train, kind, true, folders, &folders->train, error);
    /* Classes are those of the training split. */
    if (status == CST_OK && test) status = read_split(test, kind, false, folders, &folders->test, error);
    if (status != CST_OK) cst_class_folders_clear(folders);
    return status;
}

void cst_class_folders_clear(cst_class_folders *folders)
{
    cst_names_clear(&folders->classes);
    cst_class_files *const splits[] = {&folders->train, &folders->test};
    for (size_t i = 0; i < 2; i++) {
        cst_names_clear(&splits[i]->paths);
        free(splits[i]->labels);
    }
    *folders = (cst_class_folders){0};
}
