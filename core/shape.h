/* Shapes, and arithmetic of sizes that cannot overflow unnoticed.
 *
 * A cst_shape is usually the shape of one row of a batch: (in) for vectors, (C, H, W) for images. The batch size N is
 * passed separately. Size arithmetic saturates at SIZE_MAX, so that a plan can add and multiply without checks. The
 * allocation at the end fails if the sum is too large. */
#ifndef CST_CORE_SHAPE_H
#define CST_CORE_SHAPE_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CST_MAX_RANK = 6,    /* the largest number of dimensions */
    CST_SHAPE_TEXT = 128 /* bytes for a shape as text */
};

/* Dimensions beyond the rank are not read. Rank 0 is a single number. */
typedef struct cst_shape {
    size_t rank;
    size_t dim[CST_MAX_RANK];
} cst_shape;

/* Returns a b, or a + b, or SIZE_MAX if the result is larger. */
size_t cst_size_mul(size_t a, size_t b);
size_t cst_size_add(size_t a, size_t b);

/* Returns the smaller, or the larger, of two sizes. */
static inline size_t cst_size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t cst_size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Returns n rounded up so that n reals are a multiple of 64 bytes. An array after them then starts on a cache line,
 * too. The result saturates at SIZE_MAX. */
size_t cst_size_align(size_t n);

/* Returns the shape (d), (c, h, w) or (a, b, c, d). */
cst_shape cst_shape_1d(size_t d);
cst_shape cst_shape_3d(size_t c, size_t h, size_t w);
cst_shape cst_shape_4d(size_t a, size_t b, size_t c, size_t d);
/* Returns the shape (n, row...) of n rows. `row` has fewer than CST_MAX_RANK dimensions. */
cst_shape cst_shape_rows(size_t n, const cst_shape *row);

/* Returns the number of elements: the product of the dimensions, which is 1 for rank 0. It saturates at SIZE_MAX. */
size_t cst_shape_size(const cst_shape *shape);
/* Returns whether rank and dimensions are the same. */
bool cst_shape_equal(const cst_shape *a, const cst_shape *b);

/* Write the shape as "(64, 6, 6)" into `text`, and return it. */
const char *cst_shape_text(const cst_shape *shape, char text[CST_SHAPE_TEXT]);

#ifdef __cplusplus
}
#endif
#endif
