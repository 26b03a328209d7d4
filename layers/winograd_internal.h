/* Declarations shared by the two files of Winograd's convolutions: blocks of tiles. winograd.c has the tiling, the
 * weights and the products; winograd_tiles.c transforms pixels to tiles and back. The letters are those of winograd.h;
 * C and M are the channels of image and map. */
#ifndef CST_LAYERS_WINOGRAD_INTERNAL_H
#define CST_LAYERS_WINOGRAD_INTERNAL_H

#include "layers/winograd.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A block has images first .. first + images - 1 of the batch, and tile rows top .. top + lines - 1 of their maps.
 *
 * The transforms handle `lanes` tiles at once, which lie side by side in memory. If the block has many images, a set of
 * lanes has the tile at one position from each image (per = 1). If it has few, a set has all tiles of one row from each
 * image (per = number of tiles in a row). A row of tiles consists of `groups` sets. Tile (row i, group g, image, j)
 * with j < per has the number (i groups + g) lanes + image per + j, and there are `tiles` of them. */
typedef struct cst_winograd_block {
    size_t first, images, top, lines, per, groups, lanes, tiles;
} cst_winograd_block;

/* The layout of a run's work, which winograd.c cuts into these arrays. */
typedef struct cst_winograd_work_layout {
    real *u, *gu; /* (16, M, C): transformed weights, and their cotangent */
    real *v, *m;  /* (16, C, tiles), (16, M, tiles): transformed tiles of image and map */
    real *grid;   /* (2 lines + 2, columns, lanes): pixels of one channel */
    real *line;   /* (2 tiles per row + 2): one row of a padded plane */
    size_t size;  /* of all parts, in reals */
} cst_winograd_work_layout;

/* Returns the distance in reals from one of the 16 entries to the next in an array (16, channels, tiles). It is an odd
 * number of cache lines, so that the 16 entries of a tile do not fall into the same set of a cache. It saturates at
 * SIZE_MAX. */
size_t cst_winograd_step(size_t channels, size_t tiles);

typedef enum cst_winograd_direction {
    CST_WINOGRAD_TRANSFORM_IMAGE, /* entries = B^T image B */
    CST_WINOGRAD_ADD_IMAGE,       /* image += B entries B^T, its adjoint */
    CST_WINOGRAD_NARROW_MAP,      /* map += A^T entries A */
    CST_WINOGRAD_WIDEN_MAP        /* entries = A map A^T, its adjoint */
} cst_winograd_direction;

/* Exchange all channels of the block between `pixels`, an image or a map of the whole batch, and `entries`, (16,
 * channels, tiles). `read` is for the directions that make entries and `write` for those that make pixels; the other
 * one is NULL. Overwrites s->grid and s->line. */
void cst_winograd_exchange(cst_winograd_direction way, const cst_lowering *l, const cst_winograd_block *b,
                           const real *read, real *write, real *entries, const cst_winograd_work_layout *s);

#ifdef __cplusplus
}
#endif
#endif
