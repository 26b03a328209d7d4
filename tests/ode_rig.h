/* One module built from JSON, at one point with one cotangent, and the statistics of its solves: for tests of ODE
 * blocks. */
#ifndef CST_TESTS_ODE_RIG_H
#define CST_TESTS_ODE_RIG_H

#include "tests/helpers.h"

#include "adjoint/ode_block.h"
#include "core/arena.h"
#include "core/config.h"
#include "ode/stats.h"

/* A field of rows of 3 numbers that depends on time. */
#define MLP                                                                                                            \
    JSON({                                                                                                             \
        "type": "sequential",                                                                                          \
        "layers": [                                                                                                    \
            {"type": "concat_time"}, {"type": "linear", "out_features": 8}, {"type": "tanh"},                          \
            {"type": "linear", "out_features": 3}                                                                      \
        ]                                                                                                              \
    })

enum { ODE_RIG_ATTEMPTS = 4096 };

/* Statistics of one forward pass (index 0) and one backward pass (index 1), as an observer got them. */
typedef struct ode_rig_seen {
    size_t nfe[2], accepted[2], rejected[2], quadrature_nfe[2], n_attempts[2];
    cst_status failure;
    cst_attempt attempts[2][ODE_RIG_ATTEMPTS];
} ode_rig_seen;

/* The module and the arrays of its passes, all in the arena; in and out are the sizes of x and y, all rows together. */
typedef struct ode_rig {
    cst_document *document;
    cst_module *m;
    cst_arena arena;
    size_t n, in, out;
    int threads;
    bool without_theta; /* ode_rig_backward computes gx only */
    real *theta, *x, *y, *gy, *gx, *gtheta, *cache, *work;
    ode_rig_seen seen;
    cst_error error;
} ode_rig;

/* Build the module for n rows of shape x. Parameters, x and the cotangent are random, and the same for every module of
 * the same sizes. */
cst_status ode_rig_build(ode_rig *r, const char *json, cst_shape x, size_t n, int threads);
/* The same for an ODE block with these options and the field of the JSON text. */
cst_status ode_rig_build_block(ode_rig *r, const char *field, const cst_ode_options *options, cst_shape x, size_t n,
                               int threads);

/* Free the module and all arrays; also after a failed build. */
void ode_rig_clear(ode_rig *r);

/* The rig's call, in evaluation mode, with an observer, which must outlive it and may be NULL. */
cst_call ode_rig_call(ode_rig *r, const cst_observer *observer);

/* One pass, with its statistics in `seen`. The backward pass sets gx and gtheta, and needs a forward pass before it. */
cst_status ode_rig_forward(ode_rig *r);
cst_status ode_rig_backward(ode_rig *r);
void ode_rig_run(ode_rig *r); /* forward and backward; a failure fails the test */

/* Run a forward pass and return sum gy . y, the loss that ode_rig_backward differentiates. */
double ode_rig_loss(ode_rig *r);

/* Compare every `stride`-th component of gtheta, as ode_rig_run left it, with central differences of ode_rig_loss:
 * |gtheta - difference| <= tolerance (1 + |difference|). For double precision. */
void ode_rig_compare_theta(ode_rig *r, const char *what, size_t stride, double tolerance);

/* Largest |a - b| relative to the largest |b|. */
double ode_rig_distance(const real *a, const real *b, size_t n);

#endif
