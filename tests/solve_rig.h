/* One solve of a problem of one block, with its results, for tests of the solver. */
#ifndef CST_TESTS_SOLVE_RIG_H
#define CST_TESTS_SOLVE_RIG_H

#include "tests/helpers.h"

#include "ode/solve.h"

/* The solver's arguments and results: y has the states at all times, q the quadratures. */
typedef struct solve_rig {
    cst_solve_options options;
    cst_block block[1];
    cst_problem problem;
    cst_solve_stats stats;
    cst_error error;
    real *work;
    real y[64], q[2];
} solve_rig;

extern const bool solve_rig_exact;              /* true in double precision: tolerances of 1e-9 instead of 1e-5 */
extern const cst_profile solve_rig_profiles[2]; /* both profiles */

/* Prepare n components for the named method, with a trace of the attempts. Fails the test if the method does not
 * exist. */
void solve_rig_set_up(solve_rig *r, cst_profile profile, const char *method, cst_rhs f, void *context, size_t n);
void solve_rig_tear_down(solve_rig *r);

/* Allocate work memory for the current options and fill every byte of it with `fill`. */
void solve_rig_plan(solve_rig *r, int fill);

/* Returns the call of a solve: q if the problem has quadratures, the work memory, the statistics and the error. */
cst_solve_call solve_rig_call(solve_rig *r);

/* Solve from y0 over these times with the current options. */
cst_status solve_rig_solve(solve_rig *r, const double *times, size_t n_times, const real *y0);

/* u' = v, v' = -u: u = sin t, v = cos t from (0, 1). q' = (u, t v). */
cst_status solve_rig_rotation(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error);
extern const real solve_rig_start[2]; /* (0, 1) */

/* Fail unless |got - expected| <= tolerance. The message begins with the name of the method. */
void solve_rig_assert_close(const solve_rig *r, double got, double expected, double tolerance);

/* Fail unless the solve failed with this status, the message contains this text, and the statistics agree. */
void solve_rig_assert_failure(const solve_rig *r, cst_status status, cst_status expected, const char *text);

#endif
