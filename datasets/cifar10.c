#include "datasets/cifar10.h"

#include "core/file.h"
#include "core/text.h"
#include "datasets/downsample.h"
#include "datasets/locate.h"
#include "datasets/split.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Bytes of an image and of a record. */
enum { N_CLASSES = 10, N_BATCHES = 5, CHANNELS = 3, SIDE = 32, IMAGE = CHANNELS * SIDE * SIDE, RECORD = 1 + IMAGE };

static const size_t largest_file = (size_t)1 << 30; /* sanity limit; the original files have 30.7 MB */

/* Add `more` uninitialized rows to a split. */
static cst_status grow(cst_split *split, size_t more, cst_error *error)
{
    cst_split larger;
    /* The old rows keep their places. */
    CST_TRY(cst_split_init(&larger, CST_SPLIT_BYTES, cst_size_add(split->n, more), IMAGE, error));
    if (split->n > 0) {
        memcpy(larger.bytes, split->bytes, split->n * IMAGE);
        memcpy(larger.labels, split->labels, split->n * sizeof *split->labels);
    }
    cst_split_clear(split);
    *split = larger;
    return CST_OK;
}

/* Append the records of a file, `size` bytes. */
static cst_status append(const char *path, const uint8_t *records, size_t size, cst_split *split, cst_error *error)
{
    const size_t n = size / RECORD, old = split->n;
    if (n == 0 || size % RECORD != 0) {
        return cst_fail(error, CST_EFORMAT, "%s: expected records of %d bytes, found %zu bytes", path, RECORD, size);
    }
    /* Check all labels before anything is changed. */
    for (size_t i = 0; i < n; i++) {
        const int label = records[i * RECORD];
        if (label >= N_CLASSES) {
            return cst_fail(error, CST_EFORMAT, "%s: expected labels below %d, found %d at record %zu", path, N_CLASSES,
                            label, i);
        }
    }
    /* A record is the label, followed by the image. */
    CST_TRY(grow(split, n, error));
    for (size_t i = 0; i < n; i++) {
        split->labels[old + i] = records[i * RECORD];
        memcpy(split->bytes + (old + i) * IMAGE, records + i * RECORD + 1, IMAGE);
    }
    return CST_OK;
}

cst_status cst_cifar10_read(const char *path, cst_split *split, cst_error *error)
{
    char *bytes;
    size_t size;
    CST_TRY(cst_file_read(path, largest_file, &bytes, &size, error));
    const cst_status status = append(path, (const uint8_t *)bytes, size, split, error);
    free(bytes);
    return status;
}

/* ---- the data set -------------------------------------------------------------------------------------------- */

typedef struct cifar10_options {
    cst_dataset_options common; /* first */
    const char *path;
    size_t downsample;
} cifar10_options;

static const cst_key keys[] = {
    CST_PATH_KEY("path", offsetof(cifar10_options, path), "", "folder of data_batch_1.bin, ..., test_batch.bin"),
    CST_DOWNSAMPLE_KEY(offsetof(cifar10_options, downsample)),
    {.name = NULL},
};

/* Append the file FOLDER/NAME. A no-op if it is `optional` and does not exist. */
static cst_status read_file(const char *folder, const char *name, bool optional, cst_split *split, cst_error *error)
{
    cst_text path = {0};
    cst_text_printf(&path, "%s/%s", folder, name);
    /* Whether the file exists is only asked if it may be missing; reading reports all other errors. */
    cst_status status = CST_OK;
    struct stat info;
    if (path.failed) {
        status = cst_fail(error, CST_ENOMEM, "out of memory");
    } else if (!optional || stat(path.data, &info) == 0) {
        status = cst_cifar10_read(path.data, split, error);
    }
    free(path.data);
    return status;
}

/* Read all splits. */
static cst_status read_folder(const char *folder, cst_dataset *data, cst_error *error)
{
    /* The training files that exist, at least one. */
    for (int i = 1; i <= N_BATCHES; i++) {
        char name[32] = "data_batch_N.bin";
        name[strlen("data_batch_")] = (char)('0' + i);
        CST_TRY(read_file(folder, name, true, &data->train, error));
    }
    if (data->train.n == 0) {
        return cst_fail(error, CST_EIO,
                        "%s: expected at least one of data_batch_1.bin to data_batch_%d.bin, found none", folder,
                        N_BATCHES);
    }
    return read_file(folder, "test_batch.bin", false, &data->test, error);
}

static cst_status load(const cst_dataset_type *type, cst_config section, uint64_t seed, cst_dataset *data,
                       cst_error *error)
{
    cifar10_options o = {0};
    CST_TRY(cst_dataset_read(section, type->keys, &o, data, error));
    char *folder = NULL;
    CST_TRY(cst_locate(&(cst_data_location){.path = o.path, .name = "cifar10"}, &folder, error));
    /* Describe the rows, read them, and make them smaller. */
    data->x = cst_shape_3d(CHANNELS, SIDE, SIDE);
    data->n_channels = CHANNELS;
    data->n_classes = N_CLASSES;
    cst_status status = read_folder(folder, data, error);
    free(folder);
    if (status == CST_OK) status = cst_dataset_downsample(section, o.downsample, data, error);
    if (status == CST_OK) status = cst_dataset_split(section, &o.common, seed, data, error);
    if (status == CST_OK) status = cst_dataset_normalize(data, o.common.normalize, error);
    return status;
}

const cst_dataset_type cst_cifar10_type = {"cifar10", "CIFAR-10 in its binary version, 3 x 32 x 32", keys, load};
