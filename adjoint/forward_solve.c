/* The field as a right-hand side for the solver, and the loop over output times. */
#include "adjoint/forward_solve.h"

#include "adjoint/field.h"
#include "core/arena.h"

#include <string.h>

/* The solver's blocks, and where each integral is: in the state after z, or in the quadratures. */
typedef struct layout {
    cst_block blocks[1 + CST_MAX_INTEGRALS];
    size_t n_blocks, n_state, n_quadratures;
    bool in_state[CST_MAX_INTEGRALS]; /* it has a weight */
    size_t at[CST_MAX_INTEGRALS];     /* its offset in the state or in the quadratures */
} layout;

/* One forward pass. */
typedef struct run {
    const cst_forward_problem *p;
    layout layout;
    cst_problem problem;
    cst_call call; /* the field's, with work of its own */
    cst_solver solver;
    size_t nz, n_integrals;
    real *cache;    /* of one evaluation, if caches are not kept */
    real *dq;       /* (M, N): g of the last evaluation */
    real *y, *sums; /* the state at an output time; the quadratures */
    real *solver_work;
} run;

/* Each integral gets N numbers at the end of the state, or of the quadratures if its weight is 0. */
static layout lay_out(const cst_forward_problem *p)
{
    const size_t n = p->call->n;
    layout l = {.n_blocks = 1, .n_state = cst_size_mul(n, cst_shape_size(&p->field->x))};
    /* z is the first block, with weight 1. */
    l.blocks[0] = (cst_block){"z", l.n_state, 1};
    for (size_t i = 0; i < cst_field_integrals(p->field); i++) {
        l.in_state[i] = p->weights[i] > 0;
        size_t *end = l.in_state[i] ? &l.n_state : &l.n_quadratures;
        l.at[i] = *end;
        *end = cst_size_add(*end, n);
        if (l.in_state[i]) l.blocks[l.n_blocks++] = (cst_block){p->integrals[i].name, n, p->weights[i]};
    }
    return l;
}

/* Set all vectors to consecutive parts of `work`, and return the size of all. `work` may be NULL to get the size. */
static size_t cut_work(run *r, real *work)
{
    const cst_forward_problem *p = r->p;
    size_t size = 0;
    cst_plan plan;
    cst_field_plan(p->field, p->call->n, p->call->threads, &plan);
    /* Memory for one evaluation of the field, then for the state and quadratures at an output, then for the solver. */
    r->cache = cst_cut(work, &size, plan.cache);
    r->call.work = cst_cut(work, &size, plan.work);
    r->y = cst_cut(work, &size, r->layout.n_state);
    r->sums = cst_cut(work, &size, r->layout.n_quadratures);
    r->dq = cst_cut(work, &size, cst_size_mul(p->call->n, r->n_integrals));
    r->solver_work = cst_cut(work, &size, cst_solver_work(&r->problem, p->options));
    return size;
}

/* z' = f and q' = g (paper, eq. 1). Integrals in the state are part of dy; the others are added to q. */
static cst_status field_rhs(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    run *r = context;
    const layout *l = &r->layout;
    const cst_recording *recording = r->p->recording;
    const size_t n = r->call.n;
    r->call.t = t;
    r->call.error = error;

    /* Evaluate the field, into the cache of this stage if the backward pass needs it. */
    if (recording->trajectory->keep == CST_KEEP_CACHES)
        CST_TRY(cst_field_forward(r->p->field, &r->call, y, dy, r->dq,
                                  cst_recording_cache(recording, r->solver.stage_index)));
    else
        CST_TRY(cst_field_evaluate(r->p->field, &r->call, y, dy, r->dq, r->cache));

    /* Distribute g. */
    for (size_t i = 0; i < r->n_integrals; i++) {
        const real *g = r->dq + i * n;
        if (l->in_state[i]) memcpy(dy + l->at[i], g, n * sizeof *dy);
        for (size_t row = 0; !l->in_state[i] && q && row < n; row++) q[l->at[i] + row] += scale * g[row];
    }
    return CST_OK;
}

/* Record the step for the backward pass. */
static cst_status accepted(void *context, const cst_solver *solver)
{
    const run *r = context;
    return cst_recording_accept(r->p->recording, solver, solver->error);
}

/* to = [z (N, D) | q (M, N)] from the solver's state and quadratures. */
static void keep_state(const run *r, real *to)
{
    const size_t n = r->call.n;
    /* z is the first block of the state. Each integral is in the state or in the quadratures. */
    memcpy(to, r->y, r->nz * sizeof *to);
    for (size_t i = 0; i < r->n_integrals; i++)
        memcpy(to + r->nz + i * n, (r->layout.in_state[i] ? r->y : r->sums) + r->layout.at[i], n * sizeof *to);
}

/* Describe the problem for the solver. */
static void set_up(run *r, const cst_forward_problem *p)
{
    *r = (run){.p = p, .layout = lay_out(p), .call = *p->call};
    r->nz = cst_size_mul(p->call->n, cst_shape_size(&p->field->x));
    r->n_integrals = cst_field_integrals(p->field);
    /* The norm is left zero, which means cst_norm_max_rms. */
    r->problem = (cst_problem){.f = field_rhs,
                               .context = r,
                               .blocks = r->layout.blocks,
                               .n_blocks = r->layout.n_blocks,
                               .n_quadratures = r->layout.n_quadratures,
                               .accepted = accepted};
}

size_t cst_forward_work(const cst_forward_problem *p)
{
    run r;
    set_up(&r, p);
    return cut_work(&r, NULL);
}

cst_status cst_forward_run(const cst_forward_problem *p, const real *x, real *states, cst_solve_stats *stats)
{
    const size_t last = p->n_times - 1;
    run r;
    set_up(&r, p);
    cut_work(&r, p->call->work);

    /* Start from z = x and q = 0. */
    memset(r.y, 0, r.layout.n_state * sizeof *r.y);
    memset(r.sums, 0, r.layout.n_quadratures * sizeof *r.sums);
    memcpy(r.y, x, r.nz * sizeof *x);
    keep_state(&r, states);

    /* One solve over all times. */
    const cst_solve_call call = {.q = r.sums, .work = r.solver_work, .stats = stats, .error = p->call->error};
    CST_TRY(cst_solver_start(&r.solver, &r.problem, p->options, p->times[0], p->times[last], r.y, &call));
    for (size_t i = 1; i <= last; i++) {
        CST_TRY(cst_solver_advance(&r.solver, p->times[i], false, r.y));
        keep_state(&r, states + i * p->call->n * cst_shape_size(&p->field->y));
    }
    return CST_OK;
}
