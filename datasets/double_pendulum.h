/* The double pendulum with a torque at each joint: two equal links, each of mass m = 1, length l = 1, its centre of mass at
 * lc = 1/2, its moment of inertia about that I = 1, in gravity g = 9.8. Both angles are 0 where it hangs down; q2 is
 * relative to q1. The state is y = (q1, q2, q1', q2').
 *
 * The acrobot of Sutton and Barto, "Reinforcement learning", 1998, p. 271, with torques u1 and u2 as Zhong, Dey and
 * Chakraborty's data ("Symplectic ODE-Net", ICLR 2020) have them: with
 *     d1   = lc^2 + l^2 + lc^2 + 2 l lc cos q2 + 2 I
 *     d2   = lc^2 + l lc cos q2 + I
 *     phi2 = lc g cos(q1 + q2 - pi/2)
 *     phi1 = -l lc q2'^2 sin q2 - 2 l lc q2' q1' sin q2 + (lc + l) g cos(q1 - pi/2) + phi2,
 *     q2'' = (u1 + d2/d1 phi1 - l lc q1'^2 sin q2 - phi2) / (lc^2 + I - d2^2/d1)
 *     q1'' = -(u2 + d2 q2'' + phi1) / d1
 * so the first torque drives the second joint, and the second the first joint against its angle; and as u2 is not
 * carried over into q2'', there it has the effect of a torque -d2/d1 u2 at the second joint as well. The energy
 *     E = d1/2 q1'^2 + d2 q1' q2' + (lc^2 + I)/2 q2'^2 - (lc + l) g cos q1 - lc g cos(q1 + q2)
 * changes by E' = (u1 - d2/d1 u2) q2' - u2 q1'.
 *
 * The data set `double_pendulum` has points (cos q1, cos q2, sin q1, sin q2, q1', q2', u1, u2). Starts are uniform in
 * [-3.14, 3.14]^4; |q1'| may not pass 4 pi - 0.001 and |q2'| not 9 pi - 0.001 (datasets/simulated.h). */
#ifndef CST_DATASETS_DOUBLE_PENDULUM_H
#define CST_DATASETS_DOUBLE_PENDULUM_H

#include "datasets/simulated.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const cst_system cst_double_pendulum; /* for cst_system_advance; it has no constants */

/* (q1'', q2'') of a state under torques. */
void cst_double_pendulum_acceleration(const real y[4], const real u[2], double acceleration[2]);

/* y becomes the state `duration` > 0 later under constant torques: cst_system_advance. */
CST_MUST_CHECK cst_status cst_double_pendulum_advance(double duration, const real u[2], real y[4], cst_error *error);

extern const cst_dataset_type cst_double_pendulum_type;

#ifdef __cplusplus
}
#endif
#endif
