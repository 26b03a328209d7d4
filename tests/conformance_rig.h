/* A module with arguments for all its passes, and one function that runs them under the strictest conditions: memory of
 * exactly the planned sizes lies between guards and is filled with poison, and scratch memory is poisoned again before
 * each pass. */
#ifndef CST_TESTS_CONFORMANCE_RIG_H
#define CST_TESTS_CONFORMANCE_RIG_H

#include "tests/helpers.h"

/* Arguments and results of one evaluation. The arguments are the rig's unless a check changes one. */
typedef struct job {
    size_t n; /* N, the number of rows */
    double t;
    const real *theta, *x, *xdot, *gy, *gydot;
    bool train;
    int threads;
    int poison; /* TEST_NAN or TEST_HUGE: what memory is filled with */
    bool fused; /* run forward_vjp instead of forward and vjp */
    size_t cut; /* add the tangents from `cut` on first, then those before it; 0: all in one call */
    /* Results, NULL if not wanted; y is always computed. A pass runs if one of its results is wanted. */
    real *y, *ydot;
    cst_grads vjp, jvp_vjp;
} job;

/* A module, random arguments for it, and memory. */
typedef struct rig {
    const cst_module_type *type;
    const cst_module_example *example;
    cst_module *m;
    size_t n, k, in, out, p; /* N rows, K tangents, numbers per row of x and of y, P parameters */
    bool has_jvp, has_jvp_vjp;
    test_pool pool;
    real *theta, *x, *xdot, *gy, *gydot;
    double t;
    /* Relative tolerances: between two ways to compute the same number, and between a derivative and differences; the
     * differences' step. */
    double exact, approximate, step;
} rig;

/* Build example number `example` of a type and draw its arguments; rig_clear frees everything. */
void rig_init(rig *r, const cst_module_type *type, size_t example);
void rig_clear(rig *r);
real *rig_take(rig *r, size_t n); /* n reals from the pool, poisoned */

/* Draw n rows of x: normal numbers with this deviation, or numbers within the example's bounds if it has some. */
void rig_draw_x(const rig *r, uint64_t tag, real *x, size_t n, double deviation);

/* A job with the rig's arguments in train mode. No result is wanted but y, a new array. */
job rig_job(rig *r);

/* Run every pass that has a wanted result. The test fails if a pass fails, or writes to an argument or outside of the
 * planned memory. */
void rig_run(const rig *r, const job *j, const char *what);

/* Want all results of vjp, or of jvp and jvp_vjp, in new arrays. gtheta and gt start at 0; scale is 1. */
void rig_want_vjp(rig *r, job *j);
void rig_want_tangents(rig *r, job *j);

/* Compare the results that both jobs have. */
void rig_assert_close(const rig *r, const char *what, const job *got, const job *expected, double tolerance);
void rig_assert_same_bits(const rig *r, const char *what, const job *got, const job *expected);

/* The checks; each gets a rig of its own as *state. */
void check_memory(void **state);
void check_accumulation(void **state);
void check_rows(void **state);
void check_shards(void **state);
void check_differences(void **state);
void check_tangents(void **state);

#endif
