/* Simulated trajectories of mechanical systems: what the data sets `double_pendulum`, `pendulum` and `mass_spring` share.
 *
 * A system is an ODE y' = f(y, u) with the state y and inputs u that are constant along a trajectory. It is integrated with
 * the project's own solver. For each input in a list the same number of trajectories is drawn. The start is uniform in a
 * box, and points are recorded at dt, 2 dt, ... after it. A trajectory that exceeds the system's limits at a recorded point
 * is drawn again. Of the trajectories of each input the first 70 % go to the training split, the next 15 % to the
 * validation split (both rounded down) and the rest to the test split. Each split has its trajectories in the order of the
 * inputs. The seed determines all draws.
 *
 * A new system needs a cst_system, a table of keys and a cst_dataset_type with the loader cst_simulation_load. */
#ifndef CST_DATASETS_SIMULATED_H
#define CST_DATASETS_SIMULATED_H

#include "datasets/trajectories.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Largest numbers of state entries, inputs and constants. */
enum { CST_SYSTEM_STATE = 4, CST_SYSTEM_INPUTS = 2, CST_SYSTEM_CONSTANTS = 3 };

typedef struct cst_system {
    size_t n_state, n_inputs;
    size_t n_point; /* numbers recorded per point */
    /* dy (n_state) = f(y, u). The constants are those from the config; NULL for a system without any. */
    void (*slope)(const double *constants, const real *y, const real *u, real *dy);
    /* The point (n_point) that is recorded of a state and its inputs. */
    void (*record)(const real *y, const real *u, real *point);
    double start[CST_SYSTEM_STATE]; /* y_i starts in [-start_i, start_i] */
    double limit[CST_SYSTEM_STATE]; /* largest |y_i| of a recorded point; 0: no limit */
} cst_system;

/* Advance the state y (n_state) in place by the time `duration` > 0 under constant inputs u (n_inputs), with dopri5 and rtol
 * = atol = 1e-6 (1e-10 in double precision). Allocates nothing. `constants` is NULL for a system without any. On failure y
 * is unchanged. Errors: those of cst_solve; only a state that is not finite or a motion that is far too fast can fail. */
CST_MUST_CHECK cst_status cst_system_advance(const cst_system *system, const double *constants, double duration,
                                             const real *u, real *y, cst_error *error);

/* The options of a simulated data set. */
typedef struct cst_simulation {
    cst_window_options windows; /* first */
    size_t trajectories;        /* per input */
    size_t points;              /* per trajectory */
    double dt;
    cst_config inputs; /* list of numbers, or of lists of n_inputs numbers; absent for a system without inputs */
    double constants[CST_SYSTEM_CONSTANTS];
} cst_simulation;

/* Their keys, except those of inputs and constants. The arguments are default values. */
#define CST_SIMULATION_KEYS(n_trajectories, n_points)                                                                  \
    CST_INIT({.name = "trajectories",                                                                                  \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = offsetof(cst_simulation, trajectories),                                                        \
              .fallback = n_trajectories,                                                                              \
              .range = CST_BETWEEN(2, 1e6),                                                                            \
              .help = "number of trajectories, for each of the inputs if there are any"},                              \
             {.name = "points",                                                                                        \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = offsetof(cst_simulation, points),                                                              \
              .fallback = n_points,                                                                                    \
              .range = CST_BETWEEN(2, 1e6),                                                                            \
              .help = "points per trajectory"},                                                                        \
             {.name = "dt",                                                                                            \
              .kind = CST_KEY_REAL,                                                                                    \
              .offset = offsetof(cst_simulation, dt),                                                                  \
              .fallback = "0.05",                                                                                      \
              .range = CST_BETWEEN(1e-6, 1e3),                                                                         \
              .help = "time between points"},                                                                          \
             CST_WINDOW_KEYS("8"))

/* The loader of a type whose context is its cst_system: read the section, simulate, and cut the trajectories into windows.
 * Errors: those of cst_dataset_load. */
CST_MUST_CHECK cst_status cst_simulation_load(const cst_dataset_type *type, cst_config section, uint64_t seed,
                                              cst_dataset *data, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
