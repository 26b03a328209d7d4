/* The equations are in adjoint/backsolve.h; "the paper" is Kidger, Chen, Lyons. */
#include "adjoint/backsolve.h"

#include "adjoint/adjoint_blocks.h"
#include "adjoint/field.h"
#include "adjoint/interpolant.h"
#include "core/arena.h"
#include "ode/combine.h"

#include <stdint.h>
#include <string.h>

/* The adjoint system of one call: where each part is. A part is in the state y (adjoint/adjoint_blocks.h) if it has a
 * weight in the norm. Otherwise it is in the quadratures q = [a_theta | a_t | a_context] if it is wanted. Integrals of
 * weight 0 are not integrated again: nothing in the backward pass reads them. */
typedef struct adjoint_system {
    const cst_gradient_problem *p;
    cst_adjoint_blocks blocks;
    cst_problem problem;  /* what the solver gets */
    cst_call field_call;  /* the field's, with its own work */
    real *cache;          /* of one evaluation of the field */
    size_t nz, n_rows;    /* N D, N */
    size_t n_integrals;   /* M */
    real *dq;             /* (M, N): g of the last evaluation */
    real *a_q;            /* (M, N): dL/dq, constant between observations */
    bool interpolated;    /* z is not solved for; then it is read */
    cst_interpolant from; /* from here, */
    real *z, *dz;         /* and these (N, D) are z and z' of the last evaluation */
    bool theta_in_q;      /* a_theta is a quadrature; if it is not in y either, it is not wanted */
    bool t_in_q;          /* the same for a_t */
    size_t n_quadratures; /* length of q */
    real *y, *q;
    real *f; /* (N, D): memory for f at an observation */
    real *solver_work;
    real *a_theta, *a_t;   /* in y or q; NULL if not wanted */
    size_t theta_at, t_at; /* their offsets in y or q */
    size_t context_at;     /* offset of a_context in q, if it is wanted */
} adjoint_system;

/* ---- the right-hand side ------------------------------------------------------------------------------------- */

/* q' = g and a_q' = 0, for those integrals and adjoints that are in the state. */
static void put_integrals(const adjoint_system *s, real *dy)
{
    for (size_t i = 0; i < s->n_integrals; i++) {
        const size_t integral = s->blocks.integral[i], a_integral = s->blocks.a_integral[i];
        if (integral < SIZE_MAX) memcpy(dy + integral, s->dq + i * s->n_rows, s->n_rows * sizeof(real));
        if (a_integral < SIZE_MAX) memset(dy + a_integral, 0, s->n_rows * sizeof(real));
    }
}

/* The right-hand side of the adjoint system (paper, eq. 2 and 3), by one forward pass and one VJP of the field:
 *
 *     z' = f,   a_z' = -(df/dz)^T a_z - (dg/dz)^T a_q,
 *     a_theta' = -(df/dtheta)^T a_z - ...,   a_t' = -(df/dt)^T a_z - ...
 *
 * a_theta' and a_t' go to dy if they are in the state. Otherwise the solver asks for them with q, which they are added
 * to with the factor `scale`, or they are not computed. */
