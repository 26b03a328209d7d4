#include "datasets/double_pendulum.h"

#include <math.h>

/* l, lc, I and g. */
static const double length = 1, centre = 0.5, inertia = 1, gravity = 9.8;

/* The letters are those of the header, with cos(q - pi/2) = sin q. Computed in double precision even if reals are floats:
 * the differences of such terms would lose digits that the solver's tolerance needs. */
void cst_double_pendulum_acceleration(const real y[4], const real u[2], double acceleration[2])
{
    const double q1 = (double)y[0], q2 = (double)y[1], v1 = (double)y[2], v2 = (double)y[3];
    const double l = length, lc = centre, g = gravity, c2 = cos(q2), s2 = sin(q2);
    const double d1 = lc * lc + (l * l + lc * lc + 2 * l * lc * c2) + 2 * inertia;
    const double d2 = lc * lc + l * lc * c2 + inertia;
    const double phi2 = lc * g * sin(q1 + q2);
    const double phi1 = -l * lc * v2 * v2 * s2 - 2 * l * lc * v2 * v1 * s2 + (lc + l) * g * sin(q1) + phi2;
    const double a2 =
        ((double)u[0] + d2 / d1 * phi1 - l * lc * v1 * v1 * s2 - phi2) / (lc * lc + inertia - d2 * d2 / d1);
    acceleration[0] = -((double)u[1] + d2 * a2 + phi1) / d1;
    acceleration[1] = a2;
}

/* y = (q1, q2, q1', q2'), dy = (q1', q2', q1'', q2''). */
static void slope(const double *constants, const real *y, const real *u, real *dy)
{
    double a[2];
    (void)constants;
    cst_double_pendulum_acceleration(y, u, a);
    dy[0] = y[2];
    dy[1] = y[3];
    dy[2] = (real)a[0];
    dy[3] = (real)a[1];
}

/* (cos q1, cos q2, sin q1, sin q2, q1', q2', u1, u2) */
static void record(const real *y, const real *u, real *point)
{
    for (size_t i = 0; i < 2; i++) {
        point[i] = (real)cos((double)y[i]);
        point[2 + i] = (real)sin((double)y[i]);
        point[4 + i] = y[2 + i];
        point[6 + i] = u[i];
    }
}

#define PI 3.141592653589793

/* Speeds beyond the limits are drawn again. */
const cst_system cst_double_pendulum = {.n_state = 4,
                                        .n_inputs = 2,
                                        .n_point = 8,
                                        .slope = slope,
                                        .record = record,
                                        .start = {3.14, 3.14, 3.14, 3.14},
                                        .limit = {0, 0, 4 * PI - 0.001, 9 * PI - 0.001}};

cst_status cst_double_pendulum_advance(double duration, const real u[2], real y[4], cst_error *error)
{
    return cst_system_advance(&cst_double_pendulum, NULL, duration, u, y, error);
}

static const cst_key keys[] = {
    {.name = "torques",
     .kind = CST_KEY_LIST,
     .offset = offsetof(cst_simulation, inputs),
     .fallback = "[[0, 0], [0, 1], [0, -1], [0, 2], [0, -2], [1, 0], [-1, 0], [2, 0], [-2, 0]]",
     .help = "pairs [u1, u2], each constant along its trajectories",
     .holds = "pairs"},
    CST_SIMULATION_KEYS("128", "32"),
    {.name = NULL},
};

const cst_dataset_type cst_double_pendulum_type = {
    "double_pendulum", "windows of trajectories of a double pendulum under torques, simulated", keys,
    cst_simulation_load, &cst_double_pendulum};
