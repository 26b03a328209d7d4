/* The field of an ODE block, with integrals beside its state or without:
 *
 *     z' = f(t, z; theta),   q' = g(t, z; theta),   q (M) a row, which neither f nor g reads
 *
 * As a module it maps rows z (D...) to rows [f | g] (D + M); one without integrals, M = 0, keeps the shape of its rows. Its
 * VJP takes rows [a_z | a_q] accordingly, gx = (df/dz)^T a_z + (dg/dz)^T a_q. As nothing reads q, a_q' = 0.
 *
 * Solvers want blocks, z (N, D) and each integral (N) one after the other: the passes here rearrange. Their cache and work
 * have room for that (cst_field_plan). */
#ifndef CST_ADJOINT_FIELD_H
#define CST_ADJOINT_FIELD_H

#include "core/module.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_MAX_INTEGRALS = 4 };

/* CST_ESHAPE unless the field's rows are as above for M = n_integrals. */
CST_MUST_CHECK cst_status cst_field_check(const cst_module *field, size_t n_integrals, cst_error *error);

size_t cst_field_integrals(const cst_module *field); /* M of a field that has been checked */

/* Sizes of cache and work for the passes below, as cst_module_plan. */
void cst_field_plan(const cst_module *field, size_t n, int threads, cst_plan *plan);

/* dz (N, D) = f, and unless it is NULL dq (M, N) = g. */
CST_MUST_CHECK cst_status cst_field_forward(const cst_module *field, const cst_call *c, const cst_real *z, cst_real *dz,
                                            cst_real *dq, cst_real *cache);

/* The same where the cache need not last. */
CST_MUST_CHECK cst_status cst_field_evaluate(const cst_module *field, const cst_call *c, const cst_real *z,
                                             cst_real *dz, cst_real *dq, cst_real *cache);

/* At a point where forward left dz and cache: the VJP with cotangents a_z (N, D), a_q (M, N). */
CST_MUST_CHECK cst_status cst_field_vjp(const cst_module *field, const cst_call *c, const cst_real *z,
                                        const cst_real *dz, const cst_real *cache, const cst_real *a_z,
                                        const cst_real *a_q, const cst_grads *g);

/* Both, as cst_module_forward_vjp; the cache need not last. */
CST_MUST_CHECK cst_status cst_field_forward_vjp(const cst_module *field, const cst_call *c, const cst_real *z,
                                                cst_real *dz, cst_real *dq, cst_real *cache, const cst_real *a_z,
                                                const cst_real *a_q, const cst_grads *g);

/* The value in rows [f | g] (N, D + M), as of the last of these passes with dz and that cache. */
const cst_real *cst_field_value(const cst_module *field, const cst_real *dz, const cst_real *cache);

#ifdef __cplusplus
}
#endif
#endif
