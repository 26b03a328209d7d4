/* The error norm under which the adjoint system is solved: the paper's method (Kidger, Chen, Lyons, section 2.2,
 * appendix A).
 *
 * The adjoint's state has the blocks z, a_z, a_theta and a_t. For a field with integrals (adjoint/field.h), one block
 * per integral follows z, and one per adjoint of an integral follows a_z. Each block has a weight in a norm of
 * ode/norm.h. The paper's norms are the largest ||.||_RMS of the blocks, cst_norm_max_rms:
 *
 *     default    max{ ||a_t||, ||z||, ||a_z||, ||a_theta|| }   (appendix A), all weights 1
 *     seminorm   max{ ||z||, ||a_z|| }                         (appendix A), weights 1, 1, 0, 0
 *
 * A block of weight 0 that no right-hand side reads is not in the state: a_theta and a_t are quadratures (ode/solve.h),
 * integrals are not solved for again, and their adjoints are constants.
 *
 * Configs know norms by the names in cst_adjoint_norms. In a named norm, integrals and their adjoints have weight 1, as
 * all blocks have in torchdiffeq. C programs can use any norm of ode/norm.h: set the member `norm`. For example, with
 * all blocks in the state:
 *
 *     CST_TRY(cst_adjoint_norm_init(&options.norm, "default", error));
 *     options.norm.norm = (cst_norm){.ops = &cst_norm_callback, .callback = function, .context = context}; */
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

/* Indices of the four blocks in arrays of weights. */
typedef enum cst_adjoint_block {
    CST_BLOCK_Z,
    CST_BLOCK_A_Z,
    CST_BLOCK_A_THETA,
    CST_BLOCK_A_T,
    CST_N_BLOCKS
} cst_adjoint_block;

/* "z", "a_z", "a_theta", "a_t". */
extern const char *const cst_adjoint_block_names[CST_N_BLOCKS];

/* The names of the blocks of an integral and of its adjoint, for example "logp" and "a_logp". The strings must outlive
 * every block that has the integral, and its statistics. */
typedef struct cst_integral {
    const char *name, *adjoint;
} cst_integral;

/* A norm with the weights of its blocks. All weights are at least 0; a weight of 0 leaves a block out. */
typedef struct cst_adjoint_norm {
    cst_norm norm;               /* its member `slice` is set from slice_of_z when the size of the state is known */
    double weight[CST_N_BLOCKS]; /* of z, a_z, a_theta, a_t */
    double integral[CST_MAX_INTEGRALS], a_integral[CST_MAX_INTEGRALS]; /* weights of the integrals and their adjoints */
    bool per_tensor;   /* one block per parameter tensor instead of one a_theta */
    size_t slice_of_z; /* for cst_norm_slices: n is slice_of_z times the size of z; 0: n is norm.slice */
} cst_adjoint_norm;

/* A norm that configs know by its name. */
typedef struct cst_named_norm {
    const char *name;
    const cst_norm_ops *ops;
    double weight[CST_N_BLOCKS]; /* of z, a_z, a_theta, a_t */
    bool per_tensor;             /* one block per parameter tensor instead of one a_theta */
    const char *help;            /* one line, for docs/config.md and `costate list` */
} cst_named_norm;

/* The named norms; the last name is NULL. Error messages, the schema and the docs take the names from this table. */
extern const cst_named_norm cst_adjoint_norms[];

/* *norm = the norm of this name. Errors: CST_EARG for another name; the message lists all. `error` may be NULL. */
CST_MUST_CHECK cst_status cst_adjoint_norm_init(cst_adjoint_norm *norm, const char *name, cst_error *error);

/* The keys "combine" and "weights" of a norm of weighted blocks, for `costate list`. The last name is NULL. */
extern const cst_key cst_adjoint_norm_keys[];

/* Set *norm from a value of a config, which is one of
 *   name                                           a named norm
 *   {"norm": name, "a_theta": 0.1, ...}            a named norm with other weights
 *   {"combine": "max", "weights": {"z": 1, ...}}   cst_norm_max_rms, or cst_norm_rms for "rms"; absent weights are 0
 *   {"slices": n} or {"slices": "8z"}              cst_norm_slices; "8z" is eight times the size of z
 * Weights may name the blocks of the integrals (n_integrals; may be NULL for 0) as well as the four. Errors:
 * CST_ECONFIG for another value; the message names the place in the config. */
CST_MUST_CHECK cst_status cst_adjoint_norm_read(cst_config config, const cst_integral *integrals, size_t n_integrals,
                                                cst_adjoint_norm *norm, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
