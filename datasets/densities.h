/* Points in the plane without labels, for models of densities: the data set `density`.
 *
 * These are the toy data of FFJORD (Grathwohl et al., "FFJORD: Free-form continuous dynamics for scalable reversible
 * generative models", ICLR 2019), each drawn as in the paper's code. Apart from the tails of the noise all points lie in
 * [-4.5, 4.5]^2.
 *
 *   circles       radii 3 and 1.5, noise of std 0.24
 *   moons         two interlocking half circles of radius 2, noise of std 0.2
 *   pinwheel      five arms that bend away from the centre
 *   gaussians     eight normal distributions of std 0.35 on a circle of radius 2.83
 *   checkerboard  uniform on every other square of side 2 in [-4, 4]^2; its entropy is log 32
 *   swiss_roll    a spiral of one and a half turns, noise of std 0.2
 *   spirals       two interleaved arms of one and a half turns
 *   rings         radii 0.75, 1.5, 2.25 and 3, noise of std 0.08
 *
 * Each row of a split draws from its own stream, so sizes do not change rows. */
#ifndef CST_DATASETS_DENSITIES_H
#define CST_DATASETS_DENSITIES_H

#include "core/rng.h"
#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The one list that the enum, the names and the functions are made from. */
#define CST_DENSITIES(X) X(circles) X(moons) X(pinwheel) X(gaussians) X(checkerboard) X(swiss_roll) X(spirals) X(rings)

typedef enum cst_density {
#define X(name) CST_DENSITY_##name,
    CST_DENSITIES(X)
#undef X
        CST_N_DENSITIES
} cst_density;

extern const char *const cst_density_names[]; /* (CST_N_DENSITIES), then NULL */

/* Fill n points x (n, 2). */
void cst_density_fill(cst_rng rng, cst_density density, size_t n, real *x);

extern const cst_dataset_type cst_density_type;

#ifdef __cplusplus
}
#endif
#endif
