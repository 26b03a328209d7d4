/* Which error norm the adjoint system is solved under (Kidger, Chen, Lyons, section 2.2 and appendix A).
 *
 * The adjoint's state is cut into the blocks z, a_z, a_theta, a_t, in this order; of a field with integrals (adjoint/field.h),
 * each of these has a block behind z, and its adjoint one behind a_z. Weights say how each counts in the norm of
 * ode/norm.h; what no right-hand side reads (a_theta, a_t, integrals) and has weight 0 leaves the state. The first two become
 * quadratures; integrals need not be made again, and their adjoints are constant.
 *
 *   name                 norm                                          weights z, a_z, a_theta, a_t
 *   default              largest RMS of a block                        1 1 1 1     (torchdiffeq 0.1; the paper)
 *   default_per_tensor   the same, one block a parameter tensor        1 1 1 1     (torchdiffeq since 0.2)
 *   seminorm             largest RMS                                   1 1 0 0     (the paper's)
 *   rms                  one RMS over everything                       1 1 1 1
 *   max                  largest component                             1 1 1 1
 *
 * An integral and its adjoint have weight 1 in all of these, as every block of the state has in torchdiffeq. */
#ifndef CST_ADJOINT_ADJOINT_NORM_H
#define CST_ADJOINT_ADJOINT_NORM_H

#include "adjoint/field.h"
#include "core/config.h"
#include "core/status.h"
#include "ode/norm.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cst_adjoint_block {
    CST_BLOCK_Z,
    CST_BLOCK_A_Z,
    CST_BLOCK_A_THETA,
    CST_BLOCK_A_T,
    CST_N_BLOCKS
} cst_adjoint_block;

extern const char *const cst_adjoint_block_names[CST_N_BLOCKS];
extern const char *const cst_adjoint_norm_names[]; /* the table above, ended by NULL */

/* What an integral's blocks are called, "logp" and "a_logp": strings that outlive whoever uses them. */
typedef struct cst_integral {
    const char *name, *adjoint;
} cst_integral;

typedef struct cst_adjoint_norm {
    cst_norm norm;               /* slice is set when the state's size is known, see slice_of_z */
    double weight[CST_N_BLOCKS]; /* 0: not in the norm */
    double integral[CST_MAX_INTEGRALS], a_integral[CST_MAX_INTEGRALS]; /* likewise, of those there are */
    bool per_tensor;   /* a block for each parameter tensor instead of one a_theta */
    size_t slice_of_z; /* CST_NORM_SLICES: n is this many times the size of z; 0: norm.slice */
} cst_adjoint_norm;

/* One of the named norms; CST_EARG for another name. */
CST_MUST_CHECK cst_status cst_adjoint_norm_init(cst_adjoint_norm *norm, const char *name, cst_error *error);

/* Anything of ode/norm.h's CST_NORM_CALLBACK: it sees all blocks. */
void cst_adjoint_norm_callback(cst_adjoint_norm *norm,
                               double (*callback)(void *context, const real *v, const cst_block *blocks,
                                                  size_t n_blocks),
                               void *context);

extern const cst_key cst_adjoint_norm_keys[]; /* of a norm made of blocks: "combine" and "weights" */

/* A name, {"norm": name, "a_theta": 0.1, ...} (a named norm with other weights), {"combine": "max" or "rms",
 * "weights": {"z": 1, ...}} (blocks not named have weight 0), {"slices": n} or {"slices": "8z"}. Weights may name the blocks
 * of these integrals beside the four. */
CST_MUST_CHECK cst_status cst_adjoint_norm_read(cst_config config, const cst_integral *integrals, size_t n_integrals,
                                                cst_adjoint_norm *norm, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
