#include "datasets/oscillators.h"

#include <math.h>

#define CONSTANT(key, i, value, numbers, text)                                                                         \
    CST_INIT({.name = key,                                                                                             \
              .kind = CST_KEY_REAL,                                                                                    \
              .offset = offsetof(cst_simulation, constants[i]),                                                        \
              .fallback = value,                                                                                       \
              .range = numbers,                                                                                        \
              .help = text})

/* ---- pendulum ------------------------------------------------------------------------------------------------ */

static void pendulum_slope(const double *constants, const real *y, const real *u, real *dy)
{
    const double m = constants[0], l = constants[1], g = constants[2];
    dy[0] = y[1];
    dy[1] = (real)(-3 * g / (2 * l) * sin((double)y[0]) + 3 * (double)u[0] / (m * l * l));
}

static void pendulum_record(const real *y, const real *u, real *point)
{
    point[0] = (real)cos((double)y[0]);
    point[1] = (real)sin((double)y[0]);
    point[2] = y[1];
    point[3] = u[0];
}

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
     .help = "each constant over its trajectories",
     .holds = "numbers"},
    CONSTANT("mass", 0, "1", CST_POSITIVE, "of the rod"),
    CONSTANT("length", 1, "1", CST_POSITIVE, "of the rod"),
    CONSTANT("gravity", 2, "10", CST_AT_LEAST(0), "acceleration"),
    CST_SIMULATION_KEYS("50", "20"),
    {.name = NULL},
};

static cst_status load_pendulum(cst_config section, uint64_t seed, cst_dataset *data, cst_error *error)
{
    return cst_simulation_load(section, pendulum_keys, &cst_pendulum, seed, data, error);
}

const cst_dataset_type cst_pendulum_type = {
    "pendulum", "windows of trajectories of a pendulum under torques, simulated", pendulum_keys, load_pendulum};

/* ---- mass on a spring ---------------------------------------------------------------------------------------- */

static void mass_spring_slope(const double *constants, const real *y, const real *u, real *dy)
{
    const double m = constants[0], k = constants[1], c = constants[2];
    (void)u;
    dy[0] = (real)((double)y[1] / m);
    dy[1] = (real)(-k * (double)y[0] - c * (double)y[1]);
}

static void mass_spring_record(const real *y, const real *u, real *point)
{
    (void)u;
    point[0] = y[0];
    point[1] = y[1];
}

const cst_system cst_mass_spring = {
    .n_state = 2, .n_point = 2, .slope = mass_spring_slope, .record = mass_spring_record, .start = {1, 1}};

static const cst_key mass_spring_keys[] = {
    CONSTANT("mass", 0, "1", CST_POSITIVE, "that moves"),
    CONSTANT("stiffness", 1, "1", CST_POSITIVE, "of the spring"),
    CONSTANT("damping", 2, "0", CST_AT_LEAST(0), "rate at which momentum is lost"),
    CST_SIMULATION_KEYS("64", "32"),
    {.name = NULL},
};

static cst_status load_mass_spring(cst_config section, uint64_t seed, cst_dataset *data, cst_error *error)
{
    return cst_simulation_load(section, mass_spring_keys, &cst_mass_spring, seed, data, error);
}

const cst_dataset_type cst_mass_spring_type = {
    "mass_spring", "windows of trajectories of a mass on a spring, simulated", mass_spring_keys, load_mass_spring};
