/* The error norm that the adjoint system is solved under (Kidger, Chen, Lyons, section 2.2 and appendix A).
 *
 * The adjoint's state consists of the blocks z, a_z, a_theta, a_t, in this order. A field with integrals (adjoint/field.h) has
 * a block per integral behind z, and one per adjoint of an integral behind a_z. Each block has a weight in the norm of
 * ode/norm.h. A block that no right-hand side reads (a_theta, a_t, integrals) and that has weight 0 leaves the state: a_theta
 * and a_t become quadratures, integrals are not solved for again, and their adjoints are constant.
 *
 * The named norms (default, seminorm ...) are the table cst_adjoint_norms. Integrals and their adjoints have weight 1 in all
 * of them, as every block of the state has in torchdiffeq. Any norm of ode/norm.h can be used from C: set the member `norm`.
 * This makes the caller's function the norm, with all blocks in the state:
 *
 *     CST_TRY(cst_adjoint_norm_init(&options.norm, "default", error));
 *     options.norm.norm = (cst_norm){.ops = &cst_norm_callback, .callback = function, .context = context};
 */
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

/* The names of an integral's block and of its adjoint's, "logp" and "a_logp". The strings must outlive all users. */
typedef struct cst_integral {
    const char *name, *adjoint;
} cst_integral;

typedef struct cst_adjoint_norm {
    cst_norm norm;               /* the solver sets norm.slice from slice_of_z, once the state's size is known */
    double weight[CST_N_BLOCKS]; /* of z, a_z, a_theta, a_t; 0: not in the norm */
    double integral[CST_MAX_INTEGRALS], a_integral[CST_MAX_INTEGRALS]; /* weights of the integrals and their adjoints */
    bool per_tensor;   /* one block per parameter tensor instead of one a_theta */
    size_t slice_of_z; /* cst_norm_slices: n is this many times the size of z; 0: n is norm.slice */
} cst_adjoint_norm;

/* A norm that configs know by its name. */
typedef struct cst_named_norm {
    const char *name;
    const cst_norm_ops *ops;
    double weight[CST_N_BLOCKS]; /* of z, a_z, a_theta, a_t */
    bool per_tensor;             /* one block per parameter tensor instead of one a_theta */
    const char *help;            /* one line, for docs/config.md and `costate list` */
} cst_named_norm;

/* All of them, ended by one whose name is NULL. Names in error messages, the schema and the docs are made from this table. */
extern const cst_named_norm cst_adjoint_norms[];

/* Set *norm to the norm of this name. CST_EARG if there is none; the message lists all names. */
CST_MUST_CHECK cst_status cst_adjoint_norm_init(cst_adjoint_norm *norm, const char *name, cst_error *error);

extern const cst_key cst_adjoint_norm_keys[]; /* of a norm of weighted blocks: "combine" and "weights" */

/* Read *norm from a config's value, one of
 *   name                                           a named norm
 *   {"norm": name, "a_theta": 0.1, ...}            a named norm with other weights
 *   {"combine": "max", "weights": {"z": 1, ...}}   cst_norm_max_rms ("max") or cst_norm_rms ("rms"); absent blocks weigh 0
 *   {"slices": n} or {"slices": "8z"}              cst_norm_slices; "8z" is eight times the size of z
 * Weights may name the blocks of these integrals (n_integrals, NULL for none) beside the four. CST_ECONFIG, with a message
 * that names the key, for another value. */
CST_MUST_CHECK cst_status cst_adjoint_norm_read(cst_config config, const cst_integral *integrals, size_t n_integrals,
                                                cst_adjoint_norm *norm, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
