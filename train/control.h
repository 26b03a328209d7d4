/* The double pendulum brought upright by a model that has learnt it (Kidger, Chen, Lyons, "Hey, that's not an ODE", figures 2
 * and 3), by energy shaping and damping: with the learnt potential V and input matrix g of a SymODEN field,
 *
 *   u = g^T (g g^T)^-1 (2 dV/dq - q')
 *
 * cancels the potential and puts its negative in its place, whose minimum is V's maximum, and takes energy out by damping. The
 * simulator (datasets/double_pendulum.h) moves the pendulum, under torques that are constant over a step. */
#ifndef CST_TRAIN_CONTROL_H
#define CST_TRAIN_CONTROL_H

#include "train/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the pendulum does: y = (q1, q2, q1', q2') at t, then torques u until the next. */
typedef struct cst_control_point {
    double t;
    real y[4], u[2];
} cst_control_point;

typedef struct cst_control_options {
    double start[2]; /* q1, q2, at rest; both 0: hanging */
    size_t steps;
    double dt;
} cst_control_options;

typedef struct cst_control {
    cst_control_point *points; /* (n) = steps + 1; fewer where it ended early; freed with free() */
    size_t n;
    bool reached;
    double since;         /* upright, within the two below, from that time to the end */
    double closest, when; /* the smallest angle from upright, the larger of the two joints', and its time */
    char why[200];        /* not reached: what ended it early; empty otherwise */
} cst_control;

/* Radians of each joint, and radians a second, that count as upright. */
static const double cst_control_angle = 0.2, cst_control_rate = 0.5;

/* Control with the weights that the run, opened, results in. Errors: CST_EUNSUPPORTED for a run whose model has no SymODEN
 * field of two degrees of freedom; CST_ENOMEM. Torques that are not finite, a g that cannot be inverted and a pendulum that
 * flies off are no errors but end it early. */
CST_MUST_CHECK cst_status cst_control_run(const cst_run *run, const cst_control_options *options, cst_control *control,
                                          cst_error *error);

/* FOLDER/control.csv: t, the state, torques. */
CST_MUST_CHECK cst_status cst_control_write(const cst_control *control, const char *folder, cst_error *error);

/* FOLDER/control.png and .svg: angles, rates and torques over t (figure 3); control-frames.png and .svg: the links (figure 2);
 * control.gif: the same, moving. Scripts stay beside them. CST_EUNSUPPORTED without gnuplot. */
CST_MUST_CHECK cst_status cst_control_draw(const cst_control *control, const char *folder, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
