/* Declarations shared by the two files of the lowering: blocks of the batch, and the columns of a block. im2col.c has
 * the geometry and the products, im2col_columns.c makes columns from images and adds columns to images.
 *
 * The letters are those of im2col.h: C, H, W for the image, M, OH, OW for the map. A tap (a, b) is one entry of the
 * kernel, and columns have C kernel^2 rows: one per channel and tap. */
#ifndef CST_LAYERS_IM2COL_INTERNAL_H
#define CST_LAYERS_IM2COL_INTERNAL_H

#include "layers/im2col.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A block has images first .. first + images - 1 of the batch, and rows top .. top + lines - 1 of their maps. These
 * rows have `columns` pixels in all. A block of several images has whole maps. */
typedef struct cst_lowering_block {
    size_t first, images, top, lines, columns;
} cst_lowering_block;

/* A matrix whose rows are `stride` reals apart. */
typedef struct cst_lowering_matrix {
    real *at;
    size_t stride;
} cst_lowering_matrix;

/* The layout of a run's work, for one block; im2col.c cuts it from a pass's work. */
typedef struct cst_lowering_work_layout {
    real *columns; /* (C kernel^2, columns) */
    real *masks;   /* (kernel^2, columns and two margins); shifted geometries only */
    real *planes;  /* (C, columns): the images side by side; several images only */
    real *map;     /* (M, columns): the maps side by side; several images only */
    size_t size;   /* of all parts, in reals */
} cst_lowering_work_layout;

static inline size_t cst_lowering_taps(const cst_lowering *l)
{
    return l->kernel * l->kernel;
}

/* Return the margin and the size of the mask of one tap, in reals, for shifted geometries. The margin is the number of
 * reals before and after an array of columns that shifted planes may read; it is 0 for other geometries. */
size_t cst_lowering_margin(const cst_lowering *l);
size_t cst_lowering_mask_size(const cst_lowering *l, size_t columns);

/* Fill the masks of shifted planes for blocks of b's size and place in the image. */
void cst_lowering_make_masks(const cst_lowering *l, const cst_lowering_block *b, real *masks);

/* Returns the block's part of x (rows, channels, pixels) as a matrix (channels, columns): a view of x if the block is
 * one image, which must not be written; otherwise a copy in `buffer`, with the images side by side. `width` is the
 * number of pixels in one row of an image. */
cst_lowering_matrix cst_lowering_take(const cst_lowering_block *b, size_t channels, size_t pixels, size_t width,
                                      const real *x, real *buffer);

/* Copy a block of several images from `buffer` to its place in x, the inverse of cst_lowering_take: x = buffer + bias.
 * bias (channels) may be NULL. */
void cst_lowering_give(const cst_lowering_block *b, size_t channels, size_t pixels, const real *bias,
                       const real *buffer, real *x);

/* Returns columns(image) of the block. They are in s->columns or, for 1x1 kernels, a view of the image. Uses s->planes
 * and reads s->masks. */
cst_lowering_matrix cst_lowering_columns(const cst_lowering *l, const cst_lowering_block *b, const real *image,
                                         const cst_lowering_work_layout *s);

/* image = columns^T(s->columns) + bias for the block, for any geometry but 1x1 kernels. Strips of one image add to each
 * other, so `image` must hold bias before the first strip; bias may be NULL. Uses s->planes and reads s->masks. */
void cst_lowering_add_columns(const cst_lowering *l, const cst_lowering_block *b, const real *bias,
                              const cst_lowering_work_layout *s, real *image);

#ifdef __cplusplus
}
#endif
#endif