static cst_status adjoint_rhs(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    adjoint_system *s = context;
    const size_t nz = s->nz, a_at = s->blocks.a_z;
    const bool theta_in_y = s->blocks.a_theta < SIZE_MAX, t_in_y = s->blocks.a_t < SIZE_MAX;
    cst_call call = s->field_call;
    call.t = t;
    call.error = error;

    /* Where the VJP's results go. gtheta is added to with a factor: -scale for the quadrature, -1 for the state. gx
     * gets no factor, and its sign is changed below. */
    const bool sums = q != NULL && s->theta_in_q;
    const real weight = sums ? scale : 1;
    double gt = 0;
    cst_grads grads = {.scale = -weight, .gx = dy + a_at};
    if (theta_in_y) {
        grads.gtheta = dy + s->theta_at;
        memset(grads.gtheta, 0, s->p->field->n_params * sizeof(real));
    } else if (sums) {
        grads.gtheta = q + s->theta_at;
    }
    if (q && s->p->n_context > 0) grads.gcontext = q + s->context_at, grads.context_scale = -scale;
    if (t_in_y || (q && s->t_in_q)) grads.gt = &gt;

    /* z' = f and the VJP with cotangents a_z and a_q, at the z of the state or of the forward pass. */
    if (s->interpolated) CST_TRY(cst_interpolant_at(&s->from, t, s->z));
    const cst_field_output out = {.dz = s->interpolated ? s->dz : dy, .dq = s->dq, .cache = s->cache};
    const real *z = s->interpolated ? s->z : y;
    CST_TRY(cst_field_forward_vjp(s->p->field, &call, z, &out, y + a_at, s->a_q, &grads));
    put_integrals(s, dy);

    /* a_z' has a minus sign, which gx has not; gt has the factor -weight, of which weight is divided out. */
    real *restrict da = dy + a_at;
#pragma omp simd
    for (size_t i = 0; i < nz; i++) da[i] = -da[i];
    if (t_in_y) dy[s->t_at] = (real)(gt / (double)weight);
    if (q && s->t_in_q) q[s->t_at] += (real)(gt * (double)(scale / weight));
    return CST_OK;
}

/* Decide where each part is, and describe the problem for the solver. */
static void set_up(adjoint_system *s, const cst_gradient_problem *p, bool interpolated)
{
    const size_t n_params = p->field->n_params, n = p->call->n;
    *s = (adjoint_system){.p = p, .n_rows = n, .field_call = *p->call, .interpolated = interpolated};
    s->nz = cst_size_mul(n, cst_shape_size(&p->field->x));
    s->n_integrals = cst_field_integrals(p->field);

    /* What has a weight is in y whether it is wanted or not, so that the steps do not depend on what is wanted. */
    s->blocks = cst_adjoint_blocks_of(p, !interpolated);
    const bool theta_in_y = s->blocks.a_theta < SIZE_MAX, t_in_y = s->blocks.a_t < SIZE_MAX;
    s->theta_in_q = p->want_theta && n_params > 0 && !theta_in_y;
    s->t_in_q = p->want_times && !t_in_y;

    /* Offsets in y or in q = [a_theta | a_t | a_context]. */
    const size_t after_theta = s->theta_in_q ? n_params : 0;
    s->theta_at = theta_in_y ? s->blocks.a_theta : 0;
    s->t_at = t_in_y ? s->blocks.a_t : after_theta;
    s->context_at = after_theta + (s->t_in_q ? 1 : 0);
    s->n_quadratures = cst_size_add(s->context_at, p->n_context);

    s->problem = (cst_problem){.f = adjoint_rhs,
                               .context = s,
                               .blocks = s->blocks.block,
                               .n_blocks = s->blocks.n,
                               .n_quadratures = s->n_quadratures,
                               .norm = p->norm->norm};
    if (p->norm->slice_of_z) s->problem.norm.slice = cst_size_mul(p->norm->slice_of_z, s->nz);
}

/* Set all vectors to consecutive parts of `work`, and return the size of all. `work` may be NULL to get the size. */
static size_t cut_work(adjoint_system *s, cst_solve_stats *stats, real *work)
{
    const cst_gradient_problem *p = s->p;
    size_t size = 0;
    cst_plan plan;
    cst_field_plan(p->field, s->n_rows, p->call->threads, &plan);
    if (s->interpolated) {
        s->from = cst_interpolant_cut(p->trajectory, p->call, stats, work, &size);
        s->z = cst_cut(work, &size, s->nz);
        s->dz = cst_cut(work, &size, s->nz);
    }
    s->cache = cst_cut(work, &size, plan.cache);
    s->field_call.work = cst_cut(work, &size, plan.work);
    s->y = cst_cut(work, &size, s->blocks.size);
    s->q = cst_cut(work, &size, s->n_quadratures);
    s->dq = cst_cut(work, &size, cst_size_mul(s->n_rows, s->n_integrals));
    s->a_q = cst_cut(work, &size, cst_size_mul(s->n_rows, s->n_integrals));
    s->f = cst_cut(work, &size, s->nz);
    s->solver_work = cst_cut(work, &size, cst_solver_work(&s->problem, p->options));
    return size;
}

