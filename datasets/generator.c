#include "datasets/generator.h"

#include "datasets/split.h"

#include <stdlib.h>

cst_status cst_dataset_generate(const cst_dataset_options *options, cst_generate generate, uint64_t seed,
                                cst_dataset *data, cst_error *error)
{
    const size_t sizes[] = {options->train_size, options->validation_size, options->test_size};
    cst_split *const splits[] = {&data->train, &data->validation, &data->test};
    const size_t d = cst_shape_size(&data->x);
    data->n_channels = options->normalize ? d : 0;
    for (size_t p = 0; p < 3; p++) {
        if (sizes[p] == 0) continue;
        CST_TRY(cst_split_init(splits[p], CST_SPLIT_VALUES, sizes[p], d, error));
        /* Rows without classes have no labels. */
        if (data->n_classes == 0) {
            free(splits[p]->labels);
            splits[p]->labels = NULL;
        }
        /* Each split has its own stream. */
        generate(options, cst_rng_split(cst_rng_new(seed, CST_RNG_DATA), p), sizes[p], splits[p]->values,
                 splits[p]->labels);
    }
    return cst_dataset_normalize(data, options->normalize, error);
}
