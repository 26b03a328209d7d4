#include "adjoint/backsolve.h"

#include "adjoint/field.h"
#include "adjoint/interpolant.h"
#include "core/arena.h"
#include "ode/combine.h"

#include <stdint.h>
#include <string.h>

/* The adjoint system of one call: where each block stands, in the state y = [z | integrals | a_z | theirs | a_theta | a_t]
 * (without z and integrals if z is interpolated) or, if the norm leaves it out, in the quadratures
 * q = [a_theta | a_t | a_context]. Integrals that the norm leaves out are nowhere: nobody needs them again. */
typedef struct adjoint_system {
    const cst_gradient_problem *b;
    cst_block blocks[CST_MAX_BLOCKS];
    cst_problem problem;
    cst_call field_call; /* the field's, with work behind its cache */
    real *cache;         /* the field's */
    size_t nz, n_rows;   /* N D, N */
    size_t a_at;         /* offset of a_z in y */
    size_t n_integrals;  /* M */
    size_t integral_at[CST_MAX_INTEGRALS], a_integral_at[CST_MAX_INTEGRALS]; /* offsets in y; SIZE_MAX: not there */
    real *dq, *a_q;                /* g as of the last evaluation; dL/dq, constant between observations (M, N) */
    bool interpolated;             /* z is not solved for: */
    cst_interpolant from;          /* it comes from here, */
    real *z, *dz;                  /* and the two as of the last evaluation stand here */
    bool theta_state, theta_sum;   /* a_theta in y, in q; neither if nobody wants it */
    bool t_state, t_sum;           /* a_t likewise */
    size_t n_state, n_quadratures; /* sizes of y and q */
    real *y, *q;
    real *f; /* room for f at an observation (N, D) */
    real *solver_work;
    real *theta, *at;      /* a_theta and a_t, wherever they are; NULL if nowhere */
    size_t theta_at, t_at; /* their offsets in y or q */
    size_t context_at;     /* of a_context in q, if it is wanted */
} adjoint_system;

typedef struct block_list {
    cst_block *blocks;
    size_t n, size;
    bool weighted; /* one of them is in the norm */
} block_list;

static void add_block(block_list *list, const char *name, size_t size, double weight)
{
    if (list->blocks) list->blocks[list->n] = (cst_block){.name = name, .size = size, .weight = weight};
    list->n++;
    list->size = cst_size_add(list->size, size);
    list->weighted = list->weighted || weight > 0;
}

/* Where the first block of that name begins. */
static size_t offset_of(const block_list *list, const char *name)
{
    size_t at = 0;
    for (size_t i = 0; i < list->n && strcmp(list->blocks[i].name, name) != 0; i++) at += list->blocks[i].size;
    return at;
}

/* One block for each tensor below `m`, in the order of theta. */
static void add_tensor_blocks(block_list *list, const cst_module *m, double weight)
{
    for (size_t i = 0; i < m->n_tensors; i++) add_block(list, "a_theta", cst_shape_size(&m->tensors[i].shape), weight);
    for (size_t i = 0; i < m->n_children; i++) add_tensor_blocks(list, m->children[i].module, weight);
}

static bool in_state(const cst_adjoint_norm *norm, cst_adjoint_block block)
{
    return norm->weight[block] > 0;
}

/* Blocks of n entries for those of M integrals, or adjoints of theirs, that have a weight; `at` says where they begin. */
static void add_integrals(block_list *list, const char *const *names, size_t m, size_t n, const double *weight,
                          size_t *at)
{
    for (size_t i = 0; i < m; i++) {
        at[i] = weight[i] > 0 ? list->size : SIZE_MAX;
        if (weight[i] > 0) add_block(list, names[i], n, weight[i]);
    }
}

