/* Control of a double pendulum: bring it upright with a model that has learned its dynamics.
 *
 * Source: Kidger, Chen, Lyons, "Hey, that's not an ODE" (ICML 2021), figures 2 and 3. The controller shapes the energy
 * and adds damping. With the learned potential V(q) and input matrix g(q) of a SymODEN field (models/symoden.h) the
 * torques are
 *
 *   u = g^T (g g^T)^-1 (2 dV/dq - q')
 *
 * They replace the potential V by -V, whose minimum is at V's maximum, the upright position; the term -q' takes energy
 * out. The simulator (datasets/double_pendulum.h) moves the pendulum with torques that are constant over each step.
 *
 * Units: angles in radians, time in seconds. q1 is the angle of the first link from hanging; q2 is the angle of the
 * second link relative to the first. Upright is q1 = pi, q2 = 0. */
#ifndef CST_ANALYSIS_CONTROL_H
#define CST_ANALYSIS_CONTROL_H

#include "train/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One point in time: the state y = (q1, q2, q1', q2') at t, and the torques u from t to the next point. */
typedef struct cst_control_point {
    double t;
    real y[4], u[2];
} cst_control_point;

typedef struct cst_control_options {
    double start[2]; /* initial q1, q2, at rest; {0, 0} is hanging */
    size_t steps;
    double dt; /* length of a step */
    double angle,
        rate; /* per joint: largest distance from upright and largest speed that count as upright and at rest */
} cst_control_options;

/* Defaults: 400 steps of 0.05 from hanging, angle 0.2, rate 0.5. */
void cst_control_options_init(cst_control_options *options);

typedef struct cst_control {
    cst_control_point *points; /* (n): n = steps + 1, or fewer if it ended early. Free it with free(). */
    size_t n;
    bool reached;   /* the pendulum is upright and at rest at the end */
    double since;   /* if reached: the time from which on it is upright and at rest */
    double closest; /* smallest distance from upright, the larger of the two joints' angles */
    double when;    /* the time of `closest` */
    char why[200];  /* why control ended early; empty otherwise. `reached` is then false. */
} cst_control;

/* Simulate the pendulum under control, with the weights of a run in mode CST_RUN_OPEN. Control ends early, without an
 * error, if torques are not finite, g cannot be inverted, or the simulation fails. Errors: CST_EUNSUPPORTED unless the
 * run's model has a SymODEN field of two degrees of freedom; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_control_run(const cst_run *run, const cst_control_options *options, cst_control *control,
                                          cst_error *error);

/* Compute reached, since, closest and when from points and why. cst_control_run calls it at its end. */
void cst_control_judge(const cst_control_options *options, cst_control *control);

/* Write FOLDER/control.csv: t, state, torques and distance from upright, one row per point. The folder must exist.
 * Errors: CST_EIO, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_control_write(const cst_control *control, const char *folder, cst_error *error);

/* Draw three pictures with gnuplot (analysis/gnuplot.h), which needs at least one point:
 *   FOLDER/control.png, .svg         angles, rates and torques over t (the paper's figure 3)
 *   FOLDER/control-frames.png, .svg  the links at ten times (figure 2)
 *   FOLDER/control-animation.gif     the links, moving
 * The scripts stay in the folder. Errors: CST_EUNSUPPORTED if gnuplot is not installed; CST_EIO; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_control_draw(const cst_control *control, const char *folder, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
