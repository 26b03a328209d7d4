/* Convolutions with kernels of 3 x 3 in fewer products (Winograd 1980; Lavin, Gray, "Fast algorithms for convolutional neural
 * networks", CVPR 2016, F(2 x 2, 3 x 3)): two pixels by two of a map see a tile d of four by four of the image, and
 *
 *   map tile = A^T [ (G w G^T) * (B^T d B) ] A        * entry by entry, summed over channels
 *
 * with 16 products instead of 36 for four pixels of a channel pair. For all tiles of a block at once that is a product of
 * matrices for each of the 16 entries, (M, C) (C, tiles). The VJPs are this map's transposes, made of the same pieces:
 *
 *   image tile += B [ (G w G^T) * (A g A^T) ] B^T,    gw += G^T [ sum over tiles (A g A^T) * (B^T d B) ] G */
#ifndef CST_LAYERS_WINOGRAD_H
#define CST_LAYERS_WINOGRAD_H

#include "layers/im2col.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether this way exists for a geometry and is the faster one. */
bool cst_winograd_suits(const cst_lowering *l);

/* As cst_lowering_work and cst_lowering_run, for geometries that suit. */
size_t cst_winograd_work(const cst_lowering *l, size_t rows);
void cst_winograd_run(const cst_lowering *l, size_t rows, const cst_lowered *a, real *work);

#ifdef __cplusplus
}
#endif
#endif