/* The blocks of the state, in order, and where the integrals' are. `blocks` NULL: only their number and size. */
static block_list list_blocks(const cst_gradient_problem *p, bool with_z, bool want_theta, cst_block *blocks,
                              size_t *integral_at, size_t *a_integral_at)
{
    const cst_module *field = p->field;
    const cst_adjoint_norm *norm = p->norm;
    const size_t n = p->call->n, nz = cst_size_mul(n, cst_shape_size(&field->x)), m = cst_field_integrals(field);
    const char *names[CST_MAX_INTEGRALS] = {0}, *adjoints[CST_MAX_INTEGRALS] = {0};
    for (size_t i = 0; i < m; i++) names[i] = p->integrals[i].name, adjoints[i] = p->integrals[i].adjoint;
    block_list list = {.blocks = blocks};
    if (with_z) add_block(&list, "z", nz, norm->weight[CST_BLOCK_Z]);
    for (size_t i = 0; i < m; i++) integral_at[i] = SIZE_MAX;
    if (with_z) add_integrals(&list, names, m, n, norm->integral, integral_at);
    add_block(&list, "a_z", nz, norm->weight[CST_BLOCK_A_Z]);
    const bool weighted = list.weighted; /* a constant controls nothing */
    add_integrals(&list, adjoints, m, n, norm->a_integral, a_integral_at);
    list.weighted = weighted;
    if (want_theta && in_state(norm, CST_BLOCK_A_THETA) && field->n_params > 0) {
        if (norm->per_tensor)
            add_tensor_blocks(&list, field, norm->weight[CST_BLOCK_A_THETA]);
        else
            add_block(&list, "a_theta", field->n_params, norm->weight[CST_BLOCK_A_THETA]);
    }
    if (in_state(norm, CST_BLOCK_A_T)) add_block(&list, "a_t", 1, norm->weight[CST_BLOCK_A_T]);
    return list;
}

static cst_status check(const cst_gradient_problem *p, bool with_z, cst_error *error)
{
    size_t at[2][CST_MAX_INTEGRALS];
    const block_list list = list_blocks(p, with_z, true, NULL, at[0], at[1]);
    if (list.n > CST_MAX_BLOCKS)
        return cst_fail(error, CST_EUNSUPPORTED,
                        "expected at most %d blocks in the adjoint's norm, got %zu: one a parameter tensor",
                        CST_MAX_BLOCKS, list.n);
    const cst_norm_ops *ops = p->norm->norm.ops;
    if (list.weighted || (ops && ops->ignores_weights)) return CST_OK;
    return cst_fail(error, CST_EARG,
                    "expected a norm with a weight above 0 for a block of the adjoint's state (%sa_z%s)",
                    with_z ? "z, " : "", p->field->n_params > 0 ? ", a_theta, a_t" : ", a_t");
}

cst_status cst_backsolve_check(const cst_gradient_problem *problem, cst_error *error)
{
    return check(problem, true, error);
}

cst_status cst_interpolating_check(const cst_gradient_problem *problem, cst_error *error)
{
    CST_TRY(cst_replay_check(problem->trajectory->options, "interpolating", error));
    return check(problem, false, error);
}

/* ---- the right-hand side ------------------------------------------------------------------------------------- */

/* Derivatives of the integrals' blocks, as far as they are in the state. */
static void put_integrals(const adjoint_system *s, real *dy)
{
    for (size_t i = 0; i < s->n_integrals; i++) {
        if (s->integral_at[i] < SIZE_MAX)
            memcpy(dy + s->integral_at[i], s->dq + i * s->n_rows, s->n_rows * sizeof(real));
        if (s->a_integral_at[i] < SIZE_MAX) memset(dy + s->a_integral_at[i], 0, s->n_rows * sizeof(real));
    }
}

/* z' = f, q' = g and a_z' = -(df/dz)^T a_z - (dg/dz)^T a_q by one forward and one VJP; a_theta' and a_t' only where the
 * solver asks: as part of dy if they are in the state, else added to its q with `scale`. */
static cst_status adjoint_rhs(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    adjoint_system *s = context;
    const size_t nz = s->nz, a_at = s->a_at;
    cst_call call = s->field_call;
    call.t = t;
    call.error = error;
    const bool sums = q != NULL && s->theta_sum;
    const real weight = sums ? scale : 1;
    double gt = 0;
    cst_grads grads = {.scale = -weight, .gx = dy + a_at};
    if (s->theta_state) {
        grads.gtheta = dy + s->theta_at;
        memset(grads.gtheta, 0, s->b->field->n_params * sizeof(real));
    } else if (sums) {
        grads.gtheta = q + s->theta_at;
    }
    if (q && s->b->n_context > 0) grads.gcontext = q + s->context_at, grads.context_scale = -scale;
    if (s->t_state || (q && s->t_sum)) grads.gt = &gt;
    if (s->interpolated) CST_TRY(cst_interpolant_at(&s->from, t, s->z));
    CST_TRY(cst_field_forward_vjp(s->b->field, &call, s->interpolated ? s->z : y, s->interpolated ? s->dz : dy, s->dq,
                                  s->cache, y + a_at, s->a_q, &grads));
    put_integrals(s, dy);
    real *restrict da = dy + a_at;
#pragma omp simd
    for (size_t i = 0; i < nz; i++) da[i] = -da[i];
    if (s->t_state) dy[s->t_at] = (real)(gt / (double)weight);
    if (q && s->t_sum) q[s->t_at] += (real)(gt * (double)(scale / weight));
    return CST_OK;
}

