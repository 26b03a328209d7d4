#include "datasets/simulated.h"

#include "core/rng.h"
#include "ode/solve.h"

#include <math.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

/* ---- a system's motion --------------------------------------------------------------------------------------- */

/* Limit of the steps of one solve. A motion that needs more is faster than any physical one. */
enum { MAX_STEPS = 100000 };

/* Work memory of a solve, in reals: enough for CST_SYSTEM_STATE entries, each array being aligned to 64 bytes. */
enum { WORK = 256 };

/* The context of the right-hand side. */
typedef struct motion {
    const cst_system *system;
    const double *constants;
    const real *u;
} motion;

static cst_status evaluate(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    const motion *m = context;
    (void)t, (void)scale, (void)q, (void)error;
    /* The system is autonomous and has no integrals. */
    m->system->slope(m->constants, y, m->u, dy);
    return CST_OK;
}

cst_status cst_system_advance(const cst_system *system, const double *constants, double duration, const real *u,
                              real *y, cst_error *error)
{
    /* The system as an initial value problem of one block. */
    motion m = {system, constants, u};
    const cst_block block = {.name = "y", .size = system->n_state, .weight = 1};
    const cst_problem problem = {.f = evaluate, .context = &m, .blocks = &block, .n_blocks = 1};
    const double times[] = {0, duration};
    cst_solve_options options;
    cst_solve_options_init(&options, CST_PROFILE_COSTATE);
    options.rtol = options.atol = sizeof(real) == sizeof(float) ? 1e-6 : 1e-10;
    options.max_num_steps = MAX_STEPS;
    /* The solver returns the states at both times, (2, n_state). */
    alignas(64) real work[WORK];
    real states[2][CST_SYSTEM_STATE];
    if (cst_solver_work(&problem, &options) > WORK) return cst_fail(error, CST_EARG, "a system's state is too large");
    cst_solve_stats stats = {0};
    const cst_solve_call call = {.work = work, .stats = &stats, .error = error};
    CST_TRY(cst_solve(&problem, &options, times, 2, y, states[0], &call));
    memcpy(y, states[0] + system->n_state, system->n_state * sizeof *y);
    return CST_OK;
}

/* ---- trajectories -------------------------------------------------------------------------------------------- */

/* Draws of one trajectory before giving up, for torques under which hardly any trajectory stays within the limits. */
enum { MAX_DRAWS = 1000 };

/* All trajectories of one input. */
typedef struct group {
    const cst_system *system;
    const cst_simulation *options;
    size_t index; /* of the input */
    const real *u;
    cst_rng rng;
    size_t n[3]; /* trajectories per split */
    cst_split *splits[3];
} group;

/* Whether a state keeps the system's limits; one that is NaN does not. */
static bool within(const cst_system *system, const real *y)
{
    for (size_t i = 0; i < system->n_state; i++) {
        if (system->limit[i] > 0 && !(fabs((double)y[i]) <= system->limit[i])) return false;
    }
    return true;
}

/* Simulate one trajectory from a start drawn from rng. *stays tells whether all points are within the limits. */
static cst_status simulate(const group *g, cst_rng rng, real *points, bool *stays, cst_error *error)
{
    const cst_system *system = g->system;
    const cst_simulation *o = g->options;
    real y[CST_SYSTEM_STATE];
    for (size_t i = 0; i < system->n_state; i++) y[i] = (real)(system->start[i] * (2 * cst_rng_uniform(rng, i) - 1));
    /* Advance from point to point until the end or a violated limit. */
    *stays = true;
    for (size_t k = 0; k < o->points && *stays; k++) {
        CST_TRY(cst_system_advance(system, o->constants, o->dt, g->u, y, error));
        system->record(y, g->u, points + k * system->n_point);
        *stays = within(system, y);
    }
    return CST_OK;
}

