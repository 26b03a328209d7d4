/* Convolutions as matrix products ("im2col"): the lowering that conv2d and conv_transpose2d share.
 *
 * Windows relate an image (C, H, W) to a map (M, OH, OW): pixel (i, j) of the map sees the image's pixels
 *
 *   (i stride + a dilation - padding, j stride + b dilation - padding),   a, b < kernel
 *
 * which are zero outside of the image. columns(image) is the matrix (C kernel^2, OH OW) whose column (i, j) is what
 * pixel (i, j) sees. With the weight W (M, C / groups, kernel, kernel) read as M rows, all passes of both layers
 * consist of three products, group by group:
 *
 *   map    = W columns(image)               conv2d's forward, conv_transpose2d's gx
 *   image  = columns^T(W^T map)             conv2d's gx, conv_transpose2d's forward
 *   gW    += scale map columns(image)^T     gW of both
 *
 * columns^T is the adjoint of columns: it adds each entry to the pixel it came from. The products run on one block
 * of the batch at a time, which is several small images side by side, or some rows of the map of a large image. A
 * block is large enough for efficient products and small enough for the second-level cache. */
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

/* A geometry. The caller fills the first three lines, where either h, w or oh, ow may be 0, and calls
 * cst_lowering_check. It then fills the sizes that were 0, and calls cst_lowering_init. The geometry is constant
 * afterwards. */
typedef struct cst_lowering {
    size_t image_channels, h, w; /* C, H, W */
    size_t map_channels, oh, ow; /* M, OH, OW */
    size_t kernel, stride, padding, dilation, groups;
    /* Filled by cst_lowering_init. */
    size_t images, lines; /* a block has this many images, and this many rows of their maps */
    bool direct;          /* 1x1 kernel: columns(image) is the image */
    bool shifted; /* image and map have the same size: a row of columns(image) is a plane of the image, shifted */
} cst_lowering;

/* Check a geometry in which the pixels of either image or map are still 0 (unknown). Errors: CST_EARG if kernel,
 * stride, dilation or groups is 0; CST_ESHAPE if there are no channels, neither side has pixels, or the groups do
 * not divide the channels. `error` may be NULL. */
CST_MUST_CHECK cst_status cst_lowering_check(const cst_lowering *l, cst_error *error);

/* Complete a geometry: choose its blocks and how columns are made. Errors: CST_ESHAPE for sizes that overflow. */
CST_MUST_CHECK cst_status cst_lowering_init(cst_lowering *l, cst_error *error);

/* Returns the shape of W: (M, C / groups, kernel, kernel). */
cst_shape cst_lowering_weight(const cst_lowering *l);

/* Returns the number of floating-point operations of one of the three products for one image. */
double cst_lowering_cost(const cst_lowering *l);

/* Returns the reals of work that a run over at most `rows` images needs. It saturates at SIZE_MAX. */
size_t cst_lowering_work(const cst_lowering *l, size_t rows);

/* The arguments of a run, which owns none of them. An output that is NULL is not computed. A bias that is NULL is zero.
 * Inputs that no output needs may be NULL. */
typedef struct cst_lowered {
    const real *weight;   /* (M, C / groups, kernel, kernel) */
    const real *image;    /* (rows, C, H, W): needed for to_map and gweight */
    const real *map;      /* (rows, M, OH, OW): needed for to_image and gweight */
    const real *bias;     /* one value per channel of to_map or to_image; not both at once */
    real *to_map;         /* = W columns(image) + bias */
    real *to_image;       /* = columns^T(W^T map) + bias */
    real *gweight, scale; /* += scale map columns(image)^T, summed over rows */
} cst_lowered;

/* Compute all outputs that are not NULL, in one loop over the blocks. `work` has cst_lowering_work reals and begins on
 * a 64-byte boundary. No two arrays may overlap. */
void cst_lowering_run(const cst_lowering *l, size_t rows, const cst_lowered *a, real *work);

#ifdef __cplusplus
}
#endif
#endif
