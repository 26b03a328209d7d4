/* Labelled points generated from the seed: the data sets `spirals` and `circles`.
 *
 * spirals: interleaved spiral arms in the plane, one per class, each turning `turns` times around the origin. At radius
 *     r = sqrt(u), u uniform in [0, 1), the angle is 2 pi (turns r + class / classes)
 * and each coordinate then gets normal noise of std `noise`.
 *
 * circles: a ball and a shell around it in `dimension` dimensions, after Dupont, Doucet, Teh, "Augmented neural ODEs",
 * NeurIPS 2019. Class 0 is uniform in the ball |x| <= 1/2, class 1 in the shell 1 <= |x| <= 3/2, plus noise. The flow of an
 * ODE is a homeomorphism, so without added dimensions no flow makes the two classes linearly separable. (In one dimension
 * they are intervals.)
 *
 * Row i of a split draws from its own random numbers, so sizes do not change rows. The label of row i is i mod the number of
 * classes, so the classes are balanced. */
#ifndef CST_DATASETS_GENERATED_H
#define CST_DATASETS_GENERATED_H

#include "core/rng.h"
#include "datasets/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fill n points x (n, 2) and labels (n), i mod classes. */
void cst_spirals_fill(cst_rng rng, size_t classes, double turns, double noise, size_t n, real *x, int32_t *labels);

/* Fill n points x (n, dimension) and labels (n), i mod 2. */
void cst_circles_fill(cst_rng rng, size_t dimension, double noise, size_t n, real *x, int32_t *labels);

extern const cst_dataset_type cst_spirals_type, cst_circles_type;

#ifdef __cplusplus
}
#endif
#endif
