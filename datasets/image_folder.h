/* Folders of JPEG and PNG images, one folder a class (datasets/class_folders.h), and their data set `images`; without a
 * test folder rows for a test split are drawn by `test_size`. Rows are (channels, h, w); all images must have one size. */
#ifndef CST_DATASETS_IMAGE_FOLDER_H
#define CST_DATASETS_IMAGE_FOLDER_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Read the class folders in `train`, and in `test` unless it is NULL, into the parts of data, and set its x, n_classes
 * and n_channels. Images are converted to `channels` (1 or 3). Errors, each naming the file or folder: CST_EIO if it
 * cannot be read; CST_EFORMAT for an image that cannot be decoded, with the decoder's reason, for one of another size
 * than the first, for a folder without classes or images, and for a class in `test` that is not in `train`; CST_ENOMEM.
 * What has been read by then is left to cst_dataset_clear. */
CST_MUST_CHECK cst_status cst_image_folder_read(const char *train, const char *test, size_t channels, cst_dataset *data,
                                                cst_error *error);

extern const cst_dataset_type cst_images_type;

#ifdef __cplusplus
}
#endif
#endif
