/* Trajectories cut into windows, for models that continue a motion from its first point: the data set `trajectories`, and
 * what simulated trajectories (datasets/simulated.h) share with it.
 *
 * A trajectory has T points of D numbers at equal distances in time. Each W consecutive points of a trajectory are a row: x
 * (D) is the first point of the window, the targets are all W points, (W, D). A trajectory thus gives T - W + 1 rows, in the
 * order of their first points. The rows of a split are those of its trajectories, one trajectory after the other. Since
 * windows overlap, splits consist of whole trajectories.
 *
 * The data set `trajectories` reads NumPy's .npy files, floats of shape (R, T, D). Without a test file the last trajectories
 * of the training file are the test split, and without a validation file those before them are the validation split. T may
 * differ between files. */
#ifndef CST_DATASETS_TRAJECTORIES_H
#define CST_DATASETS_TRAJECTORIES_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The common options and the window. The struct of a loader's options begins with one. */
typedef struct cst_window_options {
    cst_dataset_options common; /* first */
    size_t window;              /* W */
} cst_window_options;

/* The keys of cst_window_options. The sizes replace the common ones, because no rows may move from one split to another, and
 * by default points are not normalized. `points` is the default of W. */
#define CST_WINDOW_KEYS(points)                                                                                        \
    CST_INIT({.name = "window",                                                                                        \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = offsetof(cst_window_options, window),                                                          \
              .fallback = points,                                                                                      \
              .range = CST_BETWEEN(2, 1e9),                                                                            \
              .help = "points per row, including the first one"},                                                      \
             CST_SPLIT_SIZE_KEY(train, "0", CST_ANY, "training windows kept, drawn by the seed; 0: all"),              \
             CST_SPLIT_SIZE_KEY(validation, "0", CST_ANY, "validation windows kept, drawn by the seed; 0: all"),       \
             CST_SPLIT_SIZE_KEY(test, "0", CST_ANY, "test windows kept, drawn by the seed; 0: all"),                   \
             CST_NORMALIZE_KEY("false", "mean 0 and std 1 in each number of x over the training split; targets stay "  \
                                        "as they are"))

/* Allocate n trajectories of n_points points of `width` numbers in an empty split. Errors: CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_trajectories_init(cst_split *split, size_t n, size_t n_points, size_t width,
                                                cst_error *error);

/* The end of a loader: make the rows of each split from its trajectories, cut the splits to the sizes in the options, and
 * normalize. The caller has set data->x to (D) and filled the trajectories, which stay as they are. Errors: CST_ECONFIG at
 * the key, for a window longer than a trajectory or for a size larger than the split; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_trajectories_cut(cst_config section, const cst_window_options *options, uint64_t seed,
                                               cst_dataset *data, cst_error *error);

extern const cst_dataset_type cst_trajectories_type;

#ifdef __cplusplus
}
#endif
#endif
