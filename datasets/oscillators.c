#include "datasets/oscillators.h"

#include <math.h>

/* The key of constants[i] of a system. */
#define CONSTANT(key, i, value, numbers, text)                                                                         \
    CST_INIT({.name = key,                                                                                             \
              .kind = CST_KEY_REAL,                                                                                    \
              .offset = offsetof(cst_simulation, constants[i]),                                                        \
              .fallback = value,                                                                                       \
              .range = numbers,                                                                                        \
              .help = text})

/* ---- pendulum ------------------------------------------------------------------------------------------------ */

/* q'' = -3 g / (2 l) sin q + 3 u / (m l^2), y = (q, q'). */
static void pendulum_slope(const double *constants, const real *y, const real *u, real *dy)
{
    const double m = constants[0], l = constants[1], g = constants[2];
    dy[0] = y[1];
    dy[1] = (real)(-3 * g / (2 * l) * sin((double)y[0]) + 3 * (double)u[0] / (m * l * l));
}

/* (cos q, sin q, q', u) */
static void pendulum_record(const real *y, const real *u, real *point)
{
    point[0] = (real)cos((double)y[0]);
    point[1] = (real)sin((double)y[0]);
    point[2] = y[1];
    point[3] = u[0];
}

/* Constants (m, l, g); q starts in [-pi, pi]. */
const cst_system cst_pendulum = {.n_state = 2,
                                 .n_inputs = 1,
                                 .n_point = 4,
                                 .slope = pendulum_slope,
                                 .record = pendulum_record,
                                 .start = {3.141592653589793, 1}};

static const cst_key pendulum_keys[] = {
    {.name = "torques",
     .kind = CST_KEY_LIST,
     .offset = offsetof(cst_simulation, inputs),
     .fallback = "[-2, -1, 0, 1, 2]",
     .help = "torques, each constant along its trajectories",
     .holds = "numbers"},
    CONSTANT("mass", 0, "1", CST_POSITIVE, "mass of the rod"),
    CONSTANT("length", 1, "1", CST_POSITIVE, "length of the rod"),
    CONSTANT("gravity", 2, "10", CST_AT_LEAST(0), "acceleration of gravity"),
    CST_SIMULATION_KEYS("50", "20"),
    {.name = NULL},
};

const cst_dataset_type cst_pendulum_type = {"pendulum",
                                            "windows of trajectories of a pendulum under torques, simulated",
                                            pendulum_keys, cst_simulation_load, &cst_pendulum};

/* ---- mass on a spring ---------------------------------------------------------------------------------------- */

/* q' = p / m, p' = -k q - c p, y = (q, p). */
static void mass_spring_slope(const double *constants, const real *y, const real *u, real *dy)
{
    const double m = constants[0], k = constants[1], c = constants[2];
    (void)u;
    dy[0] = (real)((double)y[1] / m);
    dy[1] = (real)(-k * (double)y[0] - c * (double)y[1]);
}

/* (q, p) */
static void mass_spring_record(const real *y, const real *u, real *point)
{
    (void)u;
    point[0] = y[0];
    point[1] = y[1];
}

/* Constants (m, k, c). */
const cst_system cst_mass_spring = {
    .n_state = 2, .n_point = 2, .slope = mass_spring_slope, .record = mass_spring_record, .start = {1, 1}};

static const cst_key mass_spring_keys[] = {
    CONSTANT("mass", 0, "1", CST_POSITIVE, "mass at the end of the spring"),
    CONSTANT("stiffness", 1, "1", CST_POSITIVE, "stiffness of the spring"),
    CONSTANT("damping", 2, "0", CST_AT_LEAST(0), "damping rate c in p' = -k q - c p"),
    CST_SIMULATION_KEYS("64", "32"),
    {.name = NULL},
};

const cst_dataset_type cst_mass_spring_type = {"mass_spring",
                                               "windows of trajectories of a mass on a spring, simulated",
                                               mass_spring_keys, cst_simulation_load, &cst_mass_spring};
