/* Convolutions as matrix products: the lowering that conv2d and conv_transpose2d share.
 *
 * An image (C, H, W) and a map (M, OH, OW) are tied by windows: pixel (i, j) of the map looks at the image's pixels
 * (i stride + a dilation - padding, j stride + b dilation - padding), a, b < kernel, zero outside. columns(image) is the
 * matrix (C kernel^2, OH OW) of what each pixel of the map sees. With the weight W (M, C / groups, kernel, kernel), read
 * as M rows, all passes of both layers are made of three products, group by group:
 *
 *   map    = W columns(image)           conv2d's forward pass, conv_transpose2d's gx
 *   image  = columns^T(W^T map)         conv2d's gx, conv_transpose2d's forward pass
 *   gW    += scale map columns(image)^T
 *
 * columns^T, the adjoint of columns, adds each entry to the pixel it came from. The matrices are made for a block of
 * the batch at a time: several small images side by side, or some rows of the map of a large one, as many as keep the
 * products efficient and the second-level cache sufficient. */
#ifndef CST_LAYERS_IM2COL_H
#define CST_LAYERS_IM2COL_H

#include "core/real.h"
#include "core/shape.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_lowering {
    size_t image_channels, h, w; /* C, H, W */
    size_t map_channels, oh, ow; /* M, OH, OW */
    size_t kernel, stride, padding, dilation, groups;
    /* Filled by cst_lowering_init. */
    size_t images, lines; /* of a block: whole images, or of one image that many rows of the map */
    bool direct;          /* 1x1: columns(image) is the image */
    bool shifted;         /* as many pixels in the map as in the image: a row of columns(image) is a plane, shifted */
} cst_lowering;

/* Check all that can be checked before the other of image and map is known, whose pixels may still be 0. Errors:
 * CST_EARG for a kernel, stride, dilation, number of groups or map channels that is 0; CST_ESHAPE for images without
 * channels or pixels and channels that the groups do not divide. */
CST_MUST_CHECK cst_status cst_lowering_check(const cst_lowering *l, cst_error *error);

/* Choose the blocks for a complete geometry. Errors: CST_ESHAPE for sizes that overflow. */
CST_MUST_CHECK cst_status cst_lowering_init(cst_lowering *l, cst_error *error);

/* (M, C / groups, kernel, kernel) */
cst_shape cst_lowering_weight(const cst_lowering *l);

/* flops of one of the products for one image */
double cst_lowering_cost(const cst_lowering *l);

/* Scratch that a run over `rows` images needs, in reals; saturates. */
size_t cst_lowering_work(const cst_lowering *l, size_t rows);

/* What a run reads and makes; NULL for what is not wanted. */
typedef struct cst_lowered {
    const real *weight;   /* (M, C / groups, kernel, kernel) */
    const real *image;    /* (rows, C, H, W): wanted for to_map and gweight */
    const real *map;      /* (rows, M, OH, OW): wanted for to_image and gweight */
    const real *bias;     /* a value a channel of what is made, to_map or to_image */
    real *to_map;         /* = W columns(image) + bias */
    real *to_image;       /* = columns^T(W^T map) + bias */
    real *gweight, scale; /* += scale map columns(image)^T, summed over rows */
} cst_lowered;

/* All that is wanted in one walk over the blocks. */
void cst_lowering_run(const cst_lowering *l, size_t rows, const cst_lowered *a, real *work);

#ifdef __cplusplus
}
#endif
#endif
