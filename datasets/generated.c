#include "datasets/generated.h"

#include "datasets/part.h"

#include <math.h>

static const double two_pi = 6.283185307179586;

void cst_spirals_fill(cst_rng rng, size_t classes, double turns, double noise, size_t n, real *x, int32_t *labels)
{
    for (size_t i = 0; i < n; i++) {
        /* Up to radius r an arm that turns often is about pi turns r^2 long: with r^2 uniform, points lie about equally
         * dense along it. */
        const double r = sqrt(cst_rng_uniform(rng, 3 * i));
        const double angle = two_pi * (turns * r + (double)(i % classes) / (double)classes);
        x[2 * i] = (real)(r * cos(angle) + noise * cst_rng_normal(rng, 3 * i + 1));
        x[2 * i + 1] = (real)(r * sin(angle) + noise * cst_rng_normal(rng, 3 * i + 2));
        labels[i] = (int32_t)(i % classes);
    }
}

/* A point uniform in the shell low <= |x| <= high: a normal vector's direction, and a radius whose d-th power is
 * uniform, since the ball's volume grows as r^d. */
static void fill_shell(cst_rng rng, size_t d, double low, double high, double noise, real *x)
{
    double squares = 0;
    for (size_t j = 0; j < d; j++) {
        const double v = cst_rng_normal(rng, j);
        x[j] = (real)v;
        squares += v * v;
    }
    const double n = (double)d, inner = pow(low, n), outer = pow(high, n);
    const double r = pow(inner + (outer - inner) * cst_rng_uniform(rng, d), 1 / n);
    const double scale = squares > 0 ? r / sqrt(squares) : 0;
    for (size_t j = 0; j < d; j++) x[j] = (real)(scale * (double)x[j] + noise * cst_rng_normal(rng, d + 1 + j));
}

void cst_circles_fill(cst_rng rng, size_t dimension, double noise, size_t n, real *x, int32_t *labels)
{
    for (size_t i = 0; i < n; i++) {
        const double low = i % 2 ? 1 : 0, high = i % 2 ? 1.5 : 0.5;
        fill_shell(cst_rng_split(rng, i), dimension, low, high, noise, x + i * dimension);
        labels[i] = (int32_t)(i % 2);
    }
}

/* ---- data sets ----------------------------------------------------------------------------------------------- */

enum { MAX_ROWS = 10000000, MAX_DIMENSION = 16 }; /* of a part, of a point: what is more is a slip of the finger */

typedef struct generated_options {
    cst_dataset_options common; /* first */
    size_t classes, dimension;
    double turns, noise;
} generated_options;

/* In place of the common keys: here sizes say how many rows to make, and points are taken as they are by default. */
#define SIZE_KEYS                                                                                                      \
    CST_INIT({.name = "train_size",                                                                                    \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = offsetof(generated_options, common.train_size),                                                \
              .fallback = "1000",                                                                                      \
              .range = CST_BETWEEN(1, MAX_ROWS),                                                                       \
              .help = "training rows"},                                                                                \
             {.name = "validation_size",                                                                               \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = offsetof(generated_options, common.validation_size),                                           \
              .fallback = "0",                                                                                         \
              .range = CST_BETWEEN(0, MAX_ROWS),                                                                       \
              .help = "validation rows"},                                                                              \
             {.name = "test_size",                                                                                     \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = offsetof(generated_options, common.test_size),                                                 \
              .fallback = "1000",                                                                                      \
              .range = CST_BETWEEN(0, MAX_ROWS),                                                                       \
              .help = "test rows"},                                                                                    \
             {.name = "normalize",                                                                                     \
              .kind = CST_KEY_BOOL,                                                                                    \
              .offset = offsetof(generated_options, common.normalize),                                                 \
              .fallback = "false",                                                                                     \
              .help = "mean 0 and deviation 1 in each coordinate of the training part"})

static const cst_key spirals_keys[] = {
    {.name = "classes",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(generated_options, classes),
     .fallback = "2",
     .range = CST_BETWEEN(2, 1000),
     .help = "number of arms"},
    {.name = "turns",
     .kind = CST_KEY_REAL,
     .offset = offsetof(generated_options, turns),
     .fallback = "1",
     .range = CST_BETWEEN(0, 100),
     .help = "of each arm around the origin"},
    {.name = "noise",
     .kind = CST_KEY_REAL,
     .offset = offsetof(generated_options, noise),
     .fallback = "0.02",
     .range = CST_AT_LEAST(0),
     .help = "deviation added to each coordinate"},
    SIZE_KEYS,
    {.name = NULL},
};

static const cst_key circles_keys[] = {
    {.name = "dimension",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(generated_options, dimension),
     .fallback = "2",
     .range = CST_BETWEEN(1, MAX_DIMENSION),
     .help = "of the space"},
    {.name = "noise",
     .kind = CST_KEY_REAL,
     .offset = offsetof(generated_options, noise),
     .fallback = "0",
     .range = CST_AT_LEAST(0),
     .help = "deviation added to each coordinate"},
    SIZE_KEYS,
    {.name = NULL},
};

/* The three parts, each from its own stream of the seed. `classes` is 0 for circles. */
static cst_status generate(const generated_options *o, uint64_t seed, cst_dataset *data, cst_error *error)
{
    const size_t sizes[] = {o->common.train_size, o->common.validation_size, o->common.test_size};
    cst_part *const parts[] = {&data->train, &data->validation, &data->test};
    data->x = cst_shape_1d(o->dimension);
    data->n_classes = o->classes > 0 ? o->classes : 2;
    data->n_channels = o->common.normalize ? o->dimension : 0;
    for (size_t p = 0; p < 3; p++) {
        if (sizes[p] == 0) continue;
        const cst_rng rng = cst_rng_split(cst_rng_new(seed, CST_RNG_DATA), p);
        CST_TRY(cst_part_init(parts[p], CST_PART_VALUES, sizes[p], o->dimension, error));
        if (o->classes > 0) {
            cst_spirals_fill(rng, o->classes, o->turns, o->noise, sizes[p], parts[p]->values, parts[p]->labels);
        } else {
            cst_circles_fill(rng, o->dimension, o->noise, sizes[p], parts[p]->values, parts[p]->labels);
        }
    }
    return cst_dataset_normalize(data, o->common.normalize, error);
}

static cst_status load_spirals(cst_config section, uint64_t seed, cst_dataset *data, cst_error *error)
{
    generated_options o = {.dimension = 2};
    CST_TRY(cst_dataset_read(section, spirals_keys, &o, data, error));
    return generate(&o, seed, data, error);
}

static cst_status load_circles(cst_config section, uint64_t seed, cst_dataset *data, cst_error *error)
{
    generated_options o = {0};
    CST_TRY(cst_dataset_read(section, circles_keys, &o, data, error));
    return generate(&o, seed, data, error);
}

const cst_dataset_type cst_spirals_type = {"spirals", "interleaved spiral arms in the plane", spirals_keys,
                                           load_spirals};
const cst_dataset_type cst_circles_type = {"circles", "a ball and a shell around it", circles_keys, load_circles};
