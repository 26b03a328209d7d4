/* Convolutions with 3 x 3 kernels in fewer multiplications (Winograd 1980; Lavin and Gray, "Fast algorithms for
 * convolutional neural networks", CVPR 2016, F(2 x 2, 3 x 3)). A tile of 2 x 2 pixels of the map sees a tile d
 * of 4 x 4 pixels of the image:
 *
 *   map tile = A^T [ (G w G^T) * (B^T d B) ] A        * entry by entry, summed over the image's channels
 *
 * That takes 16 multiplications instead of 36 for four pixels and a pair of channels. For all tiles of a block at
 * once it is one matrix product (M, C) (C, tiles) for each of the 16 entries. The VJPs are the transposes of this
 * map and consist of the same pieces; g is a tile of the map's cotangent:
 *
 *   image tile += B [ (G w G^T) * (A g A^T) ] B^T,    gw += G^T [ sum over tiles (A g A^T) * (B^T d B) ] G
 *
 * layers/im2col.c calls these functions instead of making its own products where they suit. Results differ from those of
 * its products by rounding only. */
#ifndef CST_LAYERS_WINOGRAD_H
#define CST_LAYERS_WINOGRAD_H

#include "layers/im2col.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the geometry (complete, see cst_lowering_init) allows this algorithm and it is the faster one. */
bool cst_winograd_suits(const cst_lowering *l);

/* cst_lowering_work and cst_lowering_run for geometries that suit. A run over fewer than the planned rows needs no
 * more work. */
size_t cst_winograd_work(const cst_lowering *l, size_t rows);
void cst_winograd_run(const cst_lowering *l, size_t rows, const cst_lowered *a, real *work);

#ifdef __cplusplus
}
#endif
#endif
