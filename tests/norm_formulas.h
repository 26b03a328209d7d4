/* The formulas of ode/norm.h, written out in plain loops: what the norms of the table are compared with. */
#ifndef CST_TESTS_NORM_FORMULAS_H
#define CST_TESTS_NORM_FORMULAS_H

#include "tests/helpers.h"

#include "ode/norm.h"

/* The scaled errors v (n) of all blocks, one block after the other. */
typedef struct norm_input {
    size_t n, n_blocks;
    const cst_block *blocks; /* (n_blocks) */
    const double *v;
} norm_input;

/* Returns the norm. *worst is the block with the largest share in it. `slice` is the n of cst_norm_slices; the other
 * formulas ignore it. */
typedef double (*norm_formula)(const norm_input *m, size_t slice, size_t *worst);

/* The formula of a norm. Fails the test, and names the norm, if there is none. */
norm_formula norm_formula_of(const cst_norm_ops *ops);

#endif