/* At observation i: z = z(t_i), q = q(t_i), a_z += dL/dz(t_i), a_q += dL/dq(t_i). */
static void observe(const adjoint_system *s, size_t i)
{
    if (!s->interpolated) memcpy(s->y, cst_gradient_state(s->p, i), s->nz * sizeof(real));
    cst_gradient_add_observed(s->p, i, 1, s->y + s->blocks.a_z, s->a_q);

    /* Copy the integrals and their adjoints to their blocks of the state, if they have one. */
    for (size_t m = 0; m < s->n_integrals; m++) {
        const size_t first = m * s->n_rows, bytes = s->n_rows * sizeof(real);
        const size_t integral = s->blocks.integral[m], a_integral = s->blocks.a_integral[m];
        if (integral < SIZE_MAX) memcpy(s->y + integral, cst_gradient_integrals(s->p, i) + first, bytes);
        if (a_integral < SIZE_MAX) memcpy(s->y + a_integral, s->a_q + first, bytes);
    }
}

/* dL/dt_i = dL/d[z | q](t_i) . [f | g], by one more evaluation at the stored state. */
static cst_status time_gradient(const adjoint_system *s, size_t i, double *gradient, cst_solve_stats *stats)
{
    const cst_gradient_problem *p = s->p;
    cst_call call = s->field_call;
    call.t = p->options->cast_times ? (double)(real)p->times[i] : p->times[i];
    stats->nfe++;
    CST_TRY(cst_field_evaluate(p->field, &call, cst_gradient_state(p, i), s->f, NULL, s->cache));
    *gradient = cst_gradient_along(p, i, cst_field_value(p->field, s->f, s->cache));
    return CST_OK;
}

/* Profile torchdiffeq: one solve per interval, whose result is interpolated in its last step. The gradient of a time
 * costs one evaluation, and is subtracted from a_t before the interval. */
static cst_status solve_intervals(adjoint_system *s, double *gtimes, cst_solve_stats *stats)
{
    const cst_gradient_problem *p = s->p;
    const cst_solve_call call = {.q = s->q, .work = s->solver_work, .stats = stats, .error = p->call->error};
    for (size_t i = p->n_times - 1; i > 0; i--) {
        observe(s, i);
        if (gtimes) {
            CST_TRY(time_gradient(s, i, &gtimes[i], stats));
            *s->a_t -= (real)gtimes[i];
        }
        cst_solver solver;
        CST_TRY(cst_solver_start(&solver, &s->problem, p->options, p->times[i], p->times[i - 1], s->y, &call));
        CST_TRY(cst_solver_advance(&solver, p->times[i - 1], false, s->y));
    }
    if (gtimes) gtimes[0] = (double)*s->a_t;
    return CST_OK;
}

/* One solve over all intervals. It steps onto each observation and evaluates f once there. If z is in the state and the
 * field has no integrals, that evaluation also gives the gradient of the time. */
