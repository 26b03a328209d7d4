/* A module with arguments for all its passes, and one function that runs them the way a hostile caller would: memory
 * of exactly the planned sizes between guards, full of poison, scratch poisoned again before each pass. */
#ifndef CST_TESTS_CONFORMANCE_RIG_H
#define CST_TESTS_CONFORMANCE_RIG_H

#include "tests/helpers.h"

/* What one evaluation takes and makes: the rig's arguments unless a check moves one. */
typedef struct job {
    size_t n; /* N */
    double t;
    const real *theta, *x, *xdot, *gy, *gydot;
    bool train;
    int threads;
    int poison; /* TEST_NAN or TEST_HUGE */
    bool fused; /* forward_vjp instead of forward, then vjp */
    size_t cut; /* tangents from `cut` on are added first, those before it second; 0: all at once */
    /* Results. y is made always; a pass runs if something it makes is wanted. */
    real *y, *ydot;
    cst_grads vjp, jvp_vjp;
} job;

typedef struct rig {
    const cst_module_type *type;
    const cst_module_example *example;
    cst_module *m;
    size_t n, k, in, out, p; /* N, K, numbers in a row of x and of y, P */
    bool has_jvp, has_jvp_vjp;
    test_pool pool;
    real *theta, *x, *xdot, *gy, *gydot;
    double t;
    /* Relative tolerances: between two ways to compute the same, and of difference quotients. */
    double exact, approximate, step;
} rig;

void rig_init(rig *r, const cst_module_type *type, size_t example);
void rig_clear(rig *r);
real *rig_take(rig *r, size_t n); /* from the pool, poisoned */

/* n rows of x: normal numbers, or as many between the example's bounds. */
void rig_draw_x(const rig *r, uint64_t tag, real *x, size_t n, double deviation);

/* The rig's arguments, train mode, nothing wanted; y is a new array. */
job rig_job(rig *r);

/* Every pass whose results are wanted. Fails the test if memory outside of the planned is written, or an argument. */
void rig_run(const rig *r, const job *j, const char *what);

/* Ask for everything of vjp, or of jvp and jvp_vjp, in new arrays: gtheta and gt from 0, scale 1. */
void rig_want_vjp(rig *r, job *j);
void rig_want_tangents(rig *r, job *j);

/* The results of two jobs, those both have. */
void rig_assert_close(const rig *r, const char *what, const job *got, const job *expected, double tolerance);
void rig_assert_same_bits(const rig *r, const char *what, const job *got, const job *expected);

/* The checks, each on its own rig. */
void check_memory(void **state);
void check_accumulation(void **state);
void check_rows(void **state);
void check_shards(void **state);
void check_differences(void **state);
void check_tangents(void **state);

#endif