/* Where each block stands, and the problem that the solver gets. */
static void set_up(adjoint_system *s, const cst_gradient_problem *b, bool interpolated)
{
    const size_t p = b->field->n_params, n = b->call->n;
    *s = (adjoint_system){.b = b, .n_rows = n, .field_call = *b->call, .interpolated = interpolated};
    s->nz = cst_size_mul(n, cst_shape_size(&b->field->x));
    s->n_integrals = cst_field_integrals(b->field);
    /* steps are the same whether or not anybody wants a_theta */
    const bool want_theta = (b->want_theta || in_state(b->norm, CST_BLOCK_A_THETA)) && p > 0;
    s->theta_state = want_theta && in_state(b->norm, CST_BLOCK_A_THETA);
    s->theta_sum = want_theta && !s->theta_state;
    s->t_state = in_state(b->norm, CST_BLOCK_A_T);
    s->t_sum = b->want_times && !s->t_state;

    const block_list list = list_blocks(b, !interpolated, want_theta, s->blocks, s->integral_at, s->a_integral_at);
    s->n_state = list.size;
    s->a_at = offset_of(&list, "a_z");
    s->theta_at = s->theta_state ? offset_of(&list, "a_theta") : 0;
    s->t_at = s->t_state ? list.size - 1 : s->theta_sum ? p : 0;
    s->context_at = (s->theta_sum ? p : 0) + (s->t_sum ? 1 : 0);
    s->n_quadratures = cst_size_add(s->context_at, b->n_context);

    s->problem = (cst_problem){.f = adjoint_rhs,
                               .context = s,
                               .blocks = s->blocks,
                               .n_blocks = list.n,
                               .n_quadratures = s->n_quadratures,
                               .norm = b->norm->norm};
    if (b->norm->slice_of_z) s->problem.norm.slice = cst_size_mul(b->norm->slice_of_z, s->nz);
}

/* Set the vectors behind `work`, NULL where only their size is asked for, which is returned. */
static size_t cut_work(adjoint_system *s, cst_solve_stats *stats, real *work)
{
    const cst_gradient_problem *b = s->b;
    size_t size = 0;
    cst_plan plan;
    cst_field_plan(b->field, s->n_rows, b->call->threads, &plan);
    if (s->interpolated) {
        s->from = cst_interpolant_cut(b->trajectory, b->call, stats, work, &size);
        s->z = cst_cut(work, &size, s->nz);
        s->dz = cst_cut(work, &size, s->nz);
    }
    s->cache = cst_cut(work, &size, plan.cache);
    s->field_call.work = cst_cut(work, &size, plan.work);
    s->y = cst_cut(work, &size, s->n_state);
    s->q = cst_cut(work, &size, s->n_quadratures);
    s->dq = cst_cut(work, &size, cst_size_mul(s->n_rows, s->n_integrals));
    s->a_q = cst_cut(work, &size, cst_size_mul(s->n_rows, s->n_integrals));
    s->f = cst_cut(work, &size, s->nz);
    s->solver_work = cst_cut(work, &size, cst_solver_work(&s->problem, b->options));
    return size;
}

/* At observation i: z = z(t_i), q = q(t_i), a_z += dL/dz(t_i), a_q += dL/dq(t_i). */
static void observe(const adjoint_system *s, size_t i)
{
    if (!s->interpolated) memcpy(s->y, cst_gradient_state(s->b, i), s->nz * sizeof(real));
    cst_gradient_add_observed(s->b, i, 1, s->y + s->a_at, s->a_q);
    for (size_t m = 0; m < s->n_integrals; m++) {
        const size_t first = m * s->n_rows, bytes = s->n_rows * sizeof(real);
        if (s->integral_at[m] < SIZE_MAX)
            memcpy(s->y + s->integral_at[m], cst_gradient_integrals(s->b, i) + first, bytes);
        if (s->a_integral_at[m] < SIZE_MAX) memcpy(s->y + s->a_integral_at[m], s->a_q + first, bytes);
    }
}

