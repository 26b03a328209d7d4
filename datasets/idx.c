#include "datasets/idx.h"

#include "core/file.h"
#include "datasets/downsample.h"
#include "datasets/locate.h"
#include "datasets/split.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* ---- files --------------------------------------------------------------------------------------------------- */

enum {
    UNSIGNED_BYTE = 0x08,
    FIRST_CAPACITY = 1 << 20, /* bytes allocated before anything has been read */
    CHUNK = 1 << 26,          /* most bytes per call of zlib, whose sizes are unsigned */
    READ_BUFFER = 1 << 18
};

/* Report zlib's error. (zlib reads uncompressed files as they are.) */
static cst_status fail_zlib(gzFile file, const char *path, cst_error *error)
{
    int number = Z_OK;
    const char *why = gzerror(file, &number);
    /* Drop the file name that zlib puts before its message. */
    if (strncmp(why, path, strlen(path)) == 0 && strncmp(why + strlen(path), ": ", 2) == 0) why += strlen(path) + 2;
    const cst_status status = number == Z_ERRNO ? CST_EIO : number == Z_MEM_ERROR ? CST_ENOMEM : CST_EFORMAT;
    return cst_fail(error, status, "%s: cannot read: %s", path, why);
}

/* Read up to n bytes. *got is less than n only at the end of the file; a truncated stream is an error. */
static cst_status read_bytes(gzFile file, const char *path, uint8_t *bytes, size_t n, size_t *got, cst_error *error)
{
    *got = 0;
    while (*got < n) {
        const size_t left = n - *got;
        const int result = gzread(file, bytes + *got, (unsigned)(left < CHUNK ? left : CHUNK));
        int number = Z_OK;
        /* A truncated stream reads as a short one, with the error set. */
        (void)gzerror(file, &number);
        if (result < 0 || (number != Z_OK && number != Z_STREAM_END)) return fail_zlib(file, path, error);
        if (result == 0) break;
        *got += (size_t)result;
    }
    return CST_OK;
}

/* CST_EFORMAT for a file that ends too early. */
static cst_status fail_short(const char *path, size_t expected, size_t found, cst_error *error)
{
    return cst_fail(error, CST_EFORMAT, "%s: expected %zu bytes (uncompressed), as the header says, found %zu", path,
                    expected, found);
}

/* Bytes of the header. */
static size_t header_size(const cst_idx *idx)
{
    return 4 + 4 * idx->rank;
}

/* Read the type, the rank and the dimensions. */
static cst_status read_header(gzFile file, const char *path, cst_idx *idx, cst_error *error)
{
    uint8_t h[4 + 4 * CST_IDX_MAX_RANK];
    size_t got;
    CST_TRY(read_bytes(file, path, h, 4, &got, error));
    if (got < 4) return cst_fail(error, CST_EFORMAT, "%s: expected an idx header, found %zu bytes", path, got);
    if (h[0] != 0 || h[1] != 0 || h[2] != UNSIGNED_BYTE || h[3] < 1 || h[3] > CST_IDX_MAX_RANK) {
        return cst_fail(error, CST_EFORMAT,
                        "%s: expected an idx file of unsigned bytes (00 00 08, then a rank from 1 to %d), found %02x "
                        "%02x %02x %02x",
                        path, CST_IDX_MAX_RANK, h[0], h[1], h[2], h[3]);
    }
    /* The rank tells how much of the header follows. */
    idx->rank = h[3];
    CST_TRY(read_bytes(file, path, h + 4, 4 * idx->rank, &got, error));
    if (got < 4 * idx->rank) return fail_short(path, header_size(idx), 4 + got, error);
    /* Dimensions are big-endian. */
    for (size_t i = 0; i < idx->rank; i++) {
        const uint8_t *d = h + 4 + 4 * i;
        idx->dim[i] = (size_t)d[0] << 24 | (size_t)d[1] << 16 | (size_t)d[2] << 8 | d[3];
    }
    return CST_OK;
}

