/* The module contract: differentiable functions y = f(t, x; theta) with hand-written passes and no tape.
 *
 * A module is made for rows of one shape, holds nothing that changes after that, and may be evaluated at any number of
 * points, on any number of threads, at once. Parameters, caches, scratch and gradients are the caller's: they come in
 * a cst_call, in sizes that the module's plan reports.
 *
 * Letters: N rows of a batch, x (N, in), y (N, out), K tangents, P parameters. Arrays are row-major and the batch
 * comes first. Everything is in reals except time, which is always double. No pass allocates, no two arguments of a
 * pass overlap, and a pass writes only what is said to be written.
 *
 *   forward   y = f(t, x; theta), filling the cache
 *   vjp       gx = (df/dx)^T gy,  gtheta += scale (df/dtheta)^T gy,  gt += scale (df/dt) . gy
 *   jvp       ydot = (df/dx) xdot for some of K tangents, filling their part of the tangent cache
 *   jvp_vjp   the VJP of (forward, jvp) with cotangents (gy, gydot): gx and gxdot overwritten, gtheta and gt added to
 *
 * Overwriting gx is GEMM's beta = 0, adding to gtheta its beta = 1, and scale its alpha: a quadrature adds h b_i times
 * a product without another pass. A NULL gx, gxdot, gtheta, gt or gcontext means "not needed" and costs nothing. */
#ifndef CST_CORE_MODULE_H
#define CST_CORE_MODULE_H

#include "core/real.h"
#include "core/rng.h"
#include "core/shape.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_module cst_module;
typedef struct cst_solve_stats cst_solve_stats; /* ode/stats.h */

/* Hears of every solve of every ODE block: what the solver did, also when it failed. */
typedef struct cst_observer {
    void *context;
    bool trace; /* record every attempt */
    void (*solved)(void *context, const cst_module *block, bool backward, const cst_solve_stats *stats);
} cst_observer;

/* When an ODE block is to integrate, in place of its own times, and where its field jumps, in place of its options' (NULL: the
 * options'): for a module that knows them only when it is called. Both strictly monotone, jumps increasing. */
typedef struct cst_span {
    const double *times, *jump_t;
    size_t n_times, n_jump_t;
} cst_span;

/* Where and how a pass is to be evaluated. Composites copy it for their children with the child's theta, work and
 * random stream (cst_call_child). */
typedef struct cst_call {
    double t;                     /* time; layers that do not use it ignore it */
    size_t n;                     /* N */
    size_t row;                   /* index of the first row in the whole batch: random numbers depend on it */
    int threads;                  /* threads this call may use */
    bool train;                   /* false: evaluation (dropout does nothing) */
    cst_rng rng;                  /* the same in forward and vjp */
    const void *context;          /* per-solve inputs of a field (control path, noise); NULL if none */
    const cst_span *span;         /* times of the ODE block that is called; NULL: its own */
    const cst_real *theta;        /* this module's parameters */
    cst_real *work;               /* scratch, dead on return */
    const cst_observer *observer; /* NULL if nobody listens */
    cst_error *error;             /* NULL if nobody asks why */
} cst_call;

/* Sizes in reals for N rows, K tangents and a number of threads; SIZE_MAX stands for "too large". Larger N never
 * needs less. */
typedef struct cst_plan {
    size_t cache;   /* from forward to vjp */
    size_t tangent; /* from jvp to jvp_vjp, with room for K tangents */
    size_t work;    /* within any one pass */
} cst_plan;

/* A point at which forward was evaluated, with the same call. */
typedef struct cst_point {
    const cst_real *x, *y, *cache;
} cst_point;

/* Tangents number first .. first + count - 1 of `capacity`. xdot and ydot are theirs alone (count, N, ...); the cache
 * is that of all, planned with K = capacity. */
typedef struct cst_tangents {
    size_t capacity, first, count;
    const cst_real *xdot;
    cst_real *ydot;
    cst_real *cache;
} cst_tangents;

/* The first `count` of `capacity` tangents, at which jvp has filled the cache. */
typedef struct cst_tangent_point {
    size_t capacity, count;
    const cst_real *xdot, *cache;
} cst_tangent_point;

/* What a reverse pass is to produce: NULL for what is not needed. */
typedef struct cst_grads {
    cst_real scale;
    cst_real *gx;     /* (N, in), overwritten */
    cst_real *gxdot;  /* (count, N, in), overwritten; jvp_vjp only */
    cst_real *gtheta; /* (P), added to with `scale` */
    double *gt;       /* added to with `scale` */
    cst_real
        *gcontext; /* of the call's context, as the field that has one says; all rows', added to with `context_scale` */
    cst_real context_scale;
} cst_grads;

/* One table a module type. forward and vjp are required. */
typedef struct cst_module_ops {
    const char *name; /* the type's name in configs */
    /* *plan arrives zeroed. NULL: no pass needs more than x, y and theta. */
    void (*plan)(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan);
    cst_status (*forward)(const cst_module *m, const cst_call *c, const cst_real *x, cst_real *y, cst_real *cache);
    cst_status (*vjp)(const cst_module *m, const cst_call *c, const cst_point *p, const cst_real *gy,
                      const cst_grads *g);
    /* NULL: not supported (a composite that has them still needs its children to). gy or gydot NULL: zero. */
    cst_status (*jvp)(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangents *d);
    cst_status (*jvp_vjp)(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangent_point *d,
                          const cst_real *gy, const cst_real *gydot, const cst_grads *g);
    /* NULL: own tensors start at zero. Fills the module's own tensors only. */
    void (*init)(const cst_module *m, cst_rng rng, cst_real *theta);
    /* NULL: nothing but the struct and the children to free. Must not free these. */
    void (*destroy)(cst_module *m);
} cst_module_ops;

