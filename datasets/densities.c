#include "datasets/densities.h"

#include "datasets/generator.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

const char *const cst_density_names[] = {
#define X(name) #name,
    CST_DENSITIES(X)
#undef X
        NULL};

/* ---- points ------------------------------------------------------------------------------------------------------ */

/* Each function draws one point p from the stream rng, by the formulas of FFJORD's lib/toy_data.py. Draws are numbered: two
 * normal ones for the noise, and uniform ones. */
enum { NOISE_A, NOISE_B, U, V, W };

static void add_noise(cst_rng rng, double std, double p[2])
{
    p[0] += std * cst_rng_normal(rng, NOISE_A);
    p[1] += std * cst_rng_normal(rng, NOISE_B);
}

/* A point on a circle around the origin, plus noise. */
static void on_circle(cst_rng rng, double radius, double std, double p[2])
{
    const double angle = 2 * pi * cst_rng_uniform(rng, U);
    p[0] = radius * cos(angle);
    p[1] = radius * sin(angle);
    add_noise(rng, std, p);
}

static void circles_point(cst_rng rng, double p[2])
{
    on_circle(rng, cst_rng_below(rng, V, 2) ? 1.5 : 3, 0.24, p);
}

static void rings_point(cst_rng rng, double p[2])
{
    on_circle(rng, 0.75 * (double)(1 + cst_rng_below(rng, V, 4)), 0.08, p);
}

/* Two half circles of radius 1 that interlock, scaled by 2 and centred after the noise. */
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

/* The points of an ellipse beside the origin, rotated by the angle of one of the arms plus an angle that grows with the
 * distance from the origin. */
static void pinwheel_point(cst_rng rng, double p[2])
{
    enum { ARMS = 5 };
    const double a = 1 + 0.3 * cst_rng_normal(rng, NOISE_A), b = 0.1 * cst_rng_normal(rng, NOISE_B);
    const double angle = 2 * pi * (double)cst_rng_below(rng, V, ARMS) / ARMS + 0.25 * exp(a);
    p[0] = 2 * (a * cos(angle) + b * sin(angle));
    p[1] = 2 * (b * cos(angle) - a * sin(angle));
}

/* Eight normal distributions on a circle. */
static void gaussians_point(cst_rng rng, double p[2])
{
    const double angle = pi / 4 * (double)cst_rng_below(rng, V, 8);
    p[0] = 4 * cos(angle);
    p[1] = 4 * sin(angle);
    add_noise(rng, 0.5, p);
    p[0] /= 1.414; /* the rounded sqrt(2) of the original */
    p[1] /= 1.414;
}

/* a is uniform in [-2, 2). b is uniform in one of two unit intervals, which shift by 1 from one column to the next. */
static void checkerboard_point(cst_rng rng, double p[2])
{
    const double a = 4 * cst_rng_uniform(rng, U) - 2;
    const double b = cst_rng_uniform(rng, V) - 2 * (double)cst_rng_below(rng, W, 2);
    p[0] = 2 * a;
    p[1] = 2 * (b + fabs(fmod(floor(a), 2)));
}

/* An Archimedean spiral: radius and angle are both t. */
static void swiss_roll_point(cst_rng rng, double p[2])
{
    const double t = 1.5 * pi * (1 + 2 * cst_rng_uniform(rng, U));
    p[0] = t * cos(t);
    p[1] = t * sin(t);
    add_noise(rng, 1, p);
    p[0] /= 5;
    p[1] /= 5;
}

/* Two arms, each the other one's reflection through the origin. */
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
    /* Each row has its own stream. */
    for (size_t i = 0; i < n; i++) {
        double p[2];
        points[density](cst_rng_split(rng, i), p);
        x[2 * i] = (real)p[0];
        x[2 * i + 1] = (real)p[1];
    }
}

/* ---- the data set ------------------------------------------------------------------------------------------------ */

typedef struct density_options {
    cst_dataset_options common; /* first */
    int density;
} density_options;

static const cst_key keys[] = {
    {.name = "name",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(density_options, density),
     .choices = cst_density_names,
     .help = "which density"},
    CST_GENERATOR_KEYS("10000", "5000"),
    {.name = NULL},
};

static void generate(const cst_dataset_options *options, cst_rng rng, size_t n, real *x, int32_t *labels)
{
    const density_options *o = (const density_options *)options;
    (void)labels; /* there are none */
    cst_density_fill(rng, (cst_density)o->density, n, x);
}

static cst_status load(const cst_dataset_type *type, cst_config section, uint64_t seed, cst_dataset *data,
                       cst_error *error)
{
    density_options o = {0};
    CST_TRY(cst_dataset_read(section, type->keys, &o, data, error));
    data->x = cst_shape_1d(2);
    return cst_dataset_generate(&o.common, generate, seed, data, error);
}

const cst_dataset_type cst_density_type = {"density", "points in the plane without labels, for models of densities",
                                           keys, load};
