/* Smaller images: each k x k patch of a channel is replaced by its mean.
 *
 * The mean is rounded to the nearest byte, halves up. The result is bytes 0 to 255 again, so likelihoods of pixels keep their
 * units, and the mean of a channel changes only by rounding. Data sets of images offer this by the key "downsample". A flow on
 * MNIST trains within minutes if the side of the images is a half or a quarter. */
#ifndef CST_DATASETS_DOWNSAMPLE_H
#define CST_DATASETS_DOWNSAMPLE_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Initializer of the key "downsample", a size_t `at` bytes into the options. */
#define CST_DOWNSAMPLE_KEY(at)                                                                                         \
    CST_INIT(                                                                                                          \
        {.name = "downsample",                                                                                         \
         .kind = CST_KEY_SIZE,                                                                                         \
         .offset = at,                                                                                                 \
         .fallback = "1",                                                                                              \
         .range = CST_BETWEEN(1, 1024),                                                                                \
         .help = "side of the patches of pixels that are replaced by their mean, rounded; 1: images as they are"})

/* Downsample all splits in place and update data->x. A no-op if k is 1. Errors: CST_ECONFIG at the section's "downsample"
 * unless rows are (C, H, W) with H and W multiples of k. Rows must be bytes. */
CST_MUST_CHECK cst_status cst_dataset_downsample(cst_config section, size_t k, cst_dataset *data, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
