/* The vector field of an ODE block, with or without integrals in addition to its state:
 *
 *     z' = f(t, z; theta),   q' = g(t, z; theta)
 *
 * As a module it maps rows z (D...) to rows [f | g] (D + M). Neither f nor g reads q (M numbers per row). A field
 * without integrals, M = 0, keeps the shape of its rows. Its VJP takes cotangent rows [a_z | a_q] and gives gx =
 * (df/dz)^T a_z + (dg/dz)^T a_q. Since nothing reads q, a_q' = 0: q is an integral, not an ODE (paper, section 2.2).
 * The log-density of a continuous normalizing flow (paper, eq. 6) is such an integral.
 *
 * Solvers need blocks: z (N, D), then each integral (N). The functions below convert between the two layouts, so they
 * need more cache and work than the module (cst_field_plan). `c` is the call of the field: n rows, time t, theta,
 * work. */
#ifndef CST_ADJOINT_FIELD_H
#define CST_ADJOINT_FIELD_H

#include "core/module.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_MAX_INTEGRALS = 4 }; /* the largest M */

/* Errors: CST_ESHAPE unless the field's shapes are those above with M = n_integrals; CST_EARG if there are too many
 * integrals. */
CST_MUST_CHECK cst_status cst_field_check(const cst_module *field, size_t n_integrals, cst_error *error);

/* Returns M of a field that cst_field_check accepts. */
size_t cst_field_integrals(const cst_module *field);

/* Compute the sizes of cache and work that the functions below need for n rows, as cst_module_plan does. */
void cst_field_plan(const cst_module *field, size_t n, int threads, cst_plan *plan);

/* dz (N, D) = f and dq (M, N) = g at z (N, D). dq may be NULL. The cache is valid for cst_field_vjp afterwards. Fails
 * as the module does. */
CST_MUST_CHECK cst_status cst_field_forward(const cst_module *field, const cst_call *c, const cst_real *z, cst_real *dz,
                                            cst_real *dq, cst_real *cache);

/* Compute dz and dq in the same way, but faster. No VJP may follow, because the cache is scratch memory. */
CST_MUST_CHECK cst_status cst_field_evaluate(const cst_module *field, const cst_call *c, const cst_real *z,
                                             cst_real *dz, cst_real *dq, cst_real *cache);

/* The VJP with cotangents a_z (N, D) and a_q (M, N) at the point p = {z, dz, cache}, where cst_field_forward filled dz
 * and cache. Results go to *g as in cst_module_vjp: gx overwritten, the others added to. a_q is not read for M = 0. */
CST_MUST_CHECK cst_status cst_field_vjp(const cst_module *field, const cst_call *c, const cst_point *p,
                                        const cst_real *a_z, const cst_real *a_q, const cst_grads *g);

/* The vectors that cst_field_forward fills. dq may be NULL. */
typedef struct cst_field_output {
    cst_real *dz, *dq, *cache;
} cst_field_output;

/* cst_field_forward to *out and cst_field_vjp in one pass. The cache is scratch memory. */
CST_MUST_CHECK cst_status cst_field_forward_vjp(const cst_module *field, const cst_call *c, const cst_real *z,
                                                const cst_field_output *out, const cst_real *a_z, const cst_real *a_q,
                                                const cst_grads *g);

/* Returns the rows [f | g] (N, D + M) that the last of these functions with this dz and cache computed. The pointer is
 * dz for M = 0, and otherwise the beginning of the cache. */
const cst_real *cst_field_value(const cst_module *field, const cst_real *dz, const cst_real *cache);

#ifdef __cplusplus
}
#endif
#endif
