/* The data set `images`: JPEG and PNG images in folders, one folder per class (datasets/class_folders.h).
 *
 * Rows are (channels, h, w) bytes; all images must have the same size. Without a test folder, "test_size" draws rows for the
 * test split. */
#ifndef CST_DATASETS_IMAGE_FOLDER_H
#define CST_DATASETS_IMAGE_FOLDER_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Read the class folders in `train` and, unless it is NULL, in `test` into the splits of data, and set its x, n_classes and
 * n_channels. Images are converted to `channels` channels, 1 or 3. On failure too the caller clears data. Errors, which name
 * the file or folder: CST_EIO if it cannot be read; CST_EFORMAT for an image that cannot be decoded (with the decoder's
 * reason) or that has another size than the first one, and those of cst_class_folders_read; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_image_folder_read(const char *train, const char *test, size_t channels, cst_dataset *data,
                                                cst_error *error);

extern const cst_dataset_type cst_images_type;

#ifdef __cplusplus
}
#endif
#endif