/* Read the elements, exactly as many as the header says. */
static cst_status read_elements(gzFile file, const char *path, cst_idx *idx, cst_error *error)
{
    size_t size = 1;
    for (size_t i = 0; i < idx->rank; i++) size = cst_size_mul(size, idx->dim[i]);
    const size_t expected = cst_size_add(size, header_size(idx));
    if (expected >= PTRDIFF_MAX) {
        return cst_fail(error, CST_EFORMAT,
                        "%s: expected dimensions whose product fits into memory, found more than %zu bytes", path,
                        (size_t)PTRDIFF_MAX);
    }
    /* Double the capacity as long as the file fills it, so that a wrong header alone cannot allocate much. */
    size_t capacity = 0, used = 0, got;
    do {
        capacity = capacity == 0 ? FIRST_CAPACITY : cst_size_mul(2, capacity);
        if (capacity > size) capacity = size;
        uint8_t *larger = realloc(idx->bytes, capacity > 0 ? capacity : 1);
        if (!larger) return cst_fail(error, CST_ENOMEM, "%s: out of memory for %zu bytes", path, capacity);
        idx->bytes = larger;
        CST_TRY(read_bytes(file, path, idx->bytes + used, capacity - used, &got, error));
        used += got;
    } while (used == capacity && capacity < size);
    if (used < size) return fail_short(path, expected, used + header_size(idx), error);
    /* Nothing may follow. Reading to the end also makes zlib check the CRC of the stream. */
    uint8_t more;
    CST_TRY(read_bytes(file, path, &more, 1, &got, error));
    if (got > 0)
        return cst_fail(error, CST_EFORMAT, "%s: expected %zu bytes (uncompressed), as the header says, found more",
                        path, expected);
    return CST_OK;
}

cst_status cst_idx_read(const char *path, cst_idx *idx, cst_error *error)
{
    *idx = (cst_idx){0};
    /* zlib reads from the open file and closes it. */
    int handle;
    CST_TRY(cst_file_open(path, &handle, error));
    gzFile file = gzdopen(handle, "rb");
    cst_status status = CST_OK;
    if (!file) {
        close(handle);
        return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    }
    if (gzbuffer(file, READ_BUFFER) != 0) status = cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    if (status == CST_OK) status = read_header(file, path, idx, error);
    if (status == CST_OK) status = read_elements(file, path, idx, error);
    /* Closing a file that was only read cannot reveal a new error. */
    (void)gzclose(file);
    if (status != CST_OK) {
        free(idx->bytes);
        *idx = (cst_idx){0};
    }
    return status;
}

/* ---- splits --------------------------------------------------------------------------------------------------- */

/* Set *x to the shape of a row: (d), or (c, h, w), where images (n, h, w) have one channel. If *x is known already it must
 * be the same. */
static cst_status image_shape(const char *path, const cst_idx *images, cst_shape *x, cst_error *error)
{
    /* The first dimension counts the rows. */
    const size_t *d = images->dim;
    cst_shape shape = {0};
    if (images->rank == 2) shape = cst_shape_1d(d[1]);
    if (images->rank == 3) shape = cst_shape_3d(1, d[1], d[2]);
    if (images->rank == 4) shape = cst_shape_3d(d[1], d[2], d[3]);
    if (shape.rank == 0)
        return cst_fail(error, CST_EFORMAT, "%s: expected images or vectors, found an array of one dimension", path);
    char found[CST_SHAPE_TEXT], expected[CST_SHAPE_TEXT];
    cst_shape_text(&shape, found);
    /* There must be rows, and rows must not be empty. */
    if (d[0] == 0 || cst_shape_size(&shape) == 0) {
        return cst_fail(error, CST_EFORMAT, "%s: expected data, found %zu rows of shape %s", path, d[0], found);
    }
    if (x->rank > 0 && !cst_shape_equal(x, &shape)) {
        return cst_fail(error, CST_EFORMAT, "%s: expected rows of %s as in the training split, found %s", path,
                        cst_shape_text(x, expected), found);
    }
    *x = shape;
    return CST_OK;
}

