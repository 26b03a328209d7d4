/* Trajectories cut into windows, for models that are to continue a motion from its first point.
 *
 * A trajectory is T points of D numbers at equal distances in time. Each W consecutive points of one are a row: x (D) is the
 * window's first point, its targets are all W points, (W, D). So a trajectory makes T - W + 1 rows, in the order of
 * their starts, and a part's trajectories one after the other.
 *
 * The data set `trajectories` has them in NumPy's .npy files, floats of shape (R, T, D). Without files of their own the
 * last of the file's trajectories test, those before them validate. T may differ from file to file. */
#ifndef CST_DATASETS_TRAJECTORIES_H
#define CST_DATASETS_TRAJECTORIES_H

#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A loader's options begin with it. */
typedef struct cst_window_options {
    cst_dataset_options common; /* first */
    size_t window;              /* W */
} cst_window_options;

/* The keys of cst_window_options, in place of some common ones: parts are there already, and points are by default taken as
 * they are. `points` is the window's default. */
#define CST_WINDOW_KEYS(points)                                                                                        \
    CST_INIT({.name = "window",                                                                                        \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = offsetof(cst_window_options, window),                                                          \
              .fallback = points,                                                                                      \
              .range = CST_BETWEEN(2, 1e9),                                                                            \
              .help = "points a row, its first one included"},                                                         \
             {.name = "train_size",                                                                                    \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = offsetof(cst_window_options, common.train_size),                                               \
              .fallback = "0",                                                                                         \
              .help = "training windows kept, drawn by the seed; 0: all"},                                             \
             {.name = "validation_size",                                                                               \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = offsetof(cst_window_options, common.validation_size),                                          \
              .fallback = "0",                                                                                         \
              .help = "validation windows kept, likewise"},                                                            \
             {.name = "test_size",                                                                                     \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = offsetof(cst_window_options, common.test_size),                                                \
              .fallback = "0",                                                                                         \
              .help = "test windows kept, likewise"},                                                                  \
             {.name = "normalize",                                                                                     \
              .kind = CST_KEY_BOOL,                                                                                    \
              .offset = offsetof(cst_window_options, common.normalize),                                                \
              .fallback = "false",                                                                                     \
              .help = "mean 0 and deviation 1 in each number of x over the training part; targets stay as they are"})

/* Room in an empty part for n trajectories of n_points points of `width` numbers. CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_trajectories_init(cst_part *part, size_t n, size_t n_points, size_t width,
                                                cst_error *error);

/* The end of a loader: data->x is (D), each part has its trajectories, and gets their windows; the parts are cut to
 * the sizes asked for. Trajectories stay as they are. Errors: CST_ECONFIG at the section's keys, for a window longer than a
 * part's trajectories or sizes larger than a part, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_trajectories_cut(cst_config section, const cst_window_options *options, uint64_t seed,
                                               cst_dataset *data, cst_error *error);

extern const cst_dataset_type cst_trajectories_type;

#ifdef __cplusplus
}
#endif
#endif
