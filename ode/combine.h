/* The solver's arithmetic on long vectors: sums of stages, and norms of what such a sum leaves. Each input is read once;
 * chunks of fixed size are shared among threads, so that no result depends on how many there are. */
#ifndef CST_ODE_COMBINE_H
#define CST_ODE_COMBINE_H

#include "core/real.h"
#include "ode/norm.h"
#include "ode/tableau.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_CHUNK = 2048 };

/* sum_j coefficient[j] v[j] */
typedef struct cst_combination {
    size_t n;
    double coefficient[CST_MAX_STAGES];
    const real *v[CST_MAX_STAGES];
} cst_combination;

/* Append a term; what has coefficient 0 is not read. */
void cst_combination_add(cst_combination *sum, double coefficient, const real *v);

/* to += scale from; what has scale 0 is not read. */
void cst_add_scaled(size_t n, double scale, const real *from, real *to);

/* out = y + sum, all of length n; y NULL for 0. out is none of the inputs. */
void cst_combine(int threads, size_t n, const real *y, const cst_combination *sum, real *out);

/* What a norm is taken of: (y0 NULL for 0) (sum) / (atol + rtol max(|y0|, |y1|)). */
typedef struct cst_scaled {
    const cst_norm *norm;
    const cst_block *blocks;
    size_t n_blocks;
    double rtol, atol;
    const cst_combination *sum;
    const real *y0, *y1;
    real *values;    /* room for the whole vector: used by CST_NORM_CALLBACK alone */
    double *partial; /* room for cst_scaled_partials doubles */
    int threads;
} cst_scaled;

size_t cst_scaled_partials(const cst_block *blocks, size_t n_blocks);

/* The norm; *worst_block (unless NULL) is the block with the largest share in it. Infinite or NaN where the vector is, or
 * where y1 is not finite. */
double cst_scaled_norm(const cst_scaled *scaled, size_t *worst_block);

/* The largest component, or the first that is not finite: its block and its index there. */
void cst_scaled_worst(const cst_scaled *scaled, size_t *block, size_t *index);

/* The first entry that is not finite, or n. */
size_t cst_first_nonfinite(const real *v, size_t n);

#ifdef __cplusplus
}
#endif
#endif
