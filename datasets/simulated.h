/* Mechanical systems and trajectories of them, simulated with the project's own solver: what the data sets
 * `double_pendulum`, `pendulum` and `mass_spring` share.
 *
 * A system is y' = f(y, u) with a state y and inputs u that are constant over a trajectory. For each of some inputs as many
 * trajectories are drawn: the start uniform, the points recorded dt, 2 dt, ... after it; one that leaves the system's
 * limits at a recorded point is drawn again. Of each input's trajectories the first 70 % train, the next 15 %
 * validate (both rounded down), the rest tests; parts have them input by input. The seed fixes everything. */
#ifndef CST_DATASETS_SIMULATED_H
#define CST_DATASETS_SIMULATED_H

#include "datasets/trajectories.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_SYSTEM_STATE = 4, CST_SYSTEM_INPUTS = 2, CST_SYSTEM_CONSTANTS = 3 }; /* at most */

typedef struct cst_system {
    size_t n_state, n_inputs;
    size_t n_point; /* numbers recorded of a state and its inputs */
    /* dy = f(y, u). The constants are the config's, NULL for a system that has none. */
    void (*slope)(const double *constants, const real *y, const real *u, real *dy);
    void (*record)(const real *y, const real *u, real *point);
    double start[CST_SYSTEM_STATE]; /* y_i begins in [-start_i, start_i] */
    double limit[CST_SYSTEM_STATE]; /* the largest |y_i| of a point; 0: no limit */
} cst_system;

/* y, the state now, becomes that `duration` > 0 later under constant inputs: dopri5 with rtol = atol = 1e-6, in double
 * precision 1e-10. No heap. On failure (ode/solve.h; only a state that is not finite, or moves beyond measure, can fail)
 * y is as before. */
CST_MUST_CHECK cst_status cst_system_advance(const cst_system *system, const double *constants, double duration,
                                             const real *u, real *y, cst_error *error);

/* What the section of a simulated data set is read into. */
typedef struct cst_simulation {
    cst_window_options windows; /* first */
    size_t trajectories;        /* of each input */
    size_t points;              /* of each trajectory */
    double dt;
    cst_config inputs; /* a list of numbers, or of lists of them; absent for a system without inputs */
    double constants[CST_SYSTEM_CONSTANTS];
} cst_simulation;

#define CST_SIMULATION_KEYS(n_trajectories, n_points)                                                                  \
    CST_INIT({.name = "trajectories",                                                                                  \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = offsetof(cst_simulation, trajectories),                                                        \
              .fallback = n_trajectories,                                                                              \
              .range = CST_BETWEEN(2, 1e6),                                                                            \
              .help = "simulated, for each of the inputs where there are some"},                                       \
             {.name = "points",                                                                                        \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = offsetof(cst_simulation, points),                                                              \
              .fallback = n_points,                                                                                    \
              .range = CST_BETWEEN(2, 1e6),                                                                            \
              .help = "of a trajectory"},                                                                              \
             {.name = "dt",                                                                                            \
              .kind = CST_KEY_REAL,                                                                                    \
              .offset = offsetof(cst_simulation, dt),                                                                  \
              .fallback = "0.05",                                                                                      \
              .range = CST_BETWEEN(1e-6, 1e3),                                                                         \
              .help = "time between points"},                                                                          \
             CST_WINDOW_KEYS("8"))

/* Read the section by its keys, simulate, and cut into windows. Errors: those of cst_dataset_load. */
CST_MUST_CHECK cst_status cst_simulation_load(cst_config section, const cst_key *keys, const cst_system *system,
                                              uint64_t seed, cst_dataset *data, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
