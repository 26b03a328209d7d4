#include "datasets/densities.h"

#include "datasets/part.h"

#include <math.h>
#include <stdlib.h>

static const double pi = 3.14159265358979323846;

const char *const cst_density_names[] = {
#define X(name) #name,
    CST_DENSITIES(X)
#undef X
        NULL};

/* ---- points ------------------------------------------------------------------------------------------------------ */

/* One point (a, b) from a stream of its own: draws 0 and 1 are for its noise. */
enum { NOISE_A, NOISE_B, U, V, W };

static void add_noise(cst_rng rng, double deviation, double p[2])
{
    p[0] += deviation * cst_rng_normal(rng, NOISE_A);
    p[1] += deviation * cst_rng_normal(rng, NOISE_B);
}

static void on_circle(cst_rng rng, double radius, double deviation, double p[2])
{
    const double angle = 2 * pi * cst_rng_uniform(rng, U);
    p[0] = radius * cos(angle);
    p[1] = radius * sin(angle);
    add_noise(rng, deviation, p);
}

static void circles_point(cst_rng rng, double p[2])
{
    on_circle(rng, cst_rng_below(rng, V, 2) ? 1.5 : 3, 0.24, p);
}

static void rings_point(cst_rng rng, double p[2])
{
    on_circle(rng, 0.75 * (double)(1 + cst_rng_below(rng, V, 4)), 0.08, p);
}

static void moons_point(cst_rng rng, double p[2])
{
    const double angle = pi * cst_rng_uniform(rng, U);
    const bool upper = cst_rng_below(rng, V, 2);
    p[0] = upper ? cos(angle) : 1 - cos(angle);
    p[1] = upper ? sin(angle) : 0.5 - sin(angle);
    add_noise(rng, 0.1, p);
    p[0] = 2 * p[0] - 1;
    p[1] = 2 * p[1] - 0.2;
}

/* An ellipse beside the origin, turned by the arm's angle and the more the farther out a point is. */
static void pinwheel_point(cst_rng rng, double p[2])
{
    enum { ARMS = 5 };
    const double a = 1 + 0.3 * cst_rng_normal(rng, NOISE_A), b = 0.1 * cst_rng_normal(rng, NOISE_B);
    const double angle = 2 * pi * (double)cst_rng_below(rng, V, ARMS) / ARMS + 0.25 * exp(a);
    p[0] = 2 * (a * cos(angle) + b * sin(angle));
    p[1] = 2 * (b * cos(angle) - a * sin(angle));
}

static void gaussians_point(cst_rng rng, double p[2])
{
    const double angle = pi / 4 * (double)cst_rng_below(rng, V, 8);
    p[0] = 4 * cos(angle);
    p[1] = 4 * sin(angle);
    add_noise(rng, 0.5, p);
    p[0] /= 1.414; /* as there */
    p[1] /= 1.414;
}

static void checkerboard_point(cst_rng rng, double p[2])
{
    const double a = 4 * cst_rng_uniform(rng, U) - 2;
    const double b = cst_rng_uniform(rng, V) - 2 * (double)cst_rng_below(rng, W, 2);
    p[0] = 2 * a;
    p[1] = 2 * (b + fabs(fmod(floor(a), 2)));
}

static void swiss_roll_point(cst_rng rng, double p[2])
{
    const double t = 1.5 * pi * (1 + 2 * cst_rng_uniform(rng, U));
    p[0] = t * cos(t);
    p[1] = t * sin(t);
    add_noise(rng, 1, p);
    p[0] /= 5;
    p[1] /= 5;
}

static void spirals_point(cst_rng rng, double p[2])
{
    const double t = 3 * pi * sqrt(cst_rng_uniform(rng, U)), arm = cst_rng_below(rng, 5, 2) ? -1 : 1;
    p[0] = arm * (-cos(t) * t + 0.5 * cst_rng_uniform(rng, V)) / 3;
    p[1] = arm * (sin(t) * t + 0.5 * cst_rng_uniform(rng, W)) / 3;
    add_noise(rng, 0.1, p);
}

void cst_density_fill(cst_rng rng, cst_density density, size_t n, real *x)
{
    static void (*const points[CST_N_DENSITIES])(cst_rng rng, double p[2]) = {
#define X(name) [CST_DENSITY_##name] = name##_point,
        CST_DENSITIES(X)
#undef X
    };
    for (size_t i = 0; i < n; i++) {
        double p[2];
        points[density](cst_rng_split(rng, i), p);
        x[2 * i] = (real)p[0];
        x[2 * i + 1] = (real)p[1];
    }
}

/* ---- data set ---------------------------------------------------------------------------------------------------- */

enum { MAX_ROWS = 10000000 }; /* of a part: what is more is a slip of the finger */

typedef struct density_options {
    cst_dataset_options common; /* first */
    int density;
} density_options;

static const cst_key density_keys[] = {
    {.name = "name",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(density_options, density),
     .choices = cst_density_names,
     .help = "which"},
    {.name = "train_size",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(density_options, common.train_size),
     .fallback = "10000",
     .range = CST_BETWEEN(1, MAX_ROWS),
     .help = "training rows"},
    {.name = "validation_size",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(density_options, common.validation_size),
     .fallback = "0",
     .range = CST_BETWEEN(0, MAX_ROWS),
     .help = "validation rows"},
    {.name = "test_size",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(density_options, common.test_size),
     .fallback = "5000",
     .range = CST_BETWEEN(0, MAX_ROWS),
     .help = "test rows"},
    {.name = "normalize",
     .kind = CST_KEY_BOOL,
     .offset = offsetof(density_options, common.normalize),
     .fallback = "false",
     .help = "mean 0 and deviation 1 in each coordinate of the training part"},
    {.name = NULL},
};

static cst_status load(cst_config section, uint64_t seed, cst_dataset *data, cst_error *error)
{
    density_options o = {0};
    CST_TRY(cst_dataset_read(section, density_keys, &o, data, error));
    const size_t sizes[] = {o.common.train_size, o.common.validation_size, o.common.test_size};
    cst_part *const parts[] = {&data->train, &data->validation, &data->test};
    data->x = cst_shape_1d(2);
    data->n_channels = o.common.normalize ? 2 : 0;
    for (size_t p = 0; p < 3; p++) {
        if (sizes[p] == 0) continue;
        CST_TRY(cst_part_init(parts[p], CST_PART_VALUES, sizes[p], 2, error));
        free(parts[p]->labels); /* there are none */
        parts[p]->labels = NULL;
        cst_density_fill(cst_rng_split(cst_rng_new(seed, CST_RNG_DATA), p), (cst_density)o.density, sizes[p],
                         parts[p]->values);
    }
    return cst_dataset_normalize(data, o.common.normalize, error);
}

const cst_dataset_type cst_density_type = {"density", "points in the plane without labels, for models of densities",
                                           density_keys, load};
