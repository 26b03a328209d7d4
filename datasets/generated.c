#include "datasets/generated.h"

#include "datasets/generator.h"

#include <math.h>

static const double two_pi = 6.283185307179586;

/* Draws 3 i to 3 i + 2 are those of point i: its radius and its noise. */
void cst_spirals_fill(cst_rng rng, size_t classes, double turns, double noise, size_t n, real *x, int32_t *labels)
{
    for (size_t i = 0; i < n; i++) {
        /* An arm with many turns has a length of about pi turns r^2 up to radius r. With r^2 uniform the density of the
         * points along the arm is therefore about constant. */
        const double r = sqrt(cst_rng_uniform(rng, 3 * i));
        const double angle = two_pi * (turns * r + (double)(i % classes) / (double)classes);
        x[2 * i] = (real)(r * cos(angle) + noise * cst_rng_normal(rng, 3 * i + 1));
        x[2 * i + 1] = (real)(r * sin(angle) + noise * cst_rng_normal(rng, 3 * i + 2));
        labels[i] = (int32_t)(i % classes);
    }
}

/* A point uniform in the shell low <= |x| <= high of d dimensions, plus noise. Draws 0 to d of rng are the point's, the
 * next d its noise's. */
static void fill_shell(cst_rng rng, size_t d, double low, double high, double noise, real *x)
{
    /* The direction of a normal vector is uniform. */
    double squares = 0;
    for (size_t j = 0; j < d; j++) {
        const double v = cst_rng_normal(rng, j);
        x[j] = (real)v;
        squares += v * v;
    }
    /* The volume of a ball grows as r^d, so r^d is uniform. */
    const double n = (double)d, inner = pow(low, n), outer = pow(high, n);
    const double r = pow(inner + (outer - inner) * cst_rng_uniform(rng, d), 1 / n);
    const double scale = squares > 0 ? r / sqrt(squares) : 0;
    for (size_t j = 0; j < d; j++) x[j] = (real)(scale * (double)x[j] + noise * cst_rng_normal(rng, d + 1 + j));
}

/* Even points are in the ball, odd ones in the shell; each has its own stream. */
void cst_circles_fill(cst_rng rng, size_t dimension, double noise, size_t n, real *x, int32_t *labels)
{
    for (size_t i = 0; i < n; i++) {
        const double low = i % 2 ? 1 : 0, high = i % 2 ? 1.5 : 0.5;
        fill_shell(cst_rng_split(rng, i), dimension, low, high, noise, x + i * dimension);
        labels[i] = (int32_t)(i % 2);
    }
}

/* ---- the data sets ------------------------------------------------------------------------------------------- */

enum { MAX_DIMENSION = 16 }; /* sanity limit */

typedef struct spirals_options {
    cst_dataset_options common; /* first */
    size_t classes;
    double turns, noise;
} spirals_options;

typedef struct circles_options {
    cst_dataset_options common; /* first */
    size_t dimension;
    double noise;
} circles_options;

static const cst_key spirals_keys[] = {
    {.name = "classes",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(spirals_options, classes),
     .fallback = "2",
     .range = CST_BETWEEN(2, 1000),
     .help = "number of arms"},
    {.name = "turns",
     .kind = CST_KEY_REAL,
     .offset = offsetof(spirals_options, turns),
     .fallback = "1",
     .range = CST_BETWEEN(0, 100),
     .help = "turns of each arm around the origin"},
    {.name = "noise",
     .kind = CST_KEY_REAL,
     .offset = offsetof(spirals_options, noise),
     .fallback = "0.02",
     .range = CST_AT_LEAST(0),
     .help = "std of the noise in each coordinate"},
    CST_GENERATOR_KEYS("1000", "1000"),
    {.name = NULL},
};

static const cst_key circles_keys[] = {
    {.name = "dimension",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(circles_options, dimension),
     .fallback = "2",
     .range = CST_BETWEEN(1, MAX_DIMENSION),
     .help = "dimension of the space"},
    {.name = "noise",
     .kind = CST_KEY_REAL,
     .offset = offsetof(circles_options, noise),
     .fallback = "0",
     .range = CST_AT_LEAST(0),
     .help = "std of the noise in each coordinate"},
    CST_GENERATOR_KEYS("1000", "1000"),
    {.name = NULL},
};

/* Adapters from the options of a config to the functions above. */
static void generate_spirals(const cst_dataset_options *options, cst_rng rng, size_t n, real *x, int32_t *labels)
{
    const spirals_options *o = (const spirals_options *)options;
    cst_spirals_fill(rng, o->classes, o->turns, o->noise, n, x, labels);
}

static void generate_circles(const cst_dataset_options *options, cst_rng rng, size_t n, real *x, int32_t *labels)
{
    const circles_options *o = (const circles_options *)options;
    cst_circles_fill(rng, o->dimension, o->noise, n, x, labels);
}

static cst_status load_spirals(const cst_dataset_type *type, cst_config section, uint64_t seed, cst_dataset *data,
                               cst_error *error)
{
    spirals_options o = {0};
    CST_TRY(cst_dataset_read(section, type->keys, &o, data, error));
    data->x = cst_shape_1d(2);
    data->n_classes = o.classes;
    return cst_dataset_generate(&o.common, generate_spirals, seed, data, error);
}

static cst_status load_circles(const cst_dataset_type *type, cst_config section, uint64_t seed, cst_dataset *data,
                               cst_error *error)
{
    circles_options o = {0};
    CST_TRY(cst_dataset_read(section, type->keys, &o, data, error));
    data->x = cst_shape_1d(o.dimension);
    data->n_classes = 2;
    return cst_dataset_generate(&o.common, generate_circles, seed, data, error);
}

const cst_dataset_type cst_spirals_type = {"spirals", "interleaved spiral arms in the plane", spirals_keys,
                                           load_spirals};
const cst_dataset_type cst_circles_type = {"circles", "a ball and a shell around it", circles_keys, load_circles};
