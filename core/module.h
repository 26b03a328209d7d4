/* Modules: differentiable functions y = f(t, x; theta) with hand-written derivatives and no tape.
 *
 *   forward   y = f(t, x; theta), and fills the cache
 *   vjp       gx = (df/dx)^T gy,  gtheta += scale (df/dtheta)^T gy,  gt += scale (df/dt) . gy
 *   jvp       ydot = (df/dx) xdot for some of K tangents, and fills their part of the tangent cache
 *   jvp_vjp   the VJP of (forward, jvp) with cotangents (gy, gydot): overwrites gx and gxdot, adds to gtheta and gt
 *
 * In a linear layer, gx is a GEMM with beta = 0, and gtheta is a GEMM with beta = 1 and alpha = scale. A quadrature can
 * therefore add h b_i times a gradient without another pass over memory.
 *
 * A module is made for rows of one shape and is constant afterwards. It may be evaluated at any number of points, and
 * by any number of threads at once. The caller owns parameters, caches, scratch and gradients and passes them in a
 * cst_call (core/call.h), with the sizes that cst_module_plan reports. No pass allocates. No two arguments of a pass
 * may overlap, and a pass writes only what is documented as its output. Types of modules are written with
 * core/module_type.h. */
#ifndef CST_CORE_MODULE_H
#define CST_CORE_MODULE_H

#include "core/call.h"
#include "core/module_type.h"
#include "core/real.h"
#include "core/rng.h"
#include "core/shape.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Free a module and its children. NULL is fine. */
void cst_module_free(cst_module *m);

/* Fill theta (P) with initial values from the distributions of each type. The same rng gives the same values. */
void cst_module_init(const cst_module *m, cst_rng rng, cst_real *theta);

/* Passes that a module may lack, as bits for cst_module_require. */
typedef enum cst_passes { CST_PASS_JVP = 1, CST_PASS_JVP_VJP = 2 } cst_passes;

/* Check that m and all its children have the passes. `purpose` says in the message what needs them: "a cnf field" gives
 * "group_norm has no jvp_vjp: not usable in a cnf field". Errors: CST_EUNSUPPORTED. */
CST_MUST_CHECK cst_status cst_module_require(const cst_module *m, unsigned passes, const char *purpose,
                                             cst_error *error);

/* Report in *plan, which is overwritten, the memory that the passes below need for n rows, k tangents and a number of
 * threads.
 *
 * If rows are independent and there is enough work, forward and vjp cut the batch into shards, one per thread. Each
 * shard has its own part of cache, work and gtheta. The shards' gradients are summed in a fixed order, so that results
 * are reproducible. A vjp must have the same n and the same number of threads as the forward pass at its point.
 *
 * Passes with tangents run in the calling thread: every call at such a point has threads = 1. A field that is built
 * from derivatives of another module uses both tangents and threads. It is a module type of its own, and its forward
 * and vjp are cut into shards as a whole. */
void cst_module_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan);

/* Compute y (N, out) from x (N, in) and fill the cache for a vjp at this point. Errors: those of the module's type, for
 * instance of an ODE block's solver (CST_EUNDERFLOW, CST_EMAXSTEPS, CST_ENONFINITE); y and cache are undefined then. */
CST_MUST_CHECK cst_status cst_module_forward(const cst_module *m, const cst_call *c, const cst_real *x, cst_real *y,
                                             cst_real *cache);

/* Compute the gradients that g asks for from the cotangent gy (N, out). It is a no-op if all pointers of g are NULL. On
 * failure the outputs are undefined. */
CST_MUST_CHECK cst_status cst_module_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_real *gy,
                                         const cst_grads *g);

/* Compute the tangents ydot of d from its xdot. Errors: CST_EUNSUPPORTED if the type has no jvp; CST_EARG if the
 * call has more than one thread. */
CST_MUST_CHECK cst_status cst_module_jvp(const cst_module *m, const cst_call *c, const cst_point *p,
                                         const cst_tangents *d);

/* Compute the gradients that g asks for from cotangents gy (N, out) of y and gydot (count, N, out) of ydot. Either
 * may be NULL, which means zero. Errors: as cst_module_jvp. */
CST_MUST_CHECK cst_status cst_module_jvp_vjp(const cst_module *m, const cst_call *c, const cst_point *p,
                                             const cst_tangent_point *d, const cst_real *gy, const cst_real *gydot,
                                             const cst_grads *g);

/* Run forward and then vjp at one point, as the right-hand side of an adjoint ODE does. Blocks of rows may run one
 * after the other, which keeps the cache small. `cache` has the planned size, and its contents are undefined
 * afterwards. If all pointers of g are NULL, only y is computed, and gy may be NULL. */
CST_MUST_CHECK cst_status cst_module_forward_vjp(const cst_module *m, const cst_call *c, const cst_real *x, cst_real *y,
                                                 cst_real *cache, const cst_real *gy, const cst_grads *g);

/* Compute y alone. `cache` has the planned size, and its contents are undefined afterwards. */
CST_MUST_CHECK cst_status cst_module_evaluate(const cst_module *m, const cst_call *c, const cst_real *x, cst_real *y,
                                              cst_real *cache);

enum { CST_TENSOR_NAME = 160 }; /* bytes of a dotted name with its NUL; longer names are cut */

/* A callback that gets a tensor's dotted name ("field.0.weight"), its shape, and its offset in theta in reals. The name
 * is valid until the visitor returns. */
typedef cst_status (*cst_tensor_visitor)(void *context, const char *name, const cst_shape *shape, size_t offset);

/* Call `visit` for every tensor of m and its children, in the order of theta. Stops at the first status other than
 * CST_OK and returns it. */
CST_MUST_CHECK cst_status cst_module_visit_tensors(const cst_module *m, cst_tensor_visitor visit, void *context);

#ifdef __cplusplus
}
#endif
#endif
