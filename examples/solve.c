/* The ODE solver without networks: a damped oscillator, u'' + 2 g u' + u = 0 with u(0) = 1 and u'(0) = 0.
 *
 *   cc solve.c $(pkg-config --cflags --libs costate) -lm && ./a.out
 *
 * As a first-order system it is y = (u, u'), y' = (u', -u - 2 g u'). The closed form, with w = sqrt(1 - g^2), is
 *   u(t) = exp(-g t) (cos w t + g / w sin w t).
 * The solver chooses its steps by the tolerance. Output times within a step are interpolated by its dense output. */
#include <costate.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { N_TIMES = 11 };

/* The right-hand side: dy = f(t, y). `context` points to g. */
static cst_status oscillator(void *context, double t, const cst_real *y, cst_real *dy, cst_real scale, cst_real *q,
                             cst_error *error)
{
    const double g = *(const double *)context;
    (void)t, (void)scale, (void)q, (void)error; /* f does not depend on t, has no quadratures, and cannot fail */
    dy[0] = y[1];
    dy[1] = -y[0] - (cst_real)(2 * g) * y[1];
    return CST_OK;
}

static double closed_form(double g, double t)
{
    const double w = sqrt(1 - g * g);
    return exp(-g * t) * (cos(w * t) + g / w * sin(w * t));
}

int main(void)
{
    double g = 0.2, times[N_TIMES], worst = 0;
    cst_real y[N_TIMES][2];
    const cst_real start[2] = {1, 0};
    for (int i = 0; i < N_TIMES; i++) times[i] = i;

    /* The problem: one block of two numbers, whose error is weighted with 1. */
    const cst_block state = {.name = "y", .size = 2, .weight = 1};
    const cst_problem problem = {.f = oscillator, .context = &g, .blocks = &state, .n_blocks = 1};

    /* The default options, then the method and the tolerances. */
    cst_solve_options options;
    cst_solve_options_init(&options, CST_PROFILE_COSTATE);
    options.method = cst_tableau_find("dopri5");
    options.rtol = options.atol = 1e-5;

    /* The solver works in memory of the caller. */
    cst_error error;
    cst_solve_stats stats = {0};
    cst_real *work = malloc(cst_solver_work(&problem, &options) * sizeof *work);
    cst_status status = work ? CST_OK : cst_fail(&error, CST_ENOMEM, "out of memory");
    const cst_solve_call call = {.work = work, .stats = &stats, .error = &error};
    if (status == CST_OK) status = cst_solve(&problem, &options, times, N_TIMES, start, y[0], &call);
    free(work);
    if (status != CST_OK) {
        fprintf(stderr, "%s: %s\n", cst_status_text(status), error.message);
        return 1;
    }

    /* The error is the difference from the closed form. */
    printf("   t       u(t)      error\n");
    for (int i = 0; i < N_TIMES; i++) {
        const double off = (double)y[i][0] - closed_form(g, times[i]);
        worst = fmax(worst, fabs(off));
        printf("%4.0f  %+.6f  %+.1e\n", times[i], (double)y[i][0], off);
    }
    printf("%zu evaluations, %zu steps accepted, %zu rejected; first step size %.3g, last %.3g\n", stats.nfe,
           stats.accepted, stats.rejected, stats.first_dt, stats.last_dt);
    return worst < 10 * options.rtol ? 0 : 1;
}