/* dL/dt_i by one more evaluation, at the stored state. */
static cst_status time_gradient(const adjoint_system *s, size_t i, double *gradient, cst_solve_stats *stats)
{
    const cst_gradient_problem *b = s->b;
    cst_call call = s->field_call;
    call.t = b->options->cast_times ? (double)(real)b->times[i] : b->times[i];
    stats->nfe++;
    CST_TRY(cst_field_evaluate(b->field, &call, cst_gradient_state(b, i), s->f, NULL, s->cache));
    *gradient = cst_gradient_along(b, i, cst_field_value(b->field, s->f, s->cache));
    return CST_OK;
}

/* torchdiffeq: an interval is a solve of its own, read off its last step's interpolant. A time's gradient costs an
 * evaluation, and a_t starts the interval with it taken off. */
static cst_status solve_intervals(adjoint_system *s, double *gtimes, cst_solve_stats *stats)
{
    const cst_gradient_problem *b = s->b;
    for (size_t i = b->n_times - 1; i > 0; i--) {
        observe(s, i);
        if (gtimes) {
            CST_TRY(time_gradient(s, i, &gtimes[i], stats));
            *s->at -= (real)gtimes[i];
        }
        cst_solver solver;
        CST_TRY(cst_solver_start(&solver, &s->problem, b->options, b->times[i], b->times[i - 1], s->y, s->q,
                                 s->solver_work, stats, b->call->error));
        CST_TRY(cst_solver_advance(&solver, b->times[i - 1], false, s->y));
    }
    if (gtimes) gtimes[0] = (double)*s->at;
    return CST_OK;
}

/* One solve that steps onto each observation and evaluates once there; if z is part of the state, and without integrals all of
 * what is observed, that evaluation gives the time's gradient too. */
static cst_status solve_warm(adjoint_system *s, double *gtimes, cst_solve_stats *stats)
{
    const cst_gradient_problem *b = s->b;
    const size_t last = b->n_times - 1;
    cst_solver solver;
    cst_solve_options options = *b->options;
    if (options.first_step == 0) options.first_step = b->first_step;
    observe(s, last);
    CST_TRY(cst_solver_start(&solver, &s->problem, &options, b->times[last], b->times[0], s->y, s->q, s->solver_work,
                             stats, b->call->error));
    double taken = 0;
    for (size_t i = last; i > 0; i--) {
        if (i < last) {
            observe(s, i);
            CST_TRY(cst_solver_restate(&solver, s->y));
        }
        const bool evaluated = !s->interpolated && s->n_integrals == 0;
        if (gtimes && !evaluated) CST_TRY(time_gradient(s, i, &gtimes[i], stats));
        if (gtimes && evaluated) gtimes[i] = cst_gradient_along(b, i, solver.k[0]);
        if (gtimes) taken += gtimes[i];
        CST_TRY(cst_solver_advance(&solver, b->times[i - 1], true, s->y));
    }
    if (gtimes) gtimes[0] = (double)*s->at - taken;
    return CST_OK;
}

static cst_status run(const cst_gradient_problem *b, const cst_gradient_result *result, bool interpolated,
                      cst_solve_stats *stats)
{
    adjoint_system s;
    set_up(&s, b, interpolated);
    cut_work(&s, stats, b->call->work);
    memset(s.a_q, 0, s.n_rows * s.n_integrals * sizeof(real));
    memset(s.y, 0, s.n_state * sizeof(real));
    memset(s.q, 0, s.n_quadratures * sizeof(real));
    if (s.theta_state || s.theta_sum) s.theta = (s.theta_state ? s.y : s.q) + s.theta_at;
    if (s.t_state || s.t_sum) s.at = (s.t_state ? s.y : s.q) + s.t_at;

    double *gtimes = b->want_times ? result->gtimes : NULL;
    CST_TRY((b->fresh_solves ? solve_intervals : solve_warm)(&s, gtimes, stats));

    observe(&s, 0); /* a loss may read z(t_0) too */
    if (result->gz0) memcpy(result->gz0, s.y + s.a_at, s.nz * sizeof(real));
    if (result->gtheta && s.theta) cst_add_scaled(b->field->n_params, (double)result->scale, s.theta, result->gtheta);
    if (b->n_context > 0)
        cst_add_scaled(b->n_context, (double)result->context_scale, s.q + s.context_at, result->gcontext);
    return CST_OK;
}

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
