/* The blocks of the adjoint system's state, for adjoint/backsolve.c. The whole state is
 *
 *     y = [z | integrals | a_z | adjoints of integrals | a_theta | a_t]
 *
 * A block is part of the state if a right-hand side reads it (z, a_z) or if it has a weight in the norm. a_theta may be
 * one block or one per parameter tensor. "interpolating" has no z and no integrals. a_t is last, so that the norm
 * `slices` counts [z, a_z, a_theta] as the paper's published code does. */
#ifndef CST_ADJOINT_ADJOINT_BLOCKS_H
#define CST_ADJOINT_ADJOINT_BLOCKS_H

#include "adjoint/gradient.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The largest number of blocks of a state. The norm default_per_tensor has one per parameter tensor. */
enum { CST_MAX_BLOCKS = 256 };

typedef struct cst_adjoint_blocks {
    cst_block block[CST_MAX_BLOCKS]; /* (n): only the first CST_MAX_BLOCKS are stored */
    size_t n;                        /* number of blocks, which may be larger than CST_MAX_BLOCKS */
    size_t size;                     /* entries of the state; SIZE_MAX: too large */
    bool controlled;                 /* whether the norm has a weight for a block that is not constant */
    size_t a_z, a_theta, a_t;        /* offsets in y; SIZE_MAX: not in the state */
    /* Offsets of the integrals and of their adjoints; SIZE_MAX: not in the state. */
    size_t integral[CST_MAX_INTEGRALS], a_integral[CST_MAX_INTEGRALS];
} cst_adjoint_blocks;

/* Lay out the state for a problem, of which field, call->n, norm and integrals are read. With `with_z`, z and the
 * integrals are in the state. */
cst_adjoint_blocks cst_adjoint_blocks_of(const cst_gradient_problem *problem, bool with_z);

/* Errors: CST_EUNSUPPORTED if there are more than CST_MAX_BLOCKS blocks; CST_EARG if no block that changes has a weight
 * in the norm. */
CST_MUST_CHECK cst_status cst_adjoint_blocks_check(const cst_gradient_problem *problem, bool with_z, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