/* Read n labels, each below n_classes unless that is 0. */
static cst_status read_labels(const char *path, size_t n, size_t n_classes, int32_t *labels, cst_error *error)
{
    cst_idx idx;
    CST_TRY(cst_idx_read(path, &idx, error));
    cst_status status = CST_OK;
    if (idx.rank != 1) {
        status = cst_fail(error, CST_EFORMAT, "%s: expected labels, an array of one dimension, found %zu dimensions",
                          path, idx.rank);
    } else if (idx.dim[0] != n) {
        status = cst_fail(error, CST_EFORMAT, "%s: expected %zu labels, one per image, found %zu", path, n, idx.dim[0]);
    }
    /* Convert the bytes and check their range. */
    for (size_t i = 0; status == CST_OK && i < n; i++) {
        labels[i] = idx.bytes[i];
        if (n_classes == 0 || idx.bytes[i] < n_classes) continue;
        status = cst_fail(error, CST_EFORMAT, "%s: expected labels below %zu, found %d at row %zu", path, n_classes,
                          idx.bytes[i], i);
    }
    free(idx.bytes);
    return status;
}

cst_status cst_idx_read_split(const char *images, const char *labels, size_t n_classes, cst_shape *x, cst_split *split,
                              cst_error *error)
{
    *split = (cst_split){0};
    cst_idx idx;
    CST_TRY(cst_idx_read(images, &idx, error));
    split->n = idx.dim[0];
    split->bytes = idx.bytes; /* the split owns them from here on */
    cst_status status = image_shape(images, &idx, x, error);
    if (status == CST_OK) {
        /* No overflow: n < 2^32, and that many images have been read. */
        split->labels = malloc(split->n * sizeof *split->labels);
        if (!split->labels) status = cst_fail(error, CST_ENOMEM, "%s: out of memory", labels);
    }
    if (status == CST_OK) status = read_labels(labels, split->n, n_classes, split->labels, error);
    if (status != CST_OK) cst_split_clear(split);
    return status;
}

/* ---- data sets ----------------------------------------------------------------------------------------------- */

enum { TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS, N_FILES };

/* The names of MNIST's files. */
static const char *const official[N_FILES] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                              "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

/* The values of the keys below; `file` is NULL for a default name. */
typedef struct idx_options {
    cst_dataset_options common; /* first */
    const char *path;
    const char *file[N_FILES];
    size_t downsample;
} idx_options;

/* Load the data set from its four files. n_classes 0: the largest label tells. */
static cst_status load_files(cst_config section, const idx_options *o, char *const path[N_FILES], size_t n_classes,
                             uint64_t seed, cst_dataset *data, cst_error *error)
{
    CST_TRY(cst_idx_read_split(path[TRAIN_IMAGES], path[TRAIN_LABELS], n_classes, &data->x, &data->train, error));
    CST_TRY(cst_idx_read_split(path[TEST_IMAGES], path[TEST_LABELS], n_classes, &data->x, &data->test, error));
    data->n_classes = n_classes;
    /* Unless the number of classes is known, it is the largest label plus one. */
    if (n_classes == 0) {
        const cst_split *const splits[] = {&data->train, &data->test};
        size_t largest = 0;
        for (size_t p = 0; p < 2; p++) {
            for (size_t i = 0; i < splits[p]->n; i++) {
                if ((size_t)splits[p]->labels[i] > largest) largest = (size_t)splits[p]->labels[i];
            }
        }
        data->n_classes = largest + 1;
    }
    /* Images are normalized per channel, vectors as a whole. */
    data->n_channels = data->x.rank == 3 ? data->x.dim[0] : 1;
    CST_TRY(cst_dataset_downsample(section, o->downsample, data, error));
    CST_TRY(cst_dataset_split(section, &o->common, seed, data, error));
    return cst_dataset_normalize(data, o->common.normalize, error);
}

