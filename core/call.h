/* The arguments of a module's passes: where to evaluate, with which memory, and which gradients to compute.
 *
 * Letters: N is the number of rows of a batch, K the number of tangents, P the number of parameters. x is (N, in), y is
 * (N, out). Arrays are row-major and the batch comes first. All sizes are in reals. Time is always double.
 *
 * None of these structs owns what it points to: the caller keeps all of it alive until the pass returns. */
#ifndef CST_CORE_CALL_H
#define CST_CORE_CALL_H

#include "core/real.h"
#include "core/rng.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_module cst_module;           /* core/module_type.h */
typedef struct cst_solve_stats cst_solve_stats; /* ode/stats.h */

/* A callback that is called once per pass of every ODE block, with the statistics of its solves. It is also called if a
 * solve fails. `stats` is valid until `solved` returns. */
typedef struct cst_observer {
    void *context; /* passed to `solved` unchanged; may be NULL */
    bool trace;    /* whether the stats record every attempted step */
    /* May be NULL. */
    void (*solved)(void *context, const cst_module *block, bool backward, const cst_solve_stats *stats);
} cst_observer;

/* Times for an ODE block whose parent knows them only when it calls the block. They replace the block's own times and
 * jumps. Both arrays are strictly monotone, and jumps increase. */
typedef struct cst_span {
    const double *times;  /* (n_times): the interval of integration, and the observations in it */
    const double *jump_t; /* (n_jump_t): where the field is discontinuous; NULL: as in the block's options */
    size_t n_times, n_jump_t;
} cst_span;

/* Where and how a pass is evaluated. A composite module copies its call for each child, with the child's theta, work
 * and random stream: see cst_call_child in core/module_type.h. */
typedef struct cst_call {
    double t;                     /* the time; layers that do not depend on time ignore it */
    size_t n;                     /* N */
    size_t row;                   /* index of this call's first row in the whole batch; random numbers depend on it */
    int threads;                  /* number of threads that this call may use, at least 1 */
    bool train;                   /* false: evaluation, where dropout is the identity */
    cst_rng rng;                  /* random stream; a vjp needs that of its forward pass */
    const void *context;          /* per-solve input of a field (a control path, a noise vector); NULL if it has none */
    const cst_span *span;         /* times of the ODE block that is called; NULL: the block's own */
    const cst_real *theta;        /* (P) this module's parameters; NULL is fine where P = 0 */
    cst_real *work;               /* scratch memory of cst_plan.work reals; its contents are lost on return */
    const cst_observer *observer; /* callback for solves; may be NULL */
    cst_error *error;             /* where the reason of a failure goes; may be NULL */
} cst_call;

/* The memory, in reals, that passes need for N rows, K tangents and a number of threads. SIZE_MAX means "too large". A
 * larger N never needs less memory. */
typedef struct cst_plan {
    size_t cache;   /* written by forward, read by vjp */
    size_t tangent; /* written by jvp, read by jvp_vjp; for all K tangents */
    size_t work;    /* scratch within one pass */
} cst_plan;

/* A point at which forward was evaluated with the same call: its input, its output and the cache that it filled. */
typedef struct cst_point {
    const cst_real *x, *y, *cache;
} cst_point;

/* Input and output of a jvp, which may process the tangents in several portions. This portion has `count` tangents
 * from number `first` on, of `capacity` in total. */
typedef struct cst_tangents {
    size_t capacity, first, count;
    const cst_real *xdot; /* (count, N, in): tangents of x, of this portion only */
    cst_real *ydot;       /* (count, N, out): tangents of y, of this portion only */
    cst_real *cache;      /* the tangent cache of all portions, planned with K = capacity */
} cst_tangents;

/* Tangents at which jvp has filled the tangent cache: the first `count` of `capacity`. */
typedef struct cst_tangent_point {
    size_t capacity, count;
    const cst_real *xdot;  /* (count, N, in) */
    const cst_real *cache; /* the tangent cache, planned with K = capacity */
} cst_tangent_point;

/* Where a reverse pass writes its gradients. A NULL pointer means "not needed" and costs nothing. */
typedef struct cst_grads {
    cst_real scale;   /* factor of what is added to gtheta and gt; gx and gxdot have no factor */
    cst_real *gx;     /* (N, in), overwritten */
    cst_real *gxdot;  /* (count, N, in), overwritten; used by jvp_vjp only */
    cst_real *gtheta; /* (P), added to with factor `scale` */
    double *gt;       /* one number, added to with factor `scale` */
    /* Gradient of the call's context for all rows, added to with factor `context_scale`. Its layout is documented with
     * the field that has a context. */
    cst_real *gcontext;
    cst_real context_scale;
} cst_grads;

#ifdef __cplusplus
}
#endif
#endif
