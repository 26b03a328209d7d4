/* Declarations shared by the pooling layers: the geometry of their windows. Only the pooling layers' own files include
 * this header.
 *
 * A plane is one channel (H, W) of one row of x. Each pass is a loop over planes, from (H, W) to (OH, OW) or back. */
#ifndef CST_LAYERS_POOL2D_INTERNAL_H
#define CST_LAYERS_POOL2D_INTERNAL_H

#include "layers/pool2d.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_pool2d {
    cst_module base;
    size_t h, w, oh, ow; /* pixels of a plane of x and of y */
    size_t kernel, stride, padding;
    bool pairs;  /* 2 x 2 windows side by side: they have loops of their own, without a branch */
    bool global; /* one window, the whole plane */
} cst_pool2d;

/* Make a pool with windows for rows of shape x. Errors: as cst_avg_pool2d_new. */
CST_MUST_CHECK cst_status cst_pool2d_new(const cst_module_ops *ops, const cst_shape *x,
                                         const cst_pool2d_options *options, cst_module **m, cst_error *error);

/* Make a pool whose window is the whole plane. Errors: as cst_global_avg_pool2d_new. */
CST_MUST_CHECK cst_status cst_pool2d_new_global(const cst_module_ops *ops, const cst_shape *x, cst_module **m,
                                                cst_error *error);

/* The functions below are inline, so that they are compiled with the loops of each instruction set (core/level.h). */

static inline const cst_pool2d *cst_as_pool2d(const cst_module *m)
{
    return (const cst_pool2d *)m;
}

/* Returns the number of planes in n rows of the batch. */
static inline size_t cst_pool2d_planes(const cst_module *m, size_t n)
{
    return n * m->x.dim[0];
}

/* Pixels first .. end - 1 along a row of y. */
typedef struct cst_pool2d_range {
    size_t first, end;
} cst_pool2d_range;

/* Returns the pixels j of a row of y for which column `offset` of their window lies inside of x, so that stride j +
 * offset - padding is in 0 .. W - 1. */
static inline cst_pool2d_range cst_pool2d_inside(const cst_pool2d *m, size_t offset)
{
    const size_t before = offset < m->padding ? (m->padding - offset + m->stride - 1) / m->stride : 0;
    const size_t limit = m->w + m->padding; /* stride j + offset has to be below it */
    const size_t end = limit > offset ? (limit - offset - 1) / m->stride + 1 : 0;
    const cst_pool2d_range r = {before, end < m->ow ? end : m->ow};
    return r;
}

/* *row = the row of x that is row `offset` of the windows of row i of y. Returns false if it lies in the padding. */
static inline bool cst_pool2d_row(const cst_pool2d *m, size_t i, size_t offset, size_t *row)
{
    *row = i * m->stride + offset - m->padding; /* above the image this wraps around to a large number */
    return *row < m->h;
}

#ifdef __cplusplus
}
#endif
#endif
