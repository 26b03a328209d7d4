#include "datasets/image_folder.h"

#include "core/file.h"
#include "datasets/image.h"
#include "datasets/locate.h"
#include "datasets/part.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const size_t largest_file = (size_t)1 << 28; /* bytes of one image */

static cst_status no_memory(const char *path, cst_error *error)
{
    return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
}

/* FOLDER/NAME, malloc'ed; NULL if out of memory. */
/* ---- names in a folder --------------------------------------------------------------------------------------- */

typedef struct names {
    size_t n, capacity;
    char **name; /* each malloc'ed */
} names;

static void names_clear(names *list)
{
    for (size_t i = 0; i < list->n; i++) free(list->name[i]);
    free(list->name);
    *list = (names){0};
}

static bool names_add(names *list, const char *name)
{
    if (list->n == list->capacity) {
        const size_t capacity = list->capacity > 0 ? 2 * list->capacity : 64;
        char **larger = realloc(list->name, capacity * sizeof *larger);
        if (!larger) return false;
        list->name = larger;
        list->capacity = capacity;
    }
    list->name[list->n] = strdup(name);
    return list->name[list->n] && ++list->n > 0;
}

/* By byte value, whatever the locale, so that classes have the same numbers everywhere. */
static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What is in a folder, in order, without names that begin with a dot; only other folders if so wished. */
static cst_status names_read(const char *path, bool only_folders, names *list, cst_error *error)
{
    *list = (names){0};
    DIR *folder = opendir(path);
    if (!folder) return cst_fail_io(error, path, "cannot open the folder", errno);
    cst_status status = CST_OK;
    const struct dirent *entry;
    while (status == CST_OK && (errno = 0, entry = readdir(folder))) {
        if (entry->d_name[0] == '.') continue;
        char *whole = cst_path_join(path, entry->d_name);
        const bool wanted = whole && (!only_folders || cst_path_is_folder(whole));
        if (!whole || (wanted && !names_add(list, entry->d_name))) status = no_memory(path, error);
        free(whole);
    }
    if (status == CST_OK && errno != 0) {
        status = cst_fail_io(error, path, "cannot read the folder", errno);
    }
    closedir(folder);
    if (status != CST_OK) {
        names_clear(list);
    } else if (list->n > 0) {
        qsort(list->name, list->n, sizeof *list->name, by_name);
    }
    return status;
}

/* ---- images -------------------------------------------------------------------------------------------------- */

/* Reading goes over all images of both parts; the first one sets the size of all. */
typedef struct reader {
    size_t channels;
    cst_shape x; /* rank 0: not known yet */
    char *first; /* the first image's file */
    names classes;
} reader;

/* The label of a class folder: its place among the classes. */
static cst_status find_class(const reader *r, const char *path, const char *name, int32_t *label, cst_error *error)
{
    for (size_t i = 0; i < r->classes.n; i++) {
        if (strcmp(r->classes.name[i], name) != 0) continue;
        *label = (int32_t)i;
        return CST_OK;
    }
    return cst_fail(error, CST_EFORMAT, "%s: class \"%s\" is not among those of the training images", path, name);
}

static cst_status check_size(reader *r, const char *path, size_t h, size_t w, cst_error *error)
{
    const cst_shape x = cst_shape_3d(r->channels, h, w);
    if (r->x.rank == 0) {
        r->x = x;
        r->first = strdup(path);
        return r->first ? CST_OK : no_memory(path, error);
    }
    if (cst_shape_equal(&r->x, &x)) return CST_OK;
    return cst_fail(error, CST_EFORMAT, "%s: expected an image of %zu x %zu pixels, as is %s, found %zu x %zu", path,
                    r->x.dim[2], r->x.dim[1], r->first, w, h);
}

/* Row i of `part`, whose n and labels are there; its bytes are allocated once the size is known. */
static cst_status read_image(reader *r, const char *path, size_t i, cst_part *part, cst_error *error)
{
    char *bytes;
    size_t size, h, w;
    uint8_t *planes;
    CST_TRY(cst_file_read(path, largest_file, &bytes, &size, error));
    cst_status status = cst_image_decode(path, (const uint8_t *)bytes, size, r->channels, &h, &w, &planes, error);
    free(bytes);
    CST_TRY(status);
    status = check_size(r, path, h, w, error);
    const size_t row = cst_shape_size(&r->x);
    if (status == CST_OK && !part->bytes) {
        const size_t total = cst_size_mul(part->n, row);
        part->bytes = total < PTRDIFF_MAX ? malloc(total) : NULL;
        if (!part->bytes) status = no_memory(path, error);
    }
    if (status == CST_OK) memcpy(part->bytes + i * row, planes, row);
    free(planes);
    return status;
}

static cst_status read_images(reader *r, const char *root, const names *files, cst_part *part, cst_error *error)
{
    part->n = files->n;
    for (size_t i = 0; i < files->n; i++) {
        char *path = cst_path_join(root, files->name[i]);
        const cst_status status = path ? read_image(r, path, i, part, error) : no_memory(root, error);
        free(path);
        CST_TRY(status);
    }
    return CST_OK;
}

