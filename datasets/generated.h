/* Points in the plane, or in space, generated from the seed: `spirals` and `circles`. Rows of a part i draw from a
 * stream of their own, so that one part's size does not change another; labels go round, so that classes are balanced.
 *
 * spirals: `classes` spiral arms, each turning `turns` times around the origin: at radius r = sqrt(u), u uniform in
 * [0, 1), the angle is 2 pi (turns r + class / classes); each coordinate then gets normal noise of deviation `noise`.
 *
 * circles: after Dupont, Doucet, Teh, "Augmented neural ODEs", NeurIPS 2019: class 0 in the ball |x| <= 1/2, class 1 in
 * the shell 1 <= |x| <= 3/2, both uniformly, in `dimension` dimensions, plus noise. No homeomorphism, so no
 * flow of an ODE without added dimensions, separates the two by a plane (in one dimension they are intervals). */
#ifndef CST_DATASETS_GENERATED_H
#define CST_DATASETS_GENERATED_H

#include "core/rng.h"
#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* n points x (n, 2) and labels (n), i mod classes. */
void cst_spirals_fill(cst_rng rng, size_t classes, double turns, double noise, size_t n, real *x, int32_t *labels);

/* n points x (n, dimension) and labels (n), i mod 2. */
void cst_circles_fill(cst_rng rng, size_t dimension, double noise, size_t n, real *x, int32_t *labels);

extern const cst_dataset_type cst_spirals_type, cst_circles_type;

#ifdef __cplusplus
}
#endif
#endif
