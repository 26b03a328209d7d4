#include "datasets/cifar10.h"

#include "core/file.h"
#include "core/text.h"
#include "datasets/average.h"
#include "datasets/locate.h"
#include "datasets/part.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { N_CLASSES = 10, N_BATCHES = 5, CHANNELS = 3, SIDE = 32, IMAGE = CHANNELS * SIDE * SIDE, RECORD = 1 + IMAGE };

static const size_t largest_file = (size_t)1 << 30; /* the official ones have 30.7 MB */

/* A part of more rows, the first of which are those of *part. */
static cst_status grow(cst_part *part, size_t more, cst_error *error)
{
    cst_part larger;
    CST_TRY(cst_part_init(&larger, CST_PART_BYTES, cst_size_add(part->n, more), IMAGE, error));
    if (part->n > 0) {
        memcpy(larger.bytes, part->bytes, part->n * IMAGE);
        memcpy(larger.labels, part->labels, part->n * sizeof *part->labels);
    }
    cst_part_clear(part);
    *part = larger;
    return CST_OK;
}

static cst_status append(const char *path, const uint8_t *records, size_t size, cst_part *part, cst_error *error)
{
    const size_t n = size / RECORD, old = part->n;
    if (n == 0 || size % RECORD != 0) {
        return cst_fail(error, CST_EFORMAT, "%s: expected records of %d bytes, found %zu bytes", path, RECORD, size);
    }
    for (size_t i = 0; i < n; i++) {
        const int label = records[i * RECORD];
        if (label >= N_CLASSES) {
            return cst_fail(error, CST_EFORMAT, "%s: expected labels below %d, found %d at record %zu", path, N_CLASSES,
                            label, i);
        }
    }
    CST_TRY(grow(part, n, error));
    for (size_t i = 0; i < n; i++) {
        part->labels[old + i] = records[i * RECORD];
        memcpy(part->bytes + (old + i) * IMAGE, records + i * RECORD + 1, IMAGE);
    }
    return CST_OK;
}

cst_status cst_cifar10_read(const char *path, cst_part *part, cst_error *error)
{
    char *bytes;
    size_t size;
    CST_TRY(cst_file_read(path, largest_file, &bytes, &size, error));
    const cst_status status = append(path, (const uint8_t *)bytes, size, part, error);
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
    {.name = "path",
     .kind = CST_KEY_STRING,
     .offset = offsetof(cifar10_options, path),
     .fallback = "",
     .help = "folder of data_batch_1.bin, ..., test_batch.bin"},
    CST_AVERAGE_KEY(offsetof(cifar10_options, downsample)),
    {.name = NULL},
};

/* Append FOLDER/NAME; where it is `optional` nothing happens if there is no such file. */
static cst_status read_file(const char *folder, const char *name, bool optional, cst_part *part, cst_error *error)
{
    cst_text path = {0};
    cst_text_printf(&path, "%s/%s", folder, name);
    cst_status status = CST_OK;
    struct stat info;
    if (path.failed) {
        status = cst_fail(error, CST_ENOMEM, "out of memory");
    } else if (!optional || stat(path.data, &info) == 0) {
        status = cst_cifar10_read(path.data, part, error);
    }
    free(path.data);
    return status;
}

static cst_status read_folder(const char *folder, cst_dataset *data, cst_error *error)
{
    for (int i = 1; i <= N_BATCHES; i++) {
        char name[32] = "data_batch_N.bin";
        name[strlen("data_batch_")] = (char)('0' + i);
        CST_TRY(read_file(folder, name, true, &data->train, error));
    }
    if (data->train.n == 0) {
        return cst_fail(error, CST_EIO, "%s: none of data_batch_1.bin to data_batch_%d.bin is there", folder,
                        N_BATCHES);
    }
    return read_file(folder, "test_batch.bin", false, &data->test, error);
}

static cst_status load(cst_config section, uint64_t seed, cst_dataset *data, cst_error *error)
{
    cifar10_options o = {0};
    CST_TRY(cst_dataset_read(section, keys, &o, data, error));
    char *folder = NULL;
    CST_TRY(cst_locate(&(cst_whereabouts){.path = o.path, .name = "cifar10"}, &folder, error));
    data->x = cst_shape_3d(CHANNELS, SIDE, SIDE);
    data->n_channels = CHANNELS;
    data->n_classes = N_CLASSES;
    cst_status status = read_folder(folder, data, error);
    free(folder);
    if (status == CST_OK) status = cst_dataset_average(section, o.downsample, data, error);
    if (status == CST_OK) status = cst_dataset_cut(section, &o.common, seed, data, error);
    if (status == CST_OK) status = cst_dataset_normalize(data, o.common.normalize, error);
    return status;
}

const cst_dataset_type cst_cifar10_type = {"cifar10", "CIFAR-10 in its binary version, 3 x 32 x 32", keys, load};
