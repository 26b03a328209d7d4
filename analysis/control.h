/* The double pendulum brought upright by a model that has learnt it (Kidger, Chen, Lyons, "Hey, that's not an ODE", figures 2
 * and 3), by energy shaping and damping: with the learnt potential V and input matrix g of a SymODEN field,
 *
 *   u = g^T (g g^T)^-1 (2 dV/dq - q')
 *
 * cancels the potential and puts its negative in its place, whose minimum is V's maximum, and takes energy out by damping. The
 * simulator (datasets/double_pendulum.h) moves the pendulum, under torques that are constant over a step. */
#ifndef CST_ANALYSIS_CONTROL_H
#define CST_ANALYSIS_CONTROL_H

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
    double angle, rate; /* of each joint, in radians and a second: what still counts as upright and at rest */
} cst_control_options;

void cst_control_options_init(cst_control_options *options); /* 400 steps of 0.05 from hanging; 0.2, 0.5 */

typedef struct cst_control {
    cst_control_point *points; /* (n) = steps + 1; fewer where it ended early; freed with free() */
    size_t n;
    bool reached;
    double since;         /* upright and at rest from that time to the end */
    double closest, when; /* the smallest angle from upright, the larger of the two joints', and its time */
    char why[200];        /* not reached: what ended it early; empty otherwise */
} cst_control;

/* Control with the weights that the run, opened, results in. Errors: CST_EUNSUPPORTED for a run whose model has no SymODEN
 * field of two degrees of freedom; CST_ENOMEM. Torques that are not finite, a g that cannot be inverted and a pendulum that
 * flies off are no errors but end it early. */
CST_MUST_CHECK cst_status cst_control_run(const cst_run *run, const cst_control_options *options, cst_control *control,
                                          cst_error *error);

/* Set what follows from points and why: reached, since, closest, when. cst_control_run ends with it. */
void cst_control_judge(const cst_control_options *options, cst_control *control);

/* FOLDER/control.csv: t, the state, torques. */
CST_MUST_CHECK cst_status cst_control_write(const cst_control *control, const char *folder, cst_error *error);

/* FOLDER/control.png and .svg: angles, rates and torques over t (figure 3); control-frames.png and .svg: the links (figure 2);
 * control-animation.gif: the same, moving. Scripts stay beside them. At least one point. CST_EUNSUPPORTED without gnuplot. */
CST_MUST_CHECK cst_status cst_control_draw(const cst_control *control, const char *folder, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
