#include "datasets/trajectories.h"

#include "datasets/part.h"

#include <string.h>

/* ---- windows ------------------------------------------------------------------------------------------------- */

cst_status cst_trajectories_init(cst_part *part, size_t n, size_t n_points, size_t width, cst_error *error)
{
    const size_t size = cst_size_mul(n, cst_size_mul(n_points, width));
    *part = (cst_part){.n_trajectories = n, .n_points = n_points};
    part->trajectories = cst_array_new(size, sizeof *part->trajectories);
    if (part->trajectories) return CST_OK;
    return cst_fail(error, CST_ENOMEM, "out of memory for %zu trajectories of %zu points", n, n_points);
}

/* Windows overlap: a row's targets are W D consecutive numbers of its trajectory, and x the first D of them. */
static cst_status cut_part(cst_part *part, size_t width, size_t window, cst_error *error)
{
    const size_t starts = part->n_points - window + 1, length = window * width, row = sizeof *part->values;
    const size_t n = cst_size_mul(part->n_trajectories, starts);
    part->values = cst_array_new(cst_size_mul(n, width), row);
    part->targets = cst_array_new(cst_size_mul(n, length), row);
    if (!part->values || !part->targets)
        return cst_fail(error, CST_ENOMEM, "out of memory for %zu windows of %zu points", n, window);
    part->n = n;
    for (size_t i = 0; i < n; i++) {
        const real *first = part->trajectories + (i / starts * part->n_points + i % starts) * width;
        memcpy(part->values + i * width, first, width * row);
        memcpy(part->targets + i * length, first, length * row);
    }
    return CST_OK;
}

cst_status cst_trajectories_cut(cst_config section, const cst_window_options *options, uint64_t seed, cst_dataset *data,
                                cst_error *error)
{
    const size_t width = cst_shape_size(&data->x), window = options->window;
    cst_part *const parts[] = {&data->train, &data->validation, &data->test};
    for (size_t p = 0; p < 3; p++) {
        if (parts[p]->n_trajectories == 0) continue;
        if (window > parts[p]->n_points)
            return cst_config_fail(cst_config_get(section, "window"), error,
                                   "expected at most %zu, the points of a trajectory, got %zu", parts[p]->n_points,
                                   window);
        CST_TRY(cut_part(parts[p], width, window, error));
    }
    /* Where a part has no trajectories no rows may come to it from another: their windows overlap with those that stay. */
    const size_t sizes[] = {0, options->common.validation_size, options->common.test_size};
    const char *const keys[] = {NULL, "validation_size", "test_size"};
    for (size_t p = 1; p < 3; p++) {
        if (parts[p]->n == 0 && sizes[p] > 0)
            return cst_config_fail(cst_config_get(section, keys[p]), error,
                                   "expected 0, as no trajectories are in this part, got %zu", sizes[p]);
    }
    data->n_targets = cst_size_mul(window, width);
    data->n_channels = options->common.normalize ? width : 0;
    CST_TRY(cst_dataset_cut(section, &options->common, seed, data, error));
    return cst_dataset_normalize(data, options->common.normalize, error);
}
