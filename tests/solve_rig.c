#include "tests/solve_rig.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef CST_DOUBLE
const bool solve_rig_exact = true;
#else
const bool solve_rig_exact = false;
#endif
const cst_profile solve_rig_profiles[2] = {CST_PROFILE_COSTATE, CST_PROFILE_TORCHDIFFEQ};
const real solve_rig_start[2] = {0, 1};

void solve_rig_set_up(solve_rig *r, cst_profile profile, const char *method, cst_rhs f, void *context, size_t n)
{
    memset(r, 0, sizeof *r);
    cst_solve_options_init(&r->options, profile);
    r->options.method = cst_tableau_find(method);
    if (!r->options.method) fail_msg("no method is called %s", method);
    r->options.rtol = r->options.atol = solve_rig_exact ? 1e-9 : 1e-5;
    r->block[0] = (cst_block){"z", n, 1};
    r->problem = (cst_problem){.f = f, .context = context, .blocks = r->block, .n_blocks = 1};
    r->stats.trace = true;
}

void solve_rig_tear_down(solve_rig *r)
{
    free(r->work);
    r->work = NULL;
    cst_solve_stats_clear(&r->stats);
}

void solve_rig_plan(solve_rig *r, int fill)
{
    const size_t bytes = (cst_solver_work(&r->problem, &r->options) + 16) * sizeof(real);
    free(r->work);
    r->work = malloc(bytes);
    assert_non_null(r->work);
    memset(r->work, fill, bytes);
}

cst_solve_call solve_rig_call(solve_rig *r)
{
    real *q = r->problem.n_quadratures ? r->q : NULL;
    return (cst_solve_call){.q = q, .work = r->work, .stats = &r->stats, .error = &r->error};
}

cst_status solve_rig_solve(solve_rig *r, const double *times, size_t n_times, const real *y0)
{
    solve_rig_plan(r, TEST_NAN);
    cst_solve_stats_reset(&r->stats);
    memset(r->q, 0, sizeof r->q);
    const cst_solve_call call = solve_rig_call(r);
    return cst_solve(&r->problem, &r->options, times, n_times, y0, r->y, &call);
}

cst_status solve_rig_rotation(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    (void)context, (void)error;
    dy[0] = y[1];
    dy[1] = -y[0];
    if (q) {
        q[0] += scale * y[0];
        q[1] += scale * (real)t * y[1];
    }
    return CST_OK;
}

void solve_rig_assert_close(const solve_rig *r, double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance))
        fail_msg("%s: expected %.12g, got %.12g", r->options.method->name, expected, got);
}

void solve_rig_assert_failure(const solve_rig *r, cst_status status, cst_status expected, const char *text)
{
    if (status != expected || !strstr(r->error.message, text) || r->stats.failure != expected)
        fail_msg("%s, expected %s with \"%s\": %s", cst_status_name(status), cst_status_name(expected), text,
                 r->error.message);
}
