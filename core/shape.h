/* Shapes, and sizes that cannot overflow unnoticed.
 *
 * A cst_shape is the shape of one row of a batch: (in) for vectors, (C, H, W) for images; the batch dimension N is
 * passed beside it. Size arithmetic saturates at SIZE_MAX, so that a plan adds and multiplies freely and one check at
 * its end finds what is too large to allocate. */
#ifndef CST_CORE_SHAPE_H
#define CST_CORE_SHAPE_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_MAX_RANK = 6, CST_SHAPE_TEXT = 128 };

typedef struct cst_shape {
    size_t rank;
    size_t dim[CST_MAX_RANK];
} cst_shape;

/* a b and a + b, or SIZE_MAX if that is larger. */
size_t cst_size_mul(size_t a, size_t b);
size_t cst_size_add(size_t a, size_t b);

static inline size_t cst_size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t cst_size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* n rounded up so that the next array of reals starts on a 64-byte line again. Saturates. */
size_t cst_size_align(size_t n);

cst_shape cst_shape_1d(size_t d);
cst_shape cst_shape_3d(size_t c, size_t h, size_t w);
cst_shape cst_shape_4d(size_t a, size_t b, size_t c, size_t d);
cst_shape cst_shape_rows(size_t n, const cst_shape *row); /* (n, row...); row has fewer than CST_MAX_RANK dimensions */
size_t cst_shape_size(const cst_shape *shape);            /* product of its dimensions, 1 for rank 0; saturates */
bool cst_shape_equal(const cst_shape *a, const cst_shape *b);

/* "(64, 6, 6)" into text[CST_SHAPE_TEXT]; returns text. */
const char *cst_shape_text(const cst_shape *shape, char text[CST_SHAPE_TEXT]);

#ifdef __cplusplus
}
#endif
#endif
