/* Images made smaller: each k x k patch of a channel becomes its mean, rounded to the nearest byte, halves up. What is left are
 * pixels 0 .. 255 as before, so that likelihoods of them are in the same units; a channel's mean stays, up to the rounding.
 *
 * Data sets of images have a key "downsample" for it; a half or a quarter of MNIST's side makes a flow's training a matter of
 * minutes. */
#ifndef CST_DATASETS_AVERAGE_H
#define CST_DATASETS_AVERAGE_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A data set's key, for a size_t `at` bytes into its options. */
#define CST_AVERAGE_KEY(at)                                                                                            \
    CST_INIT({.name = "downsample",                                                                                    \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = at,                                                                                            \
              .fallback = "1",                                                                                         \
              .range = CST_BETWEEN(1, 1024),                                                                           \
              .help = "side of the patches of pixels that become one, their mean, rounded; 1: images as they are"})

/* All parts, in place, and data->x; nothing where k is 1. CST_ECONFIG at the section's "downsample" unless rows are (C, H, W) of
 * bytes with H and W multiples of k. */
CST_MUST_CHECK cst_status cst_dataset_average(cst_config section, size_t k, cst_dataset *data, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
