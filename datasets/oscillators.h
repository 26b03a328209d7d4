/* Two small mechanical systems with trajectories to learn from: the data sets `pendulum` and `mass_spring`.
 *
 * pendulum: a rod of mass m and length l that hangs down at q = 0, with a torque u at its pivot, about which its moment of
 * inertia is m l^2 / 3:
 *     q'' = -3 g / (2 l) sin q + 3 u / (m l^2)
 * The state is (q, q'), starting in [-pi, pi] x [-1, 1], a point (cos q, sin q, q', u). With the defaults m = l = 1, g = 10
 * and p = m l^2/3 q' it is the system of Zhong, Dey and Chakraborty, "Symplectic ODE-Net", ICLR 2020, section 4:
 * q' = 3 p, p' = -5 sin q + u, of energy 3/2 p^2 + 5 (1 - cos q).
 *
 * mass_spring: a mass m on a spring of stiffness k, damped at the rate c:
 *     q' = p / m,  p' = -k q - c p
 * A point is the state (q, p), starting in [-1, 1]^2. Without damping p^2 / (2 m) + k q^2 / 2 is conserved. */
#ifndef CST_DATASETS_OSCILLATORS_H
#define CST_DATASETS_OSCILLATORS_H

#include "datasets/simulated.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const cst_system cst_pendulum;    /* constants (m, l, g) */
extern const cst_system cst_mass_spring; /* constants (m, k, c) */

extern const cst_dataset_type cst_pendulum_type, cst_mass_spring_type;

#ifdef __cplusplus
}
#endif
#endif