static cst_status solve_warm(adjoint_system *s, double *gtimes, cst_solve_stats *stats)
{
    const cst_gradient_problem *p = s->p;
    const cst_solve_call call = {.q = s->q, .work = s->solver_work, .stats = stats, .error = p->call->error};
    const size_t last = p->n_times - 1;
    cst_solver solver;
    cst_solve_options options = *p->options;
    if (options.first_step == 0) options.first_step = p->first_step; /* the forward pass's last step size */
    observe(s, last);
    CST_TRY(cst_solver_start(&solver, &s->problem, &options, p->times[last], p->times[0], s->y, &call));
    double later = 0; /* sum of the gradients of t_1 .. t_{T-1} */
    for (size_t i = last; i > 0; i--) {
        /* Add this observation, at which the solver has landed. */
        if (i < last) {
            observe(s, i);
            CST_TRY(cst_solver_restate(&solver, s->y));
        }
        /* The gradient of t_i: k[0] begins with z' there. */
        const bool evaluated = !s->interpolated && s->n_integrals == 0;
        if (gtimes && !evaluated) CST_TRY(time_gradient(s, i, &gtimes[i], stats));
        if (gtimes && evaluated) gtimes[i] = cst_gradient_along(p, i, solver.k[0]);
        if (gtimes) later += gtimes[i];
        CST_TRY(cst_solver_advance(&solver, p->times[i - 1], true, s->y));
    }
    if (gtimes) gtimes[0] = (double)*s->a_t - later; /* here a_t was not reduced at the observations */
    return CST_OK;
}

/* Both methods: solve backwards from a_z = a_q = a_theta = a_t = 0, then hand out the results. */
static cst_status run(const cst_gradient_problem *p, const cst_gradient_result *result, bool interpolated,
                      cst_solve_stats *stats)
{
    adjoint_system s;
    set_up(&s, p, interpolated);
    cut_work(&s, stats, p->call->work);
    memset(s.a_q, 0, s.n_rows * s.n_integrals * sizeof(real));
    memset(s.y, 0, s.blocks.size * sizeof(real));
    memset(s.q, 0, s.n_quadratures * sizeof(real));
    const bool theta_in_y = s.blocks.a_theta < SIZE_MAX, t_in_y = s.blocks.a_t < SIZE_MAX;
    if (theta_in_y || s.theta_in_q) s.a_theta = (theta_in_y ? s.y : s.q) + s.theta_at;
    if (t_in_y || s.t_in_q) s.a_t = (t_in_y ? s.y : s.q) + s.t_at;

    /* Solve. gtimes is NULL if gradients of the times are not wanted. */
    double *gtimes = p->want_times ? result->gtimes : NULL;
    CST_TRY((p->fresh_solves ? solve_intervals : solve_warm)(&s, gtimes, stats));

    /* dL/dz(t_0) = a_z(t_0), dL/dtheta = a_theta(t_0) (paper, eq. 2). The loss may also read z(t_0) itself. */
    observe(&s, 0);
    if (result->gz0) memcpy(result->gz0, s.y + s.blocks.a_z, s.nz * sizeof(real));
    if (result->gtheta && s.a_theta)
        cst_add_scaled(p->field->n_params, (double)result->scale, s.a_theta, result->gtheta);
    if (p->n_context > 0)
        cst_add_scaled(p->n_context, (double)result->context_scale, s.q + s.context_at, result->gcontext);
    return CST_OK;
}

/* Reals of work of one of the two methods. */
static size_t work_for(const cst_gradient_problem *problem, bool interpolated)
{
    adjoint_system s;
    set_up(&s, problem, interpolated);
    return cut_work(&s, NULL, NULL);
}

size_t cst_backsolve_work(const cst_gradient_problem *problem)
{
    return work_for(problem, false);
}

size_t cst_interpolating_work(const cst_gradient_problem *problem)
{
    return work_for(problem, true);
}

cst_status cst_backsolve_check(const cst_gradient_problem *problem, cst_error *error)
{
    return cst_adjoint_blocks_check(problem, true, error);
}

cst_status cst_interpolating_check(const cst_gradient_problem *problem, cst_error *error)
{
    CST_TRY(cst_replay_check(problem->trajectory->options, "interpolating", error));
    return cst_adjoint_blocks_check(problem, false, error);
}

cst_status cst_backsolve_run(const cst_gradient_problem *problem, const cst_gradient_result *result,
                             cst_solve_stats *stats)
{
    return run(problem, result, false, stats);
}

cst_status cst_interpolating_run(const cst_gradient_problem *problem, const cst_gradient_result *result,
                                 cst_solve_stats *stats)
{
    return run(problem, result, true, stats);
}