/* ---- folders ------------------------------------------------------------------------------------------------- */

/* Append the files of one class, as CLASS/FILE, and their label. */
static cst_status list_class(const char *path, const char *class, int32_t label, names *files, int32_t **labels,
                             cst_error *error)
{
    names in_class;
    CST_TRY(names_read(path, false, &in_class, error));
    cst_status status = CST_OK;
    if (in_class.n == 0) status = cst_fail(error, CST_EFORMAT, "%s: no images in this class", path);
    const size_t total = files->n + in_class.n;
    int32_t *larger = status == CST_OK ? realloc(*labels, total * sizeof *larger) : NULL;
    if (status == CST_OK && !larger) status = no_memory(path, error);
    if (larger) *labels = larger;
    for (size_t i = 0; status == CST_OK && i < in_class.n; i++) {
        (*labels)[files->n] = label;
        char *file = cst_path_join(class, in_class.name[i]);
        if (!file || !names_add(files, file)) status = no_memory(path, error);
        free(file);
    }
    names_clear(&in_class);
    return status;
}

static cst_status list_classes(const reader *r, const char *root, const names *classes, names *files, int32_t **labels,
                               cst_error *error)
{
    for (size_t c = 0; c < classes->n; c++) {
        int32_t label = 0;
        CST_TRY(find_class(r, root, classes->name[c], &label, error));
        char *path = cst_path_join(root, classes->name[c]);
        cst_status status = path ? CST_OK : no_memory(root, error);
        if (path) status = list_class(path, classes->name[c], label, files, labels, error);
        free(path);
        CST_TRY(status);
    }
    return CST_OK;
}

static cst_status read_part(reader *r, const char *root, cst_part *part, cst_error *error)
{
    names classes, files = {0};
    CST_TRY(names_read(root, true, &classes, error));
    cst_status status = CST_OK;
    if (classes.n == 0) status = cst_fail(error, CST_EFORMAT, "%s: no folder in it: expected one a class", root);
    if (status == CST_OK && r->classes.n == 0) {
        r->classes = classes; /* the training part's: the reader owns them */
        status = list_classes(r, root, &r->classes, &files, &part->labels, error);
    } else {
        if (status == CST_OK) status = list_classes(r, root, &classes, &files, &part->labels, error);
        names_clear(&classes);
    }
    if (status == CST_OK) status = read_images(r, root, &files, part, error);
    names_clear(&files);
    return status;
}

cst_status cst_image_folder_read(const char *train, const char *test, size_t channels, cst_dataset *data,
                                 cst_error *error)
{
    reader r = {.channels = channels};
    cst_status status = read_part(&r, train, &data->train, error);
    if (status == CST_OK && test) status = read_part(&r, test, &data->test, error);
    data->x = r.x;
    data->n_channels = channels;
    data->n_classes = r.classes.n;
    free(r.first);
    names_clear(&r.classes);
    return status;
}

/* ---- the data set -------------------------------------------------------------------------------------------- */

typedef struct image_options {
    cst_dataset_options common; /* first */
    const char *path;
    size_t channels;
} image_options;

static const cst_key keys[] = {
    {"path", CST_KEY_STRING, offsetof(image_options, path), NULL, 0, 0, NULL,
     "folder with train/ and test/, or with the class folders"},
    {"channels", CST_KEY_SIZE, offsetof(image_options, channels), "3", 1, 3, NULL, "1 (grey) or 3 (red, green, blue)"},
    {0},
};

static cst_status read_folders(const char *path, size_t channels, cst_dataset *data, cst_error *error)
{
    char *train = cst_path_join(path, "train"), *test = cst_path_join(path, "test");
    cst_status status;
    if (!train || !test) {
        status = no_memory(path, error);
    } else if (cst_path_is_folder(train)) {
        status = cst_image_folder_read(train, test, channels, data, error);
    } else {
        status = cst_image_folder_read(path, NULL, channels, data, error);
    }
    free(train);
    free(test);
    return status;
}

static cst_status load(cst_config section, uint64_t seed, cst_dataset *data, cst_error *error)
{
    image_options o = {0};
    CST_TRY(cst_dataset_read(section, keys, &o, data, error));
    if (o.channels == 2) return cst_config_expected(cst_config_get(section, "channels"), "1 or 3", error);
    char *path = NULL;
    CST_TRY(cst_locate(&(cst_whereabouts){.path = o.path}, &path, error));
    cst_status status = read_folders(path, o.channels, data, error);
    free(path);
    if (status == CST_OK) status = cst_dataset_cut(section, &o.common, seed, data, error);
    if (status == CST_OK) status = cst_dataset_normalize(data, o.common.normalize, error);
    return status;
}

const cst_dataset_type cst_images_type = {"images", "JPEG and PNG images, one folder a class", keys, load};
