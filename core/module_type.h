/* How to write a module type: the table of its passes, the struct that all modules begin with, and the functions that a
 * constructor calls. Callers of modules need core/module.h, where the equations of the passes are.
 *
 * A type is a `static const cst_module_ops` and a struct that begins with a cst_module. Its constructor calls
 * cst_module_new, sets the output shape, adds tensors and then children, and sets the cost. Nothing in the struct
 * changes after that. */
#ifndef CST_CORE_MODULE_TYPE_H
#define CST_CORE_MODULE_TYPE_H

#include "core/call.h"
#include "core/shape.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One table per module type. The contract of each pass is in core/module.h. forward and vjp are required; all other
 * functions may be NULL. A pass allocates nothing and writes only to its outputs, its cache and the call's work. */
typedef struct cst_module_ops {
    const char *name; /* the type's name in configs */
    /* Report the memory that the passes need. *plan is zeroed before the call. NULL: the passes need no memory. */
    void (*plan)(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan);
    cst_status (*forward)(const cst_module *m, const cst_call *c, const cst_real *x, cst_real *y, cst_real *cache);
    cst_status (*vjp)(const cst_module *m, const cst_call *c, const cst_point *p, const cst_real *gy,
                      const cst_grads *g);
    /* Passes with tangents. NULL: not supported. A composite module may have these passes although one of its children
     * lacks them: see cst_module_require. In jvp_vjp, gy or gydot may be NULL, which means zero. */
    cst_status (*jvp)(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangents *d);
    cst_status (*jvp_vjp)(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangent_point *d,
                          const cst_real *gy, const cst_real *gydot, const cst_grads *g);
    /* Draw the initial values of the module's own tensors, which are zero before the call. Children are initialized by
     * cst_module_init. NULL: the own tensors stay zero. */
    void (*init)(const cst_module *m, cst_rng rng, cst_real *theta);
    /* Free what the type allocated itself. The struct and the children are freed by cst_module_free. NULL: nothing
     * to free. */
    void (*destroy)(cst_module *m);
} cst_module_ops;

enum {
    CST_MAX_TENSORS = 4, /* own tensors per module */
    CST_CHILD_NAME = 24  /* bytes of a child's name with its NUL; longer names are cut */
};

/* A parameter tensor of a module. The name is not copied: it must outlive the module. */
typedef struct cst_tensor {
    const char *name; /* "weight" */
    cst_shape shape;
    size_t offset; /* in reals, from the start of the module's theta */
} cst_tensor;

/* A module inside another one, which owns it. */
typedef struct cst_child {
    char name[CST_CHILD_NAME]; /* "0", "field" */
    cst_module *module;
    size_t offset; /* of the child's theta, in reals from the start of the parent's theta */
} cst_child;

/* The part that all modules share. The struct of a type begins with it; its constructor fills it. */
struct cst_module {
    const cst_module_ops *ops;
    cst_shape x, y;        /* shape of one row of the input and of the output */
    size_t n_params;       /* P, including the children's */
    double cost;           /* approximate flops per row of a forward pass, from which the number of shards is chosen */
    bool rows_independent; /* whether each row of y depends on the same row of x only, so that the batch may be cut */
    size_t block_rows; /* rows per block where a cache is scratch, so that it stays in the processor's cache; 0: all */
    size_t n_tensors, n_children;
    cst_tensor tensors[CST_MAX_TENSORS]; /* own tensors: the first part of theta */
    cst_child *children;                 /* owned array; the children's parameters follow the own tensors, in order */
};

/* Allocate a zeroed struct of `size` bytes that begins with a cst_module. x is the shape of a row; y is set to the
 * same shape. The module has independent rows and no parameters yet. *m is NULL on failure. Errors: CST_ESHAPE if a
 * row is too large for memory; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_module_new(size_t size, const cst_module_ops *ops, const cst_shape *x, cst_module **m,
                                         cst_error *error);

/* Append an own tensor to theta. Call it at most CST_MAX_TENSORS times, and before any child is added. */
void cst_module_add_tensor(cst_module *m, const char *name, cst_shape shape);

/* Append a child, which m then owns: it is freed with m, and at once if this function fails. Adds the child's cost
 * to m's; m has independent rows only if all its children have. Errors: CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_module_add_child(cst_module *m, const char *name, cst_module *child, cst_error *error);

/* Check the rank of a row shape. `letters` names the dimensions in the message: "(C, H, W)" gives "expected rows of 3
 * dimensions (C, H, W), got (64)". Errors: CST_ESHAPE if the rank differs. */
CST_MUST_CHECK cst_status cst_module_expect_rank(const cst_shape *x, size_t rank, const char *letters,
                                                 cst_error *error);

/* Returns the call for child i: a copy of c with the child's part of theta and a random stream of its own. `work` is
 * the child's scratch memory, with the size in the child's plan. */
cst_call cst_call_child(const cst_module *m, const cst_call *c, size_t i, cst_real *work);

/* Returns the same call with threads = 1, as passes with tangents require. */
cst_call cst_call_child_alone(const cst_module *m, const cst_call *c, size_t i, cst_real *work);

#ifdef __cplusplus
}
#endif
#endif
