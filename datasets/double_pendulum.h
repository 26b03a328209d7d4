/* The data set `double_pendulum`: simulated trajectories of a double pendulum with a torque at each joint.
 *
 * The two links are equal, each with mass m = 1, length l = 1, the centre of mass at lc = 1/2 and the moment of inertia I = 1
 * about it. Gravity is g = 9.8. Both angles are 0 when the pendulum hangs down; q2 is relative to q1. The state is
 * y = (q1, q2, q1', q2').
 *
 * It is the acrobot of Sutton and Barto, "Reinforcement learning", 1998, p. 271, with the torques u1 and u2 as in the data of
 * Zhong, Dey and Chakraborty, "Symplectic ODE-Net", ICLR 2020. With
 *     d1   = lc^2 + l^2 + lc^2 + 2 l lc cos q2 + 2 I
 *     d2   = lc^2 + l lc cos q2 + I
 *     phi2 = lc g cos(q1 + q2 - pi/2)
 *     phi1 = -l lc q2'^2 sin q2 - 2 l lc q2' q1' sin q2 + (lc + l) g cos(q1 - pi/2) + phi2,
 *     q2'' = (u1 + d2/d1 phi1 - l lc q1'^2 sin q2 - phi2) / (lc^2 + I - d2^2/d1)
 *     q1'' = -(u2 + d2 q2'' + phi1) / d1
 * Thus the first torque drives the second joint, and the second torque drives the first joint against its angle. As u2 does
 * not appear in q2'', it also acts like a torque -d2/d1 u2 at the second joint. The energy
 *     E = d1/2 q1'^2 + d2 q1' q2' + (lc^2 + I)/2 q2'^2 - (lc + l) g cos q1 - lc g cos(q1 + q2)
 * changes by E' = (u1 - d2/d1 u2) q2' - u2 q1'.
 *
 * Points are (cos q1, cos q2, sin q1, sin q2, q1', q2', u1, u2). Trajectories start uniformly in [-3.14, 3.14]^4. The limits
 * (datasets/simulated.h) are |q1'| <= 4 pi - 0.001 and |q2'| <= 9 pi - 0.001. */
#ifndef CST_DATASETS_DOUBLE_PENDULUM_H
#define CST_DATASETS_DOUBLE_PENDULUM_H

#include "datasets/simulated.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const cst_system cst_double_pendulum; /* it has no constants */

/* The accelerations (q1'', q2'') of a state y under the torques u. */
void cst_double_pendulum_acceleration(const real y[4], const real u[2], double acceleration[2]);

/* Advance the state y in place by the time `duration` > 0 under constant torques: cst_system_advance. */
CST_MUST_CHECK cst_status cst_double_pendulum_advance(double duration, const real u[2], real y[4], cst_error *error);

extern const cst_dataset_type cst_double_pendulum_type;

#ifdef __cplusplus
}
#endif
#endif
