#include "datasets/registry.h"

#include "datasets/cifar10.h"
#include "datasets/csv_dataset.h"
#include "datasets/densities.h"
#include "datasets/double_pendulum.h"
#include "datasets/generated.h"
#include "datasets/idx.h"
#include "datasets/image_folder.h"
#include "datasets/npy_dataset.h"
#include "datasets/oscillators.h"
#include "datasets/series_csv.h"
#include "datasets/series_npy.h"
#include "datasets/trajectories.h"
#include "datasets/ts.h"
#include "datasets/wav_dataset.h"

/* One per line: clang-format would set them in columns. */
/* clang-format off */
const cst_dataset_type *const cst_dataset_types[] = {
    &cst_mnist_type,
    &cst_fashion_mnist_type,
    &cst_idx_type,
    &cst_cifar10_type,
    &cst_images_type,
    &cst_npy_dataset_type,
    &cst_csv_dataset_type,
    &cst_trajectories_type,
    &cst_series_npy_type,
    &cst_series_csv_type,
    &cst_ts_type,
    &cst_wav_dataset_type,
    &cst_spirals_type,
    &cst_circles_type,
    &cst_density_type,
    &cst_double_pendulum_type,
    &cst_pendulum_type,
    &cst_mass_spring_type,
    NULL,
};
/* clang-format on */

cst_status cst_dataset_load(cst_config section, uint64_t seed, cst_dataset *data, cst_error *error)
{
    /* The names for the message about an unknown type. */
    enum { N_TYPES = sizeof cst_dataset_types / sizeof cst_dataset_types[0] };
    const char *names[N_TYPES] = {0};
    for (size_t i = 0; cst_dataset_types[i]; i++) names[i] = cst_dataset_types[i]->name;
    *data = (cst_dataset){0};
    size_t type = 0;
    CST_TRY(cst_config_type(section, "data set", names, &type, error));
    const cst_status status = cst_dataset_types[type]->load(cst_dataset_types[type], section, seed, data, error);
    if (status == CST_OK) return CST_OK;
    /* A file error is reported at the section that asks for the file. cst_config_place makes it CST_ECONFIG, so the status is
     * restored. */
    if (status == CST_EIO && error) {
        cst_config_place(section, error);
        error->status = status;
    }
    cst_dataset_clear(data);
    return status;
}
