/* Convolutions with 3 x 3 kernels in fewer multiplications (Winograd 1980; Lavin and Gray, "Fast algorithms for
 * convolutional neural networks", CVPR 2016, F(2 x 2, 3 x 3)). A tile of 2 x 2 pixels of the map sees a tile d
 * of 4 x 4 pixels of the image:
 *
 *   map tile = A^T [ (G w G^T) * (B^T d B) ] A        * entry by entry, summed over the image's channels
 *
 * This takes 16 multiplications instead of 36 for four pixels and a pair of channels. For all tiles of a block
 * together, each of the 16 entries takes one matrix product (M, C) (C, tiles). The VJPs are the transposes of this map
 * and consist of the same pieces; g is a tile of the map's cotangent:
 *
 *   image tile += B [ (G w G^T) * (A g A^T) ] B^T,    gw += G^T [ sum over tiles (A g A^T) * (B^T d B) ] G
 *
 * For geometries that suit, layers/im2col.c calls these functions in place of its own products. The results differ by
 * rounding only. */
#ifndef CST_LAYERS_WINOGRAD_H
#define CST_LAYERS_WINOGRAD_H

#include "layers/im2col.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Returns whether a geometry, completed by cst_lowering_init, allows this algorithm, and whether the algorithm is
 * expected to be faster. */
bool cst_winograd_suits(const cst_lowering *l);

/* The counterparts of cst_lowering_work and cst_lowering_run for geometries that suit. A run over fewer rows than
 * planned needs no more work. */
size_t cst_winograd_work(const cst_lowering *l, size_t rows);
void cst_winograd_run(const cst_lowering *l, size_t rows, const cst_lowered *a, real *work);

#ifdef __cplusplus
}
#endif
#endif