/* Draw one trajectory of the group until it stays within the limits. */
static cst_status draw(const group *g, size_t trajectory, cst_error *error)
{
    /* Its split p and its index i in that split, after the trajectories of the inputs before. */
    size_t p = 0, i = trajectory;
    while (i >= g->n[p]) i -= g->n[p++];
    i += g->index * g->n[p];
    real *points = g->splits[p]->trajectories + i * g->options->points * g->system->n_point;
    /* Each attempt has its own stream. */
    const cst_rng rng = cst_rng_split(g->rng, trajectory);
    bool stays = false;
    for (size_t k = 0; k < MAX_DRAWS && !stays; k++) {
        CST_TRY(simulate(g, cst_rng_split(rng, k), points, &stays, error));
    }
    if (stays) return CST_OK;
    return cst_fail(error, CST_ECONFIG, "none of %d trajectories stays within the limits of the system's speeds",
                    MAX_DRAWS);
}

/* ---- the data set -------------------------------------------------------------------------------------------- */

/* Read one entry of the list of inputs: a number if n is 1, otherwise a list of n numbers. */
static cst_status read_input(cst_config input, size_t n, real *u, cst_error *error)
{
    const bool list = n > 1;
    bool good = !list || (cst_config_is_list(input) && cst_config_length(input) == n);
    /* Numbers must be finite as reals. */
    for (size_t i = 0; good && i < n; i++) {
        double value;
        good = cst_config_number(list ? cst_config_item(input, i) : input, &value) && isfinite((real)value);
        if (good) u[i] = (real)value;
    }
    if (good) return CST_OK;
    /* Say what one entry of the list must be. */
    char what[80];
    if (list)
        snprintf(what, sizeof what, "a list of %zu numbers in the range of %s", n, CST_REAL_NAME);
    else
        snprintf(what, sizeof what, "a number in the range of %s", CST_REAL_NAME);
    return cst_config_expected(input, what, error);
}

/* Allocate the trajectories of all inputs in each split. */
static cst_status allocate(const group *g, size_t inputs, cst_error *error)
{
    for (size_t p = 0; p < 3; p++) {
        if (g->n[p] == 0) continue;
        CST_TRY(cst_trajectories_init(g->splits[p], cst_size_mul(inputs, g->n[p]), g->options->points,
                                      g->system->n_point, error));
    }
    return CST_OK;
}

/* Draw the trajectories of all inputs. */
static cst_status draw_all(cst_config section, const cst_simulation *o, const cst_system *system, uint64_t seed,
                           cst_dataset *data, cst_error *error)
{
    const size_t n = o->trajectories, train = n * 70 / 100, validation = n * 15 / 100;
    const size_t inputs = system->n_inputs > 0 ? cst_config_length(o->inputs) : 1;
    real u[CST_SYSTEM_INPUTS];
    group g = {.system = system,
               .options = o,
               .u = u,
               .n = {train, validation, n - train - validation},
               .splits = {&data->train, &data->validation, &data->test}};
    if (inputs == 0) return cst_config_expected(o->inputs, "at least one torque", error);
    CST_TRY(allocate(&g, inputs, error));
    /* Each input has its own stream. A system without inputs counts as one with a single input. */
    for (g.index = 0; g.index < inputs; g.index++) {
        const cst_config input = system->n_inputs > 0 ? cst_config_item(o->inputs, g.index) : section;
        if (system->n_inputs > 0) CST_TRY(read_input(input, system->n_inputs, u, error));
        g.rng = cst_rng_split(cst_rng_new(seed, CST_RNG_DATA), g.index);
        for (size_t i = 0; i < n; i++) {
            if (draw(&g, i, error) != CST_OK) return cst_config_place(input, error);
        }
    }
    return CST_OK;
}

cst_status cst_simulation_load(const cst_dataset_type *type, cst_config section, uint64_t seed, cst_dataset *data,
                               cst_error *error)
{
    const cst_system *system = type->context;
    cst_simulation o = {0};
    CST_TRY(cst_dataset_read(section, type->keys, &o, data, error));
    data->x = cst_shape_1d(system->n_point);
    CST_TRY(draw_all(section, &o, system, seed, data, error));
    return cst_trajectories_cut(section, &o.windows, seed, data, error);
}
