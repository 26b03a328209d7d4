#include "datasets/image_folder.h"

#include "core/file.h"
#include "datasets/class_folders.h"
#include "datasets/locate.h"
#include "formats/image.h"

#include <stdlib.h>
#include <string.h>

static const size_t largest_file = (size_t)1 << 28; /* sanity limit: bytes of one image file */

/* CST_ENOMEM with a file's name. */
static cst_status no_memory(const char *path, cst_error *error)
{
    return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
}

/* ---- images -------------------------------------------------------------------------------------------------- */

/* State while the images of both splits are read: the first image determines the size of all. */
typedef struct reader {
    size_t channels;
    cst_shape x;       /* rank 0 before the first image */
    const char *first; /* the first image's file */
} reader;

/* Compare the shape of an image with that of the first one. */
static cst_status check_shape(reader *r, const char *path, const cst_shape *x, cst_error *error)
{
    if (r->x.rank == 0) {
        r->x = *x;
        r->first = path;
        return CST_OK;
    }
    if (cst_shape_equal(&r->x, x)) return CST_OK;
    return cst_fail(error, CST_EFORMAT, "%s: expected an image of %zu x %zu pixels like %s, found %zu x %zu", path,
                    r->x.dim[2], r->x.dim[1], r->first, x->dim[2], x->dim[1]);
}

/* Decode an image into row i of a split whose n is set. The first one allocates the bytes of all rows. */
static cst_status read_image(reader *r, const char *path, size_t i, cst_split *split, cst_error *error)
{
    char *bytes;
    size_t size;
    uint8_t *planes;
    cst_shape shape;
    CST_TRY(cst_file_read(path, largest_file, &bytes, &size, error));
    cst_status status = cst_image_decode(path, (const uint8_t *)bytes, size, r->channels, &planes, &shape, error);
    free(bytes);
    CST_TRY(status);
    status = check_shape(r, path, &shape, error);
    /* The first image of a split tells how many bytes it needs. */
    const size_t row = cst_shape_size(&r->x);
    if (status == CST_OK && !split->bytes) {
        const size_t total = cst_size_mul(split->n, row);
        split->bytes = total < PTRDIFF_MAX ? malloc(total) : NULL;
        if (!split->bytes) status = no_memory(path, error);
    }
    if (status == CST_OK) memcpy(split->bytes + i * row, planes, row);
    free(planes);
    return status;
}

/* Read all images of a split, which takes over the labels. */
static cst_status read_images(reader *r, cst_class_files *files, cst_split *split, cst_error *error)
{
    split->n = files->paths.n;
    split->labels = files->labels;
    files->labels = NULL;
    for (size_t i = 0; i < split->n; i++) CST_TRY(read_image(r, files->paths.name[i], i, split, error));
    return CST_OK;
}

cst_status cst_image_folder_read(const char *train, const char *test, size_t channels, cst_dataset *data,
                                 cst_error *error)
{
    /* List the files, then decode them. */
    reader r = {.channels = channels};
    cst_class_folders folders;
    CST_TRY(cst_class_folders_read(train, test, &(cst_class_kind){.what = "images"}, &folders, error));
    cst_status status = read_images(&r, &folders.train, &data->train, error);
    if (status == CST_OK) status = read_images(&r, &folders.test, &data->test, error);
    data->x = r.x;
    data->n_channels = channels;
    data->n_classes = folders.classes.n;
    cst_class_folders_clear(&folders);
    return status;
}

/* ---- the data set -------------------------------------------------------------------------------------------- */

typedef struct image_options {
    cst_dataset_options common; /* first */
    const char *path;
    size_t channels;
} image_options;

static const cst_key keys[] = {
    CST_PATH_KEY("path", offsetof(image_options, path), NULL,
                 "folder with train/ and test/, or with the class folders"),
    {.name = "channels",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(image_options, channels),
     .fallback = "3",
     .range = CST_BETWEEN(1, 3),
     .help = "1 (grey) or 3 (red, green, blue)"},
    {.name = NULL},
};

/* Read the data set in the folder `path`. */
static cst_status read_folders(const char *path, size_t channels, cst_dataset *data, cst_error *error)
{
    char *train, *test;
    CST_TRY(cst_class_folders_find(path, &train, &test, error));
    const cst_status status = cst_image_folder_read(train, test, channels, data, error);
    free(train);
    free(test);
    return status;
}

static cst_status load(const cst_dataset_type *type, cst_config section, uint64_t seed, cst_dataset *data,
                       cst_error *error)
{
    image_options o = {0};
    CST_TRY(cst_dataset_read(section, type->keys, &o, data, error));
    /* The range of the key admits 2. */
    if (o.channels == 2) return cst_config_expected(cst_config_get(section, "channels"), "1 or 3", error);
    char *path = NULL;
    CST_TRY(cst_locate(&(cst_data_location){.path = o.path}, &path, error));
    cst_status status = read_folders(path, o.channels, data, error);
    free(path);
    if (status == CST_OK) status = cst_dataset_split(section, &o.common, seed, data, error);
    if (status == CST_OK) status = cst_dataset_normalize(data, o.common.normalize, error);
    return status;
}

const cst_dataset_type cst_images_type = {"images", "JPEG and PNG images, one folder per class", keys, load};
