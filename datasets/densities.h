/* Points in the plane without labels, for models of densities, generated from the seed: the toy data of FFJORD (Grathwohl et al.,
 * "FFJORD", ICLR 2019), each drawn as its code does. All fit into [-4.5, 4.5]^2 but for the tails of their noise.
 *
 *   circles       radii 3 and 1.5, deviation 0.24
 *   moons         two half circles of radius 2 that reach into each other, deviation 0.2
 *   pinwheel      five arms that turn away from the centre
 *   gaussians     eight of deviation 0.35 on a circle of radius 2.83
 *   checkerboard  uniform on every other square of side 2 in [-4, 4]^2: its entropy is log 32
 *   swiss_roll    a spiral of one and a half turns, deviation 0.2
 *   spirals       two interleaved arms of one and a half turns
 *   rings         radii 0.75, 1.5, 2.25 and 3, deviation 0.08
 *
 * A row draws from a stream of its own, a part's from the part's: sizes do not change rows. */
#ifndef CST_DATASETS_DENSITIES_H
#define CST_DATASETS_DENSITIES_H

#include "core/rng.h"
#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CST_DENSITIES(X) X(circles) X(moons) X(pinwheel) X(gaussians) X(checkerboard) X(swiss_roll) X(spirals) X(rings)

typedef enum cst_density {
#define X(name) CST_DENSITY_##name,
    CST_DENSITIES(X)
#undef X
        CST_N_DENSITIES
} cst_density;

extern const char *const cst_density_names[]; /* CST_N_DENSITIES of them, then NULL */

/* n points x (n, 2) */
void cst_density_fill(cst_rng rng, cst_density density, size_t n, real *x);

extern const cst_dataset_type cst_density_type; /* "density": name; sizes of the parts */

#ifdef __cplusplus
}
#endif
#endif