enum { CST_MAX_TENSORS = 4, CST_CHILD_NAME = 24 };

typedef struct cst_tensor {
    const char *name; /* "weight" */
    cst_shape shape;
    size_t offset; /* in the module's theta */
} cst_tensor;

typedef struct cst_child {
    char name[CST_CHILD_NAME]; /* "0", "field" */
    cst_module *module;
    size_t offset; /* in the parent's theta */
} cst_child;

/* What all modules share. A type's struct begins with it; its constructor fills it and nobody changes it after. */
struct cst_module {
    const cst_module_ops *ops;
    cst_shape x, y;        /* shapes of one row */
    size_t n_params;       /* P, children included */
    double cost;           /* rough flops of a forward pass a row: says when threads pay */
    bool rows_independent; /* each row of y depends on that row of x alone: the batch may be cut */
    size_t block_rows;     /* so many rows at a time where a cache need not last, to keep it near (0: all at once) */
    size_t n_tensors, n_children;
    cst_tensor tensors[CST_MAX_TENSORS]; /* the module's own, first in its theta */
    cst_child *children;                 /* owned; their parameters follow in order */
};

/* ---- for constructors ---------------------------------------------------------------------------------------- */

/* A zeroed struct of `size` bytes that begins with a cst_module: x as given, y = x, rows independent, no parameters. */
CST_MUST_CHECK cst_status cst_module_new(size_t size, const cst_module_ops *ops, const cst_shape *x, cst_module **m,
                                         cst_error *error);
/* The module's next own tensor; before any child. At most CST_MAX_TENSORS. */
void cst_module_add_tensor(cst_module *m, const char *name, cst_shape shape);
/* Append a child and own it: it is freed with the parent, and at once where this fails. Adds its cost. */
CST_MUST_CHECK cst_status cst_module_add_child(cst_module *m, const char *name, cst_module *child, cst_error *error);
/* CST_ESHAPE unless the row shape has that rank: "expected rows of 3 dimensions (C, H, W), got (64)". */
CST_MUST_CHECK cst_status cst_module_expect_rank(const cst_shape *x, size_t rank, const char *letters,
                                                 cst_error *error);

/* The call for child i: its theta and random stream; `work` is where its scratch begins. */
cst_call cst_call_child(const cst_module *m, const cst_call *c, size_t i, cst_real *work);

/* The same in one thread, as tangent passes have to be. */
cst_call cst_call_child_alone(const cst_module *m, const cst_call *c, size_t i, cst_real *work);

/* ---- for callers --------------------------------------------------------------------------------------------- */

void cst_module_free(cst_module *m); /* with its children; NULL is fine */

/* theta (P) from the type's initial distribution. */
void cst_module_init(const cst_module *m, cst_rng rng, cst_real *theta);

/* CST_EUNSUPPORTED unless m and all its children have jvp (and jvp_vjp): "group_norm has no jvp_vjp: not usable in a
 * cnf field", with `purpose` "a cnf field". */
typedef enum cst_passes { CST_PASS_JVP = 1, CST_PASS_JVP_VJP = 2 } cst_passes;
CST_MUST_CHECK cst_status cst_module_require(const cst_module *m, unsigned passes, const char *purpose,
                                             cst_error *error);

/* Sizes of everything below. forward and vjp cut the batch into as many shards as pay, one a thread, each with a cache,
 * scratch and gtheta of its own; gradients are summed in fixed order. A pass on (n, threads) must follow a forward
 * with the same. Tangent passes run in the calling thread, with threads = 1 in every call at that point: who has
 * tangents and threads (a field made of derivatives) is a module of its own and cut as a whole. */
void cst_module_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan);

CST_MUST_CHECK cst_status cst_module_forward(const cst_module *m, const cst_call *c, const cst_real *x, cst_real *y,
                                             cst_real *cache);
CST_MUST_CHECK cst_status cst_module_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_real *gy,
                                         const cst_grads *g);
CST_MUST_CHECK cst_status cst_module_jvp(const cst_module *m, const cst_call *c, const cst_point *p,
                                         const cst_tangents *d);
CST_MUST_CHECK cst_status cst_module_jvp_vjp(const cst_module *m, const cst_call *c, const cst_point *p,
                                             const cst_tangent_point *d, const cst_real *gy, const cst_real *gydot,
                                             const cst_grads *g);

/* forward, then vjp, at one point, rows by rows: what an adjoint evaluates. `cache` as planned, scratch afterwards; g may
 * ask for nothing, then only y is made. */
CST_MUST_CHECK cst_status cst_module_forward_vjp(const cst_module *m, const cst_call *c, const cst_real *x, cst_real *y,
                                                 cst_real *cache, const cst_real *gy, const cst_grads *g);

/* y alone: `cache` as planned, scratch afterwards. */
CST_MUST_CHECK cst_status cst_module_evaluate(const cst_module *m, const cst_call *c, const cst_real *x, cst_real *y,
                                              cst_real *cache);

/* ---- parameters by name -------------------------------------------------------------------------------------- */

enum { CST_TENSOR_NAME = 160 };

/* Call visit for every tensor of m and its children in the order of theta, with its dotted name ("field.0.weight"),
 * shape and offset in m's theta. Stops at, and returns, the first status that is not CST_OK. */
typedef cst_status (*cst_tensor_visitor)(void *context, const char *name, const cst_shape *shape, size_t offset);
CST_MUST_CHECK cst_status cst_module_visit_tensors(const cst_module *m, cst_tensor_visitor visit, void *context);

#ifdef __cplusplus
}
#endif
#endif
