/* Simulated trajectories of two small mechanical systems: the data sets `pendulum` and `mass_spring`.
 *
 * pendulum: a rod of mass m and length l with a torque u at its pivot. It hangs down at q = 0, and its moment of inertia about
 * the pivot is m l^2 / 3:
 *     q'' = -3 g / (2 l) sin q + 3 u / (m l^2)
 * The state is (q, q') and starts in [-pi, pi] x [-1, 1]. A point is (cos q, sin q, q', u). With the defaults m = l = 1,
 * g = 10, and with p = m l^2/3 q', it is the system of Zhong, Dey and Chakraborty, "Symplectic ODE-Net", ICLR 2020, section 4:
 * q' = 3 p, p' = -5 sin q + u. Its energy is 3/2 p^2 + 5 (1 - cos q).
 *
 * mass_spring: a mass m on a spring of stiffness k with the damping rate c:
 *     q' = p / m,  p' = -k q - c p
 * The state is (q, p) and starts in [-1, 1]^2. A point is the state. Without damping the energy p^2 / (2 m) + k q^2 / 2 is
 * conserved. */
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