/* Find the four files and load them. `folder` NULL: their names are paths. */
static cst_status find_and_load(cst_config section, const idx_options *o, const char *folder, size_t n_classes,
                                uint64_t seed, cst_dataset *data, cst_error *error)
{
    char *path[N_FILES] = {0};
    cst_status status = CST_OK;
    for (size_t i = 0; status == CST_OK && i < N_FILES; i++) {
        const cst_data_location where = {.path = o->file[i], .compressed = true};
        status =
            folder ? cst_locate_in(folder, o->file[i], true, &path[i], error) : cst_locate(&where, &path[i], error);
    }
    if (status == CST_OK) status = load_files(section, o, path, n_classes, seed, data, error);
    for (size_t i = 0; i < N_FILES; i++) free(path[i]);
    return status;
}

/* The loader of a type that has ten classes and files of MNIST's names. The type's context is where its folder is, unless
 * the config has a "path". */
static cst_status load_known(const cst_dataset_type *type, cst_config section, uint64_t seed, cst_dataset *data,
                             cst_error *error)
{
    const cst_data_location *known = type->context;
    cst_data_location where = *known;
    idx_options o = {0};
    /* The names of the files are fixed; the folder is found by the path or by its known places. */
    for (size_t i = 0; i < N_FILES; i++) o.file[i] = official[i];
    CST_TRY(cst_dataset_read(section, type->keys, &o, data, error));
    where.path = o.path;
    char *folder = NULL;
    CST_TRY(cst_locate(&where, &folder, error));
    const cst_status status = find_and_load(section, &o, folder, 10, seed, data, error);
    free(folder);
    return status;
}

static const cst_key known_keys[] = {
    CST_PATH_KEY("path", offsetof(idx_options, path), "", "folder of the four files"),
    CST_DOWNSAMPLE_KEY(offsetof(idx_options, downsample)),
    {.name = NULL},
};

static const cst_data_location mnist = {.name = "mnist"};
static const cst_data_location fashion_mnist = {
    .name = "fashion-mnist", .system = "/usr/share/datasets/fashion-mnist", .package = "dataset-fashion-mnist"};

#define FILE_KEY(key, i, text) CST_PATH_KEY(key, offsetof(idx_options, file[i]), "", text)

static const cst_key idx_keys[] = {
    CST_FOLDER_KEY(offsetof(idx_options, path)),
    FILE_KEY("train_images", TRAIN_IMAGES,
             "training images; a .gz at the end may be left out (default: MNIST's file name)"),
    FILE_KEY("train_labels", TRAIN_LABELS, "training labels"),
    FILE_KEY("test_images", TEST_IMAGES, "test images"),
    FILE_KEY("test_labels", TEST_LABELS, "test labels"),
    CST_DOWNSAMPLE_KEY(offsetof(idx_options, downsample)),
    {.name = NULL},
};

static cst_status load_idx(const cst_dataset_type *type, cst_config section, uint64_t seed, cst_dataset *data,
                           cst_error *error)
{
    idx_options o = {0};
    CST_TRY(cst_dataset_read(section, type->keys, &o, data, error));
    /* With a folder, MNIST's names are the default; without one, each path is required. */
    for (size_t i = 0; i < N_FILES; i++) {
        if (!o.path && !o.file[i]) {
            return cst_config_fail(section, error, "missing key \"path\" or \"%s\": expected a string",
                                   idx_keys[1 + i].name);
        }
        if (!o.file[i]) o.file[i] = official[i];
    }
    if (!o.path) return find_and_load(section, &o, NULL, 0, seed, data, error);
    char *folder = NULL;
    CST_TRY(cst_locate(&(cst_data_location){.path = o.path}, &folder, error));
    const cst_status status = find_and_load(section, &o, folder, 0, seed, data, error);
    free(folder);
    return status;
}

const cst_dataset_type cst_mnist_type = {"mnist", "MNIST's handwritten digits, 28 x 28", known_keys, load_known,
                                         &mnist};
const cst_dataset_type cst_fashion_mnist_type = {"fashion_mnist", "Fashion-MNIST's articles of clothing, 28 x 28",
                                                 known_keys, load_known, &fashion_mnist};
const cst_dataset_type cst_idx_type = {"idx", "images or vectors and labels in idx files, plain or gzipped", idx_keys,
                                       load_idx};
